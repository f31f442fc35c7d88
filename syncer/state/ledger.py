"""The quota ledger: units spent by bucket and Pacific day, and buckets that are closed or failing at the moment."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Final

from syncer.decide.quota import is_parked, quota_day, units_left
from syncer.model import Bucket
from syncer.state.damage import member, moment
from syncer.state.database import Database

UNITS_AT_ONCE: Final = 10
"""Units that a sync takes at once. A crash of it loses those that it has not used."""


def take_units(
    database: Database, bucket: Bucket, at: datetime, *, limit: int, reserve: int, wanted: int = UNITS_AT_ONCE
) -> int:
    """Spend up to `wanted` units of `bucket`, as many as are available; return their number."""
    day = quota_day(at).isoformat()
    with database.transaction() as connection:
        until = connection.execute("SELECT until FROM parked WHERE bucket = ?", (bucket,)).fetchone()
        row = connection.execute("SELECT spent FROM units WHERE bucket = ? AND day = ?", (bucket, day)).fetchone()
        taken = min(wanted, units_left(row[0] if row else 0, limit, reserve))
        if not taken or (until and is_parked(moment(until[0]), at)):
            return 0
        connection.execute("DELETE FROM units WHERE bucket = ? AND day > ?", (bucket, day))  # of a clock that ran ahead
        connection.execute(
            "INSERT INTO units VALUES (:bucket, :day, :taken)"
            " ON CONFLICT (bucket, day) DO UPDATE SET spent = spent + :taken",
            {"bucket": bucket, "day": day, "taken": taken},
        )
    return taken


@dataclass(frozen=True, slots=True)
class UnitStock:
    """Units for many requests, taken from the ledger several at a time. Give back what is not used.

    Safe in several threads. Each unit is in the ledger before its request is sent. Units are of one quota day: what is
    left of them at midnight Pacific is given back to the day before.
    """

    database: Database
    clock: Callable[[], datetime]
    """The time, with a time zone."""
    limits: Mapping[Bucket, tuple[int, int]]
    """Each bucket's units a day, and how many of them stay untouched."""
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _days: dict[Bucket, date] = field(default_factory=dict)
    _unused: Counter[Bucket] = field(default_factory=Counter)

    def spend(self, bucket: Bucket) -> bool:
        """Spend one unit of `bucket` before a request is sent; return False if none is available."""
        at, (limit, reserve) = self.clock(), self.limits[bucket]
        day = quota_day(at)
        with self._lock:
            if self._days.setdefault(bucket, day) != day:
                self.give_back()
                self._days[bucket] = day
            if not self._unused[bucket]:
                self._unused[bucket] = take_units(self.database, bucket, at, limit=limit, reserve=reserve)
            if not self._unused[bucket]:
                return False
            self._unused[bucket] -= 1
        return True

    def give_back(self) -> None:
        """Give back what is not used: the ledger is exact until the next unit is spent."""
        with self._lock:
            rows = [(units, bucket, self._days[bucket].isoformat()) for bucket, units in self._unused.items() if units]
            if rows:
                with self.database.transaction() as connection:
                    connection.executemany("UPDATE units SET spent = spent - ? WHERE bucket = ? AND day = ?", rows)
            self._unused.clear()


def park(database: Database, bucket: Bucket, until: datetime) -> None:
    """Spend no units of `bucket` before this time: YouTube reported that the day's quota is spent."""
    with database.transaction() as connection:
        connection.execute("INSERT OR REPLACE INTO parked VALUES (?, ?)", (bucket, int(until.timestamp())))


def spent_units(database: Database, at: datetime) -> Mapping[Bucket, int]:
    """Return the units spent on this time's Pacific day, by bucket."""
    with database.read() as connection:
        rows = connection.execute(
            "SELECT bucket, spent FROM units WHERE day = ?", (quota_day(at).isoformat(),)
        ).fetchall()
    spent: dict[str, int] = dict(rows)
    return {bucket: spent.get(bucket, 0) for bucket in Bucket}


def parked_buckets(database: Database, at: datetime) -> Mapping[Bucket, datetime]:
    """Return the buckets that are closed at this time, and until when."""
    with database.read() as connection:
        rows = connection.execute("SELECT bucket, until FROM parked")
        parked = {member(Bucket, bucket): moment(until) for bucket, until in rows}
    return {bucket: until for bucket, until in parked.items() if is_parked(until, at)}


def note_refusal(database: Database, bucket: Bucket, at: datetime, units: int) -> None:
    """Record that YouTube reported the quota of `bucket` spent after this many units, long before the ledger did."""
    with database.transaction() as connection:
        connection.execute(
            "INSERT OR REPLACE INTO meta VALUES (?, ?)", (f"refused-{bucket}", f"{quota_day(at).isoformat()} {units}")
        )


def refusals(database: Database, at: datetime) -> Mapping[Bucket, int]:
    """Return after how many units YouTube reported a bucket spent too early, on this quota day or the last one."""
    today = quota_day(at)
    recent = {today.isoformat(), (today - timedelta(days=1)).isoformat()}
    found: dict[Bucket, int] = {}
    with database.read() as connection:
        for bucket in Bucket:
            row = connection.execute("SELECT value FROM meta WHERE name = ?", (f"refused-{bucket}",)).fetchone()
            day, _, units = row[0].partition(" ") if row else ("", "", "")
            if day in recent and units.isdecimal():
                found[bucket] = int(units)
    return found


def forget_refusal(database: Database, bucket: Bucket) -> None:
    """Delete the record of `bucket`: YouTube has allowed more units since."""
    with database.transaction() as connection:
        connection.execute("DELETE FROM meta WHERE name = ?", (f"refused-{bucket}",))


def failing_buckets(database: Database) -> AbstractSet[Bucket]:
    """Return the buckets whose requests failed one after the other in the last sync."""
    with database.read() as connection:
        row = connection.execute("SELECT value FROM meta WHERE name = 'failing'").fetchone()
        return {member(Bucket, name) for name in row[0].split()} if row else set()


def note_failing(database: Database, buckets: AbstractSet[Bucket]) -> None:
    """Record which buckets fail, replacing the last record: the next sync starts with one request of each."""
    with database.transaction() as connection:
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('failing', ?)", (" ".join(sorted(buckets)),))
