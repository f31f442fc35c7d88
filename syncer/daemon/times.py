"""The schedule as APScheduler asks for it: without drift, with jitter, and moved when the clock is."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from apscheduler.triggers.base import BaseTrigger

from syncer.decide.schedule import delayed, next_time, set_back

if TYPE_CHECKING:
    from syncer.decide.schedule import Schedule


class Times(BaseTrigger):  # type: ignore[misc] # APScheduler has no types
    """The schedule with a random delay each time, which the times after it do not inherit: they do not drift.

    APScheduler asks more than once for each sync, so an answer depends on the arguments alone, and on chance.
    """

    def __init__(self, schedule: Schedule, counted_from: datetime, rng: Random) -> None:
        self._schedule = schedule
        self._counted_from = counted_from
        self._rng = rng

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        """Return when the next sync begins. What was missed until now is made up for by the sync that begins now."""
        return self.delayed(next_time(self._schedule, self._counted_from, now))

    def delayed(self, due: datetime) -> datetime:
        """Return the due time with its jitter."""
        return delayed(self._schedule, due, self._rng.random())

    def set_back(self, start: datetime, now: datetime, by: timedelta) -> tuple[Times, datetime]:
        """Return the times for a clock that was set back, and when the sync that was to begin at `start` begins."""
        moved = Times(self._schedule, self._counted_from - by, self._rng)
        return moved, set_back(self._schedule, start, now, by)
