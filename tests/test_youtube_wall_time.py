"""No server, network or resolver delays a request beyond its time limit, and cancelling works immediately."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from syncer.model import Bucket, Count, VideoId
from syncer.simulator.faults import GROUPS, Fault, When, parse_fault
from syncer.simulator.server import Simulator
from syncer.simulator.world import World
from syncer.youtube.answer import Answer, Outcome
from syncer.youtube.batches import Breaker, WindowRequests
from syncer.youtube.client import Client, Retry, Terms
from syncer.youtube.deadline import Deadline
from tests.canned_youtube import STALL, Canned, error
from tests.examples import storms_but
from tests.test_youtube_client import Units
from tests.waiting import until

AT = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
SHORT = 0.2
"""Seconds that a request may last here."""
LONG = 30.0
"""Seconds that a request may last where it must not be cut, however busy the machine is."""
END_SECONDS = LONG - 10
"""Seconds after which one has ended that was cut."""
SOON = 5.0
"""Seconds after which half a second has passed, however busy the machine is."""
HOLDING = ["stall", "stall-middle", "drip", "slow-headers", "endless"]


def ids(number: int) -> list[VideoId]:
    return [VideoId(f"{place:010d}A") for place in range(number)]


def client(
    url: str, units: Units | None = None, *, timeout: float = SHORT, attempts: int = 1, deadline: Deadline | None = None
) -> Client:
    terms = Terms(
        endpoint=url,
        key="a-key",
        spend=(units or Units()).spend,
        clock=lambda: AT,
        sleep=lambda _: None,
        timeout=timeout,
        retry=Retry(attempts=attempts),
        deadline=deadline or Deadline(),
    )
    return Client(terms)


def weather(*faults: str, pause: float = SHORT / 3) -> Simulator:
    return Simulator(World(seed=1), faults=map(parse_fault, faults), pause=pause)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


class Timer:
    """The seconds of a deadline: they pass, and can be moved on, so that time is up when a test says so."""

    def __init__(self) -> None:
        self.moved = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.moved


@pytest.mark.parametrize("bucket", Bucket)
@pytest.mark.parametrize("fault", HOLDING)
def test_a_server_that_keeps_a_connection_busy_is_hung_up_on_in_time(fault: str, bucket: Bucket) -> None:
    timer = Timer()
    with (
        weather(f"{fault}:1", pause=1) as youtube,
        client(youtube.url, timeout=LONG, attempts=2, deadline=Deadline(timer=timer)) as asking,
        ThreadPoolExecutor(1) as thread,
        within(END_SECONDS),
    ):
        asked = thread.submit(asking.fetch, bucket, ids(50))
        until(lambda: youtube.requests == 1)
        timer.moved = LONG
        answer = asked.result()
    assert (answer.outcome, answer.attempts) == (Outcome.ANSWERED, 2)


@pytest.mark.parametrize("fault", HOLDING)
def test_what_was_sent_before_the_connection_was_cut_is_not_an_answer(fault: str) -> None:
    with weather(fault) as youtube, client(youtube.url) as asking:
        answer = asking.fetch(Bucket.STATS, ids(50))
    assert (answer.outcome, answer.statistics, answer.attempts) == (Outcome.FAILED, {}, 1)
    assert "in time" in (answer.message or "")


def test_an_error_whose_end_never_came_is_not_believed() -> None:
    no_end = b"HTTP/1.1 403 No\r\n\r\n" + error(403, reason="quotaExceeded")
    with Canned([no_end]) as server, client(server.url) as asking:
        answer = asking.fetch(Bucket.STATS, ids(1))
    assert (answer.outcome, answer.parked_until) == (Outcome.FAILED, None)
    assert "in time" in (answer.message or "")


def test_counts_that_came_whole_are_believed_though_the_connection_had_to_be_cut() -> None:
    document = {"kind": "youtube#batchGetStatsResponse", "items": [{"id": ids(1)[0], "statistics": {"viewCount": "7"}}]}
    no_end = b"HTTP/1.1 200 OK\r\n\r\n" + json.dumps(document).encode()
    with Canned([no_end]) as server, client(server.url) as asking:
        answers = [asking.fetch(Bucket.STATS, ids(1)) for _ in range(2)]
        assert server.connections_made == 2, "what was cut is not used again"
    assert [answer.statistics for answer in answers] == [{ids(1)[0]: {Count.VIEWS: 7}}] * 2


def test_a_server_that_never_answers_the_tls_greeting_is_hung_up_on_in_time() -> None:
    with (
        Canned([STALL]) as server,
        client(server.url.replace("http:", "https:")) as asking,
        within(END_SECONDS),
    ):
        answer = asking.fetch(Bucket.STATS, ids(1))
    assert answer.outcome is Outcome.FAILED
    assert "in time" in (answer.message or "")


@pytest.fixture
def hanging_resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A look-up of names that takes for ever; the event is set when somebody looks one up."""
    asked, released = threading.Event(), threading.Event()

    def look_up(*_: object) -> object:
        asked.set()
        released.wait()
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    yield asked
    released.set()
    for thread in threading.enumerate():
        if thread.name == "youtube-dial":
            thread.join()


