"""Requests all batches: first from the method with its own bucket, then the rest from the other method."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from queue import SimpleQueue
from typing import Final

from syncer.model import BATCH_SIZE, Bucket, VideoId
from syncer.youtube.answer import Answer, Fetch, Outcome
from syncer.youtube.deadline import Deadline

MAX_HALVINGS: Final = 18
"""Rejected batches that may be cut in two, at two requests each: one bad ID among 50 takes 6 of them."""
MAX_UNANSWERED_HALVINGS: Final = 3
"""The same while nothing was returned: then the reason is hardly a bad ID."""
MAX_FAILURES: Final = 5
"""Failed requests in a row, each with all its attempts, after which a method is not requested in this sync."""

TAKEN_OVER: Final = frozenset({Outcome.SPENT, Outcome.UNAVAILABLE})
"""After one of these the method gets no more requests, and the other one takes over."""

Batch = tuple[VideoId, ...]


class Breaker:
    """Counts how often a method fails in a row. After `MAX_FAILURES` it opens, and the method gets no more requests.

    If the previous sync ended that way, one failure is enough: the first request is a probe.
    """

    def __init__(self, *, failing: bool = False) -> None:
        """Take whether the method was failing when the last sync ended."""
        self.probing = failing
        """Whether the next failure opens it, because the method has not responded since the last sync."""
        self._failures_in_a_row = 0

    @property
    def is_open(self) -> bool:
        """Whether the method gets no more requests."""
        return self._failures_in_a_row >= (1 if self.probing else MAX_FAILURES)

    @property
    def failing(self) -> bool:
        """Whether the next sync has to begin with a probe."""
        return self.probing or self.is_open

    def at_once(self, connections: int) -> int:
        """Return how many requests may run now: none, one as a probe, or all."""
        if self.is_open:
            return 0
        return 1 if self.probing else connections

    def note(self, outcome: Outcome) -> None:
        """Count how a request ended. Outcomes other than ANSWERED and FAILED are not counted."""
        if outcome is Outcome.ANSWERED:
            self.probing, self._failures_in_a_row = False, 0
        elif outcome is Outcome.FAILED:
            self._failures_in_a_row += 1


def fetch_all(
    videos: Sequence[VideoId],
    fetch: Fetch,
    *,
    connections: int,
    deadline: Deadline,
    breakers: Mapping[Bucket, Breaker],
) -> Iterator[Answer]:
    """Yield an answer for each batch of 1 to 50 videos, as they arrive, with up to `connections` requests at once.

    All videos are requested from `Bucket.STATS`. `Bucket.GENERAL` is then requested, once, for the videos that it did
    not return, and for those for which it has no unit or is not available. A failed batch is left to the next sync: a
    temporary error never changes the method. A batch that YouTube rejects is halved, and so are its halves, until the
    one video is found that is REJECTED by itself; where YouTube returns nothing else, or after too many halvings, it is
    FAILED instead. A refusal or the deadline ends all requests; a breaker that opens ends those of its bucket.

    A video that is in no answer was not requested. What `fetch` raises is passed on.
    """
    pool = ThreadPoolExecutor(connections, thread_name_prefix="youtube")
    requester = _Requester(pool, fetch, connections, deadline)
    try:
        first = _Walk(Bucket.STATS, deque(pack(dict.fromkeys(videos))), requester, breakers[Bucket.STATS])
        left: list[VideoId] = []
        for answer in first.answers():
            if answer.outcome in TAKEN_OVER:
                left += answer.videos
            elif answer.outcome is Outcome.ANSWERED:
                left += (video for video in answer.videos if video not in answer.statistics)
            yield answer
        if first.ended is not Outcome.REFUSED:
            unrequested = chain.from_iterable(first.batches if first.ended else ())
            batches = deque(pack(chain(left, unrequested)))
            yield from _Walk(Bucket.GENERAL, batches, requester, breakers[Bucket.GENERAL]).answers()
    finally:
        pool.shutdown(cancel_futures=True)  # none of its threads waits for the network after the deadline


def pack(videos: Iterable[VideoId]) -> Iterator[Batch]:
    """Yield the videos in batches of up to 50; none of none."""
    rest = iter(videos)
    while batch := tuple(islice(rest, BATCH_SIZE)):
        yield batch


@dataclass(frozen=True, slots=True)
class _Requester:
    """Sends the requests of both methods."""

    pool: ThreadPoolExecutor
    fetch: Fetch
    connections: int
    deadline: Deadline


@dataclass(slots=True)
class _Walk:
    """The requests of one method. Batches that it does not request stay in `batches`."""

    bucket: Bucket
    batches: deque[Batch]
    requester: _Requester
    breaker: Breaker
    ended: Outcome | None = None
    """What ended it early: SPENT, UNAVAILABLE or REFUSED."""
    answered: bool = False
    halvings: int = 0
    rejected: list[Answer] = field(default_factory=list)
    """Each about one video."""

    def answers(self) -> Iterator[Answer]:
        """Request the batches until all are done, the method is not usable any more, or time is up."""
        ended: SimpleQueue[Future[Answer]] = SimpleQueue()  # faster than waiting for a set of futures
        running = self._send(0, ended)
        while running:
            answer = self._note(ended.get().result())
            running = self._send(running - 1, ended)
            if answer is not None:
                yield answer  # only now: the connections stay busy while the caller works
        outcome = Outcome.REJECTED if self.answered else Outcome.FAILED
        yield from (replace(answer, outcome=outcome) for answer in self.rejected)

    def _send(self, running: int, ended: SimpleQueue[Future[Answer]]) -> int:
        """Send requests until as many run as may run; return their number."""
        requester = self.requester
        while running < self.breaker.at_once(requester.connections):
            if not self.batches or self.ended or not requester.deadline.left():
                break
            requester.pool.submit(requester.fetch, self.bucket, self.batches.popleft()).add_done_callback(ended.put)
            running += 1
        return running

    def _note(self, answer: Answer) -> Answer | None:
        """Note an answer and return it; None for a video rejected by itself, which waits for the other answers."""
        if answer.outcome is Outcome.REJECTED and len(answer.videos) == 1:
            self.rejected.append(answer)
            return None
        if answer.outcome is Outcome.REJECTED:
            if self.halvings < (MAX_HALVINGS if self.answered else MAX_UNANSWERED_HALVINGS):
                self.halvings += 1
                middle = len(answer.videos) // 2
                self.batches.extend((answer.videos[:middle], answer.videos[middle:]))
            else:
                answer = replace(answer, outcome=Outcome.FAILED)
        self.breaker.note(answer.outcome)
        self.answered = self.answered or answer.outcome is Outcome.ANSWERED
        if answer.outcome in TAKEN_OVER or answer.outcome is Outcome.REFUSED:
            self.ended = answer.outcome
        return answer
