"""An open way to YouTube: one method, one batch, one answer."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from syncer.model import BATCH_SIZE, Answer, Bucket, Outcome, Spend, VideoId
from syncer.quota import next_reset
from syncer.youtube.answer import METHODS, Checked, Foreign, check
from syncer.youtube.classify import UNANSWERED, Failure, Kind, classify, classify_exception
from syncer.youtube.line import Declined, Line, NoUnitLeft
from syncer.youtube.retry import Retry, Tried, try_again

if TYPE_CHECKING:
    from googleapiclient.http import HttpRequest

FIELDS: Final = "kind,items(id,statistics(viewCount,likeCount,commentCount))"
"""What of an answer is asked for: https://developers.google.com/youtube/v3/getting-started#fields"""

_OUTCOMES: Final = {
    Kind.RETRY: Outcome.FAILED,
    Kind.OUR_BUG: Outcome.FAILED,
    Kind.DAY: Outcome.SPENT,
    Kind.NO_UNIT: Outcome.SPENT,
    Kind.CONFIGURATION: Outcome.REFUSED,
    Kind.UNAVAILABLE: Outcome.UNAVAILABLE,
}
_LATE: Final = (60.0, 600.0)
"""Seconds after midnight Pacific between which a parked bucket is tried again: not all programs at once."""

_NO_ANSWER = tuple(kind for kind, _ in UNANSWERED)
_log = logging.getLogger("syncer.youtube")


@dataclass(frozen=True, slots=True)
class _Terms:
    """What every request of a client has in common."""

    endpoint: str
    key: str
    spend: Spend
    clock: Callable[[], datetime]
    sleep: Callable[[float], object]
    timeout: float
    retry: Retry
    rng: Random


def connect(
    *,
    endpoint: str,
    key: str,
    spend: Spend,
    clock: Callable[[], datetime],
    sleep: Callable[[float], object],
    timeout: float,
    retry: Retry,
    rng: Random | None = None,
) -> Client:
    """Return a client, to be closed after use, that asks the API at `endpoint` with `key`.

    `spend` is called, from any thread, each time a request goes out; what it raises, `Client.fetch` raises. `timeout`:
    seconds for one socket operation. `clock`: the time with a time zone. `rng`: where jitter comes from. No connection
    is made yet, and no variable of the environment has a say in where one will go.
    """
    return Client(_Terms(endpoint, key, spend, clock, sleep, timeout, retry, rng or Random()))


