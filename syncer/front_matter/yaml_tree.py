"""Reads YAML into a tree, from the parser's events: aliases stay aliases, and nothing is expanded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import yaml

from syncer.front_matter.tree import MAX_DEPTH, Alias, Conflict, Items, Member, Node, Scalar, Table, Tree, Unreadable
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
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


class _Mark(Protocol):
    """The position of an event: each loader has its own class for it."""

    @property
    def index(self) -> int: ...


def parse_yaml(text: str, *, several: bool = False) -> Tree | Unreadable:
    """Return the tree of one YAML document, or of several, or why it cannot be parsed.

    The structure is that of libyaml: YAML 1.1. A tab after the dash of an item is read as a space: libyaml refuses it,
    and all other parsers accept it.
    """
    tree = _parse(text, several=several)
    if isinstance(tree, Unreadable) and "\t" in text:
        spaced = _TAB_AFTER_DASH.sub(lambda match: match[0].replace("\t", " "), text)
        without_tabs = _parse(spaced, several=several)
        return tree if isinstance(without_tabs, Unreadable) else without_tabs
    return tree


def _parse(text: str, *, several: bool) -> Tree | Unreadable:
    try:
        tree = _build(text, yaml.parse(text, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        reason = error.problem or "it cannot be parsed"
        return _invalid(reason, _line(text, mark) if mark else None, begins_well=_begins_well(text))
    except yaml.YAMLError as error:
        return _invalid(" ".join(str(error).split()), None)
    if isinstance(tree, Tree) and tree.later and not several:
        return _invalid("it has more than one document", None, begins_well=True)
    return tree


def _begins_well(text: str) -> bool:
    """Return whether a whole document comes before the error: Psych reads only that."""
    try:
        return any(isinstance(event, yaml.DocumentEndEvent) for event in yaml.parse(text, Loader=_Loader))
    except yaml.YAMLError:
        return False


def _build(text: str, events: Iterator[yaml.Event]) -> Tree | Unreadable:
    """Build the tree, outermost nodes first. An anchor that is set again is a new one from there on."""
    documents = Items(0)
    opened: list[_OpenNode] = [_OpenNode(documents)]
    anchors: dict[str, Node] = {}
    conflict: Conflict | None = None
    dangling: int | None = None
    for event in events:
        if isinstance(event, yaml.CollectionEndEvent):
            dangling = _dangling(text, opened.pop().node, dangling)
        elif isinstance(event, yaml.NodeEvent):
            node = _node(event, anchors)
            if node is None:
                return _invalid(f"the alias {event.anchor!r} has no anchor", _line(text, _start(event)))
            if event.anchor:
                anchors[event.anchor] = node if not isinstance(node, Alias) else node.target
            conflict = conflict or _conflict(text, event, node) or _taken_in(text, dangling, opened[-1].node, node)
            dangling = dangling if _is_nothing(node) else None
            opened[-1].put(node)
            if isinstance(node, Items | Table):
                opened.append(_OpenNode(node))
            if len(opened) > MAX_DEPTH:
                return _invalid("nested too deeply", _line(text, _start(event)))
        elif isinstance(event, yaml.DocumentStartEvent):
            anchors = {}
    first, *later = documents.items or [Scalar("", 0, 0, null=True)]
    return Tree(first, conflict, tuple(later))


@dataclass(slots=True)
class _OpenNode:
    """A node that is still open; `key` waits for its value."""

    node: Items | Table
    key: Node | None = None

    def put(self, node: Node) -> None:
        """Add a node."""
        if isinstance(self.node, Items):
            self.node.items.append(node)
        elif self.key is None:
            self.key = node
        else:
            key, self.key = self.key, None
            self.node.add(Member(key, node))


def _node(event: yaml.NodeEvent, anchors: dict[str, Node]) -> Node | None:
    """Return the event's node; None for an alias without an anchor."""
    assert event.end_mark is not None, "the loaders mark every event"
    start, stop = _start(event).index, event.end_mark.index
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


def _conflict(text: str, event: yaml.NodeEvent, node: Node) -> Conflict | None:
    """Return a construct about which YAML parsers disagree, whatever the keys: most often Hugo's differs."""
    look = max(node.start - 100, 0)
    if text.find("?", look, node.start) >= 0 and _MARK_BEFORE.search(text, look, node.start):
        reason = "some read a question mark as part of the key after it. Write the key on the same line, after a space"
    elif event.anchor and _ANCHOR_WITH_COLON.match(text, node.start):
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
    return _disagree(reason, node)


def _disagree(reason: str, node: Node) -> Conflict:
    return Conflict(ProblemKind.READERS_DISAGREE, f"YAML parsers disagree here: {reason}.", node.start)


def _dangling(text: str, node: Node, inside: int | None) -> int | None:
    """Return the column of the dash if the last item of a list that ends here is empty, or that of a list in it.

    js-yaml then reads the dashes that follow as items of this list; Hugo reads keys that are not to the left of the
    dash as part of the item.
    """
    last = node.items[-1] if isinstance(node, Items) and node.items else None
    return _column(text, last.start) - 1 if last and _is_nothing(last) else inside


def _taken_in(text: str, dangling: int | None, into: Node, node: Node) -> Conflict | None:
    """Return a conflict for a node that follows an empty last item, whose dash is in the column `dangling`."""
    if dangling is None or not (isinstance(into, Items) or _column(text, node.start) >= dangling):
        return None
    return _disagree("some add the lines after an empty last item to the list. Remove the empty item", node)


def _is_nothing(node: Node) -> bool:
    """Return whether the node has no text: it starts right after the dash, the key or the colon."""
    return isinstance(node, Scalar) and node.start == node.stop


def _column(text: str, start: int) -> int:
    return start - (text.rfind("\n", 0, start) + 1)


def _line(text: str, mark: _Mark) -> int:
    """Return the line as editors count it: libyaml also counts U+2028 and the like."""
    return text.count("\n", 0, mark.index)


def _start(event: yaml.Event) -> _Mark:
    assert event.start_mark is not None, "the loaders mark every event"
    return event.start_mark


def _obstacle(event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> ProblemKind | None:
    if event.tag is not None:
        return ProblemKind.TAG
    return ProblemKind.ALIAS if event.anchor is not None else None


def _invalid(reason: str, line: int | None, *, begins_well: bool = False) -> Unreadable:
    return Unreadable(ProblemKind.INVALID_FRONT_MATTER, reason, line, begins_well)
