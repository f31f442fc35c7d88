"""Reads one HTTP answer through a limit: whatever a server sends or claims, no more memory than this is taken."""

from __future__ import annotations

import http.client
import io
import zlib
from collections.abc import Mapping
from typing import Any, Final

from syncer.youtube.evidence import Reply

LARGEST_BODY: Final = 4 * 1024 * 1024
"""Bytes of a body, packed and unpacked alike. The answer for a batch of 50 has about 20,000."""
LARGEST_HEAD: Final = 16 * 1024
"""Bytes of a status line and all header lines, interim answers included. YouTube's have about 1,000."""

_WINDOWS: Final[Mapping[str, tuple[int, ...]]] = {
    "gzip": (zlib.MAX_WBITS | 16,),
    "x-gzip": (zlib.MAX_WBITS | 16,),
    "deflate": (zlib.MAX_WBITS, -zlib.MAX_WBITS),  # what servers mean by it: with zlib's head, or without
}


class ResponseTooLarge(http.client.HTTPException):
    """The answer is larger than any of YouTube's, or says that it is."""


class Declined(Exception):
    """The answer is none with status 200.

    It is raised before httplib2 and the client library see the answer: they would look for redirects and for logins,
    and guess at what to repeat, which breaks on bodies and header fields that are in no known form.
    """

    def __init__(self, reply: Reply) -> None:
        """Take the answer."""
        super().__init__(reply.status)
        self.reply = reply


class BoundedResponse(http.client.HTTPResponse):
    """An answer whose head and body are bounded while they are read, and whose body is unpacked within the bound."""

    fp: _BoundedReader

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        plain: io.BufferedReader = self.fp
        self.fp = _BoundedReader(plain.detach())

    def begin(self) -> None:
        """Read the head."""
        super().begin()
        self.fp.left = LARGEST_BODY

    def read(self, _amount: int | None = None, /) -> bytes:
        """Return the whole body of a 200, unpacked. Raises `Declined`, ResponseTooLarge, and zlib.error."""
        body = unpack(super().read(), self.headers.get("content-encoding", ""))
        del self.headers["content-encoding"]  # else httplib2 unpacks it again
        if self.status != http.client.OK:
            raise Declined(Reply(self.status, {name.lower(): value for name, value in self.headers.items()}, body))
        return body


def unpack(packed: bytes, encoding: str) -> bytes:
    """Return a body without its `Content-Encoding`; in an unknown one it stays as it is, and will be no JSON.

    Raises ResponseTooLarge as soon as it is, and zlib.error where it cannot be unpacked to its end.
    """
    windows = _WINDOWS.get(encoding.strip(" \t").lower(), ()) if packed else ()
    for number, window in enumerate(windows, 1):
        decompressor = zlib.decompressobj(window)
        try:
            body = decompressor.decompress(packed, LARGEST_BODY + 1)
        except zlib.error:
            if number == len(windows):
                raise
            continue
        if len(body) > LARGEST_BODY:
            raise ResponseTooLarge
        if not decompressor.eof:
            raise zlib.error("the end is missing")
        return body
    return packed


class _BoundedReader(io.BufferedReader):
    """The bytes of one connection, from which no more than `left` are taken, and no buffer is made for more."""

    left: int = LARGEST_HEAD

    def read(self, size: int | None = None, /) -> bytes:
        """Return so many bytes; all there are, if no size is given. Of a size that cannot be, nothing is read."""
        if size is None:
            size = self.left + 1
        elif size > self.left:
            raise ResponseTooLarge
        elif size < 0:
            raise http.client.HTTPException("a chunk of a negative size")
        return self._counted(super().read(size))

    def readline(self, _size: int | None = -1, /) -> bytes:
        """Return a line of a head, or of what stands between chunks; its size is bounded by what is left."""
        line = self._counted(super().readline(self.left + 1))
        if b"\r" in line.removesuffix(b"\n").removesuffix(b"\r"):  # RFC 9112, 2.2; `email` would see several lines
            raise http.client.HTTPException("a bare CR")
        return line

    def _counted(self, data: bytes) -> bytes:
        self.left -= len(data)
        if self.left < 0:
            raise ResponseTooLarge
        return data