class Client:
    """An open way to YouTube. Its connections are kept between requests, and closed with it."""

    def __init__(self, terms: _Terms) -> None:
        """Build the API's methods once: that costs more than a request does."""
        self._terms = terms
        self._ask = _methods(terms.endpoint)
        self._idle: deque[Line] = deque()

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections. No `fetch` may be under way."""
        while self._idle:
            self._idle.pop().close()

    def fetch(self, bucket: Bucket, videos: Sequence[VideoId]) -> Answer:
        """Ask the bucket's method about 1 to 50 distinct videos and return what came of it; from any thread.

        Raises what `spend` raises, and nothing that a server or a network can cause.
        """
        if not 1 <= len(set(videos)) == len(videos) <= BATCH_SIZE:
            raise ValueError(f"a batch is 1 to {BATCH_SIZE} distinct videos")
        terms = self._terms
        tried = try_again(
            lambda: self._request(bucket, videos),
            terms.retry,
            method=METHODS[bucket],
            clock=terms.clock,
            sleep=terms.sleep,
            rng=terms.rng,
        )
        return _answer(tried, bucket, tuple(videos), terms)

    def _request(self, bucket: Bucket, videos: Sequence[VideoId]) -> Checked | Failure:
        """Make one request and say what it came to, in words without the key: a server may send it back to us."""
        result = self._judged(bucket, videos)
        if isinstance(result, Failure):
            return replace(result, message=self._without_key(result.message))
        problems = [replace(problem, message=self._without_key(problem.message)) for problem in result.problems]
        return replace(result, problems=tuple(problems))

    def _judged(self, bucket: Bucket, videos: Sequence[VideoId]) -> Checked | Failure:
        try:
            body = self._send(bucket, videos)
        except NoUnitLeft:
            return Failure(Kind.NO_UNIT, f"Today's quota for {METHODS[bucket]} is spent, as far as the config allows.")
        except Declined as declined:
            return classify(declined.reply, bucket, self._terms.clock())
        except _NO_ANSWER as error:
            return classify_exception(error)
        checked = check(body, bucket, videos)
        if isinstance(checked, Foreign):
            message = f"The answer is not YouTube's ({checked.why}): see what proxy or login page is in the way."
            return Failure(Kind.RETRY, message)
        return checked

    def _send(self, bucket: Bucket, videos: Sequence[VideoId]) -> bytes:
        """Send one request and return the body of a 200. Repeating is left to `retry`, not to the library."""
        with self._line() as line:
            line.pay = lambda: self._pay(bucket)
            request = self._ask[bucket](",".join(videos))
            body: bytes = request.execute(http=line, num_retries=0)
            return body

    def _pay(self, bucket: Bucket) -> None:
        if not self._terms.spend(bucket):
            raise NoUnitLeft

    @contextmanager
    def _line(self) -> Iterator[Line]:
        """Lend a connection that nobody else uses. After trouble it is not used again: nobody knows what is in it."""
        try:
            line = self._idle.pop()
        except IndexError:
            line = Line(endpoint=self._terms.endpoint, key=self._terms.key, timeout=self._terms.timeout)
        try:
            yield line
        except BaseException:
            line.close()
            raise
        self._idle.append(line)

    def _without_key(self, text: str) -> str:
        return text.replace(self._terms.key, "[key]")


def _methods(endpoint: str) -> Mapping[Bucket, Callable[[str], HttpRequest]]:
    """Return, for each bucket, what makes a request from ids joined by commas."""
    import httplib2
    from googleapiclient.discovery import build
    from googleapiclient.model import JsonModel

    class Raw(JsonModel):
        """Leaves the body of a 200 as it is: the library would hand out HTML as text and cut-off JSON as nothing."""

        def deserialize(self, content: bytes) -> bytes:  # type: ignore[override] # the stub says None
            return content

    videos = build(
        "youtube",
        "v3",
        http=httplib2.Http(proxy_info=None),
        model=Raw(),
        static_discovery=True,
        client_options={"api_endpoint": endpoint, "universe_domain": "googleapis.com"},
    ).videos()
    return {
        Bucket.STATS: lambda ids: videos.batchGetStats(id=ids, part="statistics", fields=FIELDS, prettyPrint=False),
        Bucket.GENERAL: lambda ids: videos.list(id=ids, part="statistics", fields=FIELDS, prettyPrint=False),
    }


def _answer(tried: Tried, bucket: Bucket, videos: tuple[VideoId, ...], terms: _Terms) -> Answer:
    """Return the end of a request as a value; what went wrong is no more than a line for who asks for details."""
    at, result, attempts = terms.clock(), tried.result, tried.attempts
    if isinstance(result, Checked):
        return Answer(bucket, videos, Outcome.ANSWERED, at, result.statistics, result.problems, attempts=attempts)
    outcome = _OUTCOMES[result.kind]
    facts = {"method": METHODS[bucket], "outcome": outcome.value, "attempts": attempts, "videos": len(videos)}
    _log.info("%s: %s, tries: %d: %s", METHODS[bucket], outcome.value, attempts, result.message, extra=facts)
    return Answer(
        bucket,
        videos,
        outcome,
        at,
        {},
        message=result.message,
        parked_until=_later(at, terms.rng) if result.kind is Kind.DAY else None,
        attempts=attempts,
    )


def _later(at: datetime, rng: Random) -> datetime:
    return next_reset(at) + timedelta(seconds=rng.uniform(*_LATE))
