"""Reads JSON into a tree. The decoder of `json` reads each key and each value, and finds where it ends."""

from __future__ import annotations

import json
import re
from hashlib import blake2b

from syncer.front_matter.tree import MAX_DEPTH, Items, Member, Node, Scalar, Table, Tree, Unreadable
from syncer.front_matter.wanted import MAX_KEPT_NODES, NOT_WANTED, TOO_MANY_VALUES, Everything, Wanted
from syncer.model import ProblemKind

BLANK = re.compile(r"[ \t\r\n]*+")


def parse_json(text: str, wanted: Wanted | None = None) -> Tree | Unreadable:
    """Return the tree of one JSON document, or why it cannot be read. With `wanted`, only of what is."""
    try:
        json.loads(text, object_pairs_hook=forget)
        return _Reader(text, wanted or Everything(), MAX_KEPT_NODES if wanted else len(text)).tree()
    except _TooManyValuesError:
        return Unreadable(ProblemKind.TOO_LARGE, TOO_MANY_VALUES, None)
    except json.JSONDecodeError as error:
        return Unreadable(ProblemKind.INVALID_FRONT_MATTER, reason_of(text, error), error.lineno - 1)
    except ValueError:
        return Unreadable(ProblemKind.INVALID_FRONT_MATTER, "a number has too many digits", None)
    except RecursionError:
        return Unreadable(ProblemKind.INVALID_FRONT_MATTER, "nested too deeply", None)


def reason_of(text: str, error: json.JSONDecodeError) -> str:
    """Return why a text is no JSON: in our words for what other readers of configs accept."""
    here = text[_skip(text, error.pos) :][:2] or " "
    before = text[: error.pos].rstrip(" \t\r\n")[-1:]
    if here in {"//", "/*"} or here[0] == "#":
        return "JSON has no comments"
    if (here[0] in "]}" and before == ",") or (here[0] == "," and text[_skip(text, error.pos + 1) :][:1] in {"]", "}"}):
        return "there is a comma after the last value"
    if here[0] == "'":
        return "JSON has double quotes only"
    return "there is more after the end of the value" if error.msg == "Extra data" else error.msg


def forget(_pairs: list[tuple[str, object]]) -> None:
    """Stand for an object that was read: all objects of a large file together take ten times its size."""


class _TooManyValuesError(Exception):
    """More values are wanted than `MAX_KEPT_NODES`."""


class _Reader:
    """Reads what is wanted of a text that is known to be valid, at most so many nodes."""

    def __init__(self, text: str, wanted: Wanted, most: int) -> None:
        self._text = text
        self._wanted = wanted
        self._most = most
        self._decode = json.JSONDecoder(object_pairs_hook=forget).raw_decode
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
        if self._kept > self._most:
            raise _TooManyValuesError
        if text[start] == "{":
            return self._object(start, number, depth)
        if text[start] == "[":
            return self._array(start, number, depth)
        scalar = self._scalar(start)
        return scalar, scalar.stop

    def _object(self, start: int, number: int, depth: int) -> tuple[Table, int]:
        text, table = self._text, Table(start, inline=True)
        at = _skip(text, start + 1)
        while text[at] != "}":
            if text[at] == ",":
                at = _skip(text, at + 1)
            key = self._scalar(at)
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

    def _scalar(self, start: int) -> Scalar:
        value, stop = self._decode(self._text, start)
        if isinstance(value, str):
            return Scalar(value, start, stop, '"')
        return Scalar(self._text[start:stop], start, stop, null=value is None)


def _skip(text: str, at: int) -> int:
    match = BLANK.match(text, at)
    return match.end() if match else at
