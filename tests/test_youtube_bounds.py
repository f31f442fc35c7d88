"""Whatever a server sends or claims, the request fails with a message, and memory is limited."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.model import Bucket, VideoId
from syncer.youtube.answer import Outcome
from syncer.youtube.client import Client, Retry, Terms
from syncer.youtube.connection import MAX_BODY_BYTES, ResponseTooLarge, unpack
from tests.canned_youtube import Canned, Endless, message, ok

A, B = VideoId("AAAAAAAAAAA"), VideoId("-BBBBBBBBBA")
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
CLOSED = "Connection: close"
ITEMS = [{"id": A, "statistics": {"viewCount": "7"}}, {"id": B, "statistics": {}}]
GOOD = ok({"kind": "youtube#batchGetStatsResponse", "items": ITEMS})
SPACES = b" " * 65536
MEGABYTES = 1024 * 1024


def packed(megabytes: int, window: int = 31) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, window)
    return b"".join([*(packer.compress(b" " * MEGABYTES) for _ in range(megabytes)), packer.flush()])


def nested(depth: int) -> bytes:
    """A head in which the parser of header lines sees parts in parts, between carriage returns."""
    parts = b"".join(b"Content-Type: multipart/a; boundary=%d\r\r--%d\r" % (n, n) for n in range(depth))
    return b"HTTP/1.1 200 OK\r\n" + parts + b"\r\nContent-Length: 0\r\n\r\n"


BOMB = packed(30)
FLOODS: dict[str, bytes | Endless] = {
    "a length beyond memory": HEAD + b"Content-Length: 9000000000000000000\r\n\r\n{}",
    "a length beyond all numbers of the machine": HEAD + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
    "a length just beyond the bound": HEAD + b"Content-Length: %d\r\n\r\n{}" % (MAX_BODY_BYTES + 1),
    "a length of an error beyond memory": b"HTTP/1.1 403 No\r\nContent-Length: 9000000000000000000\r\n\r\n{}",
    "a chunk beyond memory": CHUNKED + b"ffffffffffffff\r\n{}",
    "a chunk beyond all numbers of the machine": CHUNKED + b"f" * 1000 + b"\r\n{}",
    "a body without end": Endless(HEAD + b"\r\n", SPACES),
    "a body of an error without end": Endless(b"HTTP/1.1 500 Oh\r\n\r\n", SPACES),
    "a body of a refusal without end": Endless(b"HTTP/1.1 403 No\r\n\r\n", SPACES),
    "chunks without end": Endless(CHUNKED, b"10\r\n" + b" " * 16 + b"\r\n"),
    "a line of a chunk's size without end": Endless(CHUNKED + b"1;", SPACES),
    "trailers without end": Endless(CHUNKED + b"2\r\n{}\r\n0\r\n", b"X: y\r\n" * 1000),
    "packed, without end": Endless(HEAD + b"Content-Encoding: gzip\r\n\r\n" + BOMB[:1000], b"\0" * 65536),
    "a status line without end": Endless(b"HTTP/1.1 200 ", b"x" * 65536),
    "a header line without end": Endless(HEAD + b"X: ", SPACES),
    "header lines without end": Endless(HEAD, b"X: " + b"y" * 1000 + b"\r\n"),
    "interim answers without end": Endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "unpacks to 30 MB": message(200, BOMB, "Content-Encoding: gzip"),
    "unpacks to 30 MB, by zlib": message(200, packed(30, 15), "Content-Encoding: deflate"),
    "unpacks to 30 MB, raw": message(200, packed(30, -15), "Content-Encoding: deflate"),
    "an error that unpacks to 30 MB": message(503, BOMB, "Content-Encoding: GZIP"),
    "a refusal that unpacks to 30 MB": message(403, BOMB, "Content-Encoding: x-gzip"),
}
"""What would take memory without end."""

ODD: dict[str, bytes] = {
    "a negative chunk": CHUNKED + b"-1\r\n{}",
    "a very negative chunk": CHUNKED + b"-ffff\r\n{}",
    "a chunk's size of nothing": CHUNKED + b"\r\n{}",
    "a length of 5,000 digits": message(200, b"{}", "Content-Length: " + "9" * 5000, CLOSED),
    "parts in parts": nested(1300),
    "quotes without end": message(200, b"{}", 'Content-Type: multipart/a; x="' + ";" * 15_000),
    "the end of gzip is missing": message(200, gzip.compress(b"{}" * 999)[:-4], "Content-Encoding: gzip"),
    "packed twice": message(200, gzip.compress(BOMB), "Content-Encoding: gzip, gzip"),
    "zeros in the head": message(503, b"\0\0", "\0: \0", "Retry-After: \0"),
    "in an unknown coding": message(200, b"\x1b\0\0", "Content-Encoding: br"),
    "an interim answer and no other": b"HTTP/1.1 103 Early Hints\r\n\r\n",
    "HTTP of another kind": b"HTTP/3 200 OK\r\nConnection: close\r\n\r\n",
    "a status in other digits": b"HTTP/1.1 \xb2\xb2\xb2 OK\r\nConnection: close\r\n\r\n",
    "a wait that ends in a strange space": message(503, b"", "Retry-After: 0\x1f"),
    "a wait of 5,000 digits": message(503, b"", "Retry-After: " + "9" * 5000),
}
"""What would end in an error that nobody expects."""


@contextmanager
def client(url: str, attempts: int = 2) -> Iterator[Client]:
    terms = Terms(
        endpoint=url,
        key="x" * 39,
        spend=lambda _: True,
        clock=lambda: datetime(2026, 11, 22, 15, 0, tzinfo=UTC),
        sleep=lambda _: None,
        timeout=10,
        retry=Retry(attempts=attempts),
    )
    with Client(terms) as connected:
        yield connected


def failed(answer: bytes | Endless) -> str:
    """Returns the sentence with which a request ends that is answered so each time."""
    with Canned([answer]) as server, client(server.url) as youtube:
        told = youtube.fetch(Bucket.STATS, [A, B])
    assert (told.outcome, told.attempts, told.statistics) == (Outcome.FAILED, 2, {})
    assert told.message is not None
    assert told.message.endswith(".")
    return told.message


@pytest.mark.parametrize("answer", FLOODS.values(), ids=FLOODS)
def test_a_flood_is_a_failed_request_that_is_tried_again(answer: bytes | Endless) -> None:
    assert "too large" in failed(answer)


@pytest.mark.parametrize("answer", ODD.values(), ids=ODD)
def test_an_odd_answer_is_a_failed_request_that_is_tried_again(answer: bytes) -> None:
    assert "in time" not in failed(answer)


def test_a_request_for_a_login_is_refused_whatever_it_wants() -> None:
    """httplib2 would read the challenge, by a grammar that can take its time."""
    for challenge in ('a="', "Digest " + 'a="b' * 2000, "\0" * 999, "=" * 9999):
        with Canned([message(401, b"{}", f"WWW-Authenticate: {challenge}")]) as server, client(server.url) as youtube:
            assert youtube.fetch(Bucket.STATS, [A, B]).outcome is Outcome.REFUSED


LISTS = b'{"kind": "youtube#batchGetStatsResponse", "items": [' + b'{"":[[[[[]]]]]},' * 262_000 + b"0]}"
IN_A_CHILD = """
import resource, sys
from concurrent.futures import ThreadPoolExecutor
from tests.test_youtube_bounds import A, Bucket, client

