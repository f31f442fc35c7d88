"""An open way to YouTube: one method, one batch, one answer."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from syncer.decide.quota import LATE, next_reset
from syncer.model import BATCH_SIZE, Bucket, VideoId
from syncer.redact import redact
from syncer.youtube.answer import METHODS, Answer, Checked, Foreign, Outcome, Spend, check
from syncer.youtube.classify import UNANSWERED, Failure, Kind, classify, classify_exception
from syncer.youtube.connection import Line, NoUnitLeft
from syncer.youtube.deadline import Patience
from syncer.youtube.request_log import Errand, Story
from syncer.youtube.response import Declined
from syncer.youtube.retry import Retry, Tried, try_again
from syncer.youtube.watch import Watch

if TYPE_CHECKING:
    from googleapiclient.http import HttpRequest

FIELDS: Final = "kind,items(id,statistics(viewCount,likeCount,commentCount))"
"""What of an answer is asked for: https://developers.google.com/youtube/v3/getting-started#fields"""

_OUTCOMES: Final = {
    Kind.RETRY: Outcome.FAILED,
    Kind.OUR_BUG: Outcome.REJECTED,
    Kind.DAY: Outcome.SPENT,
    Kind.NO_UNIT: Outcome.SPENT,
    Kind.CONFIGURATION: Outcome.REFUSED,
    Kind.UNAVAILABLE: Outcome.UNAVAILABLE,
    Kind.STOPPED: Outcome.STOPPED,
}
_SOON: Final = timedelta(minutes=1)
"""After midnight Pacific; earlier no parked bucket is tried again."""

_NO_ANSWER = tuple(kind for kind, _ in UNANSWERED)
_STOPPED: Final = Failure(Kind.STOPPED, "The asking ended before there was an answer: the next sync asks again.")


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
    patience: Patience
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
    patience: Patience | None = None,
    rng: Random | None = None,
) -> Client:
    """Return a client, to be used as a context, that asks the API at `endpoint` with `key`.

    `spend` is called, from any thread, each time a request goes out; what it raises, `Client.fetch` raises. `timeout`:
    seconds for one request, from the look-up of the name to the last byte. `patience`: for all requests together; when
    it ends, those under way do too. `clock`: the time with a time zone. `rng`: where jitter comes from. No connection
    is made yet, and no variable of the environment has a say in where one will go.
    """
    return Client(_Terms(endpoint, key, spend, clock, sleep, timeout, retry, patience or Patience(), rng or Random()))


