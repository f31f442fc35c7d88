"""How many units a day a site needs, how many it has, and how old its oldest reading is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from syncer.decide.plan import FRESH_SECONDS
from syncer.decide.quota import BucketStatus
from syncer.decide.schedule import count_times
from syncer.model import BATCH_SIZE, Bucket, VideoId
from syncer.state.database import Database
from syncer.state.videos import count_named, longest_unread
from syncer.wording import counted, utc

if TYPE_CHECKING:
    from syncer.config.sections import Config

COUNTED_DAYS = 28
"""The syncs of so many days are counted: a cron may name only some of the days of a week."""

COUNTED_DAYS_RARE = 1_461
"""The same for one that may name only some of the days of a month or a year: four years have each."""

FEWEST_SYNCS = 4
"""With fewer than so many syncs in `COUNTED_DAYS`, a cron is rare."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a site needs of its quota."""

    videos: int
    """Those that pages name."""
    needed: float
    """Units on a day with syncs, with which every sync can request every video: whole units for each sync."""
    budget: int | None
    """Units a day that scheduled syncs may use, of both buckets; None: the ledger cannot be reached."""
    oldest: tuple[VideoId, datetime] | None
    """The video that was not read for the longest time, and when it was; gone videos do not count."""


def demand_of(config: Config, database: Database, balances: Mapping[Bucket, BucketStatus], now: datetime) -> Demand:
    """Return what the site needs, and what it has by its ledger. Raises StateError."""
    videos = count_named(database)
    needed = math.ceil(videos / BATCH_SIZE) / min(1.0, mean_interval(config, now) / timedelta(days=1))
    return Demand(videos, needed, units_a_day(balances) if balances else None, longest_unread(database))


def units_a_day(balances: Mapping[Bucket, BucketStatus]) -> int:
    """Return how many units a day scheduled syncs may use, of both buckets."""
    return sum(status.budget for status in balances.values())


def mean_interval(config: Config, now: datetime) -> timedelta:
    """Return the mean time from one sync to the next, of those that can request a video again."""
    schedule = config.schedule.as_model()
    interval = schedule.every
    if schedule.cron is not None:
        for days in (COUNTED_DAYS, COUNTED_DAYS_RARE):
            syncs = max(1, count_times(schedule, now, now + timedelta(days=days)))
            interval = timedelta(days=days) / syncs
            if syncs >= FEWEST_SYNCS:
                break
    return max(interval, timedelta(seconds=FRESH_SECONDS))


def demand_outline(demand: Demand) -> str:
    """Return in words how far the quota goes, and, where it does not reach for all, which video waits longest."""
    if demand.budget is None:
        return f"To request every video, the syncs of a day need {units(demand.needed)}"
    sentence = units_outline(demand.needed, demand.budget)
    if demand.needed <= demand.budget or not demand.oldest:
        return sentence
    video, at = demand.oldest
    return f"{sentence}. Longest unread: {video}, since {utc(at)} (more: `syncer plan`)"


def units_outline(needed: float, budget: int) -> str:
    """Return in words how the units a day that every sync would need for all videos compare with those there are."""
    if needed <= budget:
        return f"Every sync can request every video: that takes {units(needed)} a day of {budget:,}"
    return (
        f"To request every video, the syncs of a day would need {units(needed)}, and may use {budget:,}: what is most"
        " out of date is requested first"
    )


def units(number: float) -> str:
    """Return a number of units, rounded as people read it: `0.3 units`, `4 units`, `80,000 units`."""
    if 0 < number < 0.1:
        return "less than 0.1 units"
    return counted(round(number), "unit") if number >= 10 or number == round(number) else f"{number:.1f} units"
