"""Slow or many visitors of the status page never shut out health checks and triggers."""

from __future__ import annotations

import multiprocessing
import os
import select
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from syncer.status_page import guard, reading, serve, sockets
from tests.daemon_process import Daemon, fill
from tests.examples import PROVING
from tests.ports import free_port
from tests.site import Run, Site, crlf, ids
from tests.steered import Served, served
from tests.waiting import TIMEOUT, until

VISITORS = 300
HALF = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
BIG = b"GET /videos HTTP/1.1\r\nHost: localhost\r\n\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def page(site: Site) -> Iterator[Served]:
    with served(site) as running:
        yield running


@pytest.mark.parametrize("way", ["tcp", "unix"])
def test_the_oldest_unfinished_request_is_dropped_first_and_new_ones_are_answered(page: Served, way: str) -> None:
    address = ("127.0.0.1", page.port) if way == "tcp" else str(page.socket)
    with ExitStack() as stack:
        held = [stack.enter_context(send(address, HALF)) for _ in range(serve.CONNECTION_LIMIT)]
        until(lambda: not any(map(is_closed, held)))
        assert exchange(address, HEALTH).startswith(b"HTTP/1.1 200")
        until(lambda: is_closed(held[0]))
        assert [is_closed(each) for each in held[1:]] == [False] * (len(held) - 1)
        other = page.ask_by_socket if way == "tcp" else page.ask
        assert other("GET", "/healthz").status == 200, "the other way has a limit of its own"
        assert [is_closed(each) for each in held[1:]] == [False] * (len(held) - 1)


