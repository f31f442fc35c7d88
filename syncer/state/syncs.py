"""The past syncs, their reports, and the pages that the last one could not write."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from syncer.model import Collection, VideoId
from syncer.state.damage import OddValue, moment
from syncer.state.database import Database
from syncer.state.intents import encode_fields

OPEN_PAGE_SYNCS = 3
"""Syncs in a row in which a page was open elsewhere that make a Problem of it."""

_NUMBER = re.compile("[0-9]{1,15}")

_SAVE_LAST_SEQ = "INSERT OR REPLACE INTO meta VALUES ('last_seq', ?)"


@dataclass(frozen=True, slots=True)
class PastSync:
    """A sync that has finished."""

    id: str
    started: datetime
    whole: bool
    report: str
    """The report's JSON, as `syncer sync --json` printed it, `retries`, `left` and `changed_dates`."""


def begin_sync(database: Database, sync_id: str, started: datetime, collections: Iterable[Collection] = ()) -> int:
    """Record the start of a sync, and with which `collections` it writes; return its number in the state."""
    seconds = int(started.timestamp())
    mappings = [
        {
            "directory": each.directory,
            "include": each.include,
            "exclude": each.exclude,
            **encode_fields(each.fields),
        }
        for each in collections
    ]
    with database.transaction() as connection:
        connection.executemany(
            "INSERT OR REPLACE INTO mappings VALUES (?, ?)", [(json.dumps(each), seconds) for each in mappings]
        )
        cursor = connection.execute("INSERT INTO syncs (id, started) VALUES (?, ?)", (sync_id, seconds))
        return int(cursor.lastrowid or 0)


def has_sync(database: Database, sync_id: str) -> bool:
    """Whether a sync with this ID was started."""
    with database.read() as connection:
        return connection.execute("SELECT 1 FROM syncs WHERE id = ?", (sync_id,)).fetchone() is not None


def end_sync(database: Database, sync: int, report: str, *, whole: bool, last_seq: int) -> None:
    """Record a sync's report, and the diff log's last number. `whole`: the schedule counts from it."""
    with database.transaction() as connection:
        connection.execute("UPDATE syncs SET report = ?, whole = ? WHERE sync = ?", (report, whole, sync))
        connection.execute(_SAVE_LAST_SEQ, (str(last_seq),))


def save_last_seq(database: Database, seq: int) -> None:
    """Record the diff log's last number: it is not used again, even after lines are deleted."""
    with database.transaction() as connection:
        connection.execute(_SAVE_LAST_SEQ, (str(seq),))


def last_seq(database: Database) -> int:
    """Return the diff log's last number that the state has recorded."""
    with database.read() as connection:
        row = connection.execute("SELECT value FROM meta WHERE name = 'last_seq'").fetchone()
        if row and not _NUMBER.fullmatch(row[0]):
            raise OddValue(f"the last number of the diff log is {row[0]!r}")
    return int(row[0]) if row else 0


def last_syncs(database: Database, limit: int = -1) -> Iterator[PastSync]:
    """Yield the newest finished syncs, or all, newest first; one by one, because a report can be megabytes."""
    with database.read() as connection:
        yield from map(_past_sync, connection.execute(f"{_PAST} ORDER BY sync DESC LIMIT ?", (limit,)))


def past_sync(database: Database, sync_id: str) -> PastSync | None:
    """Return one finished sync; None if there is none with that ID, or if its report was deleted."""
    with database.read() as connection:
        row = connection.execute(f"{_PAST} AND id = ?", (sync_id,)).fetchone()
    return _past_sync(row) if row else None


def first_whole_sync(database: Database) -> PastSync | None:
    """Return the oldest finished sync of the whole site that the state still has; None if there is none."""
    with database.read() as connection:
        row = connection.execute(f"{_PAST} AND whole ORDER BY sync LIMIT 1").fetchone()
    return _past_sync(row) if row else None


def last_whole_sync(database: Database) -> datetime | None:
    """Return when the last whole sync started: the last one made, whatever the clock said."""
    with database.read() as connection:
        row = connection.execute("SELECT started FROM syncs WHERE whole ORDER BY sync DESC LIMIT 1").fetchone()
    return moment(row[0]) if row else None


def forget_syncs(database: Database, before: datetime) -> None:
    """Delete the syncs without readings, up to the last one started before this time; keep the newest sync.

    Mappings that were last used before this time are deleted, too, and what was found out about playing, except that a
    video is missing.
    """
    with database.transaction() as connection:
        connection.execute("DELETE FROM mappings WHERE used < ?", (int(before.timestamp()),))
        connection.execute(
            "DELETE FROM syncs WHERE sync <= (SELECT max(sync) FROM syncs WHERE started < ?)"
            " AND NOT EXISTS (SELECT 1 FROM readings AS r WHERE r.sync = syncs.sync)"
            " AND sync < (SELECT max(sync) FROM syncs)",
            (int(before.timestamp()),),
        )
        connection.execute(
            "DELETE FROM availability WHERE checked_at < ? AND NOT EXISTS"
            " (SELECT 1 FROM videos AS v WHERE v.id = availability.id AND v.missing_since IS NOT NULL)",
            (int(before.timestamp()),),
        )


def forget_reports(database: Database, video: VideoId | None = None) -> None:
    """Delete all reports, or one video's ID in them. The syncs themselves are kept for the schedule."""
    with database.transaction() as connection:
        if video is None:
            connection.execute("UPDATE syncs SET report = NULL")
        else:
            connection.execute(
                "UPDATE syncs SET report = replace(report, :video, '(forgotten)') WHERE instr(report, :video)",
                {"video": video},
            )


def open_pages(database: Database) -> dict[str, int]:
    """Return the pages that the last sync could not write, with the number of such syncs in a row.

    They were open for writing in another program. Raises OddValue.
    """
    with database.read() as connection:
        row = connection.execute("SELECT value FROM meta WHERE name = 'open_pages'").fetchone()
        if row is None:
            return {}
        with suppress(ValueError, RecursionError):
            pages = json.loads(row[0])
            if isinstance(pages, dict) and all(type(number) is int for number in pages.values()):
                return pages
        raise OddValue("the list of open pages is not valid")


def save_open_pages(database: Database, pages: Mapping[str, int]) -> None:
    """Record them for the next sync."""
    if pages != open_pages(database):
        with database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('open_pages', ?)", (json.dumps(pages),))


_PAST = "SELECT id, started, whole, report FROM syncs WHERE report IS NOT NULL"


def _past_sync(row: tuple[str, int, int, str]) -> PastSync:
    sync, started, whole, report = row
    return PastSync(sync, moment(started), bool(whole), report)
