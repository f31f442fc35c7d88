"""Compares a tree of our own tokenizers with what a parser read."""

from __future__ import annotations

from typing import NamedTuple

from syncer.front_matter.tree import Alias, Items, Node, Scalar, Table


class Pairs(NamedTuple):
    """What a parser read of a table whose keys may be in it more than once."""

    pairs: list[tuple[str, object]]


def agrees(node: Node, parsed: object) -> bool:
    """Say whether the parser read the same keys in the same nesting, the same strings and the same integers.

    Of other unquoted values (dates, floats, truth values) only that they are no string and no container.
    """
    match node:
        case Table():
            if isinstance(parsed, Pairs):
                return _pairs_agree(node, parsed.pairs)
            return isinstance(parsed, dict) and _tables_agree(node, parsed)
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


def _tables_agree(table: Table, parsed: dict[str, object]) -> bool:
    if len(table.members) != len(parsed):
        return False
    return all(
        isinstance(member.key, Scalar) and member.key.text in parsed and agrees(member.value, parsed[member.key.text])
        for member in table.members
    )


def _pairs_agree(table: Table, pairs: list[tuple[str, object]]) -> bool:
    if len(table.members) != len(pairs):
        return False
    return all(
        isinstance(member.key, Scalar) and member.key.text == name and agrees(member.value, value)
        for member, (name, value) in zip(table.members, pairs, strict=True)
    )


def _scalars_agree(scalar: Scalar, parsed: object) -> bool:
    if scalar.quote:
        return scalar.text == parsed
    if scalar.null or parsed is None:
        return scalar.null and parsed is None
    if scalar.text.isascii() and scalar.text.isdigit() and len(scalar.text) < 20:
        return type(parsed) is int and parsed == int(scalar.text)
    return not isinstance(parsed, str | dict | list | Pairs)
