"""Being told something by signals: the first to stop ends the work at the next safe point, the second at once."""

from __future__ import annotations

import queue
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType


class Stop:
    """Whether the command is told to stop; safe for several threads, and for signal handlers.

    `threading.Event` is not: a handler that calls its `set` waits for ever if the signal came while the main thread
    was about to `wait`, because it holds the event's lock then. `SimpleQueue.put` is made for that
    (https://docs.python.org/3/library/queue.html#queue.SimpleQueue.put).
    """

    def __init__(self, also: Callable[[], None] = lambda: None) -> None:
        """`also` is called when it is set, and must be safe in a signal handler."""
        self._also = also
        self._set = False
        self._wakings: queue.SimpleQueue[None] = queue.SimpleQueue()

    def set(self) -> None:
        """Tell it to stop, and wake everybody who waits."""
        self._set = True
        self._wakings.put(None)
        self._also()

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


class Bell:
    """Wakes the one thread that waits for it. Any thread and any signal handler may ring it."""

    def __init__(self) -> None:
        self._rings: queue.SimpleQueue[None] = queue.SimpleQueue()

    def ring(self) -> None:
        """Wake who waits, or the next one who does."""
        self._rings.put(None)

    def wait(self, seconds: float) -> None:
        """Wait for this long, or until it rings."""
        with suppress(queue.Empty):
            self._rings.get(timeout=seconds)
            while True:  # many who rang wake it once
                self._rings.get_nowait()


@contextmanager
def stop_on_signals(stopped: Stop | None = None) -> Iterator[Stop]:
    """Give a `Stop` that SIGINT or SIGTERM sets; the next such signal is a KeyboardInterrupt."""
    stopped = stopped or Stop()

    def stop(_number: int, _frame: FrameType | None) -> None:
        if stopped.is_set():
            raise KeyboardInterrupt
        stopped.set()

    with _handled({signal.SIGINT: stop, signal.SIGTERM: stop}):
        yield stopped


@contextmanager
def called_on_hangup(call: Callable[[], None]) -> Iterator[None]:
    """Call this on SIGHUP, by which daemons are told to read their config again."""
    with _handled({signal.SIGHUP: lambda _number, _frame: call()}):
        yield


@contextmanager
def _handled(handlers: Mapping[signal.Signals, Callable[[int, FrameType | None], None]]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
