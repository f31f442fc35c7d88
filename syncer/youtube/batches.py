"""Requests all batches, window by window: counts from the method with its own bucket, then the rest from the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import partial
from itertools import chain, islice
from queue import Empty, Queue
from threading import Lock
from types import TracebackType
from typing import Final, NamedTuple, Self

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


class Turn(IntEnum):
    """What is requested about a window, one after the other."""

    STATS = 0
    """Counts, from `Bucket.STATS`."""
    GENERAL = 1
    """The counts that are left, from `Bucket.GENERAL`."""
    CHECKS = 2
    """Whether videos play, from `Bucket.GENERAL`."""


_BUCKETS: Final = {Turn.STATS: Bucket.STATS, Turn.GENERAL: Bucket.GENERAL, Turn.CHECKS: Bucket.GENERAL}


class Arrival(NamedTuple):
    """What the caller is given: an answer, or that a window is complete."""

    window: int
    """The window's number, from 0."""
    answer: Answer | None
    """None: the window is complete, and so are all before it."""
    turn: Turn = Turn.CHECKS
    """What the answer is about."""


class Checks(NamedTuple):
    """The videos about which is requested whether they play, and how."""

    videos: Sequence[VideoId]
    fetch: Fetch
    """Called in threads, with `Bucket.GENERAL`."""


