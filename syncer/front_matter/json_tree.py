"""Reads JSON into a tree: a tokenizer finds the positions, and `json` confirms the values."""

from __future__ import annotations

import json
import re
from hashlib import blake2b

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
from syncer.front_matter.wanted import MAX_KEPT_NODES, NOT_WANTED, TOO_MANY_VALUES, Wanted
from syncer.model import ProblemKind

_BLANK = re.compile(r"[ \t\r\n]*+")
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*"')
_BARE = re.compile(r"[^\s,\]}]++")


def parse_json(text: str, wanted: Wanted | None = None) -> Tree | Unreadable:
    """Return the tree of one JSON document, or why it cannot be read. With `wanted`, only of what is."""
    try:
        parsed = json.loads(text, object_pairs_hook=_forget if wanted else Pairs)
        if wanted:
            return _Reader(text, wanted).tree()
        root, _ = _value(text, _skip(text, 0), 0)
    except _TooManyValuesError:
        return Unreadable(ProblemKind.TOO_LARGE, TOO_MANY_VALUES, None)
    except json.JSONDecodeError as error:
        return Unreadable(ProblemKind.INVALID_FRONT_MATTER, error.msg, error.lineno - 1)
    except ValueError:
        return Unreadable(ProblemKind.INVALID_FRONT_MATTER, "a number has too many digits", None)
    except RecursionError:
        return Unreadable(ProblemKind.INVALID_FRONT_MATTER, "nested too deeply", None)
    return Tree(root) if agrees(root, parsed) else Unreadable(ProblemKind.CANNOT_PLACE, UNCERTAIN, None)


def _forget(_pairs: list[tuple[str, object]]) -> None:
    """Stand for an object that was read: all objects of a large file together take ten times its size."""


class _TooManyValuesError(Exception):
    """More values are wanted than `MAX_KEPT_NODES`."""


class _Reader:
    """Reads what is wanted of a text that is known to be valid; the decoder finds the end of each other value."""

    def __init__(self, text: str, wanted: Wanted) -> None:
        self._text = text
        self._wanted = wanted
        self._decode = json.JSONDecoder(object_pairs_hook=_forget).raw_decode
        self._rest = blake2b()
        self._kept = 0

    def tree(self) -> Tree:
        """Return the tree."""
        root, _ = self._value(_skip(self._text, 0), 0, 0)
        assert root is not None, "the top of a file is always wanted"
        return Tree(root, rest=self._rest.digest())

    def _value(self, start: int, number: int, depth: int) -> tuple[Node | None, int]:
        """Return the value at `start` and where it ends; None for one that is not wanted."""
        text = self._text
        if depth > MAX_DEPTH:
            raise RecursionError
        if number == NOT_WANTED:
            stop = self._decode(text, start)[1]
            self._rest.update(text[start:stop].encode())
            return None, stop
        self._kept += 1
        if self._kept > MAX_KEPT_NODES:
            raise _TooManyValuesError
        if text[start] == "{":
            return self._object(start, number, depth)
        if text[start] == "[":
            return self._array(start, number, depth)
        value, stop = self._decode(text, start)
        scalar = _string(text, start) if text[start] == '"' else Scalar(text[start:stop], start, stop)
        scalar.null = value is None
        if scalar.stop != stop or not agrees(scalar, value):
            raise json.JSONDecodeError(UNCERTAIN, text, start)
        return scalar, stop

    def _object(self, start: int, number: int, depth: int) -> tuple[Table, int]:
        text, table = self._text, Table(start, inline=True)
        at = _skip(text, start + 1)
        while text[at] != "}":
            if text[at] == ",":
                at = _skip(text, at + 1)
            key = _string(text, at)
            colon = _skip(text, key.stop)
            below = self._wanted.member(number, key.text)
            if below == NOT_WANTED:
                self._rest.update(text[at : key.stop].encode())
            value, at = self._value(_skip(text, colon + 1), below, depth + 1)
            if value is not None:
                table.add(Member(key, value))
            at = _skip(text, at)
        self._rest.update(b"}")
        return table, at + 1

    def _array(self, start: int, number: int, depth: int) -> tuple[Items, int]:
        text, array, below = self._text, Items(start), self._wanted.item(number)
        at = _skip(text, start + 1)
        while text[at] != "]":
            if text[at] == ",":
                at = _skip(text, at + 1)
            item, at = self._value(at, below, depth + 1)
            if item is not None:
                array.items.append(item)
            at = _skip(text, at)
        self._rest.update(b"]")
        return array, at + 1


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
