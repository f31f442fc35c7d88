"""Requests all batches: from the method with a bucket of its own first, then from the other one what that left."""

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
"""Rejected batches that a method may cut in two, at two requests each: one bad id among 50 takes 6 of them."""
MAX_UNANSWERED_HALVINGS: Final = 3
"""The same while nothing was answered: it is hardly an id then that YouTube dislikes."""
MAX_FAILURES: Final = 5
"""Failed requests in a row, each with all its attempts, after which a method is requested no more in this sync."""

_TAKEN_OVER: Final = frozenset({Outcome.SPENT, Outcome.UNAVAILABLE})
"""After one of these the method gets no more requests, and the other one takes over."""

Batch = tuple[VideoId, ...]


class Breaker:
    """Counts how often a method fails in a row. Opens after `MAX_FAILURES`, and then it gets no more requests.

    Where the sync before ended so, one failure is enough: the first request is a probe.
    """

    def __init__(self, *, failing: bool = False) -> None:
        """Take whether the method was failing when the last sync ended."""
        self.probing = failing
        """Whether the next failure is one too many, because there was no answer since the last sync."""
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
        """Return how many requests may be under way now: none, or one to see whether it is answered, or all."""
        if self.is_open:
            return 0
        return 1 if self.probing else connections

    def note(self, outcome: Outcome) -> None:
        """Count how a request ended. What is neither an answer nor a failure says nothing."""
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

    All videos are requested from `Bucket.STATS`. From `Bucket.GENERAL` are requested, once, those that it left out, and
    all for which it has no unit or is not available. A failed batch is left to the next sync: trouble that passes never
    changes the method. A batch that YouTube rejects is halved, and so are its halves, until the one video is found that
    is REJECTED alone; where YouTube answers nothing else, or there were too many halvings, it is FAILED instead. A
    refusal ends all requests, and so does the end of the deadline; a breaker that opens ends those of its bucket.

    A video that is in no answer was not requested. What `fetch` raises passes through.
    """
    pool = ThreadPoolExecutor(connections, thread_name_prefix="youtube")
    requester = _Requester(pool, fetch, connections, deadline)
    try:
        first = _Walk(Bucket.STATS, deque(pack(dict.fromkeys(videos))), requester, breakers[Bucket.STATS])
        left: list[VideoId] = []
        for answer in first.answers():
            if answer.outcome in _TAKEN_OVER:
                left += answer.videos
            elif answer.outcome is Outcome.ANSWERED:
                left += (video for video in answer.videos if video not in answer.statistics)
            yield answer
        if first.ended is not Outcome.REFUSED:
            unrequested = chain.from_iterable(first.batches if first.ended else ())
            batches = deque(pack(chain(left, unrequested)))
            yield from _Walk(Bucket.GENERAL, batches, requester, breakers[Bucket.GENERAL]).answers()
    finally:
        pool.shutdown(cancel_futures=True)  # nobody in it waits for the network when the deadline is over


def pack(videos: Iterable[VideoId]) -> Iterator[Batch]:
    """Yield the videos in batches of up to 50; none of none."""
    rest = iter(videos)
    while batch := tuple(islice(rest, BATCH_SIZE)):
        yield batch


@dataclass(frozen=True, slots=True)
class _Requester:
    """How the walks of both methods send their requests."""

    pool: ThreadPoolExecutor
    fetch: Fetch
    connections: int
    deadline: Deadline


@dataclass(slots=True)
class _Walk:
    """One method's walk over its batches. Those that it does not request stay in `batches`."""

    bucket: Bucket
    batches: deque[Batch]
    requester: _Requester
    breaker: Breaker
    ended: Outcome | None = None
    """What ended the walk early: SPENT, UNAVAILABLE or REFUSED."""
    answered: bool = False
    halvings: int = 0
    rejected: list[Answer] = field(default_factory=list)
    """Each about one video."""

    def answers(self) -> Iterator[Answer]:
        """Request the batches until they, or the method's good will, or the time end."""
        ended: SimpleQueue[Future[Answer]] = SimpleQueue()  # quicker than to wait for a set of futures
        running = self._send(0, ended)
        while running:
            answer = self._note(ended.get().result())
            running = self._send(running - 1, ended)
            if answer is not None:
                yield answer  # only now: the connections are busy while the caller takes his time
        outcome = Outcome.REJECTED if self.answered else Outcome.FAILED
        yield from (replace(answer, outcome=outcome) for answer in self.rejected)

    def _send(self, running: int, ended: SimpleQueue[Future[Answer]]) -> int:
        """Send requests until as many are under way as may be; return how many that are."""
        requester = self.requester
        while running < self.breaker.at_once(requester.connections):
            if not self.batches or self.ended or not requester.deadline.left():
                break
            requester.pool.submit(requester.fetch, self.bucket, self.batches.popleft()).add_done_callback(ended.put)
            running += 1
        return running

    def _note(self, answer: Answer) -> Answer | None:
        """Take note of an answer and return it; None: what is rejected alone waits for what becomes of the others."""
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
        if answer.outcome in _TAKEN_OVER or answer.outcome is Outcome.REFUSED:
            self.ended = answer.outcome
        return answer
