"""The simulator's clock: it does not run unless it is moved or has a speed."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from math import inf

FIRST = datetime(1970, 1, 1, tzinfo=UTC)
LAST = datetime(2100, 1, 1, tzinfo=UTC)
"""The clock stops there: much later, dates and counts would not fit any more."""


class Clock:
    """A settable clock, safe to use from several threads."""

    def __init__(self, start: datetime, speed: float = 0) -> None:
        """`start` is aware of its zone; `speed` is simulated seconds per real second, 0 for a clock that does not run.

        Raises ValueError for a time without a zone, one that is not between FIRST and LAST, and a speed that is
        negative, infinite or not a number.
        """
        if not 0 <= speed < inf:
            raise ValueError(f"the clock's speed is {speed}, but must be a number of seconds, 0 or more")
        self._lock = threading.Lock()
        self._speed = speed
        self._base = _utc(start)
        self._since = time.monotonic()

    def now(self) -> datetime:
        """Return the simulated time, in UTC."""
        with self._lock:
            return self._now()

    def advance(self, by: timedelta) -> None:
        """Move the time by an elapsed duration: a day is 24 hours, whatever the local calendar does."""
        with self._lock:
            self._restart(self._now() + by)

    def set(self, to: datetime) -> None:
        """Set the time, also back. Raises ValueError like the constructor."""
        with self._lock:
            self._restart(_utc(to))

    def _now(self) -> datetime:
        gone_by = self._speed * (time.monotonic() - self._since)
        return self._base + timedelta(seconds=min(gone_by, (LAST - self._base).total_seconds()))

    def _restart(self, at: datetime) -> None:
        self._base = at
        self._since = time.monotonic()


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError(f"{at.isoformat()} has no time zone; write {at.isoformat()}Z for UTC")
    if not FIRST <= at <= LAST:
        raise ValueError(f"{at.isoformat()} is out of range; the clock goes from {FIRST:%Y} to {LAST:%Y}")
    return at.astimezone(UTC)
