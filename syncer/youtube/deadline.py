"""Says how long all asking of one sync may go on: until it is told to stop, and no longer than its size explains."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from syncer.model import BATCH_SIZE


class Patience:
    """Begins when it is made, and is over when the time is up or somebody cancels."""

    def __init__(
        self,
        seconds: float = math.inf,
        *,
        cancelled: Callable[[], bool] = lambda: False,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take how long it lasts, and a timer in seconds that no change of the date moves."""
        self.seconds = seconds
        self.cancelled = cancelled
        self.timer = timer
        self._until = timer() + seconds

    def left(self) -> float:
        """Return how many seconds are left; 0 when it is over."""
        return 0.0 if self.cancelled() else max(0.0, self._until - self.timer())


def seconds_for(videos: int, *, connections: int, timeout: float, deadline: float) -> float:
    """Return how long it may take to ask about so many videos.

    That is what one unlucky batch may take, and twice the longest request for each batch that a connection has to
    carry: once for each method. `timeout` and `deadline`: seconds for one request, and for all tries of it.
    """
    rounds = math.ceil(videos / BATCH_SIZE / connections)
    return deadline + 2 * rounds * timeout
