"""The simulator as a server: connections, threads, broken requests, and the real Google client."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import httplib2
import pytest
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError
from googleapiclient.http import HttpRequest

from syncer.simulator.clock import Clock
from syncer.simulator.server import Simulator
from syncer.simulator.world import START, Video, VideoState, World
from tests.asking import KEY, STATS, ask, connect, send
from tests.ports import free_port
from tests.waiting import until

ID, GONE = "q3mB7nTz-1k", "Hh8-kVd2sRo"
WORLD = World(videos={GONE: Video(VideoState.DELETED)})
TARGET = f"{STATS}?part=statistics&id={ID}"


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(WORLD) as running:
        yield running


def _raw(simulator: Simulator, request: bytes) -> bytes:
    """Everything that comes back until the server ends the connection."""
    address = urlsplit(simulator.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_simulator_listens_on_loopback_alone(simulator: Simulator) -> None:
    assert simulator.url == f"http://127.0.0.1:{urlsplit(simulator.url).port}/"


def test_a_connection_serves_many_requests(simulator: Simulator) -> None:
    connection = connect(simulator)
    connection.connect()
    first = connection.sock
    for target in (TARGET, "/nowhere", f"{STATS}?id=", TARGET):
        send(connection, target)
    assert connection.sock is first
    connection.close()
    assert simulator.requests == 4


def test_keep_alive_costs_no_wait_for_delayed_acknowledgements(simulator: Simulator) -> None:
    connection = connect(simulator)
    waits = []
    for _ in range(20):
        began = time.monotonic()
        send(connection, TARGET)
        waits.append(time.monotonic() - began)
    connection.close()
    assert min(waits[1:]) < 0.02


def test_a_body_of_a_get_is_not_taken_for_the_next_request(simulator: Simulator) -> None:
    connection = connect(simulator)
    assert send(connection, TARGET, body=b"GET / HTTP/1.1\r\n\r\n").status == 200
    assert send(connection, TARGET).status == 200
    connection.close()
    assert simulator.requests == 2


def test_requests_and_units_are_counted_right_from_many_threads(simulator: Simulator) -> None:
    def work(_: int) -> list[int]:
        connection = connect(simulator)
        statuses = [send(connection, TARGET).status for _ in range(25)]
        connection.close()
        return statuses

    with ThreadPoolExecutor(16) as pool:
        statuses = [status for each in pool.map(work, range(16)) for status in each]
    assert Counter(statuses) == {200: 400}
    assert simulator.requests == 400
    assert simulator.units == {"stats": 400, "general": 0}


def test_a_limit_holds_when_many_ask_at_once() -> None:
    with Simulator(WORLD, stats_units_per_day=30) as simulator, ThreadPoolExecutor(8) as pool:
        statuses = Counter(pool.map(lambda _: ask(simulator, TARGET).status, range(80)))
    assert statuses == {200: 30, 429: 50}


def test_latency_delays_each_answer_and_holds_up_no_other() -> None:
    with Simulator(WORLD, latency=0.1) as simulator:
        began = time.monotonic()
        ask(simulator, TARGET)
        assert time.monotonic() - began >= 0.1
    with Simulator(WORLD, latency=60) as simulator:
        connections = [connect(simulator) for _ in range(8)]
        for connection in connections:
            connection.request("GET", TARGET, headers=KEY)
        until(lambda: simulator.requests == 8)
    for connection in connections:
        connection.close()


def test_the_end_cuts_waits_and_connections_short() -> None:
    with Simulator(WORLD, latency=60) as simulator:
        idle, waiting = connect(simulator), connect(simulator)
        idle.connect()
        waiting.request("GET", TARGET, headers=KEY)
        until(lambda: simulator.requests > 0)
        began = time.monotonic()
    assert time.monotonic() - began < 30
    assert idle.sock is not None
    assert idle.sock.recv(1) == b""
    idle.close()
    waiting.close()


def test_a_port_can_be_chosen_and_used_again() -> None:
    port = free_port()
    with Simulator(WORLD, port=port) as first:
        ask(first, TARGET)
    with Simulator(WORLD, port=port) as second:
        assert ask(second, TARGET).status == 200


def test_a_client_that_goes_away_leaves_no_trace(simulator: Simulator, capfd: pytest.CaptureFixture[str]) -> None:
    address = urlsplit(simulator.url)
    for _ in range(5):
        with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
            connection.sendall(f"GET {TARGET} HTTP/1.1\r\nx-goog-api-key: k\r\n\r\n".encode() * 3)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert ask(simulator, TARGET).status == 200
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\r\n\r\n",
        b"GET /\x00 HTTP/1.1 more\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: [\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 9999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n",
    ],
)
def test_a_broken_request_is_an_html_400_and_the_end_of_the_connection(simulator: Simulator, request_: bytes) -> None:
    answer = _raw(simulator, request_)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"Connection: close\r\n" in answer
    assert b"<b>400.</b>" in answer


def test_a_client_of_http_1_0_gets_no_chunks(simulator: Simulator) -> None:
    head, _, body = _raw(simulator, f"GET {TARGET}&key=k HTTP/1.0\r\n\r\n".encode()).partition(b"\r\n\r\n")
    assert b"Transfer-Encoding" not in head
    assert body.startswith(b"{")
    assert body.endswith(b"}\n")


def test_a_client_that_wants_one_response_gets_connection_close(simulator: Simulator) -> None:
    answer = ask(simulator, TARGET, {**KEY, "Connection": "close"})
    assert answer.headers["Connection"] == "close"


@pytest.mark.parametrize(("host", "status"), [("localhost", 200), ("127.0.0.1:80", 200), ("evil.example", 404)])
def test_a_foreign_host_is_not_served(simulator: Simulator, host: str, status: int) -> None:
    assert ask(simulator, TARGET, {**KEY, "Host": host}).status == status


def test_serve_forever_ends_with_the_simulator() -> None:
    with Simulator(WORLD) as simulator:
        waiting = threading.Thread(target=simulator.serve_forever)
        waiting.start()
        assert waiting.is_alive()
    waiting.join(5)
    assert not waiting.is_alive()


def test_without_a_clock_the_time_stays_at_the_start_of_the_world() -> None:
    assert Simulator(WORLD).clock.now() == START
    clock = Clock(START)
    assert Simulator(WORLD, clock).clock is clock


def test_the_room_shares_no_code_with_the_rest_of_syncer() -> None:
    program = "import sys, syncer.simulator.server; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    own = {name for name in done.stdout.split() if name.startswith("syncer.")}
    assert "syncer.simulator.api" in own
    assert all(name.startswith("syncer.simulator") for name in own)


# the real client


def _client(simulator: Simulator, key: str = "a-key") -> Any:  # the client's methods are made from a document
    def request(
        http: object,
        postproc: Any,
        uri: str,
        method: str = "GET",
        body: str | None = None,
        headers: dict[str, str] | None = None,
        methodId: str | None = None,  # noqa: N803 # the client's name
        resumable: None = None,
    ) -> HttpRequest:
        own = httplib2.Http(timeout=10, proxy_info=None)
        return HttpRequest(own, postproc, uri, method, body, {**(headers or {}), "x-goog-api-key": key}, methodId)

    http, options = httplib2.Http(proxy_info=None), {"api_endpoint": simulator.url}
    return build("youtube", "v3", http=http, requestBuilder=request, client_options=options).videos()


def _execute(request: HttpRequest) -> Any:
    try:
        return request.execute(num_retries=0)
    finally:
        request.http.close()


def test_the_google_client_reads_both_methods(simulator: Simulator) -> None:
    videos = _client(simulator)
    expected = {name: str(count) for name, count in (WORLD.statistics(ID, START) or {}).items()}
    ids = f"{ID},{GONE}"
    stats = _execute(videos.batchGetStats(part="statistics", id=ids, fields="kind,items(id,statistics)"))
    listed = _execute(videos.list(part="statistics", id=ids))
    assert stats == {"kind": "youtube#batchGetStatsResponse", "items": [{"id": ID, "statistics": expected}]}
    assert listed["items"][0]["statistics"] == {**expected, "favoriteCount": "0"}
    assert simulator.units == {"stats": 1, "general": 1}


def test_the_google_client_posts_what_is_too_long_for_a_url(simulator: Simulator) -> None:
    ids = [f"{n:010d}A" for n in range(50)]
    answer = _execute(
        _client(simulator).list(part="statistics", id=ids, fields=",".join(["items(id,statistics)"] * 80))
    )
    assert [item["id"] for item in answer["items"]] == ids


def test_the_google_client_sees_an_error_as_youtube_sends_it(simulator: Simulator) -> None:
    with pytest.raises(HttpError) as error:
        _execute(_client(simulator, "invalid").batchGetStats(part="statistics", id=ID))
    assert error.value.status_code == 400
    assert json.loads(error.value.content)["error"]["details"][0]["reason"] == "API_KEY_INVALID"
    assert error.value.reason == "API key not valid. Please pass a valid API key."
