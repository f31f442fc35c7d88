"""How much of the day's quota is left, for which syncs, and whether YouTube has cut the quota."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from syncer.decide.quota import is_early, units_left
from syncer.model import Bucket, Problem, ProblemKind
from syncer.state.database import Database
from syncer.state.ledger import forget_refusal, note_refusal, parked_buckets, refusals, spent_units
from syncer.wording import counted, utc
from syncer.youtube.answer import METHODS

if TYPE_CHECKING:
    from syncer.config.sections import Config


def limits(config: Config, bucket: Bucket, *, scheduled: bool) -> tuple[int, int]:
    """Return a bucket's units a day, and how many of them stay untouched.

    The general bucket's reserve is never touched: `videos.list` is only the fallback. The stats bucket's is kept for
    the syncs that you start yourself.
    """
    if bucket is Bucket.GENERAL:
        return config.quota.general_units_per_day, config.quota.reserve
    return config.quota.stats_units_per_day, config.quota.reserve if scheduled else 0


@dataclass(frozen=True, slots=True)
class BucketStatus:
    """A bucket on one quota day, in units."""

    limit: int
    spent: int
    left: int
    """The reserve included; 0 while YouTube refuses more."""
    scheduled: int
    """How many of them scheduled syncs may use."""
    parked_until: datetime | None
    """Until when YouTube refuses more."""


def bucket_statuses(config: Config, database: Database, now: datetime) -> Mapping[Bucket, BucketStatus]:
    """Return each bucket's units at this time, from the ledger."""
    spent, parked = spent_units(database, now), parked_buckets(database, now)
    found = {}
    for bucket in Bucket:
        limit, reserve = limits(config, bucket, scheduled=True)
        open_to = 0 if bucket in parked else limit
        found[bucket] = BucketStatus(
            limit,
            spent[bucket],
            units_left(spent[bucket], open_to, reserve=0),
            units_left(spent[bucket], open_to, reserve),
            parked.get(bucket),
        )
    return found


def note_spent_day(config: Config, database: Database, bucket: Bucket, at: datetime) -> None:
    """Note that YouTube ended the bucket's day, if that is far too early by the ledger."""
    spent = spent_units(database, at)
    if is_early(sum(spent.values()), limits(config, bucket, scheduled=False)[0]):
        note_refusal(database, bucket, at, spent[bucket])


def cut_quotas(config: Config, database: Database, at: datetime) -> list[Problem]:
    """Return a problem for each bucket whose day YouTube ended far too early.

    It is listed while the bucket is parked, and on the next day in each sync, until as many units were spent again.
    """
    spent, parked = spent_units(database, at), parked_buckets(database, at)
    problems = []
    for bucket, units in refusals(database, at).items():
        if bucket not in parked and spent[bucket] >= units:
            forget_refusal(database, bucket)
        elif bucket in parked or spent[bucket]:
            limit = limits(config, bucket, scheduled=False)[0]
            message = (
                f"YouTube said that the day's quota for {METHODS[bucket]} was used up after {units:,} of {limit:,}"
                " units. YouTube may have cut your project's quota: look for its mail to the project's owner, and"
                " compare the quota in the Google Cloud console (IAM & Admin > Quotas) with"
                f" quota.{bucket}_units_per_day. If other programs use the project too, set that to this site's part."
            )
            problems.append(Problem(ProblemKind.QUOTA_CUT, METHODS[bucket], message))
    return problems


def in_words(status: BucketStatus) -> str:
    """Return what is left, in the words of all commands and of the status page."""
    if status.parked_until:
        return f"none left until {utc(status.parked_until)}"
    left = f"{status.left:,} of {counted(status.limit, 'unit')} left today"
    return f"{left} (scheduled syncs may use {status.scheduled:,})"
