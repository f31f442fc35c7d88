"""The full parser: finds the slots of a page in the tree of its block, and the position of every value."""

from __future__ import annotations

import dataclasses
import re
import sys
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from syncer.front_matter.block import Syntax
from syncer.front_matter.differences import conflict_on
from syncer.front_matter.forms import FORMS, QUOTED_AFTER_COLON, describe_wrong
from syncer.front_matter.insert import insertion_after, insertion_before, quote_near
from syncer.front_matter.keys import NO_VIDEO, Keys, MappedKey, is_same_text, slot_of
from syncer.front_matter.letters import Twin, find_twin, in_any_letters
from syncer.front_matter.scopes import ALIASED, KeyPath, Scope, follow, meets, scopes_in
from syncer.front_matter.tree import Alias, Conflict, Items, Member, Node, Scalar, Table, Tree, Unreadable
from syncer.front_matter.video_id import parse_video_id
from syncer.model import (
    ID_PATTERN,
    LARGEST_COUNT,
    Count,
    Problem,
    ProblemKind,
    Slot,
    Value,
    VideoId,
)


class ValueSpan(NamedTuple):
    """The position of one value in the block's text: `before + text + after` replaces `[start:stop]`."""

    value: Value
    start: int
    stop: int
    before: str
    after: str
    key: int | None
    """Where the key starts; None if it is absent."""


class LocatedSlot(NamedTuple):
    """A slot, and the positions of its values."""

    slot: Slot
    spans: tuple[ValueSpan, ...]


@dataclass(frozen=True, slots=True)
class BlockText:
    """A block's text, its page and its position there."""

    text: str
    syntax: Syntax
    line: int
    """The page's line on which the block starts."""
    path: str
    """Of the page."""
    is_data: bool = False
    """Whether it is a whole data file: no reader ignores the letter case of its keys."""
    first: int | None = None
    """Of a piece of a file: the number of its first item."""
    newlines: list[int] = field(default_factory=list)

    @property
    def noun(self) -> str:
        """What it is, for messages."""
        return "file" if self.is_data else "front matter"

    def line_of(self, offset: int) -> int:
        """Return the page's line, from 1, of an offset in the block."""
        if not self.newlines:
            self.newlines.append(-1)  # a text on one line is searched only once, too
            self.newlines.extend(match.start() for match in re.finditer("\n", self.text))
        return self.line + bisect_left(self.newlines, offset) - 1

    def problem(self, kind: ProblemKind, message: str, offset: int) -> Problem:
        """Return a Problem of this page."""
        return Problem(kind, self.path, message, self.line_of(offset))


MAX_DATA_ITEMS = 50_000
"""The most videos that one file may have: with more, their counts and positions take too much memory."""

_ID, _PATTERNS = re.compile(ID_PATTERN), {kind: re.compile(form.pattern) for kind, form in FORMS.items()}
_LIST_END = re.compile(r"[\s,]*(?:#[^\n]*\n[\s,]*)*\]")
_LEFT_EMPTY = {Syntax.YAML: "leave it empty", Syntax.JSON: "`null`", Syntax.TOML: '`""`'}
_ADVICE = {
    ProblemKind.ALIAS: "uses a YAML anchor or alias: write the value itself",
    ProblemKind.TAG: "has a YAML tag: remove the tag",
    ProblemKind.BLOCK_SCALAR: "is a block scalar: write it on the same line as its key",
}


class Located(NamedTuple):
    """What is in a page."""

    slots: list[LocatedSlot]
    """In order."""
    problems: list[Problem]
    is_uncertain: bool = False
    """There are no slots because of the only Problem, whatever else the page has."""