@pytest.mark.usefixtures("hanging_resolver")
def test_a_look_up_of_the_name_that_hangs_is_left_alone_in_time() -> None:
    units = Units()
    with client("http://localhost:9/", units) as asking, within(END_SECONDS):
        answer = asking.fetch(Bucket.STATS, ids(1))
    assert (answer.outcome, units.spent) == (Outcome.FAILED, [])
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "youtube-dial")


class Walk:
    """A walk in a thread of its own, which somebody cancels."""

    def __init__(self, url: str, videos: Sequence[VideoId], timer: Callable[[], float] = time.monotonic) -> None:
        self.answers: list[Answer] = []
        self._cancelled = threading.Event()
        self._deadline = Deadline(60, cancelled=self._cancelled.is_set, timer=timer)
        self._client = client(url, timeout=LONG, attempts=4, deadline=self._deadline)
        self._videos = videos
        self._thread = threading.Thread(target=self._walk)

    def start(self) -> None:
        self._thread.start()

    def cancel(self) -> None:
        self._cancelled.set()

    def ended(self) -> None:
        self._thread.join()

    def _walk(self) -> None:
        breakers = {bucket: Breaker() for bucket in Bucket}
        with (
            self._client as asking,
            WindowRequests(
                [self._videos], asking.fetch, connections=4, deadline=self._deadline, breakers=breakers
            ) as requests,
        ):
            while (arrival := requests.take()) and arrival.answer:
                self.answers.append(arrival.answer)


@pytest.mark.parametrize("fault", HOLDING)
def test_cancelling_hangs_up_soon_and_keeps_what_was_answered(fault: str) -> None:
    with weather(f"{fault}:5-", pause=30 if fault == "slow-headers" else 0.2) as youtube:
        walk = Walk(youtube.url, ids(1000))
        walk.start()
        until(lambda: youtube.requests >= 8)
        walk.cancel()
        with within(SOON):
            walk.ended()
        assert youtube.requests == 8, "nothing is asked any more"
    assert [answer.outcome for answer in walk.answers].count(Outcome.ANSWERED) == 4
    assert [answer.outcome for answer in walk.answers].count(Outcome.STOPPED) == 4


def test_cancelling_does_not_wait_for_a_look_up_of_the_name(hanging_resolver: threading.Event) -> None:
    walk = Walk("http://localhost:9/", ids(1000))
    walk.start()
    hanging_resolver.wait()
    walk.cancel()
    with within(SOON):
        walk.ended()
    assert {answer.outcome for answer in walk.answers} == {Outcome.STOPPED}


def test_a_request_that_is_answered_soon_after_cancelling_is_not_wasted() -> None:
    with weather("late", pause=0.2) as youtube:
        walk = Walk(youtube.url, ids(1000), timer=lambda: 0.0)  # on a busy machine, soon is later
        walk.start()
        until(lambda: youtube.requests >= 4)
        walk.cancel()
        walk.ended()
    assert [answer.outcome for answer in walk.answers].count(Outcome.ANSWERED) == youtube.requests < 20


def test_all_asking_ends_when_its_time_is_up_with_what_was_answered_until_then() -> None:
    timer = Timer()
    with weather("stall:5-") as youtube, within(END_SECONDS):
        walk = Walk(youtube.url, ids(1000), timer)
        walk.start()
        until(lambda: youtube.requests == 8)
        timer.moved = 60.0
        walk.ended()
    outcomes = [answer.outcome for answer in walk.answers]
    assert (outcomes.count(Outcome.ANSWERED), outcomes.count(Outcome.STOPPED), len(outcomes)) == (4, 4, 8)


WIRE = [name for group in ("Connections", "Header fields") for name in GROUPS[group]]


@pytest.mark.parametrize("name", storms_but({*WIRE} - {*HOLDING}, WIRE))
def test_our_ledger_is_never_below_what_the_server_counted(name: str) -> None:
    units = Units()
    faults = [Fault(name, when=When(every=2)), Fault(name, when=When(every=3))]
    with Simulator(World(seed=1), faults=faults, pause=SHORT) as youtube:
        with client(youtube.url, units, attempts=3) as asking:
            for start in range(0, 300, 50):
                asking.fetch(Bucket.STATS, ids(300)[start : start + 50])
        assert units.spent.count(Bucket.STATS) >= youtube.units["stats"]
        assert len(units.spent) >= youtube.requests, "each request is paid, whether or not the server counts it"
