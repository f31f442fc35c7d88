"""A block as a tree whose nodes know where they are in the text: the same for YAML, TOML and JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from syncer.model import ProblemKind

MAX_DEPTH = 100
"""Deeper nesting is refused: nobody writes it, and the parsers take quadratic time or run out of stack."""


UNCERTAIN = "syncer cannot tell reliably where the values are in this front matter: write it in a simpler form."


class Conflict(NamedTuple):
    """Why it is uncertain which value counts."""

    kind: ProblemKind
    message: str
    start: int
    """Where the reason is in the block's text."""


class Unreadable(NamedTuple):
    """Why a block cannot be read."""

    kind: ProblemKind
    reason: str
    """What the parser said, as a part of a sentence; for other kinds than INVALID_FRONT_MATTER, the whole message."""
    line: int | None
    """The line in the block, from 0."""
    begins_well: bool = False
    """What comes before is a whole document of YAML, which some readers take for all there is."""


@dataclass(slots=True)
class Scalar:
    """A single value or key. `start` and `stop` are its place in the block's text, quotes included."""

    text: str
    """The value as the parser reads it; of an unquoted one the source, so that `0755` stays `0755`."""
    start: int
    stop: int
    quote: str = ""
    """What is on both sides: nothing, or one of `"` `'` `\"\"\"` `'''`."""
    null: bool = False
    obstacle: ProblemKind | None = None
    """Why it must not be overwritten: an anchor, a tag, a block scalar."""


@dataclass(slots=True)
class Alias:
    """A YAML alias. It is followed only to learn what a merge key brings."""

    name: str
    start: int
    stop: int
    target: Node
    """What has the anchor."""


@dataclass(slots=True)
class Items:
    """A list."""

    start: int
    items: list[Node] = field(default_factory=list)
    obstacle: ProblemKind | None = None


@dataclass(slots=True)
class Table:
    """A YAML mapping, a TOML table or a JSON object."""

    start: int
    members: list[Member] = field(default_factory=list)
    inline: bool = False
    """Written in braces."""
    obstacle: ProblemKind | None = None
    twice: dict[str, Scalar] = field(default_factory=dict)
    """The keys that are in it more than once, where they are for the second time."""

    _by_name: dict[str, Member] = field(default_factory=dict)

    def add(self, member: Member) -> None:
        """Put a member at the end."""
        self.members.append(member)
        key = member.key
        if isinstance(key, Scalar) and self._by_name.setdefault(key.text, member) is not member:
            self.twice.setdefault(key.text, key)

    def get(self, name: str) -> Member | None:
        """Return the first member of that name."""
        return self._by_name.get(name)


Node = Scalar | Alias | Items | Table


@dataclass(slots=True)
class Member:
    """One key with its value."""

    key: Node
    """A Scalar in all but the strangest YAML."""
    value: Node


class Tree(NamedTuple):
    """A block that was read."""

    root: Node
    conflict: Conflict | None = None
    """A construct that readers take differently, whatever the keys."""


def says_the_same(before: Tree, but: frozenset[int], after: Tree, but_after: frozenset[int]) -> bool:
    """Compare two trees in all but the members whose keys start at these places of the one and of the other."""
    return list(_outline(before.root, but)) == list(_outline(after.root, but_after))


class Pairs(NamedTuple):
    """What a parser read of a table whose keys may be in it more than once."""

    pairs: list[tuple[str, object]]


def agrees(node: Node, parsed: object) -> bool:
    """Return whether the parser read the same keys in the same nesting, the same strings and the same integers.

    Of other unquoted values (dates, floats, truth values) only that they are no string and no container.
    """
    match node:
        case Table():
            return isinstance(parsed, dict | Pairs) and _tables_agree(node, parsed)
        case Items():
            return (
                isinstance(parsed, list)
                and len(parsed) == len(node.items)
                and all(agrees(item, value) for item, value in zip(node.items, parsed, strict=True))
            )
        case Scalar():
            return _scalars_agree(node, parsed)
        case Alias():
            return False


def _outline(node: Node, without: frozenset[int]) -> Iterator[object]:
    """Yield all that a tree says, in order, but the members whose keys start at one of the places `without`."""
    match node:
        case Scalar():
            yield (node.text, node.quote, node.null, node.obstacle)
        case Alias():
            yield node.name
        case Items():
            yield "[", node.obstacle
            for item in node.items:
                yield from _outline(item, without)
            yield "]"
        case Table():
            yield "{", node.obstacle
            for member in node.members:
                if member.key.start not in without:
                    yield from _outline(member.key, without)
                    yield from _outline(member.value, without)
            yield "}"


def _tables_agree(table: Table, parsed: dict[str, object] | Pairs) -> bool:
    """Return whether `agrees` holds for a table: the order of pairs matters, that of a dict does not."""
    names = [member.key.text for member in table.members if isinstance(member.key, Scalar)]
    if isinstance(parsed, dict) and sorted(parsed) == sorted(names):
        parsed = Pairs([(name, parsed[name]) for name in names])
    if not isinstance(parsed, Pairs) or len(names) < len(table.members) or names != [name for name, _ in parsed.pairs]:
        return False
    return all(agrees(member.value, value) for member, (_, value) in zip(table.members, parsed.pairs, strict=True))


def _scalars_agree(scalar: Scalar, parsed: object) -> bool:
    if scalar.quote:
        return scalar.text == parsed
    if scalar.null or parsed is None:
        return scalar.null and parsed is None
    if scalar.text.isascii() and scalar.text.isdigit() and len(scalar.text) < 20:
        return type(parsed) is int and parsed == int(scalar.text)
    return not isinstance(parsed, str | dict | list | Pairs)
