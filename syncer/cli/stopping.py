"""Signals: the first to stop ends the work at the next safe point, the second at once; SIGHUP reloads the config."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import FrameType


class StopSignal:
    """Whether the command is to stop; safe in several threads and in signal handlers.

    `threading.Event` is not: a handler that calls its `set` waits forever if the signal came while the main thread
    was about to `wait`, because it holds the event's lock then. Nor is `SimpleQueue.get`: if a signal comes while the
    process is suspended for longer than the timeout, it waits forever. A plain lock does neither.
    """

    def __init__(self, also: Callable[[], None] = lambda: None) -> None:
        """`also` is called when it is set, and must be safe in a signal handler."""
        self._also = also
        self._set = False
        self._gate = threading.Lock()
        """Held until it is set; whoever gets it passes it on."""
        self._gate.acquire()

    def set(self) -> None:
        """Make the command stop, and wake all threads that wait."""
        self._set = True
        _release(self._gate)
        self._also()

    def is_set(self) -> bool:
        """Whether the command is to stop."""
        return self._set

    def wait(self, seconds: float) -> bool:
        """Wait for this long, or until the command is to stop; return whether it is."""
        if self._gate.acquire(timeout=max(0.0, seconds)):
            _release(self._gate)
        return self._set


class WakeSignal:
    """Wakes the one thread that waits for it; any thread and any signal handler may send it."""

    def __init__(self) -> None:
        self._gate = threading.Lock()
        """Held until it is sent."""
        self._gate.acquire()

    def send(self) -> None:
        """Wake the thread that waits, or the next one that will."""
        _release(self._gate)

    def wait(self, seconds: float) -> None:
        """Wait for this long, or until the signal is sent. Sent many times, it wakes once."""
        self._gate.acquire(timeout=max(0.0, seconds))


def _release(lock: threading.Lock) -> None:
    with suppress(RuntimeError):  # it is free: somebody else released it
        lock.release()


@contextmanager
def stop_on_signals(stopped: StopSignal | None = None) -> Iterator[StopSignal]:
    """Give a `StopSignal` that SIGINT or SIGTERM sets; the next such signal is a KeyboardInterrupt."""
    stopped = stopped or StopSignal()

    def stop(_number: int, _frame: FrameType | None) -> None:
        if stopped.is_set():
            raise KeyboardInterrupt
        stopped.set()

    with _handled({signal.SIGINT: stop, signal.SIGTERM: stop}):
        yield stopped


@contextmanager
def called_on_hangup(call: Callable[[], None]) -> Iterator[None]:
    """Call this on SIGHUP, which makes a daemon reload its config."""
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
