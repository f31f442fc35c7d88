"""The HTTP form of responses: JSON text, header fields, compression and framing."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from enum import Enum
from http import HTTPStatus
from json.encoder import encode_basestring
from typing import TypeAlias

Json: TypeAlias = Mapping[str, "Json"] | Sequence["Json"] | str | int | bool | None


@dataclass(frozen=True, slots=True)
class Wait:
    """Send nothing for so many seconds; None: until the client disconnects."""

    seconds: float | None = None


class Ending(Enum):
    """How a connection ends early."""

    CLOSE = "close"
    RESET = "reset"


Step: TypeAlias = bytes | Wait | Ending
Way: TypeAlias = Callable[[bytes], Iterator[Step]]
"""How the bytes of a response are sent: in parts, with waits between them, and maybe not to the end."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A response before it is framed for a connection."""

    status: int
    body: bytes
    is_json: bool = True
    """False: an HTML page of the front end, which has other header fields."""
    fields: tuple[str, ...] = ()
    """More header fields, each a whole line."""
    zipped: bool = False
    """The body is compressed already, or claims to be: it is sent as gzip whatever the client accepts."""
    way: Way | None = None
    """None: in one piece."""


def json_reply(status: int, document: Json, *, pretty: bool) -> Reply:
    """Return the reply with this document as its body."""
    return Reply(status, render(document, pretty=pretty).encode())


def html_reply(status: int, paragraph: str) -> Reply:
    """Return a page of the front end before the API, with a paragraph of HTML."""
    title = f"Error {status} ({'Server Error' if status >= 500 else HTTPStatus(status).phrase})!!1"
    page = f"<!DOCTYPE html>\n<html lang=en>\n  <meta charset=utf-8>\n  <title>{title}</title>\n"
    page += (
        f"  <p><b>{status}.</b> <ins>That&rsquo;s an error.</ins>\n"
        f"  <p>{paragraph}  <ins>That&rsquo;s all we know.</ins>\n"
    )
    return Reply(status, page.encode(), is_json=False)


def render(document: Json, *, pretty: bool) -> str:
    """Return JSON as the API writes it: two spaces of indentation, a last newline, only `<`, `>` and two marks escaped.

    Assumption: with `prettyPrint=false` there is neither white space nor a last newline.
    """
    text = _indented(document, "") + "\n" if pretty else _compact.encode(document)
    for character, escape in _ESCAPES.items():
        text = text.replace(character, escape)
    return text


def frame(reply: Reply, at: datetime, *, compress: bool, chunked: bool, last: bool) -> bytes:
    """Return the bytes of a whole response: status line, header fields and body, to be sent in one write.

    `chunked` is False for a client of HTTP/1.0, which does not support chunks: the end of the connection ends the body.
    `last`: the connection ends with this response.
    """
    status = f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"
    moment = [f"Date: {format_datetime(at, usegmt=True)}", *(["Connection: close"] if last else []), *reply.fields]
    if not reply.is_json:
        return _head([status, *_HTML_FIELDS, f"Content-Length: {len(reply.body)}", *moment]) + reply.body
    body = compressed(reply.body) if compress and not reply.zipped else reply.body
    encoding = ["Content-Encoding: gzip"] if compress or reply.zipped else []
    fields = [status, *_JSON_FIELDS, *moment, *encoding]
    if not chunked or reply.status == HTTPStatus.NO_CONTENT:
        return _head(fields) + body
    return _head([*fields, "Transfer-Encoding: chunked"]) + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


def compressed(body: bytes) -> bytes:
    """Return the body as gzip, always the same for the same body."""
    return gzip.compress(body, compresslevel=_GZIP_LEVEL, mtime=0)


_GZIP_LEVEL = 1
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "\ufeff": "\\ufeff", "\u202a": "\\u202a"}

_ALT_SVC = 'Alt-Svc: h3=":443"; ma=2592000,h3-29=":443"; ma=2592000'
_JSON_FIELDS = (
    "Content-Type: application/json; charset=UTF-8",
    "Vary: Origin,Accept-Encoding",
    "Vary: Referer",
    "Vary: X-Origin",
    "Server: scaffolding on HTTPServer2",
    "Cache-Control: private",
    "X-Xss-Protection: 0",
    "X-Frame-Options: SAMEORIGIN",
    "X-Content-Type-Options: nosniff",
    "Accept-Ranges: none",
    _ALT_SVC,
)
_HTML_FIELDS = ("Content-Type: text/html; charset=UTF-8", "Referrer-Policy: no-referrer", _ALT_SVC)

_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def _head(lines: Sequence[str]) -> bytes:
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _indented(value: Json, margin: str) -> str:
    """Like json.dumps with an indent, which is written in Python as well and takes three times as long."""
    if isinstance(value, str):
        return encode_basestring(value)
    inner = margin + "  "
    if isinstance(value, dict):
        rows = [f"{inner}{encode_basestring(name)}: {_indented(below, inner)}" for name, below in value.items()]
        opening, closing = "{", "}"
    elif isinstance(value, list):
        rows = [inner + _indented(below, inner) for below in value]
        opening, closing = "[", "]"
    else:
        return _compact.encode(value)
    if not rows:
        return opening + closing
    return opening + "\n" + ",\n".join(rows) + "\n" + margin + closing
