"""Reads YAML into a tree, from the parser's events: aliases stay aliases, and nothing is expanded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, Protocol

import yaml

from syncer.front_matter.tree import MAX_DEPTH, Alias, Conflict, Items, Member, Node, Scalar, Table, Tree, Unreadable
from syncer.front_matter.wanted import MAX_KEPT_NODES, NOT_WANTED, TOO_MANY_VALUES, Wanted
from syncer.model import ProblemKind

_Loader: Final = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
_TAB_AFTER_DASH = re.compile(
    r"""(?m)(?:^[ ]*(?:-[ ]+)*-)([ \t]*\t[ \t]*)
    (?=(?:"[^"\n]*" | '[^'\n]*' | \[[^\n]*\] | \{[^\n]*\} | (?![-?:][ \t\r\n]|["'\[{])(?:[^:\n]|:(?=\S))*)
    [ \t]*(?:[#][^\n]*)?\r?$)""",
    re.VERBOSE,
)
"""A dash, blanks with a tab among them, and an item that ends on its line, or at least is a scalar."""

_ANCHOR_WITH_COLON = re.compile(r"(?:![^ \t\r\n]*[ \t\r\n]+)?[&*][\w-]+:")
_QUOTED_NEXT = re.compile(r"\s*[\"']")
_MARK_BEFORE = re.compile(r"(?:\A|[\n{\[,])[ \t-]*\?(?:\s*\n\s*)?\Z")
_PERHAPS_MARK = re.compile(r"(?:\A|[\n{\[,])[ \t-]*\?")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


class _Mark(Protocol):
    """The position of an event: each loader has its own class for it."""

    @property
    def index(self) -> int: ...


def parse_yaml(text: str, wanted: Wanted | None = None) -> Tree | Unreadable:
    """Return the tree of a YAML document, or why it cannot be parsed. With `wanted`, there may be several.

    The structure is that of libyaml: YAML 1.1. A tab after the dash of an item is read as a space: libyaml refuses it,
    and all other parsers accept it.
    """
    tree = _parse(text, wanted)
    if isinstance(tree, Unreadable) and "\t" in text:
        spaced = _TAB_AFTER_DASH.sub(lambda match: match[0].replace("\t", " "), text)
        without_tabs = _parse(spaced, wanted)
        return tree if isinstance(without_tabs, Unreadable) else without_tabs
    return tree


def _parse(text: str, wanted: Wanted | None) -> Tree | Unreadable:
    try:
        tree = _Builder(text, wanted).build(yaml.parse(text, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        reason = error.problem or "it cannot be parsed"
        return _invalid(reason, _line(text, mark) if mark else None, begins_well=_begins_well(text))
    except yaml.reader.ReaderError as error:
        character = chr(error.character)
        line = text.count("\n", 0, max(text.find(character), 0))
        return _invalid(f"it contains U+{error.character:04X}, a character that YAML does not allow", line)
    except yaml.YAMLError as error:
        return _invalid(" ".join(str(error).split()), None)
    if isinstance(tree, Tree) and tree.later and not wanted:
        return _invalid("it has more than one document", None, begins_well=True)
    return tree


def _begins_well(text: str) -> bool:
    """Return whether a whole document comes before the error: Psych reads only that."""
    try:
        return any(isinstance(event, yaml.DocumentEndEvent) for event in yaml.parse(text, Loader=_Loader))
    except yaml.YAMLError:
        return False


class _Builder:
    """Builds the tree of a text from its events, outermost nodes first."""

    def __init__(self, text: str, wanted: Wanted | None) -> None:
        self._text = text
        self._wanted = wanted
        self._documents = Items(0)
        self._opened = [_OpenNode(self._documents, 0, 0)]
        self._anchors: dict[str, Node] = {}
        """By name; one that is set again is a new one from there on."""
        self._conflict: Conflict | None = None
        self._dangling: int | None = None
        """The column of the dash of an empty last item, right after its list."""
        self._may_have_mark = _PERHAPS_MARK.search(text) is not None
        self._rest, self._kept = blake2b(), 0

    def build(self, events: Iterator[yaml.Event]) -> Tree | Unreadable:
        """Return the tree, or why there is none."""
        for event in events:
            if isinstance(event, yaml.NodeEvent):
                if wrong := self._add(event):
                    return wrong
            elif isinstance(event, yaml.CollectionEndEvent):
                self._rest.update(b"\0end")
                closed = self._opened.pop()
                if closed.last_empty is not None:
                    self._dangling = _column(self._text, closed.last_empty) - 1
            elif isinstance(event, yaml.DocumentStartEvent):
                self._anchors = {}
        first, *later = self._documents.items or [Scalar("", 0, 0, null=True)]
        return Tree(first, self._conflict, tuple(later), self._rest.digest() if self._wanted else b"")

    def _add(self, event: yaml.NodeEvent) -> Unreadable | None:
        """Add a node to what is open, or put it into the digest if it is not wanted."""
        text, wanted, into = self._text, self._wanted, self._opened[-1]
        start, stop = _start(event).index, _end(event).index
        number = into.take(event, wanted, start, stop)
        node: Node | None = None
        if number != NOT_WANTED or not isinstance(event, yaml.ScalarEvent) or _may_disagree(event):
            node = _node(event, start, stop, self._anchors)
            if node is None:
                return _invalid(f"the alias {event.anchor!r} has no anchor", _line(text, _start(event)))
            if event.anchor:
                self._anchors[event.anchor] = node if not isinstance(node, Alias) else node.target
        if self._conflict is None:
            self._conflict = self._conflict_at(event, node, into.node, start)
        if number == NOT_WANTED:
            tag = event.tag if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) else None
            self._rest.update(f"\0{event.anchor} {tag} {text[start:stop]}".encode())
        elif node is not None:
            into.put(node)
            self._kept += 1
        if wanted and self._kept > MAX_KEPT_NODES:
            return Unreadable(ProblemKind.TOO_LARGE, TOO_MANY_VALUES, None)
        if isinstance(node, Items | Table):
            if wanted and number == NOT_WANTED and event.anchor:
                number = wanted.beyond  # a merge key may bring it elsewhere
            self._opened.append(_OpenNode(node, number, wanted.item(number) if wanted else 0))
        return None if len(self._opened) <= MAX_DEPTH else _invalid("nested too deeply", _line(text, _start(event)))

    def _conflict_at(self, event: yaml.NodeEvent, node: Node | None, into: Node, start: int) -> Conflict | None:
        found = None
        if self._may_have_mark or (node is not None and _may_disagree(event)):
            found = _conflict(self._text, event, start, node)
        if not found and self._dangling is not None:
            found = _taken_in(self._text, self._dangling, into, start)
        if not (isinstance(event, yaml.ScalarEvent) and start == _end(event).index):
            self._dangling = None
        return found


@dataclass(slots=True)
class _OpenNode:
    """A node that is still open."""

    node: Items | Table
    number: int
    """As in `Wanted`."""
    below: int
    """The number of the next item, key or value."""
    takes_value: bool = False
    """Of a table: the last node was a key."""
    key: Node | None = None
    last_empty: int | None = None
    """Of a list: where the last item is, if it has no text.

    js-yaml reads the dashes that follow such a list as items of it; Hugo reads keys that are not to the left of the
    dash as part of the item.
    """

    def take(self, event: yaml.NodeEvent, wanted: Wanted | None, start: int, stop: int) -> int:
        """Take the next node, from `start` to `stop`, and return its number."""
        if isinstance(self.node, Items):
            self.last_empty = start if start == stop and isinstance(event, yaml.ScalarEvent) else None
            return self.below
        if wanted and not self.takes_value and self.number != NOT_WANTED:
            key = event.value if isinstance(event, yaml.ScalarEvent) else None
            self.below = wanted.beyond if key is None else wanted.member(self.number, key)
        self.takes_value = not self.takes_value
        return self.below

    def put(self, node: Node) -> None:
        """Add the node that was taken last."""
        if isinstance(self.node, Items):
            self.node.items.append(node)
        elif self.takes_value:
            self.key = node
        elif self.key is not None:
            self.node.add(Member(self.key, node))


def _node(event: yaml.NodeEvent, start: int, stop: int, anchors: dict[str, Node]) -> Node | None:
    """Return the event's node; None for an alias without an anchor."""
    if isinstance(event, yaml.ScalarEvent):
        obstacle = _obstacle(event)
        if event.style in {"|", ">"}:
            return Scalar(event.value, start, stop, obstacle=obstacle or ProblemKind.BLOCK_SCALAR)
        null = not event.style and event.value in _NULLS and event.tag is None
        return Scalar(event.value, start, stop, event.style or "", null, obstacle)
    if isinstance(event, yaml.MappingStartEvent):
        return Table(start, inline=bool(event.flow_style), obstacle=_obstacle(event))
    if isinstance(event, yaml.SequenceStartEvent):
        return Items(start, obstacle=_obstacle(event))
    name = event.anchor or ""
    return Alias(name, start, stop, anchors[name]) if name in anchors else None


def _may_disagree(event: yaml.NodeEvent) -> bool:
    """Return whether `_conflict` may find more than a question mark: it takes a fifth of the time."""
    return event.anchor is not None or (
        isinstance(event, yaml.ScalarEvent) and (event.tag is not None or event.style in {"|", ">"})
    )


def _conflict(text: str, event: yaml.NodeEvent, start: int, node: Node | None) -> Conflict | None:
    """Return a construct about which YAML parsers disagree, whatever the keys: most often Hugo's differs."""
    look = max(start - 100, 0)
    if text.find("?", look, start) >= 0 and _MARK_BEFORE.search(text, look, start):
        reason = "some read a question mark as part of the key after it. Write the key on the same line, after a space"
    elif event.anchor and _ANCHOR_WITH_COLON.match(text, start):
        reason = "some read the colon after an anchor or alias as part of its name. Put a space before the colon"
    elif not isinstance(node, Scalar) or node.quote or node.text.strip("\n"):
        return None
    elif node.obstacle in {ProblemKind.TAG, ProblemKind.ALIAS}:
        what = "a tag" if node.obstacle is ProblemKind.TAG else "an anchor"
        reason = f"some apply {what} without a value to the next line. Remove it"
    elif node.obstacle is ProblemKind.BLOCK_SCALAR and _QUOTED_NEXT.match(text, node.stop):
        reason = "after an empty block scalar, some read the quotes as part of the key. Remove one of the two"
    else:
        return None
    return _disagree(reason, start)


def _disagree(reason: str, start: int) -> Conflict:
    return Conflict(ProblemKind.READERS_DISAGREE, f"YAML parsers disagree here: {reason}.", start)


def _taken_in(text: str, dangling: int, into: Node, start: int) -> Conflict | None:
    """Return a conflict for a node that follows an empty last item, whose dash is in the column `dangling`."""
    if not (isinstance(into, Items) or _column(text, start) >= dangling):
        return None
    return _disagree("some add the lines after an empty last item to the list. Remove the empty item", start)


def _column(text: str, start: int) -> int:
    return start - (text.rfind("\n", 0, start) + 1)


def _line(text: str, mark: _Mark) -> int:
    """Return the line as editors count it: libyaml also counts U+2028 and the like."""
    return text.count("\n", 0, mark.index)


def _end(event: yaml.Event) -> _Mark:
    assert event.end_mark is not None, "the loaders mark every event"
    return event.end_mark


def _start(event: yaml.Event) -> _Mark:
    assert event.start_mark is not None, "the loaders mark every event"
    return event.start_mark


def _obstacle(event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> ProblemKind | None:
    if event.tag is not None:
        return ProblemKind.TAG
    return ProblemKind.ALIAS if event.anchor is not None else None


def _invalid(reason: str, line: int | None, *, begins_well: bool = False) -> Unreadable:
    return Unreadable(ProblemKind.INVALID_FRONT_MATTER, reason, line, begins_well)
