"""What is left of the day's quota, and for whom, as `status` and `check` tell it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from syncer.model import Bucket
from syncer.quota import units_left
from syncer.state.database import Database
from syncer.state.ledger import parked_buckets, spent_units
from syncer.sync.options import limits
from syncer.wording import counted, utc

if TYPE_CHECKING:
    from syncer.config.sections import Config


@dataclass(frozen=True, slots=True)
class Purse:
    """A bucket on one quota day, in units."""

    limit: int
    spent: int
    left: int
    """The reserve included; none while YouTube gives no more."""
    scheduled: int
    """How many of them scheduled syncs may use."""
    parked_until: datetime | None
    """Until when YouTube gives no more."""


def purses(config: Config, database: Database, now: datetime) -> Mapping[Bucket, Purse]:
    """Return what the ledger says of each bucket at this time."""
    spent, parked = spent_units(database, now), parked_buckets(database, now)
    found = {}
    for bucket in Bucket:
        limit, reserve = limits(config, bucket, scheduled=True)
        open_to = 0 if bucket in parked else limit
        found[bucket] = Purse(
            limit,
            spent[bucket],
            units_left(spent[bucket], open_to, reserve=0),
            units_left(spent[bucket], open_to, reserve),
            parked.get(bucket),
        )
    return found


def in_words(purse: Purse) -> str:
    """Return what is left, as every command says it."""
    if purse.parked_until:
        return f"YouTube gives no more until {utc(purse.parked_until)}"
    left = f"{purse.left:,} of {counted(purse.limit, 'unit')} left today"
    return f"{left}; scheduled syncs may use {purse.scheduled:,} of them"
