"""YouTube's quota days: when a quota resets, and how many units may still be taken from a bucket."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

PACIFIC = ZoneInfo("America/Los_Angeles")
"""Quotas are reset at midnight Pacific Time: https://developers.google.com/youtube/v3/getting-started#quota"""

PARKING_MARGIN = timedelta(minutes=10)
"""A bucket that YouTube closed is tried again at most so long after midnight: not by all programs at once."""


def quota_day(at: datetime) -> date:
    """Return the quota day that the moment `at` (with a time zone) belongs to."""
    if at.tzinfo is None:
        raise ValueError(f"{at.isoformat()} has no time zone")
    return at.astimezone(PACIFIC).date()


def next_reset(at: datetime) -> datetime:
    """Return the midnight in Pacific Time that follows `at` (with a time zone), in UTC.

    A quota day lasts 23 or 25 hours when the clocks change.
    """
    tomorrow = quota_day(at) + timedelta(days=1)
    return datetime.combine(tomorrow, time(), PACIFIC).astimezone(UTC)


def is_parked(until: datetime, at: datetime) -> bool:
    """Whether a bucket that is parked until then is closed at the moment `at`.

    No bucket is closed for longer than to the next reset. A time beyond it was noted by a clock that was wrong, then
    or now, and holds nothing back: YouTube says again what is so, for one unit.
    """
    return at < until <= next_reset(at) + PARKING_MARGIN


def units_left(used: int, limit: int, reserve: int) -> int:
    """Return how many units may still be taken, when `used` of `limit` are gone and `reserve` are not to be touched."""
    return max(0, limit - reserve - used)


def is_early(used: int, limit: int) -> bool:
    """Whether YouTube, which calls a bucket's day spent now, does so long before our ledger: `used` is below half.

    `used` are the units of all buckets on that day: if YouTube counts them as one bucket, nothing was cut.
    """
    return 2 * used < limit
