"""Faults of the connection: it breaks or stalls, bytes are slow, header fields are strange."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime

from syncer.simulator.acts import Distort, Kind, Scene
from syncer.simulator.known_errors import unavailable
from syncer.simulator.wire import Ending, Reply, Step, Wait, Way, html_reply, json_reply

EXTRA_FIELDS = 101
"""More header fields than Python's HTTP client accepts."""
RETRY_AFTER = timedelta(seconds=2)
"""How long a response wants a client to wait, in the short cases."""

_LONGEST_LINE_BYTES = 65536
_BLANK_CHUNK = b"1000\r\n" + b" " * 4096 + b"\r\n"


def _travels(way: Way) -> Distort:
    return Distort(lambda reply, _scene: replace(reply, way=way))


def _slowly(way: Callable[[bytes, Wait], Iterator[Step]]) -> Distort:
    return Distort(lambda reply, scene: replace(reply, way=lambda framed: way(framed, Wait(scene.pause))))


def _half(then: Step) -> Distort:
    """Send the head and half of the body."""

    def way(framed: bytes) -> Iterator[Step]:
        head, body = _parted(framed)
        yield head + body[: len(body) // 2]
        yield then

    return _travels(way)


def _drip(framed: bytes, wait: Wait) -> Iterator[Step]:
    head, body = _parted(framed)
    yield head
    for place in range(len(body)):
        yield wait
        yield body[place : place + 1]


def _slow_head(framed: bytes, wait: Wait) -> Iterator[Step]:
    head, body = _parted(framed)
    for line in head.splitlines(keepends=True):
        yield line
        yield wait
    yield body


def _endless(framed: bytes, wait: Wait) -> Iterator[Step]:
    """Send spaces in chunks after the head, which announces chunks."""
    yield _parted(framed)[0]
    while True:
        yield _BLANK_CHUNK
        yield wait


def _flood(framed: bytes) -> Iterator[Step]:
    """Send spaces as fast as they are read."""
    yield _parted(framed)[0]
    while True:
        yield _BLANK_CHUNK * 16


def _claims(field: str, body: bytes) -> Distort:
    """Announce a much longer body than is sent."""
    return _travels(lambda _: iter((f"HTTP/1.1 200 OK\r\n{field}\r\n\r\n".encode() + body, Ending.CLOSE)))


def _parted(framed: bytes) -> tuple[bytes, bytes]:
    head, mark, body = framed.partition(b"\r\n\r\n")
    return head + mark, body


def _late(reply: Reply, scene: Scene) -> Reply:
    """Wait before the response, which is then complete."""
    return replace(reply, way=lambda framed: iter((Wait(scene.pause), framed)))


def _redirect(_reply: Reply, scene: Scene) -> Reply:
    """Redirect to this server by its other name, so that its request count shows who follows."""
    name, _, port = scene.request.host.partition(":")
    other = "127.0.0.1" if name == "localhost" else "localhost"
    page = html_reply(302, "The document has moved.")
    return replace(page, fields=(f"Location: http://{other}:{port}{scene.request.target}",))


def _adds(*fields: str) -> Distort:
    return Distort(lambda reply, _scene: replace(reply, fields=(*reply.fields, *fields)))


def _retry_after(value: Callable[[Scene], str]) -> Distort:
    """Add the field to an error; a good answer becomes an error first."""

    def distort(reply: Reply, scene: Scene) -> Reply:
        error = unavailable()
        answer = reply if reply.status >= 400 else json_reply(error.status, error.document, pretty=True)
        return replace(answer, fields=(*answer.fields, f"Retry-After: {value(scene)}"))

    return Distort(distort)


CONNECTIONS: Mapping[str, Kind] = {
    "close": Kind("The connection is closed before the response.", _travels(lambda _: iter((Ending.CLOSE,)))),
    "close-middle": Kind("The connection is closed in the middle of the body.", _half(Ending.CLOSE)),
    "reset": Kind("The connection is reset before the response.", _travels(lambda _: iter((Ending.RESET,)))),
    "reset-middle": Kind("The connection is reset in the middle of the body.", _half(Ending.RESET)),
    "stall": Kind("There is no response, and the connection stays open.", _travels(lambda _: iter((Wait(),)))),
    "stall-middle": Kind("Half of the body is sent, and the connection stays open.", _half(Wait())),
    "late": Kind("The response comes a second late.", Distort(_late)),
    "drip": Kind("The body is sent at one byte a second.", _slowly(_drip)),
    "slow-headers": Kind("The header is sent at one line a second.", _slowly(_slow_head)),
    "endless": Kind("The body never ends, and is sent at 4 kB a second.", _slowly(_endless)),
    "flood": Kind("The body never ends, and is sent as fast as possible.", _travels(_flood)),
    "huge-length": Kind(
        "The header announces a body larger than memory.", _claims("Content-Length: 9000000000000000000", b"{}")
    ),
    "huge-chunk": Kind(
        "A chunk announces that it is larger than memory.",
        _claims("Transfer-Encoding: chunked", b"ffffffffffffff\r\n{}"),
    ),
    "garbage": Kind("The response is not HTTP.", _travels(lambda _: iter((b"SSH-2.0-proxy\r\n\r\n", Ending.CLOSE)))),
}
"""Responses that do not arrive, or not in time. A second is the simulator's `pause`."""

FIELDS_AND_PLACES: Mapping[str, Kind] = {
    "redirect": Kind("302 to another host, which serves the same API.", Distort(_redirect)),
    "many-headers": Kind(
        f"The response has {EXTRA_FIELDS} additional header fields.",
        _adds(*(f"X-Field-{number}: 1" for number in range(EXTRA_FIELDS))),
    ),
    "long-header": Kind("A header field is longer than 64 kB.", _adds(f"X-Field: {'x' * _LONGEST_LINE_BYTES}")),
    "retry-after-seconds": Kind(
        "Errors, and 503 instead of good answers, have a Retry-After of 2 seconds.",
        _retry_after(lambda _: str(RETRY_AFTER.seconds)),
    ),
    "retry-after-date": Kind(
        "The same with a date in 2 seconds.",
        _retry_after(lambda scene: format_datetime(scene.at + RETRY_AFTER, usegmt=True)),
    ),
    "retry-after-past": Kind(
        "The same with a date in the past.",
        _retry_after(lambda scene: format_datetime(scene.at - RETRY_AFTER, usegmt=True)),
    ),
    "retry-after-day": Kind("The same with a whole day.", _retry_after(lambda _: "86400")),
    "retry-after-nonsense": Kind("The same with a word.", _retry_after(lambda _: "soon")),
    "retry-after-odd": Kind(
        "The same with a number that ends in a control character.", _retry_after(lambda _: "0\x1f")
    ),
}
"""Header fields that a good answer does not have."""
