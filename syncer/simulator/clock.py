"""Owns the simulator's time: it stands still unless it is moved or given a speed."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta


class Clock:
    """A settable clock, safe to use from several threads."""

    def __init__(self, start: datetime, speed: float = 0) -> None:
        """`start` is aware of its zone; `speed` is simulated seconds per real second, 0 to stand still.

        Raises ValueError for a time without a zone or a negative speed.
        """
        if speed < 0:
            raise ValueError("the clock's speed is negative: time would run backwards")
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
        """Move the time to a moment, also back. Raises ValueError for a time without a zone."""
        with self._lock:
            self._restart(_utc(to))

    def _now(self) -> datetime:
        return self._base + timedelta(seconds=self._speed * (time.monotonic() - self._since))

    def _restart(self, at: datetime) -> None:
        self._base = at
        self._since = time.monotonic()


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError(f"{at.isoformat()} has no time zone: write {at.isoformat()}Z for UTC")
    return at.astimezone(UTC)
