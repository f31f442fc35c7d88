"""The walk over all batches: the method with a bucket of its own first, the other to confirm and to take over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final

from syncer.model import BATCH_SIZE, Answer, Bucket, Fetch, Outcome, VideoId

_LAST: Final = frozenset({Outcome.SPENT, Outcome.UNAVAILABLE, Outcome.REFUSED})
"""After one of these a method is asked no more."""


def ask_all(
    videos: Sequence[VideoId], fetch: Fetch, *, connections: int, cancelled: Callable[[], bool]
) -> Iterator[Answer]:
    """Yield an answer for each batch of 1 to 50 videos, as they arrive, with up to `connections` requests at once.

    `Bucket.STATS` is asked first. `Bucket.GENERAL` is asked once about the videos that it left out, and about all for
    which it has no unit or is not available. A failed batch is left to the next sync: trouble that passes never
    changes the method. A refusal ends all asking. So does `cancelled`, which is looked at before each request.

    A video that is in no answer was not asked about. What `fetch` raises passes through.
    """
    pool = ThreadPoolExecutor(connections, thread_name_prefix="youtube")
    try:
        yield from _both_methods(videos, _Asking(pool, fetch, connections, cancelled))
    finally:
        pool.shutdown(cancel_futures=True)


def pack(videos: Iterable[VideoId]) -> Iterator[tuple[VideoId, ...]]:
    """Yield the videos in batches of up to 50; none of none."""
    rest = iter(videos)
    while batch := tuple(islice(rest, BATCH_SIZE)):
        yield batch


@dataclass(frozen=True, slots=True)
class _Asking:
    """How this walk asks."""

    pool: ThreadPoolExecutor
    fetch: Fetch
    connections: int
    cancelled: Callable[[], bool]


def _both_methods(videos: Sequence[VideoId], asking: _Asking) -> Iterator[Answer]:
    batches = pack(dict.fromkeys(videos))
    left: list[VideoId] = []
    refused = False
    for answer in _answers(Bucket.STATS, batches, asking):
        refused = refused or answer.outcome is Outcome.REFUSED
        left += _left_to_general(answer)
        yield answer
    if not refused:
        never_asked = chain.from_iterable(batches)
        yield from _answers(Bucket.GENERAL, pack(chain(left, never_asked)), asking)


def _left_to_general(answer: Answer) -> Iterable[VideoId]:
    """Return the videos of an answer that the other method has to be asked about."""
    if answer.outcome is Outcome.ANSWERED:
        return [video for video in answer.asked if video not in answer.statistics]
    return answer.asked if answer.outcome in (Outcome.SPENT, Outcome.UNAVAILABLE) else ()


def _answers(bucket: Bucket, batches: Iterator[tuple[VideoId, ...]], asking: _Asking) -> Iterator[Answer]:
    """Ask about the batches until they or the method's good will end. What is not asked about stays in `batches`."""
    running: set[Future[Answer]] = set()
    arrived: list[Answer] = []
    ended = False
    while True:
        while not ended and len(running) < asking.connections and not asking.cancelled():
            if (batch := next(batches, None)) is None:
                break
            running.add(asking.pool.submit(asking.fetch, bucket, batch))
        yield from arrived  # only now: the connections are busy while the caller takes his time
        if not running:
            return
        done, running = wait(running, return_when=FIRST_COMPLETED)
        arrived = [future.result() for future in done]
        ended = ended or any(answer.outcome in _LAST for answer in arrived)