class WindowRequests:
    """The requests of all windows of videos, as a context. They run in threads of their own while the caller works.

    All videos of a window are requested from `Bucket.STATS`. `Bucket.GENERAL` is then requested, once, for the videos
    that it did not return, and for those for which it has no unit or is not available. A failed batch is left to the
    next sync: a temporary error never changes the method. A batch that YouTube rejects is halved, and so are its
    halves, until the one video is found that is REJECTED by itself; where YouTube returns nothing else, or after too
    many halvings, it is FAILED instead. A refusal or the deadline ends all requests; a breaker that opens ends those of
    its bucket. A video that is in no answer was not requested.

    `Bucket.GENERAL` is asked about the videos to be checked after the counts of the first window, by the same rules.

    The first window is requested at once. Another one is opened each time that the caller is about to wait: so while it
    works on a window, the next one is requested, and none after that, which limits what can queue up. No connection
    waits for a window's last answers: the next window's batches follow at once.
    """

    def __init__(
        self,
        windows: Iterable[Sequence[VideoId]],
        fetch: Fetch,
        *,
        connections: int,
        deadline: Deadline,
        breakers: Mapping[Bucket, Breaker],
        checks: Checks | None = None,
    ) -> None:
        """Take windows that share no video; up to `connections` requests run at once. `fetch` is called in threads."""
        self._checks = checks or Checks((), fetch)
        self._unopened = deque(enumerate(windows))
        self._open: deque[_Window] = deque()
        self._methods = {bucket: _Method(breakers[bucket]) for bucket in Bucket}
        self._fetch, self._connections, self._deadline = fetch, connections, deadline
        self._arrived: Queue[Arrival | BaseException] = Queue()
        self._lock = Lock()
        """Held by whoever changes any of these."""
        self._pool = ThreadPoolExecutor(connections, thread_name_prefix="youtube")
        self._closed = False

    def __enter__(self) -> Self:
        """Begin with the first window."""
        self.open_window()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send nothing more, and wait for the requests that are running; after an error, end them."""
        with self._lock:
            self._closed = True
        if error is not None:
            self._deadline.end()
        self._pool.shutdown(cancel_futures=True)

    def open_window(self) -> None:
        """Request one more window, if there is one: the caller is about to wait for the one before it."""
        with self._lock:
            if self._unopened:
                self._deadline.resume()
                number, videos = self._unopened.popleft()
                self._open.append(_Window(number, deque(pack(dict.fromkeys(videos)))))
            for job in self._jobs():
                self._pool.submit(copy_context().run, partial(self._run, *job))  # the log names the site

    def take(self, seconds: float | None = None) -> Arrival | None:
        """Return what arrives next; None if nothing does within so many seconds. Without them, wait until it does.

        Raises what `fetch` raised.
        """
        try:
            arrival = self._arrived.get(timeout=seconds)
        except Empty:
            return None
        if isinstance(arrival, BaseException):
            raise arrival
        return arrival

    def _run(self, window: _Window, batch: Batch) -> None:
        """Request this batch and then others, until none may be sent, in a thread of the pool."""
        try:
            while True:
                fetch = self._checks.fetch if window.turn is Turn.CHECKS else self._fetch
                answer = fetch(_BUCKETS[window.turn], batch)
                with self._lock:
                    self._note(window, answer)
                    jobs = self._jobs()
                    for job in jobs[1:]:  # a probe was answered, or the other method's turn has come
                        self._pool.submit(copy_context().run, partial(self._run, *job))  # the log names the site
                if not jobs:
                    return
                window, batch = jobs[0]
        except BaseException as error:  # noqa: BLE001 - it is raised where the caller takes what has arrived
            with self._lock:
                self._closed = True
            self._arrived.put(error)

    def _jobs(self) -> list[tuple[_Window, Batch]]:
        """Return what is to be sent now, as many as may run; earlier windows first."""
        methods = self._methods
        refused = any(method.ended is Outcome.REFUSED for method in methods.values())
        usable = {
            bucket
            for bucket, method in methods.items()
            if not (refused or method.ended or method.breaker.is_open) and self._deadline.left()
        }
        self._pass_on(usable)
        jobs: list[tuple[_Window, Batch]] = []
        free = 0 if self._closed else self._connections - sum(method.running for method in methods.values())
        for window in self._open:
            method = methods[_BUCKETS[window.turn]]
            room = min(free, method.breaker.at_once(self._connections) - method.running, len(window.batches))
            for _ in range(room if _BUCKETS[window.turn] in usable else 0):
                jobs.append((window, window.batches.popleft()))
                window.running += 1
                method.running += 1
                free -= 1
        if self._unopened and not self._open:  # the caller is late, not YouTube
            self._deadline.pause()
        return jobs

    def _pass_on(self, usable: Collection[Bucket]) -> None:
        """Begin the next turn of a window once a method is done with the last one, and report the window's end.

        A method is done with a window that has no batches left, or whose batches it cannot request any more.
        """
        for window in tuple(self._open):
            for turn in Turn:
                if window.turn is not turn or window.running or (window.batches and _BUCKETS[turn] in usable):
                    continue
                method = self._methods[_BUCKETS[turn]]
                outcome = Outcome.REJECTED if method.answered else Outcome.FAILED
                for answer in window.rejected:
                    self._arrived.put(Arrival(window.number, replace(answer, outcome=outcome), turn))
                window.rejected.clear()
                if turn is Turn.STATS:
                    unrequested = chain.from_iterable(window.batches if method.ended else ())
                    window.batches = deque(pack(chain(window.left, unrequested)))
                    window.turn = Turn.GENERAL
                elif turn is Turn.GENERAL:
                    window.batches = deque(pack(() if window.number else self._checks.videos))
                    window.turn = Turn.CHECKS
                elif window is self._open[0]:
                    self._open.popleft()
                    self._arrived.put(Arrival(window.number, None))

    def _note(self, window: _Window, answer: Answer) -> None:
        """Note an answer and pass it to the caller; one about a video rejected by itself waits for the others."""
        turn, method = window.turn, self._methods[_BUCKETS[window.turn]]
        window.running -= 1
        method.running -= 1
        if answer.outcome is Outcome.REJECTED and len(answer.videos) == 1:
            window.rejected.append(answer)
            return
        if answer.outcome is Outcome.REJECTED:
            if method.halvings < (MAX_HALVINGS if method.answered else MAX_UNANSWERED_HALVINGS):
                method.halvings += 1
                middle = len(answer.videos) // 2
                window.batches.extend((answer.videos[:middle], answer.videos[middle:]))
            else:
                answer = replace(answer, outcome=Outcome.FAILED)
        elif answer.outcome in TAKEN_OVER or answer.outcome is Outcome.REFUSED:
            method.ended = answer.outcome
        method.breaker.note(answer.outcome)
        method.answered = method.answered or answer.outcome is Outcome.ANSWERED
        if turn is Turn.STATS and answer.outcome in TAKEN_OVER:
            window.left += answer.videos
        elif turn is Turn.STATS and answer.outcome is Outcome.ANSWERED:
            window.left += (video for video in answer.videos if video not in answer.statistics)
        self._arrived.put(Arrival(window.number, answer, turn))


def pack(videos: Iterable[VideoId]) -> Iterator[Batch]:
    """Yield the videos in batches of up to 50; none of none."""
    rest = iter(videos)
    while batch := tuple(islice(rest, BATCH_SIZE)):
        yield batch


@dataclass(slots=True)
class _Method:
    """How the requests of one method are going, in all windows."""

    breaker: Breaker
    running: int = 0
    ended: Outcome | None = None
    """What ended it early: SPENT, UNAVAILABLE or REFUSED."""
    answered: bool = False
    halvings: int = 0


@dataclass(slots=True)
class _Window:
    """A window that is being requested."""

    number: int
    batches: deque[Batch]
    """Those of this turn that are not requested yet."""
    turn: Turn = Turn.STATS
    running: int = 0
    left: list[VideoId] = field(default_factory=list)
    """Videos for the other method."""
    rejected: list[Answer] = field(default_factory=list)
    """Each about one video."""