def test_where_too_many_wait_for_an_answer_only_what_needs_none_of_the_state_is_answered(
    page: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()
    overview = reading.overview
    monkeypatch.setattr("syncer.status_page.site_pages.overview", lambda *a, **k: go.wait(20) and overview(*a, **k))
    address = ("127.0.0.1", page.port)
    with ExitStack() as stack:
        waiting = [
            stack.enter_context(send(address, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"))
            for _ in range(guard.WAITING_LIMIT)
        ]
        until(lambda: page.get("/metrics").status == 503)
        refused = page.get("/")
        assert (refused.status, refused.headers["retry-after"]) == (503, "5")
        assert page.get("/healthz").status == 200
        triggered = page.post("/api/v1/triggers")
        assert triggered.status == 202
        assert page.get(triggered.headers["location"]).status == 200
        assert page.ask_by_socket("GET", "/healthz").status == 200
        go.set()
        answers = [each.makefile("rb").readline() for each in waiting]
    assert set(answers) == {b"HTTP/1.1 200 OK\r\n"}, "whoever waits is answered"
    assert page.get("/metrics").status == 200


def test_answers_that_nobody_reads_take_a_bounded_memory(
    site: Site, page: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "UNREAD_LIMIT_BYTES", 200_000)
    monkeypatch.setattr("syncer.status_page.video_pages.VIDEOS_PER_PAGE", 1000)
    monkeypatch.setattr("syncer.status_page.site_pages.VIDEOS_PER_PAGE", 1000)
    for video in ids(1000):
        site.put(f"content/{video}.md", crlf(video, 1, 2))
    site.sync()
    with ExitStack() as stack:
        readers = [stack.enter_context(send(str(page.socket), BIG)) for _ in range(8)]
        until(lambda: sum(map(is_reset, readers)) == 7)  # each response has begun; the last one is not read either
        assert page.ask_by_socket("GET", "/healthz").status == 200
        last = stack.enter_context(send(str(page.socket), BIG))
        assert read_all(last).endswith(b"</html>"), "who reads gets all of it"


@pytest.mark.storm
def test_health_checks_and_triggers_get_through_a_storm_of_visitors(site: Site, syncer: Run) -> None:
    """Hundreds of half-open connections, slow readers and busy visitors, who come again when they are dropped."""
    fill(site, 400)
    port = free_port()
    site.configure(status_page=f"listen: '127.0.0.1:{port}'", schedule="every: 24h")
    with Daemon(site, forked=False) as daemon:
        daemon.until("Sync 2")
        before = memory(daemon)
        tcp, unix = ("127.0.0.1", port), str(sockets.socket_path(os.environ, os.path.realpath(site.root), site.state))
        slowest = 0.0
        with storm(tcp, unix):
            for _ in range(5 if PROVING else 1):
                for address in (tcp, unix):
                    for _ in range(4):
                        began = time.monotonic()
                        assert exchange(address, HEALTH).startswith(b"HTTP/1.1 200")
                        slowest = max(slowest, time.monotonic() - began)
                assert syncer("trigger").code == 0
        assert slowest < 10, "a busy machine takes its time; who waits for a visitor to go waits 30 seconds"
        assert memory(daemon) - before < 100 << 20
        descriptors = len(os.listdir(f"/proc/{daemon.process.pid}/fd")) if os.path.isdir("/proc") else 0
        assert descriptors < 4 * serve.CONNECTION_LIMIT
        assert not [line for line in daemon.lines if "Traceback" in line or "Exception" in line]


@contextmanager
def storm(*addresses: tuple[str, int] | str) -> Iterator[None]:
    """Visit these addresses in all bad ways at once while the block runs, from another process."""
    context = multiprocessing.get_context("spawn")
    begun, over = context.Event(), context.Event()
    process = context.Process(target=visit_badly, args=(begun, over, addresses))
    process.start()
    try:
        assert begun.wait(TIMEOUT)
        yield
        assert process.is_alive(), "the storm lasts"
    finally:
        over.set()
        process.join()


def visit_badly(begun: Event, over: Event, addresses: Sequence[tuple[str, int] | str]) -> None:
    def hold(address: tuple[str, int] | str, request: bytes) -> None:
        """Keep connections open that never end their request, or never read its answer; open dropped ones again."""
        held: list[socket.socket] = []
        while not over.is_set():
            for each in filter(is_closed, held):
                each.close()
            held = [each for each in held if each.fileno() >= 0]
            with suppress(OSError):
                while len(held) < VISITORS:
                    held.append(send(address, request))
                begun.set()
            over.wait(0.1)

    def visit(address: tuple[str, int] | str) -> None:
        while not over.is_set():
            exchange(address, BIG.replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n"))

    threads = [threading.Thread(target=hold, args=(each, request)) for each in addresses for request in (HALF, BIG)]
    threads += [threading.Thread(target=visit, args=(each,)) for each in addresses for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


def send(address: tuple[str, int] | str, request: bytes) -> socket.socket:
    """Return a connection on which this was sent; it takes little of an answer that is not read."""
    made = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    try:
        made.connect(address)  # without a time limit: with one, a Unix socket refuses at once while too many wait
        made.settimeout(20)
        made.sendall(request)
    except OSError:
        made.close()
        raise
    return made


def exchange(address: tuple[str, int] | str, request: bytes) -> bytes:
    try:
        with send(address, request) as made:
            return read_all(made)
    except OSError as error:
        return repr(error).encode()


def read_all(made: socket.socket) -> bytes:
    return b"".join(iter(lambda: made.recv(65536), b""))


def is_closed(made: socket.socket) -> bool:
    """Whether the other side has closed it; what it sent before is not read."""
    poll = select.poll()
    poll.register(made, select.POLLIN)
    events = [event for _, event in poll.poll(0)]
    if not events:
        return False
    if events[0] & (select.POLLHUP | select.POLLERR):
        return True
    try:
        return made.recv(1, socket.MSG_PEEK) == b""
    except OSError:
        return True


def is_reset(made: socket.socket) -> bool:
    """Whether the other side has closed it."""
    poll = select.poll()
    poll.register(made, 0)
    return any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))


def memory(daemon: Daemon) -> int:
    """Return the bytes of memory that the daemon takes; 0 where the system does not say."""
    status = Path(f"/proc/{daemon.process.pid}/status")
    if not status.exists():
        return 0
    lines = dict(line.split(":", 1) for line in status.read_text(encoding="ascii").splitlines())
    return int(lines["VmRSS"].split()[0]) << 10
