"""The HTTP server: it accepts connections, reads requests and writes responses."""

from __future__ import annotations

import contextlib
import select
import socket
import socketserver
import struct
import sys
import threading
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from syncer.simulator.api import Api, not_found
from syncer.simulator.assumptions import Assumptions
from syncer.simulator.clock import Clock
from syncer.simulator.faults import Fault
from syncer.simulator.request import Request
from syncer.simulator.units import BucketName, Ledger, minute
from syncer.simulator.weather import Weather
from syncer.simulator.wire import Ending, Reply, Step, Wait, frame, html_reply
from syncer.simulator.world import World

HOST = "127.0.0.1"
UNITS_PER_DAY = 10_000
"""The default of both buckets. Source: https://developers.google.com/youtube/v3/determine_quota_cost"""
REQUESTS_PER_MINUTE = 1_800_000
"""Assumption: YouTube publishes no number; this one is never reached."""

LARGEST_FORM_BYTES = 1 << 20
_STOP_POLL_SECONDS = 0.02


class Simulator:
    """A YouTube on a port of the loopback interface, from `with` until its end.

    `world` and `faults` can be replaced while it runs; `clock` can be moved.
    """

    def __init__(
        self,
        world: World,
        clock: Clock | None = None,
        port: int = 0,
        *,
        stats_units_per_day: int = UNITS_PER_DAY,
        general_units_per_day: int = UNITS_PER_DAY,
        requests_per_minute: int = REQUESTS_PER_MINUTE,
        latency: float = 0.0,
        assumptions: Assumptions | None = None,
        faults: Iterable[Fault] = (),
        pause: float = 1.0,
    ) -> None:
        """Without a clock, the time stays at the world's start; port 0 is any free one; `latency` is in seconds.

        `pause` is the time between two parts of a response that a fault slows down, in real seconds.
        """
        days: Mapping[BucketName, Ledger] = {
            "stats": Ledger(stats_units_per_day),
            "general": Ledger(general_units_per_day),
        }
        clock = clock or Clock(world.start)
        weather = Weather(tuple(faults), clock.now(), world.seed, pause)
        minutes = Ledger(requests_per_minute, minute)
        self._api = Api(world, clock, days, minutes, assumptions or Assumptions(), weather)
        self._pause = pause
        self._port = port
        self._latency = latency

    def __enter__(self) -> Self:
        """Start the server. Raises OSError where the port is in use."""
        self._server = _Server((HOST, self._port), self._api, self._latency)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_STOP_POLL_SECONDS,), name="simulator")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection, and wait for their threads."""
        self._server.close()
        self._thread.join()

    def serve_forever(self) -> None:
        """Wait until it is interrupted, for a command that does nothing else."""
        self._server.closing.wait()

    @property
    def url(self) -> str:
        """Its address, with a slash at the end."""
        return f"http://{HOST}:{self._server.server_port}/"

    @property
    def requests(self) -> int:
        """How many requests it has received, good or bad."""
        return self._server.received

    @property
    def units(self) -> Mapping[BucketName, int]:
        """Units that each bucket has counted in the current Pacific day."""
        at = self.clock.now()
        return {bucket: ledger.taken(at) for bucket, ledger in self._api.days.items()}

    def given(self, video_id: str) -> Mapping[str, AbstractSet[int]]:
        """Return, by YouTube's names, every count that it returned for a video while faults were switched on."""
        return self._api.given.get(video_id, {})

    @property
    def clock(self) -> Clock:
        """The clock of its answers."""
        return self._api.clock

    @property
    def world(self) -> World:
        """The videos of its answers."""
        return self._api.world

    @world.setter
    def world(self, world: World) -> None:
        self._api.world = world

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The faults that are switched on. Setting them restarts their count of requests."""
        return self._api.weather.faults

    @faults.setter
    def faults(self, faults: Iterable[Fault]) -> None:
        self._api.weather = Weather(tuple(faults), self.clock.now(), self.world.seed, self._pause)


class _Server(ThreadingHTTPServer):
    """Keeps track of its open connections, to end them all at once."""

    request_queue_size = 128
    daemon_threads = False

    def __init__(self, address: tuple[str, int], api: Api, latency: float) -> None:
        self.api = api
        self.latency = latency
        self.closing = threading.Event()
        self.received = 0
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        super().__init__(address, _Connection)

    def server_bind(self) -> None:
        """Bind without looking up the host's full name, as HTTPServer does: that can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.socket.getsockname()[1]

    def count(self) -> None:
        """Count a request."""
        with self._lock:
            self.received += 1

    def get_request(self) -> tuple[socket.socket, object]:
        """Accept a connection."""
        connection, address = super().get_request()
        with self._lock:
            self._open.add(connection)
        return connection, address

    def close_request(self, request: socket.socket) -> None:  # type: ignore[override] # typeshed: any kind of request
        """End a connection."""
        with self._lock:
            self._open.discard(request)
        super().close_request(request)

    def handle_error(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """Print the traceback of a bug in the simulator; a client that disconnected is not an error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def close(self) -> None:
        """Stop listening, end every connection, and wait for their threads."""
        self.closing.set()
        self.shutdown()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):  # the client was faster
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


class _Connection(BaseHTTPRequestHandler):
    """One connection of a client, with as many requests as it likes."""

    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer one request."""
        self.server.count()
        form = self._form()
        if form is None:
            self._refuse(html_reply(400, "The length of the request's body is not valid."))
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            request = Request.of(self.command, self.path, headers, form)
            known = urlsplit(f"//{headers.get('host', HOST)}").hostname in _OWN_NAMES
        except ValueError:
            self._refuse(html_reply(400, "The request's URL is not valid."))
            return
        if self.server.latency:
            self.server.closing.wait(self.server.latency)
        reply = self.server.api.answer(request) if known else not_found(request.path)
        chunked = self.request_version == "HTTP/1.1"
        self.close_connection |= not chunked
        at = self.server.api.clock.now()
        # both fields must name it: https://developers.google.com/youtube/v3/getting-started#gzip
        compress = all("gzip" in self.headers.get(name, "").lower() for name in ("Accept-Encoding", "User-Agent"))
        framed = frame(reply, at, compress=compress, chunked=chunked, last=self.close_connection)
        for step in reply.way(framed) if reply.way else (framed,):
            if not self._take(step):
                self.close_connection = True
                break

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 # the standard library's names

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Respond to what the standard library could not read as a request."""
        if code == HTTPStatus.NOT_IMPLEMENTED:
            self._refuse(not_found(self.path))
        else:
            self._refuse(html_reply(400, "Your client has issued a malformed or illegal request."))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Print nothing: the URL is the only line that the simulator prints, and requests contain keys."""

    def _form(self) -> str | None:
        """Return the body of the request; None: its length is unknown or too large."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not (length.isascii() and length.isdigit()):
            return None
        if int(length) > LARGEST_FORM_BYTES:
            return None
        return self.rfile.read(int(length)).decode("latin-1")

    def _refuse(self, page: Reply) -> None:
        """Refuse a request that has no clear end: nothing more can be read from this connection."""
        self.close_connection = True
        self.wfile.write(frame(page, self.server.api.clock.now(), compress=False, chunked=False, last=True))

    def _take(self, step: Step) -> bool:
        """Do one step of a response; False: the connection ends with it."""
        if isinstance(step, bytes):
            self.wfile.write(step)
            return True
        if isinstance(step, Wait):
            end = select.poll()  # handles more connections than select.select
            end.register(self.connection, select.POLLIN)  # the only thing to be read now is the end of client or server
            return not end.poll(None if step.seconds is None else step.seconds * 1000)
        if step is Ending.RESET:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()  # before the server closes it properly
        return False


_OWN_NAMES = frozenset({HOST, "localhost"})
