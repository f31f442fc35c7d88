"""Looks at the time for everybody who waits for the network, and hangs up from outside where it is up."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from syncer.youtube.connection import Line
from syncer.youtube.deadline import Patience

TICK: Final = 0.05
"""Seconds between two looks: a request may last this much longer than it is allowed to."""
GRACE: Final = 0.5
"""Seconds that requests under way still have when patience ends: most are answered then, and their units not lost."""


class Watch:
    """Watches the lines in use, from a thread of its own, between `start` and `stop`."""

    def __init__(self, patience: Patience) -> None:
        """Take when all requests have to end."""
        self._patience = patience
        self._ends: dict[Line, float] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._look, name="youtube-watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        self._thread.join()

    @contextmanager
    def over(self, line: Line, seconds: float) -> Iterator[None]:
        """Cut the line if the block takes longer than so many seconds, or if patience ends; after the block, never."""
        with self._lock:
            self._ends[line] = self._patience.timer() + seconds
        try:
            yield
        finally:
            with self._lock:
                del self._ends[line]

    def _look(self) -> None:
        last = math.inf
        while not self._stopped.wait(TICK):
            now = self._patience.timer()
            if not self._patience.left():
                last = min(last, now + GRACE)
            with self._lock:
                for line, end in self._ends.items():
                    if now >= min(end, last):
                        line.cut()
