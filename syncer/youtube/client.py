"""The client of YouTube: requests one batch from one method, and retries while that can help."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from random import Random
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import quote

from syncer.decide.quota import PARKING_MARGIN, next_reset
from syncer.model import BATCH_SIZE, Bucket, VideoId
from syncer.redact import redact
from syncer.youtube.answer import METHODS, Answer, Outcome, Spend
from syncer.youtube.body import CheckedBody, ForeignBody, check_body
from syncer.youtube.classify import UNANSWERED, Failure, FailureKind, classify, classify_exception
from syncer.youtube.connection import Connection, ErrorStatus, NoUnitLeft
from syncer.youtube.deadline import ConnectionWatch, Deadline
from syncer.youtube.request_log import BatchRequest, RequestLog

if TYPE_CHECKING:
    from googleapiclient.http import HttpRequest
    from tenacity import RetryCallState

FIELDS: Final = "kind,items(id,statistics(viewCount,likeCount,commentCount))"
"""Which fields are requested: https://developers.google.com/youtube/v3/getting-started#fields"""


@dataclass(frozen=True, slots=True)
class Question:
    """What is requested about the videos of a batch."""

    part: str
    """The parts of a video, joined by commas."""
    fields: str
    check: Callable[[bytes, Bucket, Sequence[VideoId]], CheckedBody | ForeignBody]
    """Returns what is valid in the body of a 200."""


COUNTS: Final = Question("statistics", FIELDS, check_body)

FIRST_WAIT_SECONDS: Final = 1.0
"""The longest first wait; each later one can be twice as long."""

_OUTCOMES: Final = {
    FailureKind.RETRY: Outcome.FAILED,
    FailureKind.OUR_BUG: Outcome.REJECTED,
    FailureKind.DAY: Outcome.SPENT,
    FailureKind.NO_UNIT: Outcome.SPENT,
    FailureKind.CONFIGURATION: Outcome.REFUSED,
    FailureKind.UNAVAILABLE: Outcome.UNAVAILABLE,
    FailureKind.STOPPED: Outcome.STOPPED,
}
_SOON: Final = timedelta(minutes=1)
"""After midnight Pacific; a parked bucket is not tried earlier."""

_NO_ANSWER = tuple(kind for kind, _ in UNANSWERED)
_STOPPED: Final = Failure(FailureKind.STOPPED, "The sync ended before YouTube responded. The next sync tries again.")


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how long to try one request."""

    attempts: int = 4
    """At least one."""
    longest_wait: float = 60.0
    """The longest wait between two attempts, in seconds, whatever the server wants."""
    deadline: float = 90.0
    """Seconds from the first attempt after which no other begins."""


@dataclass(frozen=True, slots=True)
class RetryResult:
    """The result of a request, and the number of attempts."""

    result: CheckedBody | Failure
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The settings that all requests of a client share."""

    endpoint: str
    """The address of the API."""
    key: str = field(repr=False)
    spend: Spend
    """Called, from any thread, for each request that is sent; what it raises, `Client.fetch` raises."""
    clock: Callable[[], datetime]
    """The time, with a time zone."""
    sleep: Callable[[float], object]
    timeout: float
    """Seconds for one request, from the look-up of the name to the last byte."""
    retry: Retry = field(default_factory=Retry)
    deadline: Deadline = field(default_factory=Deadline)
    """For all requests together; when it is over, running requests end too."""
    rng: Random = field(default_factory=Random)
    """Where jitter comes from. All connections share it: each draw is one `Random.random()`, which is atomic."""


