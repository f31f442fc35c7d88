"""One connection to YouTube at a time: sends the key in a header, pays for what it sends, can be cut from outside."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future, InvalidStateError
from contextlib import suppress
from typing import Any, ClassVar

import httplib2

from syncer.youtube.response import BoundedResponse


class NoUnitLeft(Exception):
    """The bucket has no unit for another request: nothing was sent."""


class Line(httplib2.Http):
    """What `HttpRequest.execute` sends through. It serves one request at a time: httplib2 mixes up answers otherwise.

    `pay` is called each time a request goes out, and raises `NoUnitLeft` to prevent it. That is more often than once
    for a request, as httplib2 silently sends it again when the server hangs up without an answer.
    """

    def __init__(self, *, endpoint: str, key: str, timeout: float) -> None:
        """Take the address, the key, and the seconds that one socket operation may last. Nothing is opened yet."""
        super().__init__(timeout=timeout, proxy_info=None)
        self.follow_redirects = False  # a redirect would take the key to another host
        self.pay: Callable[[], None] = lambda: None
        self.is_sound = False
        """Whether the last answer was read to its end: then the next request may use the connection again."""
        self.is_cut = False
        self.dialling: Future[None] | None = None
        self.socket: socket.socket | None = None
        self._key = key
        self._connection_type = _connections_of(self, endpoint)

    def request(  # type: ignore[override] # the client library passes no more than this
        self, uri: str, method: str = "GET", body: str | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[httplib2.Response, bytes]:
        """Send the request with the key, and return the answer. Raises `Declined` for any but a 200."""
        headers = {**(headers or {}), "x-goog-api-key": self._key}
        answer: tuple[httplib2.Response, bytes]
        answer = super().request(uri, method, body, headers, connection_type=self._connection_type)
        return answer

    def cut(self) -> None:
        """End the request that is under way at once, from any thread. Afterwards nothing is sent any more."""
        self.is_cut = True  # first: who opens something now looks at this after having shown it
        if self.dialling is not None:
            self.dialling.cancel()
        if self.socket is not None:
            with suppress(OSError):  # it is closed already
                socket.socket.shutdown(self.socket, socket.SHUT_RDWR)  # TLS's own would take the reader's state away


class _Paying(http.client.HTTPConnection):
    """A connection that pays where it sends, leaves nothing open, and lets nobody wait who was cut off."""

    response_class = BoundedResponse
    line: ClassVar[Line]
    _answer: http.client.HTTPResponse | None = None
    _left_to_dialler = False

    def connect(self) -> None:
        """Connect in a thread that is left alone when the line is cut: the look-up of a name cannot be ended."""
        self._refuse_if_cut()
        dialling: Future[None] = Future()
        self.line.dialling = dialling
        threading.Thread(target=self._dial, args=(super().connect, dialling), name="youtube-dial", daemon=True).start()
        if self.line.is_cut:
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
        self.line.socket = self.sock
        try:
            dialling.set_exception(failure) if failure else dialling.set_result(None)
        except InvalidStateError:  # nobody waits any more
            super().close()

    def request(self, *args: Any, **kwargs: Any) -> None:
        self._refuse_if_cut()
        self.line.pay()
        super().request(*args, **kwargs)

    def getresponse(self) -> http.client.HTTPResponse:
        self._answer = super().getresponse()
        return self._answer

    def close(self) -> None:
        """Close an answer that was not read to its end too: with `Connection: close` it owns the socket."""
        if self._left_to_dialler:
            return
        super().close()
        if self._answer is not None:
            self._answer.close()

    def _refuse_if_cut(self) -> None:
        if self.line.is_cut:
            raise TimeoutError


class _Plain(_Paying, httplib2.HTTPConnectionWithTimeout):
    pass


class _Secure(_Paying, httplib2.HTTPSConnectionWithTimeout):
    pass


def _connections_of(line: Line, endpoint: str) -> type[_Paying]:
    """Return the connection class of one line: httplib2 makes the connections, and hands them nothing of ours."""
    connection = _Secure if endpoint.lower().startswith("https:") else _Plain
    return type(connection.__name__, (connection,), {"line": line})
