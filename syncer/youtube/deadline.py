"""How long requests may take: all of a sync together, and each one."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from syncer.model import BATCH_SIZE

if TYPE_CHECKING:
    from syncer.youtube.connection import Connection

WATCH_SECONDS: Final = 0.05
"""The time between two checks: a request may last this much longer than allowed."""
GRACE_SECONDS: Final = 0.5
"""How long running requests may go on after the deadline: most end in time, and their units are not lost."""


class Deadline:
    """The end of all requests of a sync: starts when it is created; over when time is up or the sync is cancelled."""

    def __init__(
        self,
        seconds: float = math.inf,
        *,
        cancelled: Callable[[], bool] = lambda: False,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take how long it is, and a timer in seconds that no change of the date moves."""
        self.seconds = seconds
        self.cancelled = cancelled
        self.timer = timer
        self._end = timer() + seconds
        self._paused: float | None = None

    def left(self) -> float:
        """Return how many seconds are left; 0 when it is over."""
        paused = self._paused  # read once: another thread may resume
        left = max(0.0, self._end - self.timer()) if paused is None else paused
        return 0.0 if self.cancelled() else left

    def pause(self) -> None:
        """Stop the time, because nobody waits for a request; no more, if it is stopped already."""
        self._paused = max(0.0, self._end - self.timer()) if self._paused is None else self._paused

    def resume(self) -> None:
        """Let the time go on, if it is stopped."""
        if self._paused is not None:
            self._end, self._paused = self.timer() + self._paused, None

    def end(self) -> None:
        """Make it over now."""
        self._end, self._paused = -math.inf, None


def seconds_for(videos: int, *, connections: int, timeout: float, deadline: float) -> float:
    """Return how long it may take to request so many videos.

    That is the time of one batch with all its attempts, and twice the longest request for each batch of a
    connection: once for each method. `timeout` and `deadline`: seconds for one request, and for all attempts of it.
    """
    rounds = math.ceil(videos / BATCH_SIZE / connections)
    return deadline + 2 * rounds * timeout


class ConnectionWatch:
    """Cuts connections whose time is up, from a thread of its own, between `start` and `stop`."""

    def __init__(self, deadline: Deadline) -> None:
        """Take when all requests have to end."""
        self._deadline = deadline
        self._ends: dict[Connection, float] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._look, name="youtube-watch", daemon=True)

    def start(self) -> None:
        """Start to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stopped.set()
        self._thread.join()

    @contextmanager
    def limit(self, connection: Connection, seconds: float) -> Iterator[None]:
        """Cut the connection if the block takes longer than so many seconds, or if the deadline is over meanwhile."""
        with self._lock:
            self._ends[connection] = self._deadline.timer() + seconds
        try:
            yield
        finally:
            with self._lock:
                del self._ends[connection]

    def _look(self) -> None:
        last = math.inf
        while not self._stopped.wait(WATCH_SECONDS):
            now = self._deadline.timer()
            if not self._deadline.left():
                last = min(last, now + GRACE_SECONDS)
            with self._lock:
                for connection, end in self._ends.items():
                    if now >= min(end, last):
                        connection.cut()
