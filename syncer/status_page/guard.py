"""Checks each request before the app sees it: host, token, origin, size and time. Sets the security headers."""

from __future__ import annotations

import asyncio
import binascii
import re
from base64 import b64decode
from collections.abc import Collection
from dataclasses import dataclass
from hmac import compare_digest
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY_BYTES = 4096
"""Bytes of a request's body: a trigger takes some twenty."""

BODY_TIMEOUT = 10.0
"""Seconds within which the whole body must arrive."""

WAITING_LIMIT = 64
"""Requests over TCP that wait for the state, and as many on the Unix socket; any others get a 503."""

AT_ONCE = re.compile("/healthz|/triggers|/api/v1/(triggers|daemon)")
"""How addresses begin that never wait, however many other requests do: they do not read the state."""

AT_ONCE_OF_SITES = re.compile(
    r"/sites/[^/]+(/triggers|/api/v1/triggers)|/(healthz|readyz|api/v1/(sites|daemon)|sites|style\.css|icon\.svg)?$"
)
"""The same where there may be several sites, whose overview does not read their states."""

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Connection": "close",  # so that what bounds a connection bounds a request
}

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Entry:
    """Which requests over TCP are accepted. The Unix socket is protected by the permissions of its file."""

    hosts: Collection[str]
    """Host names that are accepted besides those of loopback, without a port."""
    token: str | None
    """The token that a request must have: as a Bearer token, or as the password of Basic authentication."""


class Guard:
    """Wraps the app: a request that is refused never reaches it."""

    def __init__(self, app: ASGIApp, entry: Entry, at_once: re.Pattern[str]) -> None:
        self._app = app
        self._hosts = LOOPBACK_NAMES | {host.lower() for host in entry.hosts}
        self._token = entry.token
        self._at_once = at_once
        self._waiting: dict[bool, set[int]] = {True: set(), False: set()}
        """Requests over TCP and on the Unix socket whose response has not started."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request, or pass it to the app."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        send = _with_headers(send)
        over_tcp = scope["server"] is not None and scope["server"][1] is not None
        answer = (self._refusal(scope) if over_tcp else None) or await _read_body(receive)
        if isinstance(answer, Response):
            await answer(scope, receive, send)
        elif self._at_once.match(scope["path"]):
            await self._app(scope, _replay(answer, receive), send)
        elif len(self._waiting[over_tcp]) >= WAITING_LIMIT:
            await _TOO_MANY(scope, receive, send)
        else:
            await self._pass_counted(scope, _replay(answer, receive), send, self._waiting[over_tcp])

    async def _pass_counted(self, scope: Scope, receive: Receive, send: Send, waiting: set[int]) -> None:
        """Pass the request to the app; it counts as waiting until its response starts, or the app ends."""
        number = id(scope)

        async def send_counted(message: Message) -> None:
            waiting.discard(number)
            await send(message)

        waiting.add(number)
        try:
            await self._app(scope, receive, send_counted)
        finally:
            waiting.discard(number)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        named = headers.getlist("host")
        if len(named) != 1 or host_of(named[0]) not in self._hosts:
            return _refuse(
                421, "The status page does not accept this host name. Add it to status_page.hosts in the config."
            )
        if self._token is not None and not _shows(headers.get("authorization", ""), self._token):
            challenge = {"WWW-Authenticate": 'Basic realm="syncer", charset="UTF-8"'}
            return _refuse(401, "This page needs a token. Send it as `Authorization: Bearer TOKEN`.", challenge)
        if scope["method"] not in {"GET", "HEAD"} and not _is_same_origin(headers, named[0]):
            return _refuse(403, "This request was sent by a page of another site.")
        return None


def host_of(netloc: str) -> str | None:
    """Return the host of `host:port` in lower case, without brackets; None where the text is not a host."""
    try:
        parts = urlsplit(f"//{netloc}")
        _ = parts.port
    except ValueError:
        return None
    return parts.hostname if parts.netloc == netloc and "@" not in netloc else None


def _shows(authorization: str, token: str) -> bool:
    scheme, _, shown = authorization.partition(" ")
    if scheme.lower() == "basic":
        try:
            shown = b64decode(shown, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return False
    elif scheme.lower() != "bearer":
        return False
    return compare_digest(shown.strip().encode(), token.encode())


def _is_same_origin(headers: Headers, host: str) -> bool:
    """Return whether this was not sent by a page of another site.

    A browser says where it comes from in one of three headers; a program sends none of them.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    sender = headers.get("origin", headers.get("referer"))  # an older browser may send the second alone
    try:
        return sender is None or urlsplit(sender).netloc == host
    except ValueError:  # not an address
        return False


async def _read_body(receive: Receive) -> bytes | Response:
    """Return the whole body, or the refusal of one that is too large or too slow."""
    body = b""
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            while True:
                message = await receive()
                piece: bytes = message.get("body", b"")
                body += piece
                if len(body) > LARGEST_BODY_BYTES:
                    return _TOO_LARGE
                if not message.get("more_body", False):
                    return body
    except TimeoutError:
        return _refuse(408, "The request took too long to send.")


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay


def _with_headers(send: Send) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(HEADERS)
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return with_headers


def _refuse(status: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
    return PlainTextResponse(f"{sentence}\n", status, headers)


_TOO_LARGE = _refuse(413, "The request is too large.")
_TOO_MANY = _refuse(503, "Too many requests are waiting. Try again in a few seconds.", {"Retry-After": "5"})
