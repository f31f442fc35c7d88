"""A large page with some parts replaced, in chunks: as a whole beside the old one, it would take as much again."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING
from zlib import crc32

from syncer.front_matter.plain import Splice

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CHUNK_BYTES = 1 << 20


class Spliced:
    """The new page: what `plain.splice` returns."""

    def __init__(self, text: bytes, splices: Sequence[Splice]) -> None:
        """Take the old page, and what replaces which parts, in order."""
        self._text = text
        self._splices = splices

    def __len__(self) -> int:
        """Return the size in bytes."""
        return len(self._text) + sum(len(new) - (stop - start) for start, stop, new in self._splices)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the page in chunks."""
        view, done, chunk = memoryview(self._text), 0, bytearray()
        end = len(self._text)
        for start, stop, new in chain(self._splices, [(end, end, b"")]):
            while start - done > CHUNK_BYTES:
                chunk += view[done : done + CHUNK_BYTES]
                done += CHUNK_BYTES
                yield bytes(chunk)
                chunk.clear()
            chunk += view[done:start]
            chunk += new
            done = stop
            if len(chunk) > CHUNK_BYTES:
                yield bytes(chunk)
                chunk.clear()
        yield bytes(chunk)

    def __bytes__(self) -> bytes:
        """Return the whole page."""
        return b"".join(self)

    def checksum(self) -> int:
        """Return its CRC-32."""
        checksum = 0
        for chunk in self:
            checksum = crc32(chunk, checksum)
        return checksum

    def open(self) -> io.BufferedReader:
        """Return the page as a file that is read."""
        return io.BufferedReader(_Reader(iter(self)))


class _Reader(io.RawIOBase):
    """Reads chunks."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        into = memoryview(buffer)
        size = min(len(into), len(self._rest))
        into[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
