"""Finds keys of the config that no page of a collection has: most often typos, which leave counts out of date."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection as Names
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import groupby, islice

from syncer.content.pages import Pages
from syncer.content.scan import PAGES_WITHOUT_ID, read_head
from syncer.content.walk import Candidate, walk
from syncer.front_matter.block import find_block
from syncer.front_matter.keys import KEYED, TABLES, fold_key, format_of, item_prefix
from syncer.front_matter.leaves import key_values
from syncer.front_matter.video_id import parse_video_id
from syncer.model import COUNT_PATTERN, Collection, Count, Fields, Format, Page, Problem, ProblemKind
from syncer.wording import counted

SAMPLE_PAGES = 20
"""Pages in which the right name is looked for."""

LIKENESS = 0.75
"""How alike two names must be (difflib's ratio) for one to be a typo of the other."""

_STEMS = {Count.VIEWS: "views?", Count.LIKES: "likes?", Count.COMMENTS: "comments?"}


def key_problems(
    site: str, collections: Sequence[Collection], pages: Pages, problems: Sequence[Problem]
) -> Iterator[Problem]:
    """Yield a Problem for each of these collections whose mapped counts, or whose ID key, no page has.

    `pages` and `problems` are those of a scan of the whole site. Pages are read again only if no count was found.
    """
    for collection in collections:
        fields = collection.fields
        message = None
        if not pages.count(fields):
            message = _describe_id(site, collection, pages, problems)
        elif not fields.insert_missing:
            absent = absent_counts(site, collection, pages, problems)
            near = near_names(site, fields, pages.of(fields), absent)
            if len(absent) == len(fields.counts):
                noun = noun_of(fields, (page.path for page in pages.of(fields)))
                message = f"{describe_counts(fields, absent, near, noun)}. {remedy(fields, near)}"
        if message:
            yield Problem(ProblemKind.KEYS_NOT_FOUND, collection.directory, message)


def absent_counts(site: str, collection: Collection, pages: Pages, problems: Sequence[Problem]) -> list[Count]:
    """Return the mapped counts that none of the collection's files has, whatever their values, with a video or not."""
    fields = collection.fields
    absent = set(fields.counts) - {field.kind for field in pages.count_fields(fields) if field.present}
    if not absent:
        return []
    # a slot leaves out a count with a problem, and one that another collection writes
    elsewhere = {problem.subject for problem in problems} | {page.path for page in pages if page.fields is not fields}
    known = {page.path for page in pages.of(fields)} - elsewhere
    for path in _paths(site, collection):
        if absent and path not in known:
            head, block = _read(site, path, fields)
            keys = {count: _from_top(fields, fields.counts[count]) for count in absent}
            if any(_last(key) in block for key in keys.values()):
                values = key_values(head, format_of(fields, path))
                absent -= {count for count, key in keys.items() if _has(key, values, block)}
    return [count for count in fields.counts if count in absent]


def near_names(site: str, fields: Fields, own: Iterable[Page], absent: Sequence[Count]) -> dict[Count, str]:
    """Return for each of these counts a key with numbers or no value that is close to the mapped one, if any."""
    prefix = _from_top(fields, "")
    mapped = {*fields.counts.values(), fields.video_id.removeprefix(prefix)}
    names: dict[str, bool] = {}
    for file, _ in islice(groupby(page.path for page in own), SAMPLE_PAGES) if absent else ():
        head, _ = _read(site, file, fields)
        for path, texts in sorted((key_values(head, format_of(fields, file)) or {}).items()):
            name = path.removeprefix(prefix)
            if path.startswith(prefix) and not re.search(r"\[\]|\{\}", name) and name not in mapped:
                names[name] = names.get(name, True) and all(re.fullmatch(COUNT_PATTERN, text) for text in texts)
    counts = [name for name, is_count in names.items() if is_count]
    near = {count: _close_name(fields.counts[count], counts, _STEMS[count]) for count in absent}
    return {count: name for count, name in near.items() if name}


def describe_counts(fields: Fields, absent: Sequence[Count], near: Mapping[Count, str], noun: str) -> str:
    """Return which mapped counts no page has, and which close names the pages have instead: `near_names`.

    `noun` is `noun_of` them.
    """
    instead = f"; {noun}s have {_quoted(near.values())}" if near else ""
    return f"No {noun} has {_quoted(fields.counts[count] for count in absent)}{instead}"


def remedy(fields: Fields, near: Mapping[Count, str]) -> str:
    """Return what to do about absent counts: add them only where all can be beside the ID, and no near name is there.

    A second key would be beside the near name. If they differ only in letter case, that is a Problem of every page.
    """
    parents = {_from_top(fields, name).rpartition(".")[0] for name in fields.counts.values()}
    beside = fields.video_id if fields.video_id.endswith(KEYED) else fields.video_id.rpartition(".")[0]
    can_be_added = not near and fields.format not in TABLES and parents == {beside}
    return f"Correct `fields.counts`{', or set `insert_missing: true` to add the keys' if can_be_added else ''}."


def _describe_id(site: str, collection: Collection, pages: Pages, problems: Sequence[Problem]) -> str | None:
    """Return what is wrong where no page has the ID key; None where one has it, or where too few could."""
    video_id, of_others = collection.fields.video_id, {page.path for page in pages}
    if any(each.kind is ProblemKind.KEY_CASE and each.subject == collection.directory for each in problems):
        return None
    used = {each.subject for each in problems if each.kind is not ProblemKind.UNREADABLE}
    top = re.split(r"\.|\[\]|\{\}", video_id)[0].encode()
    with_block, holders = 0, Counter[str]()
    for path in _paths(site, collection):
        if path in of_others:
            continue
        head, block = _read(site, path, collection.fields)
        with_block += bool(block)
        is_read = top in block or (block and with_block <= SAMPLE_PAGES)
        values = key_values(head, format_of(collection.fields, path)) if is_read else {}
        if path in used or _has(video_id, values, block) or (not top and values == {}):  # an empty list
            return None
        if values and _has_empty_parent(video_id, values):
            return None
        if values and with_block <= SAMPLE_PAGES:
            holders.update(key for key, texts in values.items() if any(map(_is_video, texts)))
    if with_block < PAGES_WITHOUT_ID:
        return None
    near = _close_name(video_id, sorted(holders), "(video|vid|youtube|yt)(id|url)?")
    if not near and holders:  # a word of 11 characters may look like an ID, but not on most pages
        key, number = holders.most_common(1)[0]
        near = key if number * 2 > min(with_block, SAMPLE_PAGES) else None
    noun = noun_of(collection.fields, _paths(site, collection))
    instead = f"; {noun}s have `{near}`" if near else ""
    none = f"None of {counted(with_block, noun)} has the ID key `{video_id}`{instead}"
    return f"{none}. Correct `fields.video_id`{'' if near else ', or `directory` and `include`'}."


def _has_empty_parent(key: str, values: Mapping[str, list[str]]) -> bool:
    """Return whether a key above this one is there without a value: `videos:` and `videos: []` for `videos[].id`."""
    above = [key[: match.start()] for match in re.finditer(r"\.|\[\]", key)]
    return any(
        values.get(path) == [] and not any(other.startswith((f"{path}.", f"{path}[")) for other in values)
        for path in above
    )


def _is_video(text: str) -> bool:
    return isinstance(parse_video_id(text, ""), str)


def _has(key: str, values: Mapping[str, list[str]] | None, block: bytes) -> bool:
    """Return whether a page has the key; where its front matter cannot be parsed, whether it may have it."""
    return _last(key) in block if values is None else key in values


def _last(key: str) -> bytes:
    return key.rpartition(".")[2].encode()


def _paths(site: str, collection: Collection) -> Iterator[str]:
    return (item.path for item in walk(site, [collection]) if isinstance(item, Candidate))


def _read(site: str, path: str, fields: Fields) -> tuple[bytes, bytes]:
    """Return the head of a page and the text of its block, or a data file twice; empty where it cannot be read."""
    read = read_head(site, Candidate(path, (fields,)))
    head = read[0] if isinstance(read, tuple) else b""
    if format_of(fields, path) is not Format.FRONT_MATTER:
        return head, head
    block = find_block(head)
    return head, head[block.start : block.stop] if block else b""


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