class Client:
    """Connections to YouTube, to be used as a context. They are kept between requests, and closed at its end.

    Environment variables, such as those for proxies, have no effect on them.
    """

    def __init__(self, terms: Terms) -> None:
        """Prepare the requests. No connection is made yet."""
        self.request_log = RequestLog()
        """What has happened so far."""
        self._terms = terms
        self._make_request = _request_maker(terms.endpoint)
        self._idle: deque[Connection] = deque()
        self._checking = Lock()
        """One body at a time: the largest one can take 170 MB while it is checked."""
        self._watch = ConnectionWatch(terms.deadline)
        self._began = terms.deadline.timer()

    def __enter__(self) -> Self:
        """Return the client itself."""
        self._watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections, and log the totals. No `fetch` may be running."""
        self._watch.stop()
        while self._idle:
            self._idle.pop().close()
        self.request_log.log_sum(self._terms.deadline.timer() - self._began)

    def fetch(self, bucket: Bucket, videos: Sequence[VideoId], question: Question = COUNTS) -> Answer:
        """Request 1 to 50 distinct videos from the bucket's method and return the result; safe in any thread.

        Raises what `spend` raises, and nothing that a server or a network can cause.
        """
        if not 1 <= len(set(videos)) == len(videos) <= BATCH_SIZE:
            raise ValueError(f"a batch is 1 to {BATCH_SIZE} distinct videos")
        request = BatchRequest(bucket, tuple(videos))
        terms, timer = self._terms, self._terms.deadline.timer
        began = timer()
        tried = try_again(
            partial(self._request, request, question),
            terms.retry,
            deadline=terms.deadline,
            sleep=terms.sleep,
            rng=terms.rng,
            log_retry=partial(self.request_log.log_retry, request),
        )
        answer = _answer(tried, request, terms)
        failure = tried.result if isinstance(tried.result, Failure) else None
        self.request_log.log_batch(request, answer, failure, seconds=timer() - began)
        return answer

    def _request(self, request: BatchRequest, question: Question) -> CheckedBody | Failure:
        """Make one request in the time that is left, and return the result, in messages without the key.

        What was read from a connection that was cut is used only if it is complete.
        """
        terms, deadline, key = self._terms, self._terms.deadline, self._terms.key
        if not (left := deadline.left()):
            return _STOPPED
        try:
            connection = self._idle.pop()
        except IndexError:
            silence = 2 * terms.timeout  # a safety net: it is the watch that ends a request in time
            connection = Connection(endpoint=terms.endpoint, key=key, timeout=silence)
        connection.is_sound, connection.units = False, 0
        connection.take_unit = partial(terms.spend, request.bucket)
        try:
            with self._watch.limit(connection, min(terms.timeout, left)):
                result = self._exchange(connection, request, question)
            request.units += connection.units
        finally:
            if connection.is_sound and not connection.is_cut:
                self._idle.append(connection)
            else:  # there may still be data in it
                connection.close()
        if isinstance(result, CheckedBody):  # a server may send the key back
            if not result.problems:
                return result
            problems = (replace(problem, message=redact(problem.message, key)) for problem in result.problems)
            return replace(result, problems=tuple(problems))
        if connection.is_cut:
            return classify_exception(TimeoutError()) if deadline.left() else _STOPPED
        return replace(result, message=redact(result.message, key))

    def _exchange(self, connection: Connection, request: BatchRequest, question: Question) -> CheckedBody | Failure:
        """Send one request and classify the response. `try_again` repeats requests; the library does not."""
        bucket = request.bucket
        try:
            http_request = self._make_request(connection, request, question)
            body: bytes = http_request.execute(num_retries=0)
        except NoUnitLeft:
            message = (
                f"No units are left for {METHODS[bucket]} today. `syncer status` shows the quota and when it resets."
            )
            return Failure(FailureKind.NO_UNIT, message)
        except ErrorStatus as answer:
            return classify(answer, bucket, self._terms.clock())
        except _NO_ANSWER as error:
            return classify_exception(error)
        with self._checking:
            checked = question.check(body, bucket, request.videos)
        if isinstance(checked, ForeignBody):
            message = (
                f"The response is not from YouTube ({checked.why}). Check whether a proxy or a login page intervenes."
            )
            return Failure(FailureKind.RETRY, message)
        connection.is_sound = True
        return checked


def try_again(
    request: Callable[[], CheckedBody | Failure],
    retry: Retry,
    *,
    deadline: Deadline,
    sleep: Callable[[float], object],
    rng: Random,
    log_retry: Callable[[Failure, int, float], object],
) -> RetryResult:
    """Make the request until it ends in anything but `FailureKind.RETRY`, or at the limits of `retry` or `deadline`.

    What `request` raises passes through. `log_retry` is called before each wait, with the failure, the number of the
    attempt and the seconds to wait. `rng`: where jitter comes from.
    """

    def pause(seconds: float) -> None:
        sleep(seconds)

    def log(state: RetryCallState) -> None:
        log_retry(_failure(state), state.attempt_number, state.upcoming_sleep)

    def stop(state: RetryCallState) -> bool:
        spent = deadline.timer() - began + state.upcoming_sleep
        is_late = spent >= retry.deadline or state.upcoming_sleep >= deadline.left()
        return is_late or state.attempt_number >= retry.attempts

    began = deadline.timer()  # tenacity reads a timer of its own
    first = request()
    if not _is_temporary(first):  # nearly always: then tenacity has nothing to do, and is not even imported
        return RetryResult(first, 1)
    from tenacity import Retrying, retry_if_result

    results = chain([first], iter(request, None))
    retrying = Retrying(
        retry=retry_if_result(_is_temporary),
        wait=lambda state: _wait(state, retry, rng),
        stop=stop,
        sleep=pause,
        before_sleep=log,
        retry_error_callback=_result,
    )
    result = retrying(next, results)
    return RetryResult(result, retrying.statistics["attempt_number"])


def _request_maker(endpoint: str) -> Callable[[Connection, BatchRequest, Question], HttpRequest]:
    """Return what makes the request of a batch.

    It is the one that `build("youtube", "v3")` makes. It is not called because `googleapiclient.discovery` imports what
    other ways to log in need: 10 MB for as long as a daemon runs, and a sixth of a small sync's time.
    """
    from googleapiclient.http import HttpRequest
    from googleapiclient.model import JsonModel

    class Raw(JsonModel):
        """Leaves the body of a 200 as it is: the library would hand out HTML as text and cut-off JSON as nothing."""

        def deserialize(self, content: bytes) -> bytes:  # type: ignore[override] # the stub says None
            return content

    model = Raw()

    def request(connection: Connection, batch: BatchRequest, question: Question) -> HttpRequest:
        parameters = {"part": question.part, "fields": question.fields, "prettyPrint": "false"}
        headers, _, query, _ = model.request({}, {}, parameters, None)  # type: ignore[no-untyped-call]
        method = "videos:batchGetStats" if batch.bucket is Bucket.STATS else "videos"
        ids = quote(",".join(batch.videos), safe="")
        url = f"{endpoint.rstrip('/')}/youtube/v3/{method}?id={ids}&{query[1:]}"
        return HttpRequest(connection, model.response, url, headers=dict(headers))

    return request


def _answer(tried: RetryResult, request: BatchRequest, terms: Terms) -> Answer:
    at, result, attempts = terms.clock(), tried.result, tried.attempts
    if isinstance(result, CheckedBody):
        return Answer(
            request.bucket,
            request.videos,
            Outcome.ANSWERED,
            at,
            result.statistics,
            result.availability,
            result.problems,
            result.unrequested,
            attempts=attempts,
        )
    parked_until = None
    if result.kind is FailureKind.DAY:
        parked_until = next_reset(at) + _SOON + terms.rng.random() * (PARKING_MARGIN - _SOON)
    return Answer(
        request.bucket,
        request.videos,
        _OUTCOMES[result.kind],
        at,
        {},
        message=result.message,
        parked_until=parked_until,
        attempts=attempts,
    )


def _is_temporary(result: CheckedBody | Failure) -> bool:
    return isinstance(result, Failure) and result.kind is FailureKind.RETRY


def _wait(state: RetryCallState, retry: Retry, rng: Random) -> float:
    """Return full jitter, or the wait that the server wants where that is longer; at most the longest wait."""
    jitter = rng.uniform(0, FIRST_WAIT_SECONDS * 2 ** (state.attempt_number - 1))
    return min(retry.longest_wait, max(jitter, _failure(state).retry_after or 0))


def _failure(state: RetryCallState) -> Failure:
    result = _result(state)
    assert isinstance(result, Failure)
    return result


def _result(state: RetryCallState) -> CheckedBody | Failure:
    assert state.outcome is not None
    result: CheckedBody | Failure = state.outcome.result()
    return result
