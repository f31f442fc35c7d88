"""The tables of a block that may each have a video: the block itself, items of lists, or the values of a mapping."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from syncer.front_matter.block import Syntax
from syncer.front_matter.differences import conflict_among_keys, conflict_on, merged_into
from syncer.front_matter.keys import EXCLUSION, Keys, Names
from syncer.front_matter.letters import Twin, find_twin
from syncer.front_matter.tree import Alias, Conflict, Items, Member, Node, Scalar, Table, Tree
from syncer.model import ProblemKind

ALIASED = "This item is a YAML alias: write the item itself."


class Scope(NamedTuple):
    """A table that may have a video."""

    table: Table
    prefix: str
    """The prefix of its fields in the diff log: `videos[1].`, `{ID}.`."""
    obstacle: ProblemKind | None
    """An anchor or a tag above it."""
    twin: Twin | None
    """A key that differs from one on the path to it only in letter case."""
    id_path: KeyPath | None = None
    """Of the value of a mapping whose keys are the ids: the way to that key."""
    alias: int | None = None
    """The offset of the alias that a list has instead of the table."""


class KeyPath(NamedTuple):
    """What is at the end of a path of keys."""

    table: Table
    member: Member
    obstacle: ProblemKind | None
    """An anchor, a tag or an alias on the path."""

    @property
    def value(self) -> Node:
        """The value there."""
        return self.member.value


def scopes_in(tree: Tree, keys: Keys, syntax: Syntax, *, first: int = 0, any_case: bool) -> Iterator[Scope | Conflict]:
    """Yield the tables of a tree that may have a video, in order, or the conflict that makes them uncertain.

    `first`: the number of the first item of the outermost list. `any_case`: whether some readers ignore letter case.
    """
    for number, root in enumerate((tree.root, *tree.later)):
        # a further document has a prefix that no key can have
        top = _Position(root, f"---[{number}]." if number else "", _obstacle(root), None)
        yield from _scopes(top, keys.lists, keys, syntax, first=first, any_case=any_case)


def follow(table: Table, names: Names) -> KeyPath | None:
    """Follow a path; None if one of its keys is absent. An alias on the path ends it, as an obstacle."""
    obstacle: ProblemKind | None = None
    for name in names[:-1]:
        member = table.get(name)
        if member is not None and isinstance(member.value, Alias):
            return KeyPath(table, member, ProblemKind.ALIAS)
        if member is None or not isinstance(member.value, Table):
            return None
        table = member.value
        obstacle = obstacle or table.obstacle
    last = table.get(names[-1])
    return KeyPath(table, last, obstacle) if last else None


def meets(scope: Scope, keys: Keys, syntax: Syntax) -> bool | Conflict:
    """Return whether a table has the values of `where`, as they are written, or why that is uncertain."""
    for names, text in keys.where:
        found = follow(scope.table, names)
        conflict = None if found else conflict_on(scope.table, names, syntax)
        if conflict and any(_has_text(table, names, text) for table in merged_into(scope.table)):
            return conflict
        node = found and found.value
        if isinstance(node, Alias):
            node = node.target
        if not isinstance(node, Scalar) or node.text != text:
            return False
    return next(filter(None, (conflict_on(scope.table, names, syntax) for names, _ in keys.where)), True)


def _has_text(table: Table, names: Names, text: str) -> bool:
    found = follow(table, names)
    return found is not None and isinstance(found.value, Scalar) and found.value.text == text


class _Position(NamedTuple):
    """A node on the way to the tables."""

    node: Node
    prefix: str
    obstacle: ProblemKind | None
    twin: Twin | None


def _scopes(
    at: _Position, lists: tuple[Names, ...], keys: Keys, syntax: Syntax, *, first: int = 0, any_case: bool
) -> Iterator[Scope | Conflict]:
    names = lists[0] if lists else keys.video_id if keys.is_keyed else None
    if names is None:
        alias = at.node if isinstance(at.node, Alias) else None
        table = alias.target if alias else at.node
        if isinstance(table, Table):
            yield Scope(table, at.prefix, at.obstacle, at.twin, alias=alias.start if alias else None)
        return
    node, obstacle, twin = at.node, at.obstacle, at.twin
    if names:
        if not isinstance(node, Table):
            return
        if conflict := conflict_on(node, names, syntax):
            yield conflict
        found = follow(node, names)
        if found is None:
            return
        twin = twin or (find_twin(node, names) if any_case else None)
        node, obstacle = found.value, obstacle or found.obstacle or _obstacle(found.value)
    name = ".".join(names)
    if lists:
        for number, item in enumerate(node.items if isinstance(node, Items) else (), first):
            below = _Position(item, f"{at.prefix}{name}[{number}].", obstacle or _obstacle(item), twin)
            yield from _scopes(below, lists[1:], keys, syntax, any_case=any_case)
    elif isinstance(node, Table):
        prefix = f"{at.prefix}{name}." if name else at.prefix
        yield from _values(_Position(node, prefix, obstacle, twin), syntax, is_top=not name and not at.prefix)


def _values(at: _Position, syntax: Syntax, *, is_top: bool) -> Iterator[Scope | Conflict]:
    """Yield the values of a mapping whose keys are the ids. A value that is no table is an empty one."""
    mapping = at.node
    assert isinstance(mapping, Table)
    if syntax is Syntax.YAML and (conflict := conflict_among_keys(mapping)):
        yield conflict
    for member in mapping.members:
        key, value = member.key, member.value
        if isinstance(key, Scalar) and not (is_top and key.text == EXCLUSION):
            table = value if isinstance(value, Table) else Table(value.start)
            obstacle = at.obstacle or _obstacle(value)
            yield Scope(table, f"{at.prefix}{{{key.text}}}.", obstacle, at.twin, KeyPath(mapping, member, at.obstacle))


def _obstacle(node: Node) -> ProblemKind | None:
    return ProblemKind.ALIAS if isinstance(node, Alias) else None if isinstance(node, Scalar) else node.obstacle
