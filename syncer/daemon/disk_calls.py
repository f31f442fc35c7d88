"""Makes calls that a broken disk can keep from ending, for a caller that must not wait for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


class DiskCalls:
    """One call after the other, in a thread of its own. A thread whose call does not end is left to it."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], None] | None] | None = None

    def run(self, call: Callable[[], T], seconds: float) -> Future[T]:
        """Make the call, and wait up to so many seconds for it. If it takes longer, it continues in its thread.

        Return its future: whether it has ended, and what it returned or raised.
        """
        if self._calls is None:
            self._calls = SimpleQueue()
            threading.Thread(target=_make_all, args=(self._calls,), name="disk", daemon=True).start()
        future = Future[T]()
        self._calls.put(partial(_complete, future, call))
        with suppress(TimeoutError):
            future.exception(seconds)
        if not future.done():
            self.close()
        return future

    def close(self) -> None:
        """Let the thread end after its call."""
        if self._calls is not None:
            self._calls.put(None)
            self._calls = None


def _make_all(calls: SimpleQueue[Callable[[], None] | None]) -> None:
    while call := calls.get():
        call()


def _complete(future: Future[T], call: Callable[[], T]) -> None:
    try:
        future.set_result(call())
    except BaseException as error:  # noqa: BLE001 - it is raised again where the call came from
        future.set_exception(error)
