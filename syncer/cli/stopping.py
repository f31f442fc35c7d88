"""Being told to stop: the first signal ends the work at the next safe point, the second at once."""

from __future__ import annotations

import queue
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """Whether the command is told to stop; safe for several threads, and for signal handlers.

    `threading.Event` is not: a handler that calls its `set` waits for ever if the signal came while the main thread
    was about to `wait`, because it holds the event's lock then. `SimpleQueue.put` is made for that
    (https://docs.python.org/3/library/queue.html#queue.SimpleQueue.put).
    """

    def __init__(self) -> None:
        self._set = False
        self._wakings: queue.SimpleQueue[None] = queue.SimpleQueue()

    def set(self) -> None:
        """Tell it to stop, and wake everybody who waits."""
        self._set = True
        self._wakings.put(None)

    def is_set(self) -> bool:
        """Whether it is told to stop."""
        return self._set

    def wait(self, seconds: float) -> bool:
        """Wait for this long, or until it is told to stop; return whether it is."""
        try:
            self._wakings.get(timeout=seconds)
        except queue.Empty:
            return self._set
        self._wakings.put(None)  # for the next one who waits
        return True


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Give a `Stop` that SIGINT or SIGTERM sets; the next such signal is a KeyboardInterrupt."""
    stopped = Stop()

    def stop(_number: int, _frame: FrameType | None) -> None:
        if stopped.is_set():
            raise KeyboardInterrupt
        stopped.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
