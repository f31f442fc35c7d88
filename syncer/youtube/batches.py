"""The walk over all batches: the method with a bucket of its own first, the other to confirm and to take over."""

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
from syncer.youtube.breaker import Breaker
from syncer.youtube.deadline import Patience

MOST_HALVINGS: Final = 18
"""Rejected batches that a walk may cut in two, at two requests each: one bad id among 50 takes 6 of them."""
BLIND_HALVINGS: Final = 3
"""The same while nothing was answered: it is hardly an id then that YouTube dislikes."""

_NOT_TO_BE_HAD: Final = frozenset({Outcome.SPENT, Outcome.UNAVAILABLE})
"""After one of these a method is asked no more, and the other takes over."""

Batch = tuple[VideoId, ...]


def fetch_all(
    videos: Sequence[VideoId],
    fetch: Fetch,
    *,
    connections: int,
    patience: Patience,
    breakers: Mapping[Bucket, Breaker],
) -> Iterator[Answer]:
    """Yield an answer for each batch of 1 to 50 videos, as they arrive, with up to `connections` requests at once.

    `Bucket.STATS` is asked first. `Bucket.GENERAL` is asked once about the videos that it left out, and about all for
    which it has no unit or is not available. A failed batch is left to the next sync: trouble that passes never
    changes the method. A batch that YouTube rejects is halved, and so are its halves, until the one is found that is
    REJECTED alone. A refusal ends all asking, and so does the end of `patience`; a breaker that opens ends that of its
    bucket.

    A video that is in no answer was not asked about. What `fetch` raises passes through.
    """
    pool = ThreadPoolExecutor(connections, thread_name_prefix="youtube")
    try:
        yield from _both_methods(videos, _Asking(pool, fetch, connections, patience), breakers)
    finally:
        pool.shutdown(cancel_futures=True)  # nobody in it waits for the network when patience has ended


def pack(videos: Iterable[VideoId]) -> Iterator[Batch]:
    """Yield the videos in batches of up to 50; none of none."""
    rest = iter(videos)
    while batch := tuple(islice(rest, BATCH_SIZE)):
        yield batch


@dataclass(frozen=True, slots=True)
class _Asking:
    """How both walks ask."""

    pool: ThreadPoolExecutor
    fetch: Fetch
    connections: int
    patience: Patience


def _both_methods(videos: Sequence[VideoId], asking: _Asking, breakers: Mapping[Bucket, Breaker]) -> Iterator[Answer]:
    first = _Walk(Bucket.STATS, deque(pack(dict.fromkeys(videos))), asking, breakers[Bucket.STATS])
    left: list[VideoId] = []
    for answer in first.answers():
        left += _left_to_general(answer)
        yield answer
    if first.ended is not Outcome.REFUSED:
        never_asked = chain.from_iterable(first.batches if first.ended else ())
        second = deque(pack(chain(left, never_asked)))
        yield from _Walk(Bucket.GENERAL, second, asking, breakers[Bucket.GENERAL]).answers()


def _left_to_general(answer: Answer) -> Iterable[VideoId]:
    """Return the videos of an answer that the other method has to be asked about."""
    if answer.outcome is Outcome.ANSWERED:
        return [video for video in answer.asked if video not in answer.statistics]
    return answer.asked if answer.outcome in _NOT_TO_BE_HAD else ()


@dataclass(slots=True)
class _Walk:
    """One method's walk over its batches. What it does not ask about stays in `batches`."""

    bucket: Bucket
    batches: deque[Batch]
    asking: _Asking
    breaker: Breaker
    ended: Outcome | None = None
    """What ended the asking before its time; SPENT, UNAVAILABLE or REFUSED."""
    answered: bool = False
    halvings: int = 0
    rejected: list[Answer] = field(default_factory=list)
    """Each about one video."""

    def answers(self) -> Iterator[Answer]:
        """Ask about the batches until they or the method's good will or patience end."""
        ended: SimpleQueue[Future[Answer]] = SimpleQueue()  # quicker than to wait for a set of futures
        running = self._send(0, ended)
        while running:
            answers = list(self._noted(ended.get().result()))
            running = self._send(running - 1, ended)
            yield from answers  # only now: the connections are busy while the caller takes his time
        outcome = Outcome.REJECTED if self.answered else Outcome.FAILED
        yield from (replace(answer, outcome=outcome) for answer in self.rejected)

    def _send(self, running: int, ended: SimpleQueue[Future[Answer]]) -> int:
        """Send requests until as many are under way as may be; return how many that are."""
        while running < self.breaker.at_once(self.asking.connections):
            if not self.batches or self.ended or not self.asking.patience.left():
                break
            self.asking.pool.submit(self.asking.fetch, self.bucket, self.batches.popleft()).add_done_callback(ended.put)
            running += 1
        return running

    def _noted(self, answer: Answer) -> Iterator[Answer]:
        """Take note of an answer, and yield it; what is rejected alone has to wait for what becomes of the others."""
        if answer.outcome is Outcome.REJECTED and len(answer.asked) == 1:
            self.rejected.append(answer)
            return
        if answer.outcome is Outcome.REJECTED and not self._halve(answer.asked):
            answer = replace(answer, outcome=Outcome.FAILED)
        self.breaker.note(answer.outcome)
        self.answered = self.answered or answer.outcome is Outcome.ANSWERED
        if answer.outcome in _NOT_TO_BE_HAD or answer.outcome is Outcome.REFUSED:
            self.ended = answer.outcome
        yield answer

    def _halve(self, batch: Batch) -> bool:
        """Put the halves of a batch at the end of the queue; False: that was done too often already."""
        if self.halvings >= (MOST_HALVINGS if self.answered else BLIND_HALVINGS):
            return False
        self.halvings += 1
        middle = len(batch) // 2
        self.batches.extend((batch[:middle], batch[middle:]))
        return True
