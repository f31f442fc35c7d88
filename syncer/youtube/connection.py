"""A connection to YouTube: sends the key in a header, takes a unit for each request, limits reads, can be cut."""

from __future__ import annotations

import http.client
import io
import socket
import threading
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future, InvalidStateError
from contextlib import suppress
from typing import Any, ClassVar, Final

import httplib2

MAX_BODY_BYTES: Final = 4 * 1024 * 1024
"""Of a body, compressed and decompressed. The response for a batch of 50 has about 20,000."""
MAX_HEAD_BYTES: Final = 16 * 1024
"""Of a status line and all header lines, including interim responses. YouTube's have about 1,000."""

_WINDOWS: Final[Mapping[str, tuple[int, ...]]] = {
    "gzip": (zlib.MAX_WBITS | 16,),
    "x-gzip": (zlib.MAX_WBITS | 16,),
    "deflate": (zlib.MAX_WBITS, -zlib.MAX_WBITS),  # servers send it with zlib's header, or without
}


class NoUnitLeft(Exception):
    """The bucket has no unit for another request; nothing was sent."""


class ErrorStatus(Exception):
    """The response has a status other than 200; its body is decompressed, the names of its headers are in lower case.

    It is raised before httplib2 and the client library see the response: they would follow redirects, look for logins
    and guess what to repeat, which fails on bodies and header fields of an unknown form.
    """

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Take the response."""
        super().__init__(status)
        self.status = status
        self.headers = headers
        self.body = body


class ResponseTooLarge(http.client.HTTPException):
    """The response is larger than any of YouTube's, or claims to be."""


