"""One method, one batch, one answer, whatever the server and the network do."""

from __future__ import annotations

import gzip
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from urllib.parse import parse_qs, urlsplit

import httplib2
import pytest
from googleapiclient.discovery import build

from syncer.decide.quota import next_reset
from syncer.model import Bucket, Count, VideoId
from syncer.simulator.clock import Clock
from syncer.simulator.server import Simulator
from syncer.simulator.world import World
from syncer.youtube.answer import Answer, Outcome
from syncer.youtube.client import FIELDS, Client, Retry, Terms
from syncer.youtube.connection import Connection
from tests.canned_youtube import CLOSE, RESET, STALL, Canned, error, error_info, message, ok
from tests.ports import refusing_port

AT = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
KEY = "AIza" + "Sy" + "ThisIsNobodysKeyAndOpensNothing01"
A, B = VideoId("AAAAAAAAAAA"), VideoId("-BBBBBBBBBA")
GOOD = ok({"kind": "youtube#batchGetStatsResponse", "items": [{"id": A, "statistics": {"viewCount": "7"}}, {"id": B}]})


@dataclass
class Units:
    """A `Spend` that counts, and is empty after `limit`."""

    limit: int = 10_000
    spent: list[Bucket] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def spend(self, bucket: Bucket) -> bool:
        with self.lock:
            if len(self.spent) >= self.limit:
                return False
            self.spent.append(bucket)
            return True


def client(
    url: str,
    units: Units | None = None,
    *,
    sleep: Callable[[float], object] = lambda _: None,
    attempts: int = 4,
    key: str = KEY,
    timeout: float = 5,
) -> Client:
    terms = Terms(
        endpoint=url,
        key=key,
        spend=(units or Units()).spend,
        clock=lambda: AT,
        sleep=sleep,
        timeout=timeout,
        retry=Retry(attempts=attempts),
        rng=Random(1),
    )
    return Client(terms)


def asked(
    answers: Sequence[bytes], units: Units | None = None, bucket: Bucket = Bucket.STATS, *, attempts: int = 4
) -> Answer:
    """Returns the client's answer about two videos, when the server gives these answers, one after the other."""
    with Canned(answers) as server, client(server.url, units, attempts=attempts, timeout=1) as youtube:
        return youtube.fetch(bucket, [A, B])


def ids(number: int) -> list[VideoId]:
    return [VideoId(f"{place:010d}A") for place in range(number)]


def test_fifty_videos_are_one_request_with_the_key_in_a_header_alone() -> None:
    units = Units()
    with Canned([GOOD]) as server, client(server.url, units, attempts=1) as youtube:
        youtube.fetch(Bucket.STATS, ids(50))
        youtube.fetch(Bucket.GENERAL, [A, B])
    first, second = (head.decode("latin-1") for head in server.requests)
    assert units.spent == [Bucket.STATS, Bucket.GENERAL]
    url = urlsplit(first.split()[1])
    query = parse_qs(url.query)
    assert (first.split()[0], url.path) == ("GET", "/youtube/v3/videos:batchGetStats")
    assert query["id"] == [",".join(ids(50))]
    assert query["part"] == ["statistics"]
    assert query["fields"] == ["kind,items(id,statistics(viewCount,likeCount,commentCount))"]
    assert "key" not in query
    assert first.count(KEY) == 1
    assert f"x-goog-api-key: {KEY}\r\n" in first
    assert "gzip" in first.split("accept-encoding: ")[1]
    assert second.startswith("GET /youtube/v3/videos?")


@pytest.mark.parametrize("below", ["", "/", "/a/proxy", "/a/proxy/"])
def test_the_requests_are_byte_for_byte_those_of_the_methods_that_the_library_builds(below: str) -> None:
    with Canned([GOOD]) as server:
        with client(server.url + below, attempts=1) as youtube:
            for bucket in (Bucket.STATS, Bucket.GENERAL):
                youtube.fetch(bucket, ids(50))
        options = {"api_endpoint": server.url + below}
        http = httplib2.Http(proxy_info=None)
        videos = build("youtube", "v3", http=http, static_discovery=True, client_options=options).videos()
        connection = Connection(endpoint=server.url, key=KEY, timeout=5)
        for method in (videos.batchGetStats, videos.list):
            request = method(id=",".join(ids(50)), part="statistics", fields=FIELDS, prettyPrint=False)
            request.execute(http=connection, num_retries=0)
        connection.close()
    ours, theirs = server.requests[:2], server.requests[2:]
    assert ours == theirs


