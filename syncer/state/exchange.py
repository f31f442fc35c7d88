"""What sites that share a ledger let each other know, through its file: claims, and what YouTube returned last."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from syncer.decide.allotment import Claim
from syncer.decide.quota import quota_day
from syncer.model import Bucket, Reading, VideoId
from syncer.state.damage import OddValue, member, moment
from syncer.state.ledger_file import LedgerFile
from syncer.state.videos import reading_of, values_of

if TYPE_CHECKING:
    from syncer.decide.availability import Availability

STEP_VIDEOS: Final = 5_000
"""Videos that are looked up, or deleted, in one transaction."""

LONGEST_KEPT: Final = timedelta(days=28)
"""Readings are deleted after that time (`docs/terms.md`), and claims of sites that are gone."""

ONE_DAY: Final = timedelta(days=1)

CLOSED_KEPT: Final = timedelta(days=7)
"""For so long it is known that YouTube closed a bucket early."""

CLOCKS_APART: Final = timedelta(minutes=5)
"""A reading from so far ahead comes from a clock that was wrong."""


LARGE_TABLES: Final = ("readings", "checks")


class SharedCheck(NamedTuple):
    """What YouTube returned when it was asked whether a video plays; the state is known."""

    video_id: VideoId
    at: datetime
    found: Availability


class Exchange:
    """What one site lets the others know, and learns from them. Safe in several threads. All raise StateError."""

    def __init__(self, file: LedgerFile, site: str, endpoint: str) -> None:
        """Take an open ledger, the site's name in it, and where it sends requests: no other's readings are its own."""
        self.site = site
        """The name of the site in the ledger."""
        self._file, self._endpoint = file, endpoint

    def note_claim(self, claim: Claim) -> None:
        """Note the claim in place of the site's last one."""
        row = (
            claim.site,
            json.dumps([[power, videos] for power, videos in sorted(claim.drifts.items())]),
            int(claim.every.total_seconds()),
            int(claim.refresh_within.total_seconds()),
            claim.needed,
            int(claim.made.timestamp()),
            int(claim.next_at.timestamp()),
        )
        with self._file.transaction() as connection:
            oldest = (int((claim.made - LONGEST_KEPT).timestamp()),)
            connection.execute("DELETE FROM claims WHERE made < ?", oldest)
            for table in LARGE_TABLES:  # also where YouTube answers nothing
                connection.execute(f"DELETE FROM {table} WHERE at < ?", oldest)
            connection.execute("INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def claims(self) -> Sequence[Claim]:
        """Return the claims of all sites, also those that no longer count."""
        with self._file.read() as connection:
            rows = connection.execute("SELECT * FROM claims").fetchall()
            return [
                Claim(
                    site,
                    _drifts(drifts),
                    timedelta(seconds=max(1, every)),
                    timedelta(seconds=max(1, within)),
                    max(0, needed),
                    moment(made),
                    moment(next_at),
                )
                for site, drifts, every, within, needed, made, next_at in rows
            ]

    def closed(self, at: datetime) -> Mapping[Bucket, Mapping[str, int]]:
        """Return which buckets YouTube closed on one of the days before, and what each site had spent of it by then."""
        found, today = dict[Bucket, Mapping[str, int]](), quota_day(at)
        with self._file.read() as connection:
            for bucket, until in connection.execute("SELECT bucket, until FROM parked").fetchall():
                day = quota_day(moment(until)) - ONE_DAY
                if ONE_DAY <= today - day <= CLOSED_KEPT:
                    key = (bucket, day.isoformat())
                    rows = connection.execute("SELECT site, spent FROM units WHERE bucket = ? AND day = ?", key)
                    found[member(Bucket, bucket)] = dict(rows.fetchall())
        return found

    def readings(self, videos: Iterable[VideoId], since: datetime, now: datetime) -> Generator[list[Reading]]:
        """Yield the newest readings of these videos that were made between these times, some at once.

        A video may be repeated.
        """
        rest = iter(videos)
        while some := list(islice(rest, STEP_VIDEOS)):
            with self._file.large_tables() as connection:
                rows = connection.execute(
                    "SELECT id, at, present, views, likes, comments FROM readings"
                    " WHERE id IN (SELECT value FROM json_each(?)) AND endpoint = ? AND at BETWEEN ? AND ?",
                    (json.dumps(some), self._endpoint, int(since.timestamp()), int(now.timestamp())),
                )
                found = [reading_of(row) for row in rows]
            yield found

    def checks(self, videos: Sequence[VideoId], regions: str, since: datetime, now: datetime) -> list[SharedCheck]:
        """Return the newest checks of these videos, for these regions, that were made between these times."""
        from syncer.state.play_states import stored_availability

        with self._file.large_tables() as connection:
            rows = connection.execute(
                "SELECT id, at, state, facts FROM checks WHERE id IN (SELECT value FROM json_each(?))"
                " AND endpoint = ? AND regions = ? AND at BETWEEN ? AND ?",
                (json.dumps(videos), self._endpoint, regions, int(since.timestamp()), int(now.timestamp())),
            )
            return [
                SharedCheck(video, moment(at), stored_availability(state, facts)) for video, at, state, facts in rows
            ]

    def share(self, readings: Sequence[Reading], now: datetime, keep: timedelta) -> None:
        """Save what YouTube returned for the other sites, where it is the newest, and delete what is too old.

        `keep` is for how long this site may keep readings.
        """
        rows = [(reading.video_id, self._endpoint, *values_of(reading), int(now.timestamp())) for reading in readings]
        self._save(
            "readings",
            "INSERT INTO readings VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id, endpoint) DO UPDATE"
            " SET at = ?3, present = ?4, views = ?5, likes = ?6, comments = ?7 WHERE at <= ?3 OR at > ?8",
            rows,
            now - keep,
            now,
        )

    def share_checks(self, checks: Sequence[SharedCheck], regions: str, now: datetime, keep: timedelta) -> None:
        """Save which videos play for the other sites with these regions, as `share` does."""
        rows = [
            (video, self._endpoint, regions, int(at.timestamp()), found.state, found.facts(), int(now.timestamp()))
            for video, at, found in checks
        ]
        self._save(
            "checks",
            "INSERT INTO checks VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id, endpoint, regions) DO UPDATE"
            " SET at = ?4, state = ?5, facts = ?6 WHERE at <= ?4 OR at > ?7",
            rows,
            now - keep,
            now,
        )

    def _save(
        self, table: str, insert: str, rows: Sequence[tuple[object, ...]], oldest: datetime, now: datetime
    ) -> None:
        """Insert rows in the order in which they are stored: a large ledger is not in the cache."""
        limits = (int(max(oldest, now - LONGEST_KEPT).timestamp()), int((now + CLOCKS_APART).timestamp()))
        with self._file.transaction() as connection:
            connection.executemany(insert, sorted(rows, key=itemgetter(0)))
            connection.execute(f"DELETE FROM {table} WHERE at < ? OR at > ?", limits)


def forget_before(file: LedgerFile, time: datetime) -> None:
    """Delete the readings and checks that are older. Raises StateError."""
    with file.transaction() as connection:
        for table in LARGE_TABLES:
            connection.execute(f"DELETE FROM {table} WHERE at < ?", (int(time.timestamp()),))


def forget_videos(file: LedgerFile, videos: Iterable[VideoId]) -> None:
    """Delete the readings and checks of these videos. Raises StateError."""
    rest = iter(videos)
    while some := list(islice(rest, STEP_VIDEOS)):
        with file.transaction() as connection:
            for table in LARGE_TABLES:
                where = "WHERE id IN (SELECT value FROM json_each(?))"
                connection.execute(f"DELETE FROM {table} {where}", (json.dumps(some),))


def _drifts(text: str) -> dict[int, int]:
    """Return a table of drifts. Raises OddValue."""
    try:
        found = {int(power): int(videos) for power, videos in json.loads(text)}
    except (ValueError, TypeError, RecursionError) as error:
        raise OddValue("a claim is not valid") from error
    if not all(-100 <= power <= 100 and 0 <= videos <= 10**9 for power, videos in found.items()):
        raise OddValue("a claim is not valid")
    return found
