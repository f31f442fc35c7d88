"""One connection to YouTube at a time: sends the key in a header, pays for what it sends, follows nobody elsewhere."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import httplib2

from syncer.youtube.evidence import Reply


class NoUnitLeft(Exception):
    """The bucket has no unit for another request: nothing was sent."""


class Declined(Exception):
    """The answer is none with status 200.

    It is raised before the client library sees it: the library's own guess at what to repeat breaks on a body that is
    not in Google's form, and logs it.
    """

    def __init__(self, reply: Reply) -> None:
        """Take the answer."""
        super().__init__(reply.status)
        self.reply = reply


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
        self._key = key
        self._connection_type = _connections_of(self, endpoint)

    def request(  # type: ignore[override] # the client library passes no more than this
        self, uri: str, method: str = "GET", body: str | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[httplib2.Response, bytes]:
        """Send the request with the key, and return the answer. Raises `Declined` for any but a 200."""
        headers = {**(headers or {}), "x-goog-api-key": self._key}
        response, content = super().request(uri, method, body, headers, connection_type=self._connection_type)
        if response.status != http.client.OK:
            raise Declined(Reply(response.status, response, content))
        return response, content


class _Paying(http.client.HTTPConnection):
    """A connection that pays where it sends, and leaves nothing open."""

    line: ClassVar[Line]
    _answer: http.client.HTTPResponse | None = None

    def request(self, *args: Any, **kwargs: Any) -> None:
        self.line.pay()
        super().request(*args, **kwargs)

    def getresponse(self) -> http.client.HTTPResponse:
        self._answer = super().getresponse()
        return self._answer

    def close(self) -> None:
        """Close an answer that was not read to its end too: with `Connection: close` it owns the socket."""
        super().close()
        if self._answer is not None:
            self._answer.close()


class _Plain(_Paying, httplib2.HTTPConnectionWithTimeout):
    pass


class _Secure(_Paying, httplib2.HTTPSConnectionWithTimeout):
    pass


def _connections_of(line: Line, endpoint: str) -> type[_Paying]:
    """Return the connection class of one line: httplib2 makes the connections, and hands them nothing of ours."""
    connection = _Secure if endpoint.lower().startswith("https:") else _Plain
    return type(connection.__name__, (connection,), {"line": line})
