"""One connection to YouTube at a time: sends the key in a header, pays for what it sends, follows nobody elsewhere."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Mapping
from typing import Any

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
        self._connection_type = _paying(endpoint, self)

    def request(  # type: ignore[override] # the client library passes no more than this
        self, uri: str, method: str = "GET", body: str | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[httplib2.Response, bytes]:
        """Send the request with the key, and return the answer. Raises `Declined` for any but a 200."""
        headers = {**(headers or {}), "x-goog-api-key": self._key}
        response, content = super().request(uri, method, body, headers, connection_type=self._connection_type)
        if response.status != http.client.OK:
            raise Declined(Reply(response.status, response, content))
        return response, content


def _paying(endpoint: str, line: Line) -> type[http.client.HTTPConnection]:
    """Return the connection class for the endpoint that pays where it sends: httplib2 makes the connections itself."""

    class Plain(httplib2.HTTPConnectionWithTimeout):
        def request(self, *args: Any, **kwargs: Any) -> None:
            line.pay()
            super().request(*args, **kwargs)

    class Secure(httplib2.HTTPSConnectionWithTimeout):
        def request(self, *args: Any, **kwargs: Any) -> None:
            line.pay()
            super().request(*args, **kwargs)

    return Secure if endpoint.lower().startswith("https:") else Plain
