"""Makes calls that a broken disk can keep from ending, for a caller that must not wait for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def call_aside(call: Callable[[], T], *, thread: str = "disk") -> Future[T]:
    """Make the call in a thread of this name, which does not keep the process from its end; return its future.

    A caller that waits too long for the future leaves the thread to its disk.
    """
    future = Future[T]()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - who waits for the future gets it
            future.set_exception(error)

    threading.Thread(target=run, name=thread, daemon=True).start()
    return future
