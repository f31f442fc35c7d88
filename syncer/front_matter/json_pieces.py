"""Cuts a large JSON file into pieces: some thousand items of its list, or entries of its mapping, are read at a time.

A tree of a file takes fifty times its size. Here the decoder of `json` reads each value of the file once and forgets
it: so the whole is known to be valid, and where each item ends. Bytes are read as Latin-1, in which JSON has the same
structure as in UTF-8, and an offset in the text is one in the file.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from codecs import BOM_UTF8
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from syncer.front_matter.block import Syntax
from syncer.front_matter.data import ReadText
from syncer.front_matter.json_tree import BLANK, forget, reason_of
from syncer.front_matter.keys import EXCLUSION, Keys, Names, fold_key
from syncer.front_matter.locate import BlockText
from syncer.front_matter.tree import Unreadable
from syncer.front_matter.wanted import NOT_WANTED, TOO_MANY_VALUES, Wanted
from syncer.model import Change, ProblemKind, VideoId

PIECE_BYTES = 1 << 20
PIECE_ITEMS = 5_000
"""A piece ends when it has as much as one of these: its tree, with the positions of all values, takes 20 MB."""

MAX_VALUE_BYTES = 8 << 20
"""A larger item, or a larger value beside the items, is refused: it is read whole."""

_WINDOW_BYTES = 1 << 16
"""Read at first, to find the end of a value."""


class Piece(NamedTuple):
    """Some items of the file's list, or entries of its mapping of ids, that follow each other."""

    start: int
    stop: int
    line: int
    """Of its start, from 1."""
    first: int
    """The number of its first item."""
    names: Names
    """The keys above its items."""
    head: bytes
    """What makes a document of the items: the keys above them, and what opens the list."""
    tail: bytes

    def block(self, data: bytes, path: str) -> BlockText:
        """Return the piece as a document of its own."""
        text = b"".join((self.head, data[self.start : self.stop], self.tail))
        return BlockText(text.decode(), Syntax.JSON, self.line, path, is_data=True, first=self.first)


class Cut(NamedTuple):
    """A file, cut into pieces."""

    rest: BlockText
    """The file without the items, and without values that nothing maps; its lines are those of the file."""
    pieces: list[Piece]
    piece_of: dict[str, int]
    """Of the wanted ids that are keys of the mapping: the number of the piece."""
    twice: set[str]
    """Keys of 11 characters that the mapping has more than once."""


def cut_json(data: bytes, keys: Keys, path: str, videos: Collection[VideoId] = ()) -> Cut | Unreadable:
    """Return the pieces of a file that is valid UTF-8, or why it cannot be read.

    The list or the mapping is the outermost on the path to the ids. `videos` are those that `piece_of` is to have.
    """
    cutter = _Cutter(data, keys, videos)
    try:
        cutter.cut()
    except _InvalidError as error:
        top = max(0, error.at - 1000)
        near = data[top : error.at + 1000].decode("latin-1")
        reason = reason_of(near, json.JSONDecodeError(error.reason, near, error.at - top))
        return Unreadable(ProblemKind.INVALID_FRONT_MATTER, reason, data.count(b"\n", 0, error.at))
    except _TooLargeError:
        return Unreadable(ProblemKind.TOO_LARGE, TOO_MANY_VALUES, None)
    except ValueError:
        return Unreadable(ProblemKind.INVALID_FRONT_MATTER, "a number has too many digits", None)
    except RecursionError:
        return Unreadable(ProblemKind.INVALID_FRONT_MATTER, "nested too deeply", None)
    rest = BlockText(b"".join(cutter.rest).decode(), Syntax.JSON, 1, path, is_data=True)
    return Cut(rest, cutter.pieces, cutter.piece_of, cutter.twice)


