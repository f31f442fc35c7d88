"""YouTube's quota days: when a quota resets, and how many units of a bucket are left."""

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

    No bucket is closed for longer than until the next reset. A later time was noted while the clock was wrong, or the
    clock is wrong now, so it is ignored: one request finds out whether the bucket is closed.
    """
    return at < until <= next_reset(at) + PARKING_MARGIN


def units_left(used: int, limit: int, reserve: int) -> int:
    """Return how many units are left, when `used` of `limit` are spent and `reserve` is kept."""
    return max(0, limit - reserve - used)


def share_of(units: int, syncs: int) -> int:
    """Return how many of the units that are left one of so many syncs may use: an equal share, rounded up."""
    return -(-units // syncs)


def is_early(used: int, limit: int) -> bool:
    """Whether YouTube ended a bucket's day long before the ledger would: `used` is below half.

    `used` are the units of all buckets on that day: if YouTube counts them as one bucket, nothing was cut.
    """
    return 2 * used < limit
