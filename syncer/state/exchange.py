"""What sites that share a ledger let each other know, through its tables: claims, and what YouTube returned last."""

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
from syncer.state.videos import reading_of, values_of

if TYPE_CHECKING:
    from syncer.decide.availability import Availability
    from syncer.state.ledger_place import OpenLedger

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

READING_COLUMNS: Final = ("at", "present", "views", "likes", "comments")
"""In the order of `values_of`."""


class SharedCheck(NamedTuple):
    """What YouTube returned when it was asked whether a video plays; the state is known."""

    video_id: VideoId
    at: datetime
    found: Availability


class Exchange:
    """What one site lets the others know, and learns from them. Safe in several threads. All raise StateError."""

    def __init__(self, file: OpenLedger, site: str, endpoint: str) -> None:
        """Take an open ledger, the site's name in it, and where it sends requests: no other's readings are its own."""
        self.site = site
        """The name of the site in the ledger."""
        self._file, self._endpoint = file, endpoint

    def note_claim(self, claim: Claim) -> None:
        """Note the claim in place of the site's last one."""
        row = {
            "site": claim.site,
            "drifts": json.dumps([[power, videos] for power, videos in sorted(claim.drifts.items())]),
            "every": int(claim.every.total_seconds()),
            "within": int(claim.refresh_within.total_seconds()),
            "needed": claim.needed,
            "made": int(claim.made.timestamp()),
            "next_at": int(claim.next_at.timestamp()),
        }
        with self._file.transaction() as connection:
            oldest = {"oldest": int((claim.made - LONGEST_KEPT).timestamp())}
            connection.execute("DELETE FROM claims WHERE made < :oldest", oldest)
            for table in LARGE_TABLES:  # also where YouTube answers nothing
                connection.execute(f"DELETE FROM {table} WHERE at < :oldest", oldest)
            connection.execute(
                "INSERT INTO claims VALUES (:site, :drifts, :every, :within, :needed, :made, :next_at)"
                " ON CONFLICT (site) DO UPDATE SET drifts = :drifts, every = :every, refresh_within = :within,"
                " needed = :needed, made = :made, next_at = :next_at",
                row,
            )

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
                    rows = connection.execute(
                        "SELECT site, spent FROM units WHERE bucket = :bucket AND day = :day",
                        {"bucket": bucket, "day": day.isoformat()},
                    )
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
                    f" WHERE id IN ({self._file.LISTED}) AND endpoint = :endpoint AND at BETWEEN :since AND :now",
                    {"list": json.dumps(some), **self._between(since, now)},
                )
                found = [reading_of(row) for row in rows]
            yield found

    def checks(self, videos: Sequence[VideoId], regions: str, since: datetime, now: datetime) -> list[SharedCheck]:
        """Return the newest checks of these videos, for these regions, that were made between these times."""
        from syncer.state.play_states import stored_availability

        with self._file.large_tables() as connection:
            rows = connection.execute(
                f"SELECT id, at, state, facts FROM checks WHERE id IN ({self._file.LISTED})"
                " AND endpoint = :endpoint AND regions = :regions AND at BETWEEN :since AND :now",
                {"list": json.dumps(videos), "regions": regions, **self._between(since, now)},
            )
            return [
                SharedCheck(video, moment(at), stored_availability(state, facts)) for video, at, state, facts in rows
            ]

    def share(self, readings: Sequence[Reading], now: datetime, keep: timedelta) -> None:
        """Save what YouTube returned for the other sites, where it is the newest, and delete what is too old.

        `keep` is for how long this site may keep readings.
        """
        rows = [
            {"id": reading.video_id, **dict(zip(READING_COLUMNS, values_of(reading), strict=True))}
            for reading in readings
        ]
        self._save(
            "readings",
            "INSERT INTO readings VALUES (:id, :endpoint, :at, :present, :views, :likes, :comments)"
            " ON CONFLICT (id, endpoint) DO UPDATE"
            " SET at = :at, present = :present, views = :views, likes = :likes, comments = :comments"
            " WHERE readings.at <= :at OR readings.at > :now",
            rows,
            now - keep,
            now,
        )

    def share_checks(self, checks: Sequence[SharedCheck], regions: str, now: datetime, keep: timedelta) -> None:
        """Save which videos play for the other sites with these regions, as `share` does."""
        rows = [
            {"id": video, "regions": regions, "at": int(at.timestamp()), "state": found.state, "facts": found.facts()}
            for video, at, found in checks
        ]
        self._save(
            "checks",
            "INSERT INTO checks VALUES (:id, :endpoint, :regions, :at, :state, :facts)"
            " ON CONFLICT (id, endpoint, regions) DO UPDATE SET at = :at, state = :state, facts = :facts"
            " WHERE checks.at <= :at OR checks.at > :now",
            rows,
            now - keep,
            now,
        )

    def _save(
        self, table: str, insert: str, rows: Sequence[Mapping[str, object]], oldest: datetime, now: datetime
    ) -> None:
        """Insert rows in the order in which they are stored: a large ledger is not in the cache."""
        limits = {
            "oldest": int(max(oldest, now - LONGEST_KEPT).timestamp()),
            "newest": int((now + CLOCKS_APART).timestamp()),
        }
        common = {"endpoint": self._endpoint, "now": int(now.timestamp())}
        with self._file.transaction() as connection:
            connection.executemany(insert, [{**row, **common} for row in sorted(rows, key=itemgetter("id"))])
            connection.execute(f"DELETE FROM {table} WHERE at < :oldest OR at > :newest", limits)

    def _between(self, since: datetime, now: datetime) -> dict[str, object]:
        return {"endpoint": self._endpoint, "since": int(since.timestamp()), "now": int(now.timestamp())}


def forget_before(file: OpenLedger, time: datetime) -> None:
    """Delete the readings and checks that are older. Raises StateError."""
    with file.transaction() as connection:
        for table in LARGE_TABLES:
            connection.execute(f"DELETE FROM {table} WHERE at < :oldest", {"oldest": int(time.timestamp())})


def forget_videos(file: OpenLedger, videos: Iterable[VideoId]) -> None:
    """Delete the readings and checks of these videos. Raises StateError."""
    rest = iter(videos)
    while some := list(islice(rest, STEP_VIDEOS)):
        with file.transaction() as connection:
            for table in LARGE_TABLES:
                connection.execute(f"DELETE FROM {table} WHERE id IN ({file.LISTED})", {"list": json.dumps(some)})


def _drifts(text: str) -> dict[int, int]:
    """Return a table of drifts. Raises OddValue."""
    try:
        found = {int(power): int(videos) for power, videos in json.loads(text)}
    except (ValueError, TypeError, RecursionError) as error:
        raise OddValue("a claim is not valid") from error
    if not all(-100 <= power <= 100 and 0 <= videos <= 10**9 for power, videos in found.items()):
        raise OddValue("a claim is not valid")
    return found
