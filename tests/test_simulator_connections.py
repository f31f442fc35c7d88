"""The simulator's faults of connections: responses that break off, stall or drip, and a clean stop."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httplib2
import pytest

from syncer.simulator.faults import GROUPS
from syncer.simulator.server import Simulator
from syncer.simulator.world import World
from tests.asking import KEY, LIST, STATS, ask, connect, in_weather, send
from tests.waiting import until

ID = "q3mB7nTz-1k"
TARGET = f"{STATS}?part=statistics&id={ID}"
HANGING = ["stall", "stall-middle", "drip", "slow-headers", "late", "endless", "flood"]
BOTH = pytest.mark.parametrize("target", [TARGET, TARGET.replace(STATS, LIST)])


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(World(), pause=0) as running:
        yield running


def _dial(simulator: Simulator, target: str = TARGET) -> socket.socket:
    """A connection on which one request was sent."""
    address = urlsplit(simulator.url)
    connection = socket.create_connection((address.hostname, address.port), timeout=10)
    connection.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\nx-goog-api-key: k\r\n\r\n".encode())
    return connection


def _read(connection: socket.socket) -> bytes:
    with connection:
        return b"".join(iter(lambda: connection.recv(65536), b""))


def _whole(simulator: Simulator, target: str) -> bytes:
    """The bytes of a good answer."""
    connection = _dial(in_weather(simulator), target)
    received = b""
    while not received.endswith(b"0\r\n\r\n"):
        received += connection.recv(65536)
    connection.close()
    return received


# connections that break


@BOTH
def test_a_connection_may_end_before_the_answer(simulator: Simulator, target: str) -> None:
    assert _read(_dial(in_weather(simulator, "close"), target)) == b""
    assert (simulator.requests, sum(simulator.units.values())) == (1, 1)


@BOTH
def test_a_connection_may_end_in_the_middle(simulator: Simulator, target: str) -> None:
    whole = _whole(simulator, target)
    received = _read(_dial(in_weather(simulator, "close-middle"), target))
    assert whole.startswith(received)
    assert 0 < len(received.partition(b"\r\n\r\n")[2]) < len(whole.partition(b"\r\n\r\n")[2])


@BOTH
@pytest.mark.parametrize("name", ["reset", "reset-middle"])
def test_a_connection_may_be_reset(simulator: Simulator, name: str, target: str) -> None:
    with pytest.raises(ConnectionResetError):
        _read(_dial(in_weather(simulator, name), target))
    assert simulator.requests == 1


def test_what_comes_may_be_no_http(simulator: Simulator) -> None:
    connection = connect(in_weather(simulator, "garbage"))
    with pytest.raises(http.client.BadStatusLine):
        send(connection, TARGET)
    connection.close()


def test_the_next_request_is_answered_on_a_new_connection(simulator: Simulator) -> None:
    for name in ("close", "close-middle", "reset", "reset-middle", "garbage"):
        in_weather(simulator, f"{name}:1")
        connection = connect(simulator)
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            send(connection, TARGET)
        connection.close()
        assert send(connection, TARGET).status == 200
        connection.close()


def test_what_a_client_sends_again_by_itself_is_counted(simulator: Simulator) -> None:
    client = httplib2.Http(timeout=10, proxy_info=None)
    response, _ = client.request(in_weather(simulator, "close:1").url.rstrip("/") + TARGET, headers=KEY)
    client.close()
    assert response.status == 200
    assert (simulator.requests, simulator.units) == (2, {"stats": 2, "general": 0})


# answers that take their time


@BOTH
@pytest.mark.parametrize("name", ["drip", "slow-headers", "late"])
def test_a_slow_answer_comes_whole(simulator: Simulator, name: str, target: str) -> None:
    whole, connection = _whole(simulator, target), _dial(in_weather(simulator, name), target)
    received = b""
    while len(received) < len(whole):
        received += connection.recv(65536)
    connection.close()
    assert received == whole


@pytest.mark.parametrize(("name", "pieces"), [("late", 1), ("slow-headers", 15)])
def test_a_slow_answer_keeps_its_pace(name: str, pieces: int) -> None:
    pause = 0.2 / pieces
    with Simulator(World(), pause=pause) as simulator:
        began = time.monotonic()
        assert ask(in_weather(simulator, name), TARGET).status == 200
        assert time.monotonic() - began >= 0.2


def test_a_drip_is_a_byte_at_a_time() -> None:
    """The pauses are counted by the time they take: on a busy machine, several bytes arrive together."""
    with Simulator(World(), pause=0.001) as simulator:
        body = _whole(simulator, TARGET).partition(b"\r\n\r\n")[2]
        began = time.monotonic()
        assert ask(in_weather(simulator, "drip"), TARGET).status == 200
        assert time.monotonic() - began >= 0.001 * len(body)


@pytest.mark.parametrize("name", ["stall", "stall-middle"])
def test_a_stalled_answer_never_ends(simulator: Simulator, name: str) -> None:
    connection = _dial(in_weather(simulator, name))
    connection.settimeout(0.3)
    if name == "stall-middle":
        assert not connection.recv(65536).endswith(b"0\r\n\r\n")
    with pytest.raises(TimeoutError):
        connection.recv(65536)
    connection.close()


@pytest.mark.parametrize(("name", "says"), [("huge-length", b"Content-Length: 9"), ("huge-chunk", b"\r\nffffff")])
def test_a_response_can_announce_that_it_is_larger_than_memory(simulator: Simulator, name: str, says: bytes) -> None:
    connection = _dial(in_weather(simulator, name))
    received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert says in received
    assert received.endswith(b"\r\n{}")
    connection.close()


@pytest.mark.parametrize("name", ["endless", "flood"])
def test_an_endless_answer_is_blanks_for_ever(simulator: Simulator, name: str) -> None:
    connection = _dial(in_weather(simulator, name))
    assert len(b"".join(connection.recv(65536) for _ in range(50))) > 50_000
    connection.close()


@pytest.mark.parametrize("name", HANGING)
def test_a_server_ends_at_once_whatever_it_is_doing(name: str) -> None:
    with Simulator(World(), pause=60) as simulator:
        in_weather(simulator, name)
        connections = [_dial(simulator) for _ in range(4)]
        until(lambda: simulator.requests >= 4)
        began = time.monotonic()
    assert time.monotonic() - began < 30
    for connection in connections:
        connection.close()


def test_a_server_ends_at_once_in_the_middle_of_a_flood() -> None:
    with Simulator(World(), pause=0) as flooding:
        connection = _dial(in_weather(flooding, "endless"))  # which nobody reads: the server cannot write on
        connection.recv(1)
        began = time.monotonic()
    assert time.monotonic() - began < 30
    connection.close()


@pytest.mark.parametrize("name", HANGING)
def test_a_client_that_hangs_up_leaves_no_thread_behind(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    with Simulator(World(), pause=60) as simulator:
        before = threading.active_count()
        connection = _dial(in_weather(simulator, name))
        until(lambda: simulator.requests > 0)
        connection.close()
        until(lambda: threading.active_count() <= before)
    assert capfd.readouterr() == ("", "")


def test_one_bad_connection_holds_up_no_other(simulator: Simulator) -> None:
    connection = _dial(in_weather(simulator, "stall:1"))
    until(lambda: simulator.requests > 0)
    assert ask(simulator, TARGET).status == 200
    connection.close()


# header fields


def test_a_redirect_leads_to_another_host_that_counts_who_follows(simulator: Simulator) -> None:
    answer = ask(in_weather(simulator, "redirect:1"), TARGET)
    address = urlsplit(simulator.url)
    assert answer.status == 302
    assert answer.headers["Location"] == f"http://localhost:{address.port}{TARGET}"
    back = ask(in_weather(simulator, "redirect"), TARGET, {**KEY, "Host": f"localhost:{address.port}"})
    assert back.headers["Location"] == simulator.url.rstrip("/") + TARGET


def test_a_client_that_follows_gives_its_key_away(simulator: Simulator) -> None:
    follows = httplib2.Http(timeout=10, proxy_info=None)
    response, _ = follows.request(in_weather(simulator, "redirect:1").url.rstrip("/") + TARGET, headers=KEY)
    follows.close()
    assert (response.status, simulator.requests) == (200, 2)


def test_there_may_be_more_header_fields_than_a_client_takes(simulator: Simulator) -> None:
    head = _whole_head(simulator, "many-headers")
    assert head.count(b"\r\nX-Field-") == 101
    with pytest.raises(http.client.HTTPException, match="more than 100 headers"):
        ask(in_weather(simulator, "many-headers"), TARGET)


def test_a_header_field_may_be_longer_than_a_client_takes(simulator: Simulator) -> None:
    with pytest.raises(http.client.LineTooLong):
        ask(in_weather(simulator, "long-header"), TARGET)


def _whole_head(simulator: Simulator, name: str) -> bytes:
    connection = _dial(in_weather(simulator, name))
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    connection.close()
    return received


def test_no_fault_of_a_connection_is_left_out_here() -> None:
    broken = {"close", "close-middle", "reset", "reset-middle", "huge-length", "huge-chunk", "garbage"}
    assert set(GROUPS["Connections"]) == broken | set(HANGING)
