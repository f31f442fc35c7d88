"""Counts the units that were taken in the current window of time: a Pacific day, or a minute."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo

PACIFIC = ZoneInfo("America/Los_Angeles")

BucketName = Literal["stats", "general"]
"""`stats` is batchGetStats' own bucket; all other methods use `general`."""


def pacific_day(at: datetime) -> datetime:
    """Return the midnight in California at which the quota day of a moment began, in UTC.

    A day has 23 or 25 hours when the clocks change. Source: https://developers.google.com/youtube/v3/getting-started
    ("Daily quotas reset at midnight Pacific Time").
    """
    local = at.astimezone(PACIFIC)
    return datetime(local.year, local.month, local.day, tzinfo=PACIFIC).astimezone(UTC)


def minute(at: datetime) -> datetime:
    """Return the start of the minute of a moment, in UTC. Assumption: the window does not slide."""
    return at.astimezone(UTC).replace(second=0, microsecond=0)


class Ledger:
    """Units taken in one window, up to a limit; safe to use from several threads. A new window starts from zero."""

    def __init__(self, limit: int, window: Callable[[datetime], datetime] = pacific_day) -> None:
        self.limit = limit
        self._window = window
        self._lock = threading.Lock()
        self._start: datetime | None = None
        self._taken = 0

    def take(self, at: datetime) -> bool:
        """Take one unit; False: the limit is reached, and none was taken."""
        with self._lock:
            self._turn(at)
            if self._taken >= self.limit:
                return False
            self._taken += 1
            return True

    def taken(self, at: datetime) -> int:
        """Return the units taken so far in the window of this moment."""
        with self._lock:
            self._turn(at)
            return self._taken

    def _turn(self, at: datetime) -> None:
        start = self._window(at)
        if start != self._start:
            self._start, self._taken = start, 0
