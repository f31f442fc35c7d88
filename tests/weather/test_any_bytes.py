"""Whatever bytes come in place of an answer: the client returns a value, and no number in it that did not come."""

from __future__ import annotations

import json
import os
import socketserver
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.model import Bucket, VideoId
from syncer.youtube.answer import Outcome
from syncer.youtube.client import Client, Retry, Terms
from tests.canned_youtube import error, error_info, message
from tests.examples import examples

A, B = VideoId("AAAAAAAAAAA"), VideoId("-BBBBBBBBBA")
AT = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
ANSWERS = examples(5000 if "SYNCER_PROVE" in os.environ else 150)
KINDS = {Bucket.STATS: "youtube#batchGetStatsResponse", Bucket.GENERAL: "youtube#videoListResponse"}


class AnyBytes:
    """A server that sends `answer` to each request as it is, and hangs up."""

    answer = b""

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), _Sends)
        self._server.whose = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(socketserver.TCPServer):
    whose: AnyBytes


class _Sends(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        while self.rfile.readline().strip():
            pass
        self.wfile.write(self.server.whose.answer)


@pytest.fixture(scope="module")
def server() -> Iterator[AnyBytes]:
    with AnyBytes() as running:
        yield running


@pytest.fixture(scope="module")
def client(server: AnyBytes) -> Iterator[Client]:
    terms = Terms(
        endpoint=server.url,
        key="x" * 39,
        spend=lambda _: True,
        clock=lambda: AT,
        sleep=lambda _: None,
        timeout=5,
        retry=Retry(attempts=1),
    )
    with Client(terms) as connected:
        yield connected


def require_sound_answer(client: Client, server: AnyBytes, answer: bytes, bucket: Bucket = Bucket.STATS) -> Outcome:
    """Requests two videos; fails unless each number that comes back was in the answer, in quotes, after its video."""
    server.answer = answer
    told = client.fetch(bucket, [A, B])
    assert set(told.statistics) <= {A, B}
    for video, counts in told.statistics.items():
        for number in counts.values():
            assert f'{number}"'.encode() in answer.split(video.encode(), 1)[1]
    assert (told.outcome is Outcome.ANSWERED) == (told.message is None)
    assert (told.message or "").isprintable()
    assert all(problem.message.isprintable() for problem in told.problems)
    return told.outcome


def good(bucket: Bucket) -> bytes:
    items = [
        {"id": A, "statistics": {"viewCount": "31147", "likeCount": "2718"}},
        {"id": B, "statistics": {"viewCount": "5", "likeCount": "9223372036854775807"}},
    ]
    body = json.dumps({"kind": KINDS[bucket], "items": items}).encode()
    return message(200, body, "Content-Type: application/json; charset=UTF-8")


buckets = st.sampled_from(Bucket)
jsons = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([A, B, "12", "0", "per day"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["id", "items", "kind", "statistics", "viewCount", "likeCount"]), inner)
    ),
    max_leaves=15,
)
line = st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=80)
moment = r"(Sun, )?[0-9]{1,30} Nov [0-9]{1,30} [0-9]{1,3}:[0-9]{1,30}(:[0-9]{1,3})? (GMT|[+-][0-9]{1,30})"
numbers = st.from_regex(r"[ \t\x1c-\x1f]?[-+]?[0-9_]{1,30}[\x1c-\x1f\x85\xa0\0]?", fullmatch=True)
dates = st.from_regex(moment, fullmatch=True)


@st.composite
def spoilt(draw: st.DrawFn) -> tuple[Bucket, bytes]:
    """A good answer with some bytes cut out, turned, doubled, or put in."""
    bucket = draw(buckets)
    answer = good(bucket)
    for _ in range(draw(st.integers(1, 3))):
        first = draw(st.integers(0, len(answer)))
        last = draw(st.integers(first, min(len(answer), first + 40)))
        piece = answer[first:last]
        new = st.sampled_from([b"", piece * 2, bytes(byte ^ 0x20 for byte in piece)]) | st.binary(max_size=8)
        answer = answer[:first] + draw(new) + answer[last:]
    return bucket, answer


@pytest.mark.parametrize("bucket", Bucket)
def test_a_good_answer_is_answered(client: Client, server: AnyBytes, bucket: Bucket) -> None:
    assert require_sound_answer(client, server, good(bucket), bucket) is Outcome.ANSWERED


@ANSWERS
@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda rest: b"HTTP/1.1 200 OK\r\n" + rest))
def test_any_bytes_in_place_of_http(client: Client, server: AnyBytes, answer: bytes) -> None:
    assert require_sound_answer(client, server, answer) is not Outcome.ANSWERED


@ANSWERS
@given(spoilt())
def test_a_good_answer_with_some_bytes_spoilt(client: Client, server: AnyBytes, answer: tuple[Bucket, bytes]) -> None:
    require_sound_answer(client, server, answer[1], answer[0])


@ANSWERS
@given(st.integers(200, 599), st.binary(max_size=200) | jsons.map(lambda value: json.dumps(value).encode()), buckets)
def test_any_status_with_any_body(client: Client, server: AnyBytes, status: int, body: bytes, bucket: Bucket) -> None:
    require_sound_answer(client, server, message(status, body), bucket)


@ANSWERS
@given(st.sampled_from([400, 401, 403, 404, 429, 500, 503]), st.text(), st.text(), jsons, jsons)
def test_any_words_in_google_s_form_of_an_error(
    client: Client, server: AnyBytes, status: int, words: str, reason: str, value: object, detail: object
) -> None:
    details = [error_info(reason), {"metadata": {"quota_unit": value, "quota_limit": detail}}, detail]
    answer = message(status, error(status, words, reason=reason, status=value, details=details))
    for bucket in Bucket:
        assert require_sound_answer(client, server, answer, bucket) is not Outcome.ANSWERED


HEADERS = [
    "Content-Encoding", "Content-Length", "Content-Location", "Content-Type", "Location", "Retry-After", "Status",
    "Transfer-Encoding", "WWW-Authenticate", "Authentication-Info", "ETag", "Vary", "Connection",
    "Date",
]  # fmt: skip


@ANSWERS
@given(
    st.sampled_from([200, 204, 301, 304, 308, 401, 407, 429, 503]),
    st.lists(st.tuples(st.sampled_from(HEADERS), line | dates | numbers), min_size=1, max_size=3),
    buckets,
)
def test_any_header_fields(
    client: Client, server: AnyBytes, status: int, fields: list[tuple[str, str]], bucket: Bucket
) -> None:
    _, body = good(bucket).split(b"\r\n\r\n", 1)
    require_sound_answer(client, server, message(status, body, *(f"{name}: {value}" for name, value in fields)), bucket)
