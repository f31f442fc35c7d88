"""Finds keys that differ from a mapped one only in letter case: some generators read the two as one key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from syncer.front_matter.keys import Names, fold_key
from syncer.front_matter.tree import Items, Node, Scalar, Table


class Twin(NamedTuple):
    """A key of the page that differs from one of a mapped path only in letter case."""

    key: Scalar
    name: str
    """As in the config."""
    beside: bool
    """The mapped key is in the same table."""

    @property
    def message(self) -> str:
        """What is wrong, and what to do."""
        if self.beside:
            found = f"The keys {self.name!r} and {self.key.text!r} differ only in letter case"
            return f"{found}, and Hugo and others read only one of them: remove the other."
        found = f"The config says {self.name!r}, and this page says {self.key.text!r}"
        return f"{found}, which is the same key to Hugo and others: use the same letters in both."


def find_twin(table: Table, names: Names) -> Twin | None:
    """Return the first twin of a key on the path, or None."""
    node: Node = table
    for name in names:
        if not isinstance(node, Table):
            return None
        member = node.get(name)
        twin = next((key for key, _ in _alike(node, name) if key.text != name), None)
        if twin:
            return Twin(twin, name, member is not None)
        if member is None:
            return None
        node = member.value
    return None


def in_any_letters(
    node: Node, lists: tuple[Names, ...], video_id: Names, before: str = ""
) -> Iterator[tuple[str, Node]]:
    """Yield the values at the ID's path in any letter case, each with the path as the page writes it."""
    if not lists:
        yield from _ends(node, video_id, before)
        return
    for path, items in _ends(node, lists[0], before) if lists[0] else [("", node)]:
        for item in items.items if isinstance(items, Items) else ():
            yield from in_any_letters(item, lists[1:], video_id, f"{path}[].")


def _ends(node: Node, names: Names, before: str) -> Iterator[tuple[str, Node]]:
    if not isinstance(node, Table):
        return
    for key, value in _alike(node, names[0]):
        if len(names) == 1:
            yield before + key.text, value
        else:
            yield from _ends(value, names[1:], f"{before}{key.text}.")


def _alike(table: Table, name: str) -> Iterator[tuple[Scalar, Node]]:
    """Yield the members whose keys equal the name, ignoring letter case."""
    folded = fold_key(name)
    for member in table.members:
        key = member.key
        if isinstance(key, Scalar) and (key.text == name or fold_key(key.text) == folded):
            yield key, member.value
