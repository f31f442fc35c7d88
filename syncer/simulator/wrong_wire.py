"""Owns the faults of how an answer travels: connections that break or stall, slow bytes, and strange header fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime

from syncer.simulator.acts import Distort, Kind, Scene
from syncer.simulator.known_errors import unavailable
from syncer.simulator.wire import Ending, Reply, Step, Wait, Way, html_reply, json_reply

EXTRA_FIELDS = 101
"""More header fields than Python's HTTP client takes."""
RETRY_AFTER = timedelta(seconds=2)
"""What an answer tells a client to wait, if it is a short time."""

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
    """Send blanks in chunks after the head, which says that chunks come."""
    yield _parted(framed)[0]
    while True:
        yield _BLANK_CHUNK
        yield wait


def _flood(framed: bytes) -> Iterator[Step]:
    """Send blanks as fast as they are taken."""
    yield _parted(framed)[0]
    while True:
        yield _BLANK_CHUNK * 16


def _claims(field: str, body: bytes) -> Distort:
    """Say in the head that far more comes than does."""
    return _travels(lambda _: iter((f"HTTP/1.1 200 OK\r\n{field}\r\n\r\n".encode() + body, Ending.CLOSE)))


def _parted(framed: bytes) -> tuple[bytes, bytes]:
    head, mark, body = framed.partition(b"\r\n\r\n")
    return head + mark, body


def _late(reply: Reply, scene: Scene) -> Reply:
    """Wait before the answer, which then comes whole."""
    return replace(reply, way=lambda framed: iter((Wait(scene.pause), framed)))


def _redirect(_reply: Reply, scene: Scene) -> Reply:
    """Point to this server by its other name, so that its requests tell who follows."""
    name, _, port = scene.request.host.partition(":")
    other = "127.0.0.1" if name == "localhost" else "localhost"
    page = html_reply(302, "The document has moved.")
    return replace(page, fields=(f"Location: http://{other}:{port}{scene.request.target}",))


def _adds(*fields: str) -> Distort:
    return Distort(lambda reply, _scene: replace(reply, fields=(*reply.fields, *fields)))


def _retry_after(value: Callable[[Scene], str]) -> Distort:
    """Add the field to an error, and turn a good answer into one first."""

    def distort(reply: Reply, scene: Scene) -> Reply:
        error = unavailable()
        answer = reply if reply.status >= 400 else json_reply(error.status, error.document, pretty=True)
        return replace(answer, fields=(*answer.fields, f"Retry-After: {value(scene)}"))

    return Distort(distort)


CONNECTIONS: Mapping[str, Kind] = {
    "close": Kind("The connection ends before the answer.", _travels(lambda _: iter((Ending.CLOSE,)))),
    "close-middle": Kind("The connection ends in the middle of the body.", _half(Ending.CLOSE)),
    "reset": Kind("The connection is reset before the answer.", _travels(lambda _: iter((Ending.RESET,)))),
    "reset-middle": Kind("The connection is reset in the middle of the body.", _half(Ending.RESET)),
    "stall": Kind("No answer comes, and the connection stays.", _travels(lambda _: iter((Wait(),)))),
    "stall-middle": Kind("Half of the body comes, and the connection stays.", _half(Wait())),
    "late": Kind("The whole answer comes a second late.", Distort(_late)),
    "drip": Kind("The body comes at a byte a second.", _slowly(_drip)),
    "slow-headers": Kind("The header comes at a line a second.", _slowly(_slow_head)),
    "endless": Kind("The body never ends: 4 kB of blanks a second.", _slowly(_endless)),
    "flood": Kind("The body never ends, and comes as fast as it is taken.", _travels(_flood)),
    "huge-length": Kind(
        "The head names a length beyond memory.", _claims("Content-Length: 9000000000000000000", b"{}")
    ),
    "huge-chunk": Kind(
        "A chunk says that it is larger than memory.", _claims("Transfer-Encoding: chunked", b"ffffffffffffff\r\n{}")
    ),
    "garbage": Kind("What comes is no HTTP.", _travels(lambda _: iter((b"SSH-2.0-proxy\r\n\r\n", Ending.CLOSE)))),
}
"""Ways in which an answer does not arrive, or not in time. A second is the simulator's `pause`."""

FIELDS_AND_PLACES: Mapping[str, Kind] = {
    "redirect": Kind("302 to another host, which answers as this one does.", Distort(_redirect)),
    "many-headers": Kind(
        f"The answer has {EXTRA_FIELDS} header fields more.",
        _adds(*(f"X-Field-{number}: 1" for number in range(EXTRA_FIELDS))),
    ),
    "long-header": Kind("A header field is longer than 64 kB.", _adds(f"X-Field: {'x' * _LONGEST_LINE_BYTES}")),
    "retry-after-seconds": Kind(
        "An error asks to wait 2 seconds; a good answer becomes a 503 that does.",
        _retry_after(lambda _: str(RETRY_AFTER.seconds)),
    ),
    "retry-after-date": Kind(
        "The same with a date 2 seconds away.",
        _retry_after(lambda scene: format_datetime(scene.at + RETRY_AFTER, usegmt=True)),
    ),
    "retry-after-past": Kind(
        "The same with a date that is over.",
        _retry_after(lambda scene: format_datetime(scene.at - RETRY_AFTER, usegmt=True)),
    ),
    "retry-after-day": Kind("The same with a whole day.", _retry_after(lambda _: "86400")),
    "retry-after-nonsense": Kind("The same with a word.", _retry_after(lambda _: "soon")),
    "retry-after-odd": Kind(
        "The same with a number that ends in a control character.", _retry_after(lambda _: "0\x1f")
    ),
}
"""Fields of the header that a good answer does not have."""
