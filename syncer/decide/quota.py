"""YouTube's quota days: when a quota resets, and how many units of a bucket are left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from syncer.model import Bucket

PACIFIC = ZoneInfo("America/Los_Angeles")
"""Quotas are reset at midnight Pacific Time: https://developers.google.com/youtube/v3/getting-started#quota"""

PARKING_MARGIN = timedelta(minutes=10)
"""A bucket that YouTube closed is tried again at most so long after midnight: not by all programs at once."""


@dataclass(frozen=True, slots=True)
class BucketStatus:
    """A bucket on one quota day, in units."""

    limit: int
    """What the site may spend on this day."""
    spent: int
    """How many of those are spent: by the site, and by those with which it shares them."""
    left: int
    """The reserve included; 0 while YouTube refuses more."""
    scheduled: int
    """How many of them scheduled syncs may use."""
    by_hand: int
    """How many of them the syncs may use that you start yourself.

    The general bucket's reserve is never touched: `videos.list` is only the fallback. The stats bucket's is kept for
    these syncs.
    """
    budget: int
    """How many units scheduled syncs may use on a whole day."""
    parked_until: datetime | None
    """Until when YouTube refuses more."""
    project_limit: int
    """What all sites together may spend on this day, of which `limit` is a part."""
    project_spent: int
    """How much of that is spent."""

    def usable(self, *, scheduled: bool) -> int:
        """Return how many of the units that are left a sync may use."""
        return self.scheduled if scheduled else self.by_hand


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


def balance(
    bucket: Bucket,
    at: datetime,
    *,
    limit: int,
    spent: int,
    reserve: int,
    parked: datetime | None = None,
    project: tuple[int, int] | None = None,
) -> BucketStatus:
    """Return how many units of a bucket are left at the moment `at`.

    `limit` is what the site may spend on this day, `spent` how much of that is spent. `project` are both numbers for
    all sites that share the bucket; None: there is no other. `parked` is until when YouTube is expected to refuse more.
    """
    project_limit, project_spent = project or (limit, spent)
    until = parked if parked and is_parked(parked, at) else None
    left = 0 if until else max(0, min(limit - spent, project_limit - project_spent))
    scheduled = max(0, left - reserve)
    by_hand = scheduled if bucket is Bucket.GENERAL else left
    budget = max(0, limit - reserve)
    return BucketStatus(limit, spent, left, scheduled, by_hand, budget, until, project_limit, project_spent)


def share_of(units: int, syncs: int) -> int:
    """Return how many of the units that are left one of so many syncs may use: an equal share, rounded up."""
    return -(-units // syncs)


def is_early(used: int, limit: int) -> bool:
    """Whether YouTube ended a bucket's day long before the ledger would: `used` is below half.

    `used` are the units of all buckets on that day: if YouTube counts them as one bucket, nothing was cut.
    """
    return 2 * used < limit
