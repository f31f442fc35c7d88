"""The numbers of a site's ledger, as tests compare them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from syncer.decide.quota import BucketStatus
from syncer.model import Bucket
from syncer.state.database import Database
from syncer.state.ledger import OwnLedger


def ledger_of(database: Database, limit: int = 10_000, reserve: int = 0) -> OwnLedger:
    """Gives a site's own ledger, with as many units in each bucket."""
    return OwnLedger(database, dict.fromkeys(Bucket, limit), reserve)


def balances(database: Database, at: datetime) -> Mapping[Bucket, BucketStatus]:
    return ledger_of(database).balances(at)


def spent_units(database: Database, at: datetime) -> Mapping[Bucket, int]:
    """Returns the units spent on this time's Pacific day, by bucket."""
    return {bucket: status.spent for bucket, status in balances(database, at).items()}


def parked_buckets(database: Database, at: datetime) -> Mapping[Bucket, datetime]:
    """Returns the buckets that are closed at this time, and until when."""
    found = balances(database, at).items()
    return {bucket: status.parked_until for bucket, status in found if status.parked_until}