def pieces_of(
    data: bytes, keys: Keys, changes: Sequence[Change], path: str
) -> Iterator[tuple[ReadText, Sequence[Change]]] | None:
    """Return the pieces that these changes are in, with those of each; None if the file has no piece for one of them.

    A change in an item of a list is found by the number in its field, and one in a mapping by the video's id.
    """
    names = keys.lists[0] if keys.lists else keys.video_id
    cut = cut_json(data, keys, path, () if keys.lists else {change.video_id for change in changes})
    if isinstance(cut, Unreadable):
        return None
    starts = [piece.first if piece.names == names else -1 for piece in cut.pieces]
    if len(set(starts)) < len(starts):  # there are two lists
        return None
    item = re.compile(re.escape(f"{'.'.join(names)}[") + r"([0-9]{1,9})\]\.")
    by_piece: dict[int, list[Change]] = {}
    for change in changes:
        if not keys.lists:
            number = cut.piece_of.get(change.video_id, -1)
        else:
            found = item.match(change.field)
            number = bisect_right(starts, int(found[1])) - 1 if found else -1
        if number < 0 or starts[number] < 0:
            return None
        by_piece.setdefault(number, []).append(change)

    def of_piece(number: int) -> ReadText:
        piece = cut.pieces[number]
        return ReadText(piece.start - len(piece.head), piece.stop + len(piece.tail), piece.block(data, path))

    return ((of_piece(number), by_piece[number]) for number in sorted(by_piece))


class _InvalidError(Exception):
    """The file is not valid JSON."""

    def __init__(self, reason: str, at: int) -> None:
        super().__init__(reason)
        self.reason, self.at = reason, at


class _TooLargeError(Exception):
    """A value is larger than `MAX_VALUE_BYTES`."""


