"""The quota ledger: units spent by bucket and Pacific day, and buckets that are closed or failing at the moment."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta

from syncer.decide.quota import is_parked, quota_day, units_left
from syncer.model import Bucket
from syncer.state.damage import member, moment
from syncer.state.database import Database


def spend_unit(database: Database, bucket: Bucket, at: datetime, *, limit: int, reserve: int) -> bool:
    """Spend one unit of `bucket` before a request is sent; return False if none is available."""
    day = quota_day(at).isoformat()
    with database.transaction() as connection:
        until = connection.execute("SELECT until FROM parked WHERE bucket = ?", (bucket,)).fetchone()
        row = connection.execute("SELECT spent FROM units WHERE bucket = ? AND day = ?", (bucket, day)).fetchone()
        if (until and is_parked(moment(until[0]), at)) or not units_left(row[0] if row else 0, limit, reserve):
            return False
        connection.execute("DELETE FROM units WHERE bucket = ? AND day > ?", (bucket, day))  # of a clock that ran ahead
        connection.execute(
            "INSERT INTO units VALUES (?, ?, 1) ON CONFLICT (bucket, day) DO UPDATE SET spent = spent + 1",
            (bucket, day),
        )
    return True


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