def locate_slots(block: BlockText, tree: Tree | Unreadable, keys: Keys) -> Located:
    """Return the slots of a page, with their spans, and the Problems.

    A page has no slots if a mapped key, or a key above it, appears twice, or if parsers disagree about it. A block that
    cannot be parsed is a Problem only if it may have a video.
    """
    if isinstance(tree, Unreadable):
        if not keys.named.search(block.text):
            return Located([], [])
        line = None if tree.line is None else block.line + tree.line
        message = tree.reason
        if tree.kind is ProblemKind.INVALID_FRONT_MATTER:
            where = f"the {block.noun}" if line is None else "this line or the one before it"
            inside = "" if block.is_data else " in front matter"
            message = f"Invalid {block.syntax.value}{inside}: {tree.reason}. Fix {where}.{tree.advice}"
        return Located([], [Problem(tree.kind, block.path, message, line)], is_uncertain=True)
    scopes = scopes_in(tree, keys, block.syntax, first=block.first or 0, any_case=not block.is_data)
    perhaps = (scope if isinstance(scope, Conflict) else _draft(block, scope, keys) for scope in scopes)
    drafts = list(islice((draft for draft in perhaps if draft is not None), MAX_DATA_ITEMS + 1))
    if len(drafts) > MAX_DATA_ITEMS:
        message = f"The file has more than {MAX_DATA_ITEMS:,} videos: split it into several files."
        return Located([], [Problem(ProblemKind.TOO_LARGE, block.path, message)], is_uncertain=True)
    if keys.is_keyed and block.first is None:
        drafts = _with_one_problem(drafts)
    conflict = next((draft for draft in drafts if isinstance(draft, Conflict)), tree.conflict if drafts else None)
    if conflict:
        return Located([], [block.problem(*conflict)], is_uncertain=True)
    found = [span for draft in drafts if isinstance(draft, _Draft) for _, span in draft.spans]
    spans = [span for span in found if isinstance(span, ValueSpan)]
    quotes: _Quotes = {
        of_counts: sorted((span.start, span.after) for span in spans if isinstance(span.value.kind, Count) is of_counts)
        for of_counts in (True, False)
    }
    slots: list[LocatedSlot] = []
    problems: list[Problem] = []
    for draft in drafts:
        for item in _finish(block, draft, keys, quotes) if isinstance(draft, _Draft) else [draft]:
            (problems if isinstance(item, Problem) else slots).append(item)  # type: ignore[arg-type]
    return Located(slots, problems)


def find_miscased_id(block: BlockText, tree: Tree, keys: Keys) -> str | None:
    """Return the path of a video in the page that differs from the configured one only in letter case."""
    for path, node in () if keys.is_keyed else in_any_letters(tree.root, keys.lists, keys.video_id):
        if path != keys.path and isinstance(_video_id(block, node, keys), str):
            return path
    return None


_Quotes = Mapping[bool, list[tuple[int, str]]]
"""The positions of a page's counts (True), and of its details, in order, and their quotes: empty for a number."""


class _Draft(NamedTuple):
    """A video, and those of its counts and dates that are present."""

    scope: Scope
    id_path: KeyPath
    video_id: VideoId
    spans: list[tuple[MappedKey, ValueSpan | Problem | None]]


_Drafted = _Draft | Problem | Conflict


def _draft(block: BlockText, scope: Scope, keys: Keys) -> _Drafted | None:
    """Return the video of a table, if it has one, or why it cannot be used."""
    usable = _is_usable(block, scope, keys)
    if usable is not True:
        return usable or None
    id_path, video_id = scope.id_path, None
    if id_path:
        video_id = _video_id_in_key(block, id_path)
    elif conflict := conflict_on(scope.table, keys.video_id, block.syntax):
        return conflict
    else:
        id_path = follow(scope.table, keys.video_id)
        video_id = id_path and _video_id(block, id_path.value, keys)
    if id_path is None or video_id is None:
        return None
    if isinstance(video_id, Problem):
        return video_id
    for key in keys.mapped:
        if conflict := conflict_on(scope.table, key.names, block.syntax):
            return conflict
    items = id_path.value
    if isinstance(items, Items) and not scope.id_path:
        item = items.items[0]  # the list is handled as one value, so missing counts are added after all of it
        assert isinstance(item, Scalar)
        closing = _LIST_END.match(block.text, item.stop) if block.text.startswith("[", items.start) else None
        whole = Scalar(item.text, items.start, closing.end() if closing else item.stop, item.quote)
        id_path = id_path._replace(member=Member(id_path.member.key, whole))
    return _Draft(scope, id_path, video_id, [(key, _span(block, scope, key)) for key in keys.mapped])