class _Cutter:
    """Goes through a file once, with a part of its text in memory."""

    def __init__(self, data: bytes, keys: Keys, videos: Collection[VideoId]) -> None:
        self._data = data
        self._wanted = Wanted(keys)
        self._videos = frozenset(videos)
        self._is_keyed = keys.is_keyed and not keys.lists
        self._decode = json.JSONDecoder(object_pairs_hook=forget).raw_decode
        self._text, self._base = "", 0
        """The part of the text, and its offset."""
        top = len(BOM_UTF8) if data.startswith(BOM_UTF8) else 0
        self._copied, self._counted, self._line = top, 0, 1
        """How much of the file is in the rest, or cut out of it; and up to where its lines are counted."""
        self._keys: set[str] = set()
        self.rest: list[bytes] = []
        self.pieces: list[Piece] = []
        self.piece_of: dict[str, int] = {}
        self.twice: set[str] = set()

    def cut(self) -> None:
        """Cut the file."""
        end = self._skip(self._value(self._skip(self._copied), 0, (), b"", b""))
        if end < len(self._data):
            raise _InvalidError("Extra data", end)
        self.rest.append(self._data[self._copied :])

    def _value(self, at: int, number: int, names: Names, head: bytes, tail: bytes) -> int:
        """Go through a value on the way to the items; return where it ends. `number` is as for `Wanted`."""
        opening = self._data[at : at + 1]
        if opening == b"{" and self._wanted.is_name(number):
            return self._object(at, number, names, head, tail)
        if opening in {b"[", b"{"} and 0 <= number < self._wanted.beyond:
            return self._items(at, names, head, tail)
        return self._end_of_value(at)

    def _object(self, start: int, number: int, names: Names, head: bytes, tail: bytes) -> int:
        first = at = self._skip(start + 1)
        while self._data[at : at + 1] != b"}":
            if at > first:
                at = self._skip(at + 1)
            key, stop = self._key(at)
            value = self._colon(stop)
            below = self._wanted.member(number, key)
            if below == NOT_WANTED:
                end = self._end_of_value(value)
                self._cut(value, end, b"null")
            else:
                above = b"".join((head, b"{", self._data[at:stop], b":"))
                end = self._value(value, below, (*names, key), above, b"}" + tail)
            at = self._next(end, b"}")
        return at + 1

    def _items(self, start: int, names: Names, head: bytes, tail: bytes) -> int:
        opening = self._data[start : start + 1]
        closing = b"]" if opening == b"[" else b"}"
        head, tail = head + opening, closing + tail
        number, first, own = 0, 0, list[bytes]()
        begun = at = self._skip(start + 1)
        while self._data[at : at + 1] != closing:
            if number:
                at = self._skip(at + 1)
            if first == number:
                begun = at
            if opening == b"{":
                key, stop = self._key(at)
                self._note(key)
                end = self._end_of_value(self._colon(stop))
                if len(head) == 1 and fold_key(key) == EXCLUSION:
                    own.append(b"\n" * self._data.count(b"\n", start, at) + self._data[at:end])
            else:
                end = self._end_of_value(at)
            number += 1
            at = self._next(end, closing)
            if number == first + PIECE_ITEMS or end - begun > PIECE_BYTES or self._data[at : at + 1] == closing:
                self.pieces.append(Piece(begun, end, self._line_of(begun), first, names, head, tail))
                first = number
        self._cut(start + 1, at, b",".join(own))
        return at + 1

    def _note(self, key: str) -> None:
        """Note a key of a mapping of ids."""
        if self._is_keyed and len(key) == 11:
            (self.twice if key in self._keys else self._keys).add(key)
            if key in self._videos:
                self.piece_of[key] = len(self.pieces)

    def _key(self, at: int) -> tuple[str, int]:
        if self._data[at : at + 1] != b'"':
            raise _InvalidError("Expecting property name enclosed in double quotes", at)
        end = self._end_of_value(at)
        return str(json.loads(self._data[at:end].decode())), end

    def _colon(self, at: int) -> int:
        """Return where the value of a key begins that ends here."""
        colon = self._skip(at)
        if self._data[colon : colon + 1] != b":":
            raise _InvalidError("Expecting ':' delimiter", colon)
        return self._skip(colon + 1)

    def _next(self, at: int, closing: bytes) -> int:
        """Return where the comma is after a value that ends here, or what closes the list or the object."""
        found = self._skip(at)
        if self._data[found : found + 1] not in {b",", closing}:
            raise _InvalidError("Expecting ',' delimiter", found)
        return found

    def _end_of_value(self, at: int) -> int:
        size = _WINDOW_BYTES
        while True:
            is_rest = self._read(at, size)
            try:
                stop = self._decode(self._text, at - self._base)[1]
            except json.JSONDecodeError as error:
                # a value that is cut off is an error at the end of the text, or at the start of a string
                is_cut = error.pos + 16 > len(self._text) or error.msg.startswith("Unterminated")
                if is_rest or not is_cut:
                    raise _InvalidError(error.msg, self._base + error.pos) from None
            else:
                if is_rest or stop < len(self._text):
                    return self._base + stop
            if size == MAX_VALUE_BYTES:
                raise _TooLargeError
            size = min(size * 4, MAX_VALUE_BYTES)

    def _skip(self, at: int) -> int:
        """Return where the next character is that is not blank."""
        while True:
            is_rest = self._read(at, 1)
            blank = BLANK.match(self._text, at - self._base)
            at = self._base + (blank.end() if blank else 0)
            if is_rest or at < self._base + len(self._text):
                return at

    def _read(self, at: int, size: int) -> bool:
        """Have the text from this offset on in memory, so much of it at least; return whether that is all the rest."""
        if at + size > self._base + len(self._text) or at < self._base:
            self._base = at
            self._text = self._data[at : at + max(size, _WINDOW_BYTES * 4)].decode("latin-1")
        return self._base + len(self._text) >= len(self._data)

    def _cut(self, start: int, stop: int, stand_in: bytes) -> None:
        self.rest += (self._data[self._copied : start], stand_in, b"\n" * self._data.count(b"\n", start, stop))
        self._copied = stop

    def _line_of(self, at: int) -> int:
        self._line += self._data.count(b"\n", self._counted, at)
        self._counted = at
        return self._line