@pytest.mark.parametrize("videos", [[], ids(51), [A, A]])
def test_no_request_names_none_or_51_or_one_twice(videos: list[VideoId]) -> None:
    with Canned([GOOD]) as server, client(server.url) as youtube, pytest.raises(ValueError, match="1 to 50 distinct"):
        youtube.fetch(Bucket.STATS, videos)
    assert server.requests == []


def test_a_good_answer_has_the_time_and_the_attempts() -> None:
    answer = asked([GOOD])
    assert answer == Answer(Bucket.STATS, (A, B), Outcome.ANSWERED, AT, {A: {Count.VIEWS: 7}, B: {}}, attempts=1)


PASSING = {
    "500": message(500, error(500)),
    "502 in HTML": message(502, b"<html>"),
    "limit of a minute": message(429, error(429, reason="rateLimitExceeded")),
    "hung up": CLOSE,
    "reset": RESET,
    "HTML with 200": message(200, b"<!DOCTYPE html><html>Please log in</html>"),
    "nothing with 200": message(200, b""),
    "cut-off JSON": message(200, b'{"kind": "youtube#batchGetStatsResponse", "items": ['),
    "cut-off body": b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\nConnection: close\r\n\r\n{",
    "cut-off body, unannounced": b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"x": "Connection: close',
    "cut-off gzip": message(200, gzip.compress(b'{"kind": "' + bytes(range(256)) * 9)[:-40], "Content-Encoding: gzip"),
    "broken gzip": message(200, b"no gzip at all", "Content-Encoding: gzip"),
    "Latin-1": message(200, b'{"kind": "\xe4"}'),
    "another method's answer": GOOD.replace(b"batchGetStats", b"videoListXXXX"),
    "another request's answer": GOOD.replace(A.encode(), b"ZZZZZZZZZZZ").replace(B.encode(), b"YYYYYYYYYYY"),
    "too many headers": message(200, b"{}", *(f"X-{place}: 1" for place in range(101))),
    "no HTTP at all": b"SSH-2.0-OpenSSH_9.6\r\nConnection: close\r\n",
    "bad chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n{}\r\n",
    "bad chunks, then silence": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "redirect": message(302, b"", "Location: http://127.0.0.1:1/login"),
    "list in a 403": message(403, b"[]"),
    "no number as status": message(500, b"", "Status: all is well"),
}


@pytest.mark.parametrize("bad", PASSING.values(), ids=PASSING.keys())
def test_trouble_that_passes_costs_a_retry_and_units_but_no_data(bad: bytes) -> None:
    units, slept = Units(), list[float]()
    with Canned([bad, bad, GOOD]) as server, client(server.url, units, sleep=slept.append) as youtube:
        answer = youtube.fetch(Bucket.STATS, [A, B])
    assert (answer.outcome, answer.statistics) == (Outcome.ANSWERED, {A: {Count.VIEWS: 7}, B: {}})
    assert answer.attempts == len(slept) + 1
    assert len(units.spent) == len(server.requests) == 3


@pytest.mark.parametrize("bad", PASSING.values(), ids=PASSING.keys())
def test_trouble_that_lasts_is_a_failed_request_with_a_sentence(bad: bytes) -> None:
    answer = asked([bad], attempts=2)
    assert (answer.outcome, answer.statistics, answer.attempts) == (Outcome.FAILED, {}, 2)
    assert answer.message is not None
    assert answer.message.endswith(".")


def test_what_httplib2_sends_again_on_its_own_is_paid_too() -> None:
    units = Units()
    with Canned([CLOSE]) as server, client(server.url, units, attempts=1) as youtube:
        assert youtube.fetch(Bucket.STATS, [A]).outcome is Outcome.FAILED
    assert len(server.requests) == 2
    assert units.spent == [Bucket.STATS] * 2


def test_a_server_that_does_not_answer_is_given_up_on() -> None:
    with Canned([STALL]) as server, client(server.url, attempts=2, timeout=0.05) as youtube:
        answer = youtube.fetch(Bucket.STATS, [A])
    assert (answer.outcome, answer.attempts) == (Outcome.FAILED, 2)
    assert "in time" in (answer.message or "")


def test_where_no_server_listens_no_unit_is_spent() -> None:
    units = Units()
    with refusing_port() as port, client(f"http://127.0.0.1:{port}/", units, attempts=2) as youtube:
        answer = youtube.fetch(Bucket.STATS, [A])
    assert (answer.outcome, units.spent) == (Outcome.FAILED, [])
    assert "refused the connection" in (answer.message or "")


def test_without_a_unit_nothing_is_sent() -> None:
    with Canned([GOOD]) as server, client(server.url, Units(limit=0)) as youtube:
        answer = youtube.fetch(Bucket.GENERAL, [A])
    assert server.requests == []
    assert (answer.outcome, answer.problems, answer.parked_until) == (Outcome.SPENT, (), None)
    assert "videos.list" in (answer.message or "")


def test_the_last_unit_is_not_spent_twice() -> None:
    units = Units(limit=1)
    with Canned([CLOSE, GOOD]) as server, client(server.url, units) as youtube:
        assert youtube.fetch(Bucket.STATS, [A]).outcome is Outcome.SPENT
    assert len(server.requests) == len(units.spent) == 1


def test_what_the_ledger_raises_is_no_trouble_of_the_network() -> None:
    def broken(_: Bucket) -> bool:
        raise LookupError("the state is gone")

    with Canned([GOOD]) as server:
        terms = Terms(endpoint=server.url, key=KEY, spend=broken, clock=lambda: AT, sleep=lambda _: None, timeout=5)
        with Client(terms) as youtube, pytest.raises(LookupError):
            youtube.fetch(Bucket.STATS, [A])
    assert server.requests == []


DAY_LIMIT = message(429, error(429, reason="rateLimitExceeded", details=[error_info("X", quota_unit="1/d/{project}")]))


def test_a_spent_day_is_parked_until_a_little_after_midnight_pacific_and_not_repeated() -> None:
    units = Units()
    answer = asked([DAY_LIMIT], units)
    assert (answer.outcome, len(units.spent)) == (Outcome.SPENT, 1)
    assert answer.parked_until is not None
    assert timedelta(minutes=1) <= answer.parked_until - next_reset(AT) <= timedelta(minutes=10)


@pytest.mark.parametrize(
    ("bad", "bucket", "outcome"),
    [
        (message(404, b"<html>"), Bucket.STATS, Outcome.UNAVAILABLE),
        (message(501, b""), Bucket.STATS, Outcome.UNAVAILABLE),
        (message(404, b"<html>"), Bucket.GENERAL, Outcome.REFUSED),
        (message(403, error(403, reason="quotaExceeded")), Bucket.GENERAL, Outcome.SPENT),
        (message(400, error(400, "API key not valid.")), Bucket.STATS, Outcome.REFUSED),
        (message(401, b"", "WWW-Authenticate: Basic realm=x"), Bucket.STATS, Outcome.REFUSED),
        (message(400, error(400, reason="invalidFilters")), Bucket.GENERAL, Outcome.REJECTED),
    ],
)
def test_a_permanent_failure_is_requested_once(bad: bytes, bucket: Bucket, outcome: Outcome) -> None:
    units = Units()
    answer = asked([bad], units, bucket)
    assert (answer.outcome, answer.attempts, units.spent) == (outcome, 1, [bucket])
    assert answer.message


def test_a_redirect_takes_the_key_nowhere() -> None:
    with Canned([GOOD]) as elsewhere:
        for status in (301, 302, 303, 307, 308):
            asked([message(status, b"", f"Location: {elsewhere.url}/")], attempts=1)
    assert elsewhere.requests == []


def test_the_environment_has_no_say_in_where_requests_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_UNIVERSE_DOMAIN", "example.org")
    monkeypatch.setenv("GOOGLE_API_USE_MTLS_ENDPOINT", "nonsense")
    monkeypatch.setenv("GOOGLE_API_USE_CLIENT_CERTIFICATE", "true")
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert asked([GOOD]).outcome is Outcome.ANSWERED


LETTERS = "OnlyLettersMakeThisKey"
TELLTALE = [
    message(
        403, error(403, f"Consumer 'api_key:{KEY}' has been suspended.", details=[error_info("CONSUMER_SUSPENDED")])
    ),
    message(403, error(403, KEY, reason=KEY, status=KEY)),
    message(403, f"[{KEY}".encode()),
    message(500, error(500, KEY, reason=LETTERS)),
    message(302, b"", f"Location: http://127.0.0.1/?key={KEY}"),
    message(200, f"<html>{KEY}".encode(), f"Content-Location: /{KEY}"),
    ok({"kind": "youtube#batchGetStatsResponse", "items": [{"id": KEY}, {"id": A, "statistics": {"viewCount": "x"}}]}),
    ok({"kind": "youtube#batchGetStatsResponse", "items": [{"id": A, "statistics": {"viewCount": LETTERS}}]}),
    ok({"kind": "youtube#batchGetStatsResponse", "items": [{"id": A, "statistics": {"viewCount": KEY}}]}),
    b"HTTP/1.1 " + KEY.encode() + b"\r\nConnection: close\r\n\r\n",
]


@pytest.mark.parametrize("bad", TELLTALE)
@pytest.mark.parametrize("key", [KEY, LETTERS])
def test_a_key_that_a_server_sends_back_is_never_repeated(
    bad: bytes, key: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with Canned([bad]) as server, client(server.url, key=key, attempts=2) as youtube:
        answer = youtube.fetch(Bucket.STATS, [A, B])
    assert key not in repr(answer)
    assert key not in "".join(repr(vars(record)) for record in caplog.records)
    assert key not in "".join(capfd.readouterr())


@pytest.mark.parametrize("seed", range(40))
def test_no_bytes_make_it_fall_over(seed: int) -> None:
    rng = Random(seed)
    noise = bytearray(rng.choice([GOOD, DAY_LIMIT, *PASSING.values()]) + b"\r\nConnection: close\r\n\r\n")
    for _ in range(rng.randrange(1, 30)):
        noise[rng.randrange(len(noise))] = rng.randrange(256)
    answer = asked([bytes(noise)], attempts=1)
    assert answer.statistics.keys() <= {A, B}


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(World(seed=1), clock=Clock(AT), latency=0.002) as running:
        yield running


@pytest.mark.parametrize("bucket", Bucket)
def test_eight_threads_each_get_the_answer_to_their_own_question(simulator: Simulator, bucket: Bucket) -> None:
    units = Units()
    batches = [ids(2000)[start : start + 20] for start in range(0, 2000, 20)]
    with client(simulator.url, units) as youtube, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda batch: youtube.fetch(bucket, batch), batches))
    assert [answer.videos for answer in answers] == [tuple(batch) for batch in batches]
    for answer in answers:
        assert answer.problems == ()
        assert answer.statistics == {
            video: {Count(name): number for name, number in (simulator.world.statistics(video, AT) or {}).items()}
            for video in answer.videos
        }
    assert units.spent == [bucket] * 100
    assert simulator.units[bucket.value] == 100


def test_a_wrong_key_is_refused_with_what_to_do(simulator: Simulator) -> None:
    with client(simulator.url, key="invalid") as youtube:
        answer = youtube.fetch(Bucket.STATS, ids(1))
    assert answer.outcome is Outcome.REFUSED
    assert "Credentials" in (answer.message or "")


def test_connections_are_kept_between_requests_and_closed_with_the_client() -> None:
    with Canned([GOOD]) as server:
        with client(server.url) as youtube:
            for _ in range(5):
                assert youtube.fetch(Bucket.STATS, [A, B]).outcome is Outcome.ANSWERED
            assert server.connections_made == 1
        server.wait_until_hung_up()
