"""Makes calls that a broken disk can keep from ending, for a caller that must not wait for it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable


class DiskCalls:
    """One call after the other, in a thread of its own. A thread whose call does not end is left to it."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] | None = None
        self._ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

    def run(self, call: Callable[[], None], seconds: float) -> bool:
        """Make the call; return whether it ended within so many seconds. If not, it continues in its thread.

        Raises what the call raised, if it ended in time.
        """
        if self._calls is None:
            self._calls, self._ended = queue.SimpleQueue(), queue.SimpleQueue()
            threading.Thread(target=_make_all, args=(self._calls, self._ended), name="disk", daemon=True).start()
        self._calls.put(call)
        try:
            error = self._ended.get(timeout=seconds)
        except queue.Empty:
            self.close()
            return False
        if error:
            raise error
        return True

    def close(self) -> None:
        """Let the thread end after its call."""
        if self._calls is not None:
            self._calls.put(None)
            self._calls = None


def _make_all(
    calls: queue.SimpleQueue[Callable[[], None] | None], ended: queue.SimpleQueue[BaseException | None]
) -> None:
    while call := calls.get():
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - it is raised again where the call came from
            ended.put(error)
        else:
            ended.put(None)