def _is_usable(block: BlockText, scope: Scope, keys: Keys) -> Problem | Conflict | bool:
    """Return whether a table has the values of `where` and is written where it is, or why it cannot be used."""
    met = meets(scope, keys, block.syntax) if keys.where else True
    if isinstance(met, Conflict) and any(follow(scope.table, names) is None for names, _ in keys.where):
        return block.problem(*met)  # what a merge key sets leaves other items as they are
    if scope.alias is None or met is not True:
        return met
    found = follow(scope.table, keys.video_id)
    is_video = found and isinstance(_video_id(block, found.value, keys), str)
    return bool(is_video) and block.problem(ProblemKind.ALIAS, ALIASED, scope.alias)


def _with_one_problem(drafts: Sequence[_Drafted]) -> list[_Drafted]:
    """Return the drafts of a mapping whose keys are the ids, with one Problem for all keys that are none.

    If none of the keys is an id, it is another mapping: nothing is reported.
    """
    wrong: list[Problem] = []
    rest: list[_Drafted] = []
    for draft in drafts:
        if isinstance(draft, Problem) and draft.kind is ProblemKind.NOT_A_VIDEO_ID:
            wrong.append(draft)
        else:
            rest.append(draft)
    if all(isinstance(draft, Conflict) for draft in rest):
        return []
    return [*rest, describe_wrong_keys(wrong)] if wrong else rest


def describe_wrong_keys(wrong: Sequence[Problem]) -> Problem:
    """Return one Problem for all keys of a mapping that are no ids."""
    if len(wrong) == 1:
        return wrong[0]
    more = f"{len(wrong)} keys of the mapping are not video IDs, among them this one: remove them, or move them out."
    return dataclasses.replace(wrong[0], message=more)


def _video_id_in_key(block: BlockText, id_path: KeyPath) -> VideoId | Problem:
    """Read the ID in a key of a mapping."""
    table, key = id_path.table, id_path.member.key
    assert isinstance(key, Scalar)
    if not _ID.fullmatch(key.text):
        message = f"The key {key.text[:40]!r} is not a video ID: remove it, or move it out of the mapping."
        return block.problem(ProblemKind.NOT_A_VIDEO_ID, message, key.start)
    if second := table.twice.get(key.text):
        message = f"The key {key.text!r} appears twice: remove one of the two."
        return block.problem(ProblemKind.DUPLICATE_KEY, message, second.start)
    if key.obstacle:
        return block.problem(key.obstacle, f"The video ID {_ADVICE[key.obstacle]}.", key.start)
    found = _video_id_in_scalar(block, key)
    assert found is not None
    return found


def _video_id(block: BlockText, node: Node, keys: Keys) -> VideoId | Problem | None:
    """Read the ID. With an anchor or as a block scalar its value is certain; with an alias or a tag it is not."""
    if isinstance(node, Alias):
        return block.problem(ProblemKind.ALIAS, "The video ID is a YAML alias: write the ID itself.", node.start)
    if (isinstance(node, Table) and not node.members) or (isinstance(node, Items) and not node.items):
        return None
    if isinstance(node, Table):
        message = "The video ID's key holds a table: write one video ID or URL there, or map a key inside the table."
        return block.problem(ProblemKind.NOT_A_VIDEO_ID, message, node.start)
    if node.obstacle is ProblemKind.TAG:
        return block.problem(ProblemKind.TAG, f"The video ID {_ADVICE[ProblemKind.TAG]}.", node.start)
    if isinstance(node, Items):
        return _video_id_in_list(block, node, keys)
    return _video_id_in_scalar(block, node)


