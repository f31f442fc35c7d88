"""Reads JSON into a tree: a tokenizer finds the positions, and `json` confirms the values."""

from __future__ import annotations

import json
import re

from syncer.front_matter.tree import (
    MAX_DEPTH,
    UNCERTAIN,
    Items,
    Member,
    Node,
    Pairs,
    Scalar,
    Table,
    Tree,
    Unreadable,
    agrees,
)
from syncer.model import ProblemKind

_BLANK = re.compile(r"[ \t\r\n]*+")
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*"')
_BARE = re.compile(r"[^\s,\]}]++")


def parse_json(text: str) -> Tree | Unreadable:
    """Return the tree of one JSON document, or why it cannot be read."""
    try:
        parsed = json.loads(text, object_pairs_hook=Pairs)
        root, _ = _value(text, _skip(text, 0), 0)
    except json.JSONDecodeError as error:
        return Unreadable(ProblemKind.INVALID_FRONT_MATTER, error.msg, error.lineno - 1)
    except ValueError:
        return Unreadable(ProblemKind.INVALID_FRONT_MATTER, "a number has too many digits", None)
    except RecursionError:
        return Unreadable(ProblemKind.INVALID_FRONT_MATTER, "nested too deeply", None)
    if not agrees(root, parsed):
        return Unreadable(ProblemKind.CANNOT_PLACE, UNCERTAIN, None)
    return Tree(root)


def _value(text: str, start: int, depth: int) -> tuple[Node, int]:
    """Read the value at `start`; `text` is known to be valid."""
    if depth > MAX_DEPTH:
        raise RecursionError
    match text[start]:
        case "{":
            return _object(text, start, depth)
        case "[":
            return _array(text, start, depth)
        case '"':
            string = _string(text, start)
            return string, string.stop
    bare = _BARE.match(text, start)
    assert bare is not None
    return Scalar(bare[0], start, bare.end(), null=bare[0] == "null"), bare.end()


def _object(text: str, start: int, depth: int) -> tuple[Table, int]:
    table = Table(start, inline=True)
    at = _skip(text, start + 1)
    while text[at] != "}":
        if text[at] == ",":
            at = _skip(text, at + 1)
        key = _string(text, at)
        colon = _skip(text, key.stop)
        value, at = _value(text, _skip(text, colon + 1), depth + 1)
        table.add(Member(key, value))
        at = _skip(text, at)
    return table, at + 1


def _array(text: str, start: int, depth: int) -> tuple[Items, int]:
    array = Items(start)
    at = _skip(text, start + 1)
    while text[at] != "]":
        if text[at] == ",":
            at = _skip(text, at + 1)
        item, at = _value(text, at, depth + 1)
        array.items.append(item)
        at = _skip(text, at)
    return array, at + 1


def _string(text: str, start: int) -> Scalar:
    match = _STRING.match(text, start)
    assert match is not None
    source = match[0]
    value = json.loads(source) if "\\" in source else source[1:-1]
    return Scalar(value, start, match.end(), '"')


def _skip(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return match.end() if match else at