def ask(url, at_once):
    with client(url, attempts=1) as youtube, ThreadPoolExecutor(at_once) as pool:
        return [told.outcome for told in pool.map(lambda _: youtube.fetch(Bucket.STATS, [A]), range(at_once))]

good, lists, *floods = sys.argv[1:]
assert ask(good, 1) == ["answered"]
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
outcomes = {outcome for url in floods for outcome in ask(url, 1)}
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
outcomes.update(ask(lists, 2))
last = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(*outcomes, after - before, last - before)
"""


@pytest.mark.storm
def test_no_response_takes_more_memory_than_the_limit() -> None:
    """Each flood after the other; and what becomes the most as JSON, over two connections at once."""
    with ExitStack() as stack:
        canned = [GOOD, message(200, LISTS), *FLOODS.values()]
        urls = [stack.enter_context(Canned([answer])).url for answer in canned]
        child = subprocess.run([sys.executable, "-c", IN_A_CHILD, *urls], capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr
    outcomes, floods, lists = child.stdout.rsplit(None, 2)
    assert outcomes == "failed"
    unit = 1024 if sys.platform == "linux" else 1
    assert int(floods) * unit < 40 * MEGABYTES
    assert int(lists) * unit < 250 * MEGABYTES


@given(st.binary(max_size=3000), st.integers(1, 2000))
def test_what_was_packed_comes_out_as_it_was(body: bytes, times: int) -> None:
    whole = body * times
    for encoding, window in (("gzip", 31), ("x-gzip", 31), ("deflate", 15), ("deflate", -15)):
        packer = zlib.compressobj(6, zlib.DEFLATED, window)
        data = packer.compress(whole) + packer.flush()
        if len(whole) > MAX_BODY_BYTES:
            with pytest.raises(ResponseTooLarge):
                unpack(data, encoding)
        else:
            assert unpack(data, f" {encoding.upper()}\t") == whole


@given(st.binary(), st.sampled_from(["gzip", "deflate", "br", "", "gzip, gzip", "\xb2"]))
def test_what_cannot_be_unpacked_is_one_error_or_stays_as_it_is(data: bytes, encoding: str) -> None:
    try:
        assert unpack(data, encoding) == data or encoding in {"gzip", "deflate"}
    except zlib.error:
        assert encoding in {"gzip", "deflate"}


def test_the_largest_answer_that_a_batch_can_have_is_far_below_the_bound() -> None:
    counts = {count: str(2**63 - 1) for count in ("viewCount", "likeCount", "commentCount")}
    items = [{"kind": "youtube#videoStats", "etag": "x" * 27, "id": "x" * 11, "statistics": counts}] * 50
    assert len(json.dumps({"kind": "x" * 50, "items": items}, indent=2)) * 100 < MAX_BODY_BYTES
