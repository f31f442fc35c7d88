"""The true way: finds the slots of a page in the tree of its block, with the place of every count."""

from __future__ import annotations

import re
import sys
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from syncer.front_matter.block import Syntax
from syncer.front_matter.differences import NO_VIDEO, conflict_on, is_same_text
from syncer.front_matter.insert import insertion_after
from syncer.front_matter.keys import CountKey, Keys, Names
from syncer.front_matter.letters import Twin, find_twin, in_any_letters
from syncer.front_matter.tree import Alias, Conflict, Fault, Items, Member, Node, Scalar, Table, Tree
from syncer.front_matter.video_id import parse_video_id
from syncer.model import LARGEST_COUNT, CountType, Problem, ProblemKind, Slot, Value, VideoId, slot_of


class Spot(NamedTuple):
    """Where one value stands in the block's text: `before + digits + after` takes the place of `[start:stop]`."""

    value: Value
    start: int
    stop: int
    before: str
    after: str
    key: int | None
    """Where the key starts; None where it is absent."""


class Place(NamedTuple):
    """A slot, and where its values stand."""

    slot: Slot
    spots: tuple[Spot, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """What the search needs to know of the page at hand."""

    text: str
    """The block."""
    syntax: Syntax
    line: int
    """The page's line on which the block starts."""
    path: str
    newlines: list[int] = field(default_factory=list)

    def line_of(self, offset: int) -> int:
        """Return the page's line, from 1, of a place in the block."""
        if not self.newlines:
            self.newlines.extend(match.start() for match in re.finditer("\n", self.text))
        return self.line + bisect_left(self.newlines, offset)

    def problem(self, kind: ProblemKind, message: str, offset: int) -> Problem:
        """Return a Problem of this page."""
        return Problem(kind, self.path, message, self.line_of(offset))


_COUNT = re.compile(r"[0-9]{1,19}")
_LIST_END = re.compile(r"[\s,]*(?:#[^\n]*\n[\s,]*)*\]")
_ADVICE = {
    ProblemKind.ALIAS: "has an anchor or is an alias: write the value out",
    ProblemKind.TAG: "has a tag: take it off",
    ProblemKind.BLOCK_SCALAR: "is a block scalar: write it on the line of its key",
}


def places_in(page: Page, tree: Tree | Fault, keys: Keys) -> tuple[list[Place], list[Problem]]:
    """Return the slots of a page, in order, with their spots, and what is wrong with it.

    A page has no slots where a mapped key, or one on the way to it, stands twice, or readers take it differently: which
    value counts is not for us to say.
    """
    if isinstance(tree, Fault):
        return [], list(_of_fault(page, tree, keys))
    places: list[Place] = []
    problems: list[Problem] = []
    drafts = list(_drafts(page, tree.root, keys))
    conflict = next((draft for draft in drafts if isinstance(draft, Conflict)), tree.conflict if drafts else None)
    if conflict:
        return [], [page.problem(*conflict)]
    counts = _quotes(drafts)
    for draft in drafts:
        for found in _finished(page, draft, keys, counts) if isinstance(draft, _Draft) else [draft]:
            (problems if isinstance(found, Problem) else places).append(found)  # type: ignore[arg-type]
    return places, problems


def in_other_letters(page: Page, tree: Tree, keys: Keys) -> str | None:
    """Return the path under which the page names a video, where that is the id's but for letter case."""
    found = in_any_letters(tree.root, keys.lists, keys.video_id)
    return next(
        (path for path, node in found if path != keys.path and isinstance(_video_id(page, node, keys), str)), None
    )


def _of_fault(page: Page, fault: Fault, keys: Keys) -> Iterator[Problem]:
    """Tell of a block that cannot be read, if it may hold a video."""
    if keys.named.search(page.text):
        line = None if fault.line is None else page.line + fault.line
        message = f"The front matter is no valid {page.syntax.value} ({fault.reason}); mend it."
        yield Problem(fault.kind, page.path, message, line)


class _Scope(NamedTuple):
    """A table that may hold a video: the whole block, or an item of a list."""

    table: Table
    prefix: str
    """What the diff log puts before its fields: `videos[1].`."""
    obstacle: ProblemKind | None
    """An anchor or a tag on the way to it."""
    twin: Twin | None
    """A key beside the way to it that is another in letter case only."""


def _scopes(page: Page, scope: _Scope, lists: tuple[Names, ...]) -> Iterator[_Scope | Conflict]:
    """Yield the tables that the lists lead to, or what makes that uncertain."""
    if not lists:
        yield scope
        return
    if conflict := conflict_on(scope.table, lists[0], page.syntax):
        yield conflict
    way = _follow(scope.table, lists[0])
    if way is None or not isinstance(way.value, Items):
        return
    twin = scope.twin or find_twin(scope.table, lists[0])
    obstacle = scope.obstacle or way.obstacle or way.value.obstacle
    name = ".".join(lists[0])
    for number, item in enumerate(way.value.items):
        if isinstance(item, Table):
            inner = _Scope(item, f"{scope.prefix}{name}[{number}].", obstacle or item.obstacle, twin)
            yield from _scopes(page, inner, lists[1:])


class _Way(NamedTuple):
    """Where a path of keys leads."""

    table: Table
    member: Member
    obstacle: ProblemKind | None
    """An anchor, a tag or an alias on the way."""

    @property
    def value(self) -> Node:
        return self.member.value


def _follow(table: Table, names: Names) -> _Way | None:
    """Follow a path down; None where it ends before its time. An alias on the way ends it too, as an obstacle."""
    obstacle: ProblemKind | None = None
    for name in names[:-1]:
        member = table.get(name)
        if member is not None and isinstance(member.value, Alias):
            return _Way(table, member, ProblemKind.ALIAS)
        if member is None or not isinstance(member.value, Table):
            return None
        table = member.value
        obstacle = obstacle or table.obstacle
    last = table.get(names[-1])
    return _Way(table, last, obstacle) if last else None


class _Draft(NamedTuple):
    """A video, and its counts as far as they are there."""

    scope: _Scope
    way: _Way
    """To the id."""
    video_id: VideoId
    found: list[tuple[CountKey, Spot | Problem | None]]


def _drafts(page: Page, root: Node, keys: Keys) -> Iterator[_Draft | Problem | Conflict]:
    if not isinstance(root, Table):
        return
    for scope in _scopes(page, _Scope(root, "", root.obstacle, None), keys.lists):
        draft = scope if isinstance(scope, Conflict) else _draft(page, scope, keys)
        if draft is not None:
            yield draft


def _draft(page: Page, scope: _Scope, keys: Keys) -> _Draft | Problem | Conflict | None:
    """Return the video of a table, if it has one, or what is wrong with it."""
    if conflict := conflict_on(scope.table, keys.video_id, page.syntax):
        return conflict
    way = _follow(scope.table, keys.video_id)
    video_id = way and _video_id(page, way.value, keys)
    if way is None or video_id is None:
        return None
    if isinstance(video_id, Problem):
        return video_id
    for key in keys.counts:
        if conflict := conflict_on(scope.table, key.names, page.syntax):
            return conflict
    if isinstance(way.value, Items):
        way = way._replace(member=_list_as_value(page.text, way.member, way.value))
    return _Draft(scope, way, video_id, [(key, _spot(page, scope, key)) for key in keys.counts])


def _finished(page: Page, draft: _Draft, keys: Keys, quotes: Sequence[tuple[int, str]]) -> Iterator[Place | Problem]:
    """Yield the slot, with what is to be inserted, and what is wrong with it.

    A key that some readers take for a mapped one, or for one that was to be inserted, leaves all of the slot alone.
    """
    way, found = draft.way, draft.found
    beside = keys.video_id[:-1] if keys.insert_missing else None
    absent = [key for key, spot in found if spot is None and key.names[:-1] == beside]
    twins = _twins(draft, keys, absent)
    if twins:
        yield from (page.problem(ProblemKind.KEY_CASE, twin.message, twin.key.start) for twin in twins)
        return
    if absent:
        quote = _quote_near(way.value, quotes, keys.insert_as)
        inserted = dict(zip(absent, _inserted(page, draft.scope, way, absent, quote), strict=True))
        found = [(key, spot or inserted.get(key)) for key, spot in found]
    yield from (spot for _, spot in found if isinstance(spot, Problem))
    spots = tuple(spot for _, spot in found if isinstance(spot, Spot))
    slot = slot_of(draft.video_id, page.line_of(way.member.key.start), [spot.value for spot in spots])
    yield Place(slot, spots)


def _twins(draft: _Draft, keys: Keys, absent: Sequence[CountKey]) -> list[Twin]:
    """Return the twins of keys on the way to the video, or to a count that would be written."""
    of_id = draft.scope.twin or find_twin(draft.scope.table, keys.video_id)
    if of_id:
        return [of_id]
    written = [key for key, spot in draft.found if isinstance(spot, Spot) or key in absent]
    return [twin for key in written if (twin := find_twin(draft.scope.table, key.names))]


def _quotes(drafts: Iterable[_Draft | Problem | Conflict]) -> list[tuple[int, str]]:
    """Return the place and the quote of each count of the page, in order. An empty one is filled with a number."""
    found = (spot for draft in drafts if isinstance(draft, _Draft) for _, spot in draft.found)
    return sorted((spot.start, spot.after) for spot in found if isinstance(spot, Spot))


def _quote_near(video_id: Node, quotes: Sequence[tuple[int, str]], insert_as: CountType) -> str:
    """Return the quote that an inserted count gets: the nearest count's, else as the config says."""
    after = bisect_left(quotes, (video_id.start, ""))
    nearest = min(quotes[max(after - 1, 0) : after + 1], key=lambda one: abs(one[0] - video_id.start), default=None)
    if nearest:
        return nearest[1]
    own = video_id.quote[:1] if isinstance(video_id, Scalar) else ""
    return "" if insert_as == "number" else own or '"'


def _video_id(page: Page, node: Node, keys: Keys) -> VideoId | Problem | None:
    """Read the id. An anchor on it or a block scalar leaves its value certain; an alias or a tag does not."""
    if isinstance(node, Alias):
        return page.problem(ProblemKind.ALIAS, "The video ID is an alias: write it out.", node.start)
    if (isinstance(node, Table) and not node.members) or (isinstance(node, Items) and not node.items):
        return None
    if isinstance(node, Table):
        message = "The video ID is a table: write one id or the address of one video, or map a key inside the table."
        return page.problem(ProblemKind.NOT_A_VIDEO_ID, message, node.start)
    if node.obstacle is ProblemKind.TAG:
        return page.problem(ProblemKind.TAG, f"The video ID {_ADVICE[ProblemKind.TAG]}.", node.start)
    if isinstance(node, Items):
        return _video_id_in_list(page, node, keys)
    return _id_in(page, node)


def _video_id_in_list(page: Page, items: Items, keys: Keys) -> VideoId | Problem | None:
    """Read a list: one item is that item; several that name no video are as silent as one; else it is a Problem."""
    single = [item for item in items.items if isinstance(item, Scalar | Alias)]
    found = [_video_id(page, item, keys) for item in single]
    if len(single) == len(items.items) and (len(found) == 1 or all(one is None for one in found)):
        return found[0]
    message = (
        "The video ID is a list: leave one id or address in it. For several videos, make each an item with an id and "
        f'counts of its own, and map the id inside the items: `video_id: "{keys.path}[].id"`.'
    )
    return page.problem(ProblemKind.NOT_A_VIDEO_ID, message, items.start)


def _list_as_value(text: str, member: Member, items: Items) -> Member:
    """Return the member as if its list of one id were a single value: a missing count is added after all of it."""
    item = items.items[0]
    assert isinstance(item, Scalar)
    closing = _LIST_END.match(text, item.stop) if text.startswith("[", items.start) else None
    return Member(member.key, Scalar(item.text, items.start, closing.end() if closing else item.stop, item.quote))


def _id_in(page: Page, node: Scalar) -> VideoId | Problem | None:
    bare = not node.quote and node.obstacle is not ProblemKind.BLOCK_SCALAR
    if node.null or (bare and node.text in NO_VIDEO):
        return None
    if bare and page.syntax is Syntax.YAML and not is_same_text(node.text):
        message = "The video ID is unquoted, and a number or a truth value for some readers of YAML: quote it."
        return page.problem(ProblemKind.READERS_DISAGREE, message, node.start)
    return parse_video_id(node.text, page.path, page.line_of(node.start))


def _spot(page: Page, scope: _Scope, key: CountKey) -> Spot | Problem | None:
    """Return where a count stands, why it must not be touched, or None where it is absent."""
    way = _follow(scope.table, key.names)
    if way is None:
        return None
    node = way.value
    obstacle = scope.obstacle or way.obstacle or (ProblemKind.ALIAS if isinstance(node, Alias) else node.obstacle)
    if obstacle is not None:
        message = f"The count {key.field!r}, or what it stands in, {_ADVICE[obstacle]}."
        return page.problem(obstacle, message, node.start)
    value = Value(key.count, sys.intern(scope.prefix + key.field), None)
    if not isinstance(node, Scalar):
        kind = "a list" if isinstance(node, Items) else "a table"
        return page.problem(
            ProblemKind.NOT_A_COUNT, f"The count {key.field!r} is {kind}: write a plain number.", node.start
        )
    if node.null and node.start == node.stop:
        return _empty(page, way.member, node, value)
    return _written(page, way.member, node, value)


def _written(page: Page, member: Member, node: Scalar, value: Value) -> Spot | Problem:
    """Return the spot of a count that is more than nothing."""
    source = page.text[node.start : node.stop]
    plain = _COUNT.fullmatch(node.text) is not None and int(node.text) <= LARGEST_COUNT
    blank = node.null or (not node.text and bool(node.quote))
    exact = source == f"{node.quote}{node.text}{node.quote}"
    if not exact or not (plain or blank):
        message = (
            f"The count {value.field!r} is {_shown(source)}, no plain number: write digits alone, or leave it empty."
        )
        return page.problem(ProblemKind.NOT_A_COUNT, message, node.start)
    if plain:
        value = Value(value.count, value.field, node.text)
    return Spot(value, node.start, node.stop, node.quote, node.quote, member.key.start)


def _empty(page: Page, member: Member, node: Scalar, value: Value) -> Spot | Problem:
    """Return the spot right after the colon of a YAML key without a value."""
    key = member.key
    stop = key.stop if isinstance(key, Scalar) else node.start
    if page.text[stop : node.start].strip(" \t") != ":":
        message = f"The count {value.field!r} has no colon: write `{value.field}:` or take it out."
        return page.problem(ProblemKind.CANNOT_PLACE, message, key.start)
    after_colon = page.text.index(":", stop) + 1
    return Spot(value, after_colon, after_colon, " ", "", key.start)


def _inserted(page: Page, scope: _Scope, way: _Way, absent: list[CountKey], quote: str) -> Iterator[Spot | Problem]:
    """Yield the spots of absent counts: all of them right after the id."""
    obstacle = scope.obstacle or way.obstacle
    insertion = None if obstacle else insertion_after(page.text, page.syntax, way.table, way.member, quote)
    for key in absent:
        if insertion is None:
            message = f"The count {key.field!r} cannot be added here with certainty: add it by hand."
            yield page.problem(obstacle or ProblemKind.CANNOT_PLACE, message, way.member.key.start)
        else:
            value = Value(key.count, sys.intern(scope.prefix + key.field), None, present=False)
            before = f"{insertion.head}{insertion.key(key.names[-1])}{insertion.middle}"
            yield Spot(value, insertion.at, insertion.at, before, insertion.tail, None)


def _shown(source: str) -> str:
    line = " ".join(source.split())
    return line if len(line) <= 40 else f"{line[:37]}..."
