"""A block as a tree whose nodes know where they are in the text: the same for YAML, TOML and JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from syncer.model import ProblemKind

MAX_DEPTH = 100
"""Deeper nesting is refused: no real page has it, and parsers need quadratic time or run out of stack."""


UNCERTAIN = "syncer cannot locate the values here reliably: write them in a simpler form."


_ADVICE = {
    "mapping values": "A value with a colon and a space in it needs quotes.",
    "tab character": "Indent with spaces, not with tabs.",
    "cannot start any token": (
        "Indent with spaces, not with tabs. A value that begins with a sign such as % or @ needs quotes."
    ),
    "alphabetic or numeric": "A value that begins with * or & needs quotes.",
    "has no anchor": "A value that begins with * needs quotes.",
    "after the end of the value": "A file with one object on each line is not JSON: write a list.",
}
"""By a part of what a parser of YAML or JSON says."""


class Conflict(NamedTuple):
    """Why it is uncertain which value is used."""

    kind: ProblemKind
    message: str
    start: int
    """The offset of the reason in the block's text."""


class Unreadable(NamedTuple):
    """Why a block cannot be parsed."""

    kind: ProblemKind
    reason: str
    """What the parser said, as a part of a sentence; for other kinds than INVALID_FRONT_MATTER, the whole message."""
    line: int | None
    """The line in the block, from 0."""
    begins_well: bool = False
    """What comes before is a whole YAML document, and some parsers read only that."""

    @property
    def advice(self) -> str:
        """What else to do, in a sentence after a space; or nothing."""
        return next((f" {advice}" for part, advice in _ADVICE.items() if part in self.reason), "")


@dataclass(slots=True)
class Scalar:
    """A single value or key. `start` and `stop` are its offsets in the block's text, with its quotes."""

    text: str
    """The value as parsed; of an unquoted one the source, so that `0755` stays `0755`."""
    start: int
    stop: int
    quote: str = ""
    """The quote on both sides: empty, or one of `"` `'` `\"\"\"` `'''`."""
    null: bool = False
    obstacle: ProblemKind | None = None
    """Why it must not be overwritten: an anchor, a tag, a block scalar."""


@dataclass(slots=True)
class Alias:
    """A YAML alias. It is followed only to find what a merge key sets."""

    name: str
    start: int
    stop: int
    target: Node
    """The node with the anchor."""


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
    """The keys that appear more than once, each at its second occurrence."""

    _by_name: dict[str, Member] = field(default_factory=dict)

    def add(self, member: Member) -> None:
        """Append a member."""
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
    """A parsed block."""

    root: Node
    conflict: Conflict | None = None
    """A construct about which parsers disagree, whatever the keys."""
    later: tuple[Node, ...] = ()
    """The roots of further documents of a YAML file."""
    rest: bytes = b""
    """A digest of what was left out of the tree of a data file (`wanted`)."""


def digest(tree: Tree, without: frozenset[int]) -> bytes:
    """Return a digest that only equal trees have, without the members whose keys start at these offsets."""
    running = blake2b(tree.rest)
    for number, root in enumerate((tree.root, *tree.later)):
        running.update(f"document {number}".encode())
        for part in _outline(root, without):
            running.update(repr(part).encode(errors="surrogatepass"))
    return running.digest()


def _outline(node: Node, without: frozenset[int]) -> Iterator[object]:
    """Yield the contents of a tree, in order, except members whose keys start at one of the offsets `without`."""
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