class Client:
    """An open way to YouTube. Its connections are kept between requests, and closed with it."""

    def __init__(self, terms: _Terms) -> None:
        """Build the API's methods once: that costs more than a request does."""
        self.story = Story()
        """What has happened so far."""
        self._terms = terms
        self._ask = _methods(terms.endpoint)
        self._idle: deque[Line] = deque()
        self._checking = Lock()
        """One body at a time: the largest that is taken can be 170 MB as long as it is looked at."""
        self._watch = Watch(terms.patience)
        self._began = terms.patience.timer()

    def __enter__(self) -> Self:
        """Return the client itself."""
        self._watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections, and log the sum of it all. No `fetch` may be under way."""
        self._watch.stop()
        while self._idle:
            self._idle.pop().close()
        self.story.tell_sum(self._terms.patience.timer() - self._began)

    def fetch(self, bucket: Bucket, videos: Sequence[VideoId]) -> Answer:
        """Ask the bucket's method about 1 to 50 distinct videos and return what came of it; from any thread.

        Raises what `spend` raises, and nothing that a server or a network can cause.
        """
        if not 1 <= len(set(videos)) == len(videos) <= BATCH_SIZE:
            raise ValueError(f"a batch is 1 to {BATCH_SIZE} distinct videos")
        errand = Errand(bucket, tuple(videos))
        terms, timer = self._terms, self._terms.patience.timer
        began = timer()
        tried = try_again(
            lambda: self._request(errand),
            terms.retry,
            patience=terms.patience,
            sleep=terms.sleep,
            rng=terms.rng,
            tell=lambda failure, attempt, wait: self.story.tell_retry(errand, failure, attempt, wait),
        )
        answer = _answer(tried, errand, terms)
        failure = tried.result if isinstance(tried.result, Failure) else None
        self.story.tell_batch(errand, answer.outcome, failure, attempts=tried.attempts, seconds=timer() - began)
        return answer

    def _request(self, errand: Errand) -> Checked | Failure:
        """Make one request and say what it came to, in words without the key: a server may send it back to us."""
        result = self._judged(errand)
        if isinstance(result, Failure):
            return replace(result, message=redact(result.message, self._terms.key))
        problems = [replace(problem, message=redact(problem.message, self._terms.key)) for problem in result.problems]
        return replace(result, problems=tuple(problems))

    def _judged(self, errand: Errand) -> Checked | Failure:
        """Make one request in the time that is left for it. What a line that was cut says is not to be believed."""
        patience = self._terms.patience
        if not (left := patience.left()):
            return _STOPPED
        with self._line() as line:
            with self._watch.over(line, min(self._terms.timeout, left)):
                result = self._exchange(line, errand)
            if not line.is_cut or isinstance(result, Checked):
                return result
            return classify_exception(TimeoutError()) if patience.left() else _STOPPED

    def _exchange(self, line: Line, errand: Errand) -> Checked | Failure:
        """Send one request and judge the answer. Repeating is left to `retry`, not to the library."""
        method = METHODS[errand.bucket]
        line.pay = lambda: self._pay(errand)
        try:
            body: bytes = self._ask[errand.bucket](",".join(errand.videos)).execute(http=line, num_retries=0)
        except NoUnitLeft:
            return Failure(Kind.NO_UNIT, f"There is no unit left today for {method}: `syncer status` says why.")
        except Declined as declined:
            return classify(declined.reply, errand.bucket, self._terms.clock())
        except _NO_ANSWER as error:
            return classify_exception(error)
        with self._checking:
            checked = check(body, errand.bucket, errand.videos)
        if isinstance(checked, Foreign):
            message = f"The answer is not YouTube's ({checked.why}): see what proxy or login page is in the way."
            return Failure(Kind.RETRY, message)
        line.is_sound = True
        return checked

    def _pay(self, errand: Errand) -> None:
        if not self._terms.spend(errand.bucket):
            raise NoUnitLeft
        errand.units += 1

    @contextmanager
    def _line(self) -> Iterator[Line]:
        """Lend a connection that nobody else uses. After trouble it is not used again: nobody knows what is in it."""
        try:
            line = self._idle.pop()
        except IndexError:
            silence = 2 * self._terms.timeout  # the last net: it is the watch that ends a request in time
            line = Line(endpoint=self._terms.endpoint, key=self._terms.key, timeout=silence)
        line.is_sound = False
        try:
            yield line
        finally:
            if line.is_sound and not line.is_cut:
                self._idle.append(line)
            else:
                line.close()


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


def _answer(tried: Tried, errand: Errand, terms: _Terms) -> Answer:
    bucket, videos, at, result = errand.bucket, errand.videos, terms.clock(), tried.result
    if isinstance(result, Checked):
        return Answer(
            bucket,
            videos,
            Outcome.ANSWERED,
            at,
            result.statistics,
            result.problems,
            unasked=result.unasked,
            attempts=tried.attempts,
        )
    parked_until = _later(at, terms.rng) if result.kind is Kind.DAY else None
    return Answer(
        bucket,
        videos,
        _OUTCOMES[result.kind],
        at,
        {},
        message=result.message,
        parked_until=parked_until,
        attempts=tried.attempts,
    )


def _later(at: datetime, rng: Random) -> datetime:
    return next_reset(at) + _SOON + rng.random() * (LATE - _SOON)
