"""Finds keys of the config that no page of a collection has: most often typos, which leave counts out of date."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection as Names
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from itertools import groupby, islice

from syncer.content.file_keys import all_values, first_values, has_key, last_name, read_block
from syncer.content.page_file import attempt
from syncer.content.pages import Pages
from syncer.content.scan import PAGES_WITHOUT_ID
from syncer.content.walk import Candidate, candidate_of, walk
from syncer.front_matter.address import looks_like_id
from syncer.front_matter.find import find
from syncer.front_matter.forms import FORMS, MEANT_AS_COUNT
from syncer.front_matter.keys import DATA_SUFFIXES, KEYED, TABLES, fold_key, format_of, item_prefix
from syncer.front_matter.video_id import is_possible, parse_video_id
from syncer.model import (
    Collection,
    Count,
    Fields,
    Format,
    Page,
    Problem,
    ProblemKind,
    ValueKind,
)
from syncer.wording import counted

SAMPLE_PAGES = 20
"""Pages in which the right name is looked for."""

SHOWN_VALUES = 3
"""Values that a message names instead of one of `where`."""

LIKENESS = 0.75
"""How alike two names must be (difflib's ratio) for one to be a typo of the other."""

_PAGE_SUFFIXES = frozenset({"md", "markdown", "mdx", "mdoc", "html", "htm", "njk", "liquid", "adoc", "rst", "org"})
"""Those of files that may have front matter, but need not."""

_STEMS = {Count.VIEWS: "views?", Count.LIKES: "likes?", Count.COMMENTS: "comments?"}


def key_problems(
    site: str,
    suspects: Sequence[Collection],
    collections: Sequence[Collection],
    pages: Pages,
    problems: Sequence[Problem],
) -> Iterator[Problem]:
    """Yield a Problem for each of the suspects whose mapped counts, details, or videos no page has.

    `suspects` are some of the `collections`. `pages` and `problems` are those of a scan of the whole site. Pages are
    read again only if a key was not found. Of several counts, all must be absent.
    """
    for collection in suspects:
        fields = collection.fields
        message = None
        if not pages.count(fields):
            message = _describe_nothing(site, collection, collections, pages, problems)
        elif absent := absent_keys(site, collection, pages, problems):
            if not set(absent).issuperset(fields.counts):
                absent = [kind for kind in absent if not isinstance(kind, Count)]
            message = describe_absent(site, fields, pages, absent)
        if message:
            yield Problem(ProblemKind.KEYS_NOT_FOUND, collection.directory, message)


def absent_keys(site: str, collection: Collection, pages: Pages, problems: Sequence[Problem]) -> list[ValueKind]:
    """Return the mapped counts and details that none of the collection's files has, and that no sync will add.

    It does not matter which values they have, nor whether a file with them has a video.
    """
    fields = collection.fields
    return [] if _are_added(fields, pages) else absent_now(site, collection, pages, problems)


def absent_now(site: str, collection: Collection, pages: Pages, problems: Sequence[Problem]) -> list[ValueKind]:
    """Return the mapped counts and details that none of the collection's files has now."""
    fields = collection.fields
    keys = _keys(fields)
    absent = keys.keys() - {field.kind for field in pages.value_fields(fields) if field.present}
    if not absent:
        return []
    # a slot leaves out a count with a problem, and one that another collection writes
    elsewhere = {problem.subject for problem in problems} | {page.path for page in pages if page.fields is not fields}
    known = {page.path for page in pages.of(fields)} - elsewhere
    for path in _paths(site, collection):
        if absent and path not in known:
            head, block = read_block(site, path, fields)
            wanted = {kind: _from_top(fields, keys[kind]) for kind in absent}
            if any(last_name(key) in block for key in wanted.values()):
                values = all_values(head, fields, path)
                absent -= {kind for kind, key in wanted.items() if has_key(key, values, block)}
    return [kind for kind in keys if kind in absent]


def near_names(site: str, fields: Fields, own: Iterable[Page], absent: Sequence[ValueKind]) -> dict[ValueKind, str]:
    """Return for each of these counts and details a key with such values or none that is close to its key, if any."""
    prefix = _from_top(fields, "")
    keys = _keys(fields)
    mapped = {*keys.values(), fields.video_id.removeprefix(prefix)}
    names: dict[str, list[str]] = {}
    for file, _ in islice(groupby(page.path for page in own), SAMPLE_PAGES) if absent else ():
        head, _ = read_block(site, file, fields)
        for path, texts in sorted((first_values(head, fields, file) or {}).items()):
            name = path.removeprefix(prefix)
            if path.startswith(prefix) and not re.search(r"\[\]|\{\}", name) and name not in mapped:
                names.setdefault(name, []).extend(texts)
    near = {}
    for kind in absent:
        form = MEANT_AS_COUNT if isinstance(kind, Count) else re.compile(FORMS[kind].pattern)
        such = [name for name, texts in names.items() if all(form.fullmatch(text) for text in texts)]
        stem = _STEMS[kind] if isinstance(kind, Count) else re.sub("_(.*)", r"(\1)?", kind)  # unavailable(since)?
        near[kind] = _close_name(keys[kind], such, stem)
    return {kind: name for kind, name in near.items() if name}


def describe_absent(
    site: str, fields: Fields, pages: Pages, absent: Sequence[ValueKind], *, adds: bool = False
) -> str | None:
    """Return which mapped counts and details no page has, which close names the pages have instead, and what to do.

    `adds`: a sync adds them, so only those with a close name matter; None if there is none.
    """
    near = near_names(site, fields, pages.of(fields), absent)
    named = [kind for kind in absent if kind in near or not adds]
    if not named:
        return None
    noun = noun_of(fields, (page.path for page in pages.of(fields)))
    instead = f"; {noun}s have {_quoted(near.values())}" if near else ""
    keys = _keys(fields)
    none = f"No {noun} has {_quoted(keys[kind] for kind in named)}{instead}"
    names = dict.fromkeys("fields.counts" if isinstance(kind, Count) else f"fields.{kind}" for kind in named)
    correct = f"correct {' and '.join(f'`{name}`' for name in names)}"
    if adds:
        return f"{none}, and `insert_missing` is set. A sync adds a second key. If you mean the same key, {correct}."
    return f"{none}. C{correct[1:]}{_other_remedy(fields, pages) if not near else ''}."


def _other_remedy(fields: Fields, pages: Pages) -> str:
    """Return how absent keys get into the pages; empty if `insert_missing` cannot add them all beside the ID.

    Where there is a near name, a second key would be beside it. If they differ only in letter case, that is a Problem
    of every page.
    """
    if _are_tables(fields, pages):
        return ", or add such a column"
    parents = {
        _from_top(fields, name).rpartition(".")[0] for name in (*fields.counts.values(), *fields.details.values())
    }
    beside = fields.video_id if fields.video_id.endswith(KEYED) else fields.video_id.rpartition(".")[0]
    return ", or set `insert_missing: true` to add the keys" if parents == {beside} else ""


def _keys(fields: Fields) -> dict[ValueKind, str]:
    return dict((*fields.counts.items(), *fields.details.items()))


def _are_added(fields: Fields, pages: Pages) -> bool:
    return fields.insert_missing and not _are_tables(fields, pages)


def _are_tables(fields: Fields, pages: Pages) -> bool:
    """Return whether all files of a collection are tables: no sync adds a column to one."""
    return all(format_of(fields, page.path) in TABLES for page in pages.of(fields))


def _describe_nothing(
    site: str, collection: Collection, collections: Sequence[Collection], pages: Pages, problems: Sequence[Problem]
) -> str | None:
    """Return which key of a collection without any video leaves out all of them; None if that may be right."""
    if next(_paths(site, collection), None) is None:
        return _describe_patterns(site, collection, collections)
    is_miscased = any(each.kind is ProblemKind.KEY_CASE and each.subject == collection.directory for each in problems)
    if is_miscased or not collection.fields.video_id:  # without it, only embeds are looked for
        return None
    return (
        _describe_where(site, collection)
        or _describe_format(site, collection)
        or _describe_id(site, collection, pages, problems)
    )


def _describe_patterns(site: str, collection: Collection, collections: Sequence[Collection]) -> str | None:
    """Return what is wrong where no file is taken; None if there is no file that may be a page or a data file.

    What another collection takes is no mistake.
    """
    include, fields, mapped = collection.include, collection.fields, candidate_of(collections)

    def left_out(patterns: tuple[str, ...]) -> list[str]:
        found = _paths(site, replace(collection, include=patterns, exclude=()))
        return [path for path in found if not mapped(path).fields]

    if excluded := left_out(include):
        which = f"all {counted(len(excluded), 'file')}" if len(excluded) > 1 else "the only file"
        return f"`exclude` ({_quoted(collection.exclude)}) leaves out {which} that `include` takes. Correct `exclude`."
    above = 0 if collection.directory == "." else len(collection.directory.strip("/")) + 1
    names = [path[above:] for path in left_out(("*",)) if _suffix(path) in {*_PAGE_SUFFIXES, *DATA_SUFFIXES}]
    if not names:
        return None
    wanted = (re.sub(r"^(/|\*\*/)", "", pattern) for pattern in include)
    near = next((close for each in wanted for close in get_close_matches(each, names, 1)), names[0])
    more = f" and {counted(len(names) - 1, 'other file')}" if len(names) > 1 else ""
    remedy = "Correct `include`."
    if set(include) == {"**/*.md", "**/*.markdown"} and _suffix(near) in DATA_SUFFIXES:
        remedy = f'Set `include`, such as `["**/*.{_suffix(near)}"]`.'
    elif fields.format in DATA_SUFFIXES.values() and set(include) <= {f"**/*.{suffix}" for suffix in DATA_SUFFIXES}:
        remedy = "Correct `format`, or set `include`."
    return f"`include` ({_quoted(include)}) takes no file. The directory has `{near}`{more}. {remedy}"


def _describe_where(site: str, collection: Collection) -> str | None:
    """Return what is wrong with a `where` that leaves out every video."""
    fields = collection.fields
    videos, seen, is_all = 0, dict[str, Counter[str]](), True
    for path in _paths(site, collection) if fields.where else ():
        head, _ = read_block(site, path, fields)
        left_out = attempt(find, head, replace(fields, where={}), path)
        if left_out and left_out.slots:
            if find(head, fields, path).slots:  # the page excludes itself
                return None
            videos += len(left_out.slots)
            values = all_values(head, fields, path)
            is_all = is_all and values is not None
            for key, texts in (values or {}).items():
                name = key.removeprefix(_from_top(fields, ""))
                seen.setdefault(name, Counter()).update(texts)
    if not videos:
        return None
    noun = noun_of(fields, _paths(site, collection))
    why = f"no {noun} has all of its values in one place"
    for key, text in fields.where.items() if is_all else ():
        if key not in seen:
            near = _close_name(key, list(seen), re.escape(_bare(key)))
            near = near or next((name for name, texts in seen.items() if text in texts), None)
            why = f"no {noun} has `{key}`{f'; {noun}s have `{near}`' if near else ''}"
        elif text not in seen[key]:
            near = {value.lower(): value for value in seen[key]}.get(text.lower())
            named = [near] if near else [value for value, _ in seen[key].most_common(SHOWN_VALUES)]
            why = f"`{key}` is never `{text}`{f'; {noun}s have {_quoted(named)}' if named else ''}"
        else:
            continue
        break
    which = f"all {counted(videos, 'video')}" if videos > 1 else "the only video"
    return f"`where` leaves out {which}: {why}. Correct `fields.where`."


def _describe_id(site: str, collection: Collection, pages: Pages, problems: Sequence[Problem]) -> str | None:
    """Return what is wrong where no page has the ID key; None where one has it, or where too few could.

    Too few are four pages, or a data file with four values of each key: their videos may come later.
    """
    fields, of_others = collection.fields, {page.path for page in pages}
    video_id = fields.video_id
    used = {each.subject for each in problems if each.kind is not ProblemKind.UNREADABLE}
    top = re.split(r"\.|\[\]|\{\}", video_id)[0].encode()
    with_block, of_data, holders = 0, 0, Counter[str]()
    paths = [path for path in _paths(site, collection) if path not in of_others]
    if not used.isdisjoint(paths):
        return None
    for path in paths:
        head, block = read_block(site, path, fields)
        with_block += bool(block)
        is_read = top in block or (block and with_block <= SAMPLE_PAGES)
        values = all_values(head, fields, path) if is_read else {}
        if has_key(video_id, values, block) or (not top and values == {}):  # an empty list
            return None
        if values is None:
            values = first_values(head, fields, path)
        if values and _has_empty_parent(video_id, values):
            return None
        if values and with_block <= SAMPLE_PAGES:
            held = [key for key, texts in values.items() if sum(map(_is_video, texts)) * 2 > len(texts)]
            holders.update(held)
            if format_of(fields, path) is not Format.FRONT_MATTER:
                of_data += max(len(held), *map(len, values.values()))
    near = _close_name(video_id, sorted(holders), "(video|vid|youtube|yt)(id|url)?")
    if not near and holders:  # a word of 11 characters may look like an ID, but not on most pages
        key, number = holders.most_common(1)[0]
        near = key if number * 2 > min(with_block, SAMPLE_PAGES) else None
    if max(with_block, of_data) < PAGES_WITHOUT_ID and not (near and of_data):
        return None
    noun = noun_of(fields, _paths(site, collection))
    instead = f"; {noun}s have `{near}`" if near else ""
    none = f"None of {counted(with_block, noun)}" if with_block > 1 else f"No {noun}"
    remedy = "." if near else f", or `directory` and `include`{' and `format`' if fields.format else ''}."
    return f"{none} has the ID key `{video_id}`{instead}. Correct `fields.video_id`{remedy}"


def _describe_format(site: str, collection: Collection) -> str | None:
    """Return what is wrong where no file has front matter; None if some are pages, which may have none."""
    read_as, suffixes = collection.fields.format, {_suffix(path) for path in _paths(site, collection)}
    odd = suffixes - _PAGE_SUFFIXES if not read_as else suffixes.intersection(DATA_SUFFIXES)
    if read_as not in {None, Format.FRONT_MATTER} or odd != suffixes or (not read_as and odd & DATA_SUFFIXES.keys()):
        return None
    if any(read_block(site, path, collection.fields)[1] for path in _paths(site, collection)):
        return None
    remedy = "Remove `format: front_matter`" if read_as else "If they are data, set `format`, such as `format: yaml`"
    return f"No file has front matter, and without it none has the ID key `{collection.fields.video_id}`. {remedy}."


def _has_empty_parent(key: str, values: Mapping[str, list[str]]) -> bool:
    """Return whether a key above this one is there without a value: `videos:` and `videos: []` for `videos[].id`."""
    above = [key[: match.start()] for match in re.finditer(r"\.|\[\]", key)]
    return any(
        values.get(path) == [] and not any(other.startswith((f"{path}.", f"{path}[")) for other in values)
        for path in above
    )


def _suffix(path: str) -> str:
    return path.rpartition(".")[2].lower()


def _is_video(text: str) -> bool:
    found = parse_video_id(text, "")
    return isinstance(found, str) and (found != text or (looks_like_id(text) and is_possible(found)))


def _paths(site: str, collection: Collection) -> Iterator[str]:
    return (item.path for item in walk(site, [collection]) if isinstance(item, Candidate))


def noun_of(fields: Fields, paths: Iterable[str]) -> str:
    """Return what the files of a collection are: `page`, or `data file` if all are."""
    are_data = [format_of(fields, path) is not Format.FRONT_MATTER for path in paths]
    return "data file" if are_data and all(are_data) else "page"


def _from_top(fields: Fields, name: str) -> str:
    """Return the path of a count from the top of the front matter, or of the file."""
    return name if fields.format in TABLES else item_prefix(fields.video_id) + name


def _close_name(name: str, names: Names[str], alike: str) -> str | None:
    """Return the name that is most like this one: but for letter case and signs, a typo away, or of this pattern."""
    bare = {_bare(each): each for each in names if each != name}
    own = _bare(name)
    typos = [each for each in bare if not (own in each or each in own) or abs(len(own) - len(each)) == 1]
    close = own if own in bare else next(iter(get_close_matches(own, typos, 1, LIKENESS)), None)
    pattern = re.compile(f"(youtube|yt|video)?({alike})(count)?")
    return (
        bare[close]
        if close
        else next((bare[each] for each in bare if pattern.fullmatch(each.rpartition(".")[2])), None)
    )


def _bare(name: str) -> str:
    return re.sub(r"[^\w.\[\]]|_", "", fold_key(name))


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
