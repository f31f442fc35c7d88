"""Reads YAML into a tree, from the parser's events: aliases stay aliases, and nothing is expanded or recursed into."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

import yaml

from syncer.front_matter.tree import MAX_DEPTH, Alias, Fault, Items, Member, Node, Scalar, Table, Tree
from syncer.model import ProblemKind

_Loader: Final = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


class _Mark(Protocol):
    """Where an event stands: both loaders have a class of their own for it."""

    @property
    def index(self) -> int: ...
    @property
    def line(self) -> int: ...


def parse_yaml(text: str) -> Tree | Fault:
    """Return the tree of one YAML document, or why it cannot be read."""
    try:
        return _build(yaml.parse(text, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        return _invalid(error.problem or "it is no YAML", mark.line if mark else None)
    except yaml.YAMLError as error:
        return _invalid(" ".join(str(error).split()), None)


def _build(events: Iterator[yaml.Event]) -> Tree | Fault:
    """Put the nodes into each other, outermost first."""
    documents = Items(0)
    opened: list[_Opened] = [_Opened(documents)]
    anchors: set[str | None] = set()
    duplicate: Scalar | None = None
    for event in events:
        if isinstance(event, yaml.CollectionEndEvent):
            opened.pop()
        elif isinstance(event, yaml.NodeEvent):
            if event.anchor and (event.anchor in anchors) is not isinstance(event, yaml.AliasEvent):
                return _invalid(f"the anchor {event.anchor!r} is missing or stands twice", _start(event).line)
            anchors.add(event.anchor)
            node = _node(event)
            duplicate = opened[-1].put(node) or duplicate
            if isinstance(node, Items | Table):
                opened.append(_Opened(node))
            if len(opened) > MAX_DEPTH:
                return _invalid("it is nested too deeply", _start(event).line)
    if len(documents.items) > 1:
        return _invalid("it holds more than one document", None)
    return Tree(documents.items[0] if documents.items else Scalar("", 0, 0, null=True), duplicate)


@dataclass(slots=True)
class _Opened:
    """A node that takes others in; `key` waits for its value."""

    node: Items | Table
    key: Node | None = None

    def put(self, node: Node) -> Scalar | None:
        """Take a node in and return the key if it was there before."""
        if isinstance(self.node, Items):
            self.node.items.append(node)
        elif self.key is None:
            self.key = node
        else:
            key, self.key = self.key, None
            if not self.node.add(Member(key, node)) and isinstance(key, Scalar):
                return key
        return None


def _node(event: yaml.NodeEvent) -> Node:
    start, stop = _start(event).index, _stop(event)
    if isinstance(event, yaml.ScalarEvent):
        return _scalar(event, start, stop)
    if isinstance(event, yaml.MappingStartEvent):
        return Table(start, inline=bool(event.flow_style), obstacle=_obstacle(event))
    if isinstance(event, yaml.SequenceStartEvent):
        return Items(start, obstacle=_obstacle(event))
    return Alias(event.anchor or "", start, stop)


def _start(event: yaml.Event) -> _Mark:
    assert event.start_mark is not None, "the loaders mark every event"
    return event.start_mark


def _stop(event: yaml.Event) -> int:
    assert event.end_mark is not None, "the loaders mark every event"
    return event.end_mark.index


def _scalar(event: yaml.ScalarEvent, start: int, stop: int) -> Scalar:
    style = event.style or ""
    obstacle = _obstacle(event)
    if style in {"|", ">"}:
        return Scalar(event.value, start, stop, obstacle=obstacle or ProblemKind.BLOCK_SCALAR)
    null = not style and event.value in _NULLS and event.tag is None
    return Scalar(event.value, start, stop, style, null, obstacle)


def _obstacle(event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> ProblemKind | None:
    if event.tag is not None:
        return ProblemKind.TAG
    return ProblemKind.ALIAS if event.anchor is not None else None


def _invalid(reason: str, line: int | None) -> Fault:
    return Fault(ProblemKind.INVALID_FRONT_MATTER, reason, line)
