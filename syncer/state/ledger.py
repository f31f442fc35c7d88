"""The quota ledger: units spent by bucket and Pacific day, and buckets that are closed or failing at the moment.

A site has a ledger of its own, in its state, unless its config names one that it shares with other sites.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias

from syncer.decide.quota import BucketStatus, balance, quota_day
from syncer.model import Bucket
from syncer.state.damage import member, moment
from syncer.state.database import Database

if TYPE_CHECKING:
    from syncer.state.shared_ledger import SharedLedger

UNITS_AT_ONCE: Final = 10
"""Units that a sync takes at once. A crash of it loses those that it has not used."""

DAYS_KEPT: Final = 3
"""A site's own ledger keeps the units of so many quota days, those on which it began to spend last."""


@dataclass(frozen=True, slots=True)
class OwnLedger:
    """The ledger in the state of a site that shares its units with no other."""

    database: Database
    limits: Mapping[Bucket, int]
    """Each bucket's units a day."""
    reserve: int
    """How many units of each bucket scheduled syncs leave."""
    exchange: ClassVar[None] = None
    """No other site uses it."""
    ahead: ClassVar = timedelta(0)
    """How far the clock by which it counts is ahead of this machine's."""

    def balances(self, at: datetime) -> Mapping[Bucket, BucketStatus]:
        """Return what is left of each bucket on the quota day of this time."""
        with self.database.read() as connection:
            day = quota_day(at).isoformat()
            spent = dict(connection.execute("SELECT bucket, spent FROM units WHERE day = ?", (day,)).fetchall())
            rows = connection.execute("SELECT bucket, until FROM parked").fetchall()
            parked = {member(Bucket, bucket): moment(until) for bucket, until in rows}
        return {
            bucket: balance(
                bucket,
                at,
                limit=limit,
                spent=spent.get(bucket, 0),
                reserve=self.reserve,
                parked=parked.get(bucket),
            )
            for bucket, limit in self.limits.items()
        }

    def take(self, bucket: Bucket, at: datetime, wanted: int, *, scheduled: bool) -> int:
        """Spend up to `wanted` units of `bucket`, as many as a sync may use now; return their number."""
        day = quota_day(at).isoformat()
        with self.database.transaction() as connection:
            taken = min(wanted, self.balances(at)[bucket].usable(scheduled=scheduled))
            if taken:
                row = connection.execute("SELECT value FROM meta WHERE name = 'unit-days'").fetchone()
                days = row[0].split() if row else []
                if day not in days:  # in the order in which they began: the clock may be wrong, and deletes nothing
                    kept = " ".join([*days, day][-DAYS_KEPT:])
                    connection.execute("INSERT OR REPLACE INTO meta VALUES ('unit-days', ?)", (kept,))
                    connection.execute("DELETE FROM units WHERE instr(?, day) = 0", (kept,))
                connection.execute(
                    "INSERT INTO units VALUES (:bucket, :day, :taken)"
                    " ON CONFLICT (bucket, day) DO UPDATE SET spent = spent + :taken",
                    {"bucket": bucket, "day": day, "taken": taken},
                )
        return taken

    def give_back(self, bucket: Bucket, day: date, units: int) -> None:
        """Give back units of `bucket` that were taken on this quota day and not used."""
        row = (units, bucket, day.isoformat())
        with self.database.transaction() as connection:
            connection.execute("UPDATE units SET spent = spent - ? WHERE bucket = ? AND day = ?", row)

    def park(self, bucket: Bucket, until: datetime) -> None:
        """Spend no units of `bucket` before this time."""
        with self.database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO parked VALUES (?, ?)", (bucket, int(until.timestamp())))

    def refusals(self, at: datetime) -> Mapping[Bucket, int]:
        """Return after how many units YouTube reported a bucket spent too early, on this quota day or the last one."""
        today = quota_day(at)
        recent = {today.isoformat(), (today - timedelta(days=1)).isoformat()}
        found: dict[Bucket, int] = {}
        with self.database.read() as connection:
            for bucket in Bucket:
                row = connection.execute("SELECT value FROM meta WHERE name = ?", (f"refused-{bucket}",)).fetchone()
                day, _, units = row[0].partition(" ") if row else ("", "", "")
                if day in recent and units.isdecimal():
                    found[bucket] = int(units)
        return found

    def note_refusal(self, bucket: Bucket, at: datetime, units: int) -> None:
        """Record that YouTube reported the quota of `bucket` spent after this many units."""
        noted = f"{quota_day(at).isoformat()} {units}"
        with self.database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (f"refused-{bucket}", noted))

    def forget_refusal(self, bucket: Bucket) -> None:
        """Delete the record of `bucket`."""
        with self.database.transaction() as connection:
            connection.execute("DELETE FROM meta WHERE name = ?", (f"refused-{bucket}",))


QuotaLedger: TypeAlias = "OwnLedger | SharedLedger"
"""Which units one site may spend, and which are spent. Safe in several threads. Everything raises StateError.

A shared one raises LedgerUnreachable, which is a StateError, wherever it cannot count.
"""


@dataclass(frozen=True, slots=True)
class UnitStock:
    """Units for many requests, taken from the ledger several at a time. Give back what is not used.

    Safe in several threads. Each unit is in the ledger before its request is sent. Units are of one quota day: what is
    left of them at midnight Pacific is given back to the day before.
    """

    ledger: QuotaLedger
    clock: Callable[[], datetime]
    """The time, with a time zone."""
    scheduled: bool
    """Whether the requests are those of a scheduled sync, which leaves the reserve."""
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _days: dict[Bucket, date] = field(default_factory=dict)
    _unused: Counter[Bucket] = field(default_factory=Counter)

    def spend(self, bucket: Bucket) -> bool:
        """Spend one unit of `bucket` before a request is sent; return False if none is available."""
        at = self.clock()
        day = quota_day(at + self.ledger.ahead)
        with self._lock:
            if self._days.setdefault(bucket, day) != day:
                self.give_back()
                self._days[bucket] = day
            if not self._unused[bucket]:
                self._unused[bucket] = self.ledger.take(bucket, at, UNITS_AT_ONCE, scheduled=self.scheduled)
            if not self._unused[bucket]:
                return False
            self._unused[bucket] -= 1
        return True

    def give_back(self) -> None:
        """Give back what is not used: the ledger is exact until the next unit is spent."""
        with self._lock:
            for bucket, units in self._unused.items():
                if units:
                    self.ledger.give_back(bucket, self._days[bucket], units)
            self._unused.clear()


def failing_buckets(database: Database) -> AbstractSet[Bucket]:
    """Return the buckets whose requests failed one after the other in the last sync."""
    with database.read() as connection:
        row = connection.execute("SELECT value FROM meta WHERE name = 'failing'").fetchone()
        return {member(Bucket, name) for name in row[0].split()} if row else set()


def note_failing(database: Database, buckets: AbstractSet[Bucket]) -> None:
    """Record which buckets fail, replacing the last record: the next sync starts with one request of each."""
    with database.transaction() as connection:
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('failing', ?)", (" ".join(sorted(buckets)),))