class Connection(httplib2.Http):
    """What `HttpRequest.execute` uses. It serves one request at a time: httplib2 would mix up the responses of several.

    `take_unit` is called each time a request is sent, and prevents that by returning False. It can be called more than
    once for a request, because httplib2 silently sends it again when the server closes the connection without a
    response.
    """

    def __init__(self, *, endpoint: str, key: str, timeout: float) -> None:
        """Take the address, the key, and the seconds that one socket operation may last. Nothing is opened yet."""
        super().__init__(timeout=timeout, proxy_info=None)
        self.follow_redirects = False  # a redirect would take the key to another host
        self.take_unit: Callable[[], bool] = lambda: True
        self.units = 0
        """Requests that were sent."""
        self.is_sound = False
        """Whether the last response was read to its end: then the next request may reuse the connection."""
        self.is_cut = False
        self.query = ""
        """What follows the address of the running request: names and values, encoded."""
        self.dialling: Future[None] | None = None
        self.socket: socket.socket | None = None
        self._key = key
        # httplib2 makes the connections without passing their owner, so their class has to have it
        connection = _Secure if endpoint.lower().startswith("https:") else _Plain
        self._connection_type = type(connection.__name__, (connection,), {"owner": self})

    def request(  # type: ignore[override] # the client library passes no more than this
        self, uri: str, method: str = "GET", body: str | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[httplib2.Response, bytes]:
        """Send the request with the key, and return the response.

        Raises `ErrorStatus` for any but a 200, and `NoUnitLeft`.
        """
        headers = {**(headers or {}), "x-goog-api-key": self._key}
        answer: tuple[httplib2.Response, bytes]
        address, _, self.query = uri.partition(
            "?"
        )  # httplib2 would look at each character, a third of a request's time
        answer = super().request(address, method, body, headers, connection_type=self._connection_type)
        return answer

    def cut(self) -> None:
        """End the running request immediately, from any thread. Nothing is sent afterwards."""
        self.is_cut = True  # first: a thread that opens a socket now checks this after storing the socket
        if self.dialling is not None:
            self.dialling.cancel()
        if self.socket is not None:
            with suppress(OSError):  # it is closed already
                socket.socket.shutdown(self.socket, socket.SHUT_RDWR)  # that of TLS would remove the reader's state


def unpack(packed: bytes, encoding: str) -> bytes:
    """Return a body without its `Content-Encoding`; an unknown encoding is left, and is not JSON.

    Raises ResponseTooLarge as soon as it is, and zlib.error where it cannot be decompressed completely.
    """
    windows = _WINDOWS.get(encoding.strip(" \t").lower(), ()) if packed else ()
    for number, window in enumerate(windows, 1):
        decompressor = zlib.decompressobj(window)
        try:
            body = decompressor.decompress(packed, MAX_BODY_BYTES + 1)
        except zlib.error:
            if number == len(windows):
                raise
            continue
        if len(body) > MAX_BODY_BYTES:
            raise ResponseTooLarge
        if not decompressor.eof:
            raise zlib.error("the end is missing")
        return body
    return packed


class _BoundedResponse(http.client.HTTPResponse):
    """A response whose head and body are limited in size while they are read and decompressed."""

    fp: _BoundedReader

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        plain: io.BufferedReader = self.fp
        self.fp = _BoundedReader(plain.detach())

    def begin(self) -> None:
        """Read the head."""
        super().begin()
        self.fp.left = MAX_BODY_BYTES

    def read(self, _amount: int | None = None, /) -> bytes:
        """Return the whole body of a 200, decompressed. Raises `ErrorStatus`, ResponseTooLarge, and zlib.error."""
        body = unpack(super().read(), self.headers.get("content-encoding", ""))
        del self.headers["content-encoding"]  # else httplib2 decompresses it again
        if self.status != http.client.OK:
            raise ErrorStatus(self.status, {name.lower(): value for name, value in self.headers.items()}, body)
        return body


class _BoundedReader(io.BufferedReader):
    """The bytes of one connection. No more than `left` are read, and no buffer is larger."""

    left: int = MAX_HEAD_BYTES

    def read(self, size: int | None = None, /) -> bytes:
        """Return so many bytes; all, if no size is given. An impossible size is an error, and nothing is read."""
        if size is None:
            size = self.left + 1
        elif size > self.left:
            raise ResponseTooLarge
        elif size < 0:
            raise http.client.HTTPException("a chunk of a negative size")
        return self._counted(super().read(size))

    def readline(self, _size: int | None = -1, /) -> bytes:
        """Return a line of a head, or of what is between chunks; its size is bounded by what is left."""
        line = self._counted(super().readline(self.left + 1))
        if b"\r" in line.removesuffix(b"\n").removesuffix(b"\r"):  # RFC 9112, 2.2; `email` would see several lines
            raise http.client.HTTPException("a bare CR")
        return line

    def _counted(self, data: bytes) -> bytes:
        self.left -= len(data)
        if self.left < 0:
            raise ResponseTooLarge
        return data


class _HttpConnection(http.client.HTTPConnection):
    """Takes a unit for each request that it sends, leaves nothing open, and stops waiting when it is cut."""

    response_class = _BoundedResponse
    owner: ClassVar[Connection]
    _answer: http.client.HTTPResponse | None = None
    _left_to_dialler = False

    def connect(self) -> None:
        """Connect in a thread that is abandoned when the connection is cut: a name lookup cannot be ended."""
        self._refuse_if_cut()
        dialling: Future[None] = Future()
        self.owner.dialling = dialling
        threading.Thread(target=self._dial, args=(super().connect, dialling), name="youtube-dial", daemon=True).start()
        if self.owner.is_cut:
            dialling.cancel()
        try:
            dialling.result()
        except CancelledError:
            self._left_to_dialler = True
            raise TimeoutError from None

    def _dial(self, connect: Callable[[], None], dialling: Future[None]) -> None:
        failure: Exception | None = None
        try:
            connect()
        except Exception as error:  # noqa: BLE001 - it is raised in the thread that waits
            failure = error
        self.owner.socket = self.sock
        try:
            dialling.set_exception(failure) if failure else dialling.set_result(None)
        except InvalidStateError:  # no thread waits any more
            super().close()

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:
        self._refuse_if_cut()
        if not self.owner.take_unit():
            raise NoUnitLeft
        self.owner.units += 1
        super().request(method, f"{url}?{self.owner.query}", *args, **kwargs)

    def getresponse(self) -> http.client.HTTPResponse:
        self._answer = super().getresponse()
        return self._answer

    def close(self) -> None:
        """Also close a response that was not read to its end: with `Connection: close` it owns the socket."""
        if self._left_to_dialler:
            return
        super().close()
        if self._answer is not None:
            self._answer.close()

    def _refuse_if_cut(self) -> None:
        if self.owner.is_cut:
            raise TimeoutError


class _Plain(_HttpConnection, httplib2.HTTPConnectionWithTimeout):
    pass


class _Secure(_HttpConnection, httplib2.HTTPSConnectionWithTimeout):
    pass