def _video_id_in_scalar(block: BlockText, node: Scalar) -> VideoId | Problem | None:
    bare = not node.quote and node.obstacle is not ProblemKind.BLOCK_SCALAR
    if node.null or (bare and node.text in NO_VIDEO):
        return None
    if bare and block.syntax is Syntax.YAML and not is_same_text(node.text):
        message = "Some YAML parsers read this video ID as a number or a boolean: quote it."
        return block.problem(ProblemKind.READERS_DISAGREE, message, node.start)
    return parse_video_id(node.text, block.path, block.line_of(node.start))


def _video_id_in_list(block: BlockText, items: Items, keys: Keys) -> VideoId | Problem | None:
    """Read a list: one item is read as itself; several items without a video are no video; else it is a Problem."""
    single = [item for item in items.items if isinstance(item, Scalar | Alias)]
    found = [_video_id(block, item, keys) for item in single]
    if len(single) == len(items.items) and (len(found) == 1 or all(video_id is None for video_id in found)):
        return found[0]
    message = (
        "The video ID's key holds a list: keep one video ID or URL in it. For several videos, give each item an ID "
        f'and counts of its own, and set `video_id: "{keys.path}[].id"` in the config.'
    )
    return block.problem(ProblemKind.NOT_A_VIDEO_ID, message, items.start)


def _span(block: BlockText, scope: Scope, key: MappedKey) -> ValueSpan | Problem | None:
    """Return the span of a count or date, why it must not be changed, or None if it is absent."""
    found = follow(scope.table, key.names)
    if found is None:
        return None
    node = found.value
    obstacle = scope.obstacle or found.obstacle or (ProblemKind.ALIAS if isinstance(node, Alias) else node.obstacle)
    if obstacle is not None:
        above = "" if obstacle is ProblemKind.BLOCK_SCALAR else ", or a key above it,"
        message = f"The {FORMS[key.kind].noun} {key.field!r}{above} {_ADVICE[obstacle]}."
        return block.problem(obstacle, message, node.start)
    if not isinstance(node, Scalar):
        kind = "a list" if isinstance(node, Items) else "a table"
        one = "number" if isinstance(key.kind, Count) else FORMS[key.kind].noun
        message = f"The {FORMS[key.kind].noun} {key.field!r} is {kind}: write one {one}."
        return block.problem(FORMS[key.kind].wrong, message, node.start)
    value = Value(key.kind, sys.intern(scope.prefix + key.field), None)
    return _span_of_scalar(block, found.member.key, node, value)


def _span_of_scalar(block: BlockText, key: Node, node: Scalar, value: Value) -> ValueSpan | Problem:
    """Return the span of a count or date, or of a YAML key without a value: right after its colon.

    A date without quotes is a date to some parsers and text to others, so a detail that replaces no value gets quotes.
    """
    is_count = isinstance(value.kind, Count)
    if node.null and node.start == node.stop:
        stop = key.stop if isinstance(key, Scalar) else node.start
        if block.text[stop : node.start].strip(" \t") != ":":
            name = key.text if isinstance(key, Scalar) else value.field
            message = f"The {FORMS[value.kind].noun} {value.field!r} has no colon: write `{name}:`, or remove it."
            return block.problem(ProblemKind.CANNOT_PLACE, message, key.start)
        after_colon = block.text.index(":", stop) + 1
        before, after = (" ", "") if is_count else (QUOTED_AFTER_COLON, '"')
        return ValueSpan(value, after_colon, after_colon, before, after, key.start)
    source = block.text[node.start : node.stop]
    plain = _PATTERNS[value.kind].fullmatch(node.text) is not None
    plain = plain and not (is_count and int(node.text) > LARGEST_COUNT)
    blank = node.null or (not node.text and bool(node.quote))
    exact = source == f"{node.quote}{node.text}{node.quote}"
    if not exact or not (plain or blank):
        return block.problem(*describe_wrong(value.kind, value.field, source, _LEFT_EMPTY[block.syntax]), node.start)
    if plain:
        value = Value(value.kind, value.field, node.text)
    quote = '"' if node.null and not is_count else node.quote
    return ValueSpan(value, node.start, node.stop, quote, quote, key.start)


