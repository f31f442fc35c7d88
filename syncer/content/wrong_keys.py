"""Finds keys of the config that no page of a collection has: most often typos, which leave counts out of date."""

from __future__ import annotations

import re
from collections.abc import Collection as Names
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches

from syncer.content.scan import PAGES_WITHOUT_ID, read_head
from syncer.content.walk import Candidate, walk
from syncer.front_matter.block import find_block
from syncer.front_matter.keys import fold_key
from syncer.front_matter.leaves import key_paths
from syncer.model import Collection, Count, Fields, Page, Problem, ProblemKind
from syncer.wording import counted

SAMPLE_PAGES = 20
"""Pages in which a name is looked for that is close to a wrong one."""

LIKENESS = 0.75
"""How alike two names must be (difflib's ratio) for one to be a typo of the other."""

_STEMS = {Count.VIEWS: "views?", Count.LIKES: "likes?", Count.COMMENTS: "comments?"}


def key_problems(
    site: str, collections: Sequence[Collection], pages: Sequence[Page], problems: Sequence[Problem]
) -> Iterator[Problem]:
    """Yield a Problem for each of these collections whose mapped counts, or whose ID key, no page has.

    `pages` and `problems` are those of a scan of the whole site. Pages are read again only if no count was found.
    """
    for collection in collections:
        fields, own = collection.fields, [page for page in pages if page.fields is collection.fields]
        absent = absent_counts(site, fields, pages, problems) if own and not fields.insert_missing else []
        message = None
        if absent and len(absent) == len(fields.counts):
            remedy = "Correct `fields.counts`, or set `insert_missing: true` to add the keys."
            message = f"{describe_counts(fields, absent, near_names(site, fields, own, absent))}. {remedy}"
        elif not own:
            message = _describe_id(site, collection, pages, problems)
        if message:
            yield Problem(ProblemKind.KEYS_NOT_FOUND, collection.directory, message)


def absent_counts(site: str, fields: Fields, pages: Sequence[Page], problems: Sequence[Problem]) -> list[Count]:
    """Return the mapped counts that are in none of the pages with these fields, whatever their values."""
    own = [page for page in pages if page.fields is fields]
    absent = set(fields.counts) - {
        field.count for page in own for slot in page.slots for field in slot.fields if field.present
    }
    # a slot leaves out a count with a problem, and one that another collection writes
    elsewhere = {problem.subject for problem in problems} | {page.path for page in pages if page.fields is not fields}
    for paths in (_keys_of(site, page.path) for page in own if absent and page.path in elsewhere):
        absent -= {count for count in absent if _from_top(fields, fields.counts[count]) in paths}
    return [count for count in fields.counts if count in absent]


def near_names(site: str, fields: Fields, own: Sequence[Page], absent: Sequence[Count]) -> dict[Count, str]:
    """Return for each of these counts a key of the pages that is close to the mapped one, if there is any."""
    prefix = _from_top(fields, "")
    mapped = {*fields.counts.values(), _from_item(fields)}
    names: dict[str, None] = {}
    for page in own[:SAMPLE_PAGES]:
        found = sorted(path.removeprefix(prefix) for path in _keys_of(site, page.path) if path.startswith(prefix))
        names |= dict.fromkeys(name for name in found if "[]" not in name and name not in mapped)
    near = {count: _close_name(fields.counts[count], names, _STEMS[count]) for count in absent}
    return {count: name for count, name in near.items() if name}


def describe_counts(fields: Fields, absent: Sequence[Count], near: Mapping[Count, str]) -> str:
    """Return which mapped counts no page has, and which close names the pages have instead: `near_names`."""
    instead = f"; pages have {_quoted(near.values())}" if near else ""
    return f"No page has {_quoted(fields.counts[count] for count in absent)}{instead}"


def _describe_id(site: str, collection: Collection, pages: Sequence[Page], problems: Sequence[Problem]) -> str | None:
    """Return what is wrong where no page has the ID key; None where one has it, or where too few could."""
    fields = collection.fields
    of_others = {page.path for page in pages}
    if any(each.kind is ProblemKind.KEY_CASE and each.subject == collection.directory for each in problems):
        return None
    used = {each.subject for each in problems if each.kind is not ProblemKind.UNREADABLE}
    top = re.split(r"\.|\[\]", fields.video_id)[0].encode()
    with_block, names = 0, dict[str, None]()
    for candidate in walk(site, [collection]):
        if not isinstance(candidate, Candidate) or candidate.path in of_others:
            continue
        read = read_head(site, candidate)
        head = read[0] if isinstance(read, tuple) else b""
        paths = key_paths(head) if top in head or with_block < SAMPLE_PAGES else set()
        if candidate.path in used or _has_id_key(fields.video_id, paths):
            return None
        names |= dict.fromkeys(sorted(paths))
        block = find_block(head)
        with_block += block is not None and block.stop > block.start
    if with_block < PAGES_WITHOUT_ID:
        return None
    near = _close_name(fields.video_id, names, "(video|vid|youtube|yt)(id|url)?")
    instead = f"; pages have `{near}`" if near else ""
    remedy = "Correct `fields.video_id`" if near else "Correct `fields.video_id`, or `directory` and `include`"
    return f"None of {counted(with_block, 'page')} has the ID key `{fields.video_id}`{instead}. {remedy}."


def _has_id_key(video_id: str, paths: Names[str]) -> bool:
    """Whether a page has the ID key, or an empty list whose items would have it."""
    if video_id in paths:
        return True
    lists = (video_id[: match.start()] for match in re.finditer(r"\[\]", video_id))
    return any(each in paths and not any(path.startswith(f"{each}[]") for path in paths) for each in lists)


def _keys_of(site: str, path: str) -> set[str]:
    read = read_head(site, Candidate(path, ()))
    return key_paths(read[0]) if isinstance(read, tuple) else set()


def _from_item(fields: Fields) -> str:
    return fields.video_id.rpartition("[].")[2]


def _from_top(fields: Fields, name: str) -> str:
    """Return the path of a count from the top of the front matter."""
    return "".join(fields.video_id.rpartition("[].")[:2]) + name


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