def _finish(block: BlockText, draft: _Draft, keys: Keys, quotes: _Quotes) -> Iterator[LocatedSlot | Problem]:
    """Yield the slot, with the counts and dates to insert, and the Problems.

    If some parsers read another key as a mapped one, or as one to insert, the whole slot is left alone.
    """
    id_path, found = draft.id_path, draft.spans
    beside = (() if keys.is_keyed else keys.video_id[:-1]) if keys.insert_missing else None
    absent = [key for key, span in found if span is None and key.names[:-1] == beside]
    if twins := [] if block.is_data else _twins(draft, keys, absent):
        yield from (block.problem(ProblemKind.KEY_CASE, twin.message, twin.key.start) for twin in twins)
        return
    if absent:
        quote_of = {
            True: quote_near(id_path.value, quotes[True], keys.insert_as),
            False: quote_near(id_path.value, quotes[False], "string"),
        }
        inserted = {
            key: _insert(block, draft.scope, id_path, key, quote_of[isinstance(key.kind, Count)]) for key in absent
        }
        found = [(key, span or inserted.get(key)) for key, span in found]
    yield from (span for _, span in found if isinstance(span, Problem))
    spans = tuple(span for _, span in found if isinstance(span, ValueSpan))
    slot = slot_of(draft.video_id, block.line_of(id_path.member.key.start), [span.value for span in spans])
    yield LocatedSlot(slot, spans)


def _twins(draft: _Draft, keys: Keys, absent: Sequence[MappedKey]) -> list[Twin]:
    """Return the twins of keys on the path to the video, or to a value that would be written."""
    of_id = draft.scope.twin or (None if keys.is_keyed else find_twin(draft.scope.table, keys.video_id))
    if of_id:
        return [of_id]
    written = [key for key, span in draft.spans if isinstance(span, ValueSpan) or key in absent]
    return [twin for key in written if (twin := find_twin(draft.scope.table, key.names))]


def _insert(block: BlockText, scope: Scope, id_path: KeyPath, key: MappedKey, quote: str) -> ValueSpan | Problem:
    """Return the span of an absent count or date, right after the id; several are in the order of the mapping."""
    obstacle = scope.obstacle or id_path.obstacle
    if obstacle:
        insertion = None
    elif scope.id_path:
        insertion = insertion_before(block.text, block.syntax, scope.table, quote)
    else:
        insertion = insertion_after(block.text, block.syntax, id_path.table, id_path.member, quote)
    if insertion is None:
        noun = FORMS[key.kind].noun
        message = f"syncer cannot add the {noun} {key.field!r} here safely: add it by hand, beside the video ID."
        if scope.id_path and not scope.table.members:
            message = f"This video ID has no keys below it, so the {noun} {key.field!r} was not added: add it by hand."
        elif id_path.table.inline and not block.text.startswith("{", id_path.table.start):
            message = f"This item has no braces, so the {noun} {key.field!r} was not added: put it in braces."
        return block.problem(obstacle or ProblemKind.CANNOT_PLACE, message, id_path.member.key.start)
    value = Value(key.kind, sys.intern(scope.prefix + key.field), None, present=False)
    before = f"{insertion.head}{insertion.key(key.names[-1])}{insertion.middle}"
    return ValueSpan(value, insertion.at, insertion.at, before, insertion.tail, None)
