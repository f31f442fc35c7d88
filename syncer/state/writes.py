"""When counts were last written, for `write.at_least_every` and `write.at_most_every`, and what is held back now."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from sqlite3 import Connection

from syncer.decide.thresholds import HeldBackCounts, Reason, Round
from syncer.model import Place, VideoId
from syncer.state.damage import OddValue, moment
from syncer.state.database import Database


def note_writes(connection: Connection, places: Iterable[Place], at: datetime, last: Round | None) -> None:
    """Record when these places were written, and, unless it is None, the round that they belong to."""
    connection.executemany(
        "INSERT OR REPLACE INTO written VALUES (?, ?, ?, ?)", ((*place, int(at.timestamp())) for place in places)
    )
    if last:
        _record_round(connection, last)


def last_writes(database: Database, paths: Iterable[str]) -> dict[Place, datetime]:
    """Return when the places on these pages were last written; those for which that is not known are left out."""
    with database.read() as connection:
        rows = connection.execute(
            "SELECT path, field, id, at FROM written WHERE path IN (SELECT value FROM json_each(?))",
            (json.dumps(list(paths)),),
        )
        return {Place(path, field, VideoId(video)): moment(at) for path, field, video, at in rows}


def forget_writes(database: Database, *, before: datetime | None = None, video: VideoId | None = None) -> None:
    """Forget when places were written: before a time, of one video, or all, and then also what is held back."""
    with database.transaction() as connection:
        connection.execute(
            "DELETE FROM written WHERE (:before IS NULL OR at < :before) AND (:video IS NULL OR id = :video)",
            {"before": None if before is None else int(before.timestamp()), "video": video},
        )
        if before is None and video is None:
            connection.execute("DELETE FROM meta WHERE name = 'held_back'")


def last_round(database: Database) -> Round | None:
    """Return the last round in which pages were written; None if there was none. Raises OddValue."""
    with database.read() as connection:
        row = connection.execute("SELECT value FROM meta WHERE name = 'round'").fetchone()
        if row is None:
            return None
        match = re.fullmatch("([0-9]{1,15}) ([01])(?: ([0-9]{1,15}))?", row[0])
        if match is None:
            raise OddValue(f"{row[0]!r} is not a round")
        return Round(moment(int(match[1])), match[2] == "1", moment(int(match[3] or match[1])))


def save_round(database: Database, last: Round) -> None:
    """Record the last round."""
    with database.transaction() as connection:
        _record_round(connection, last)


def save_held_back(database: Database, held: HeldBackCounts, last: Round | None) -> None:
    """Record what a sync of all pages holds back, and its round."""
    until = {reason: int(time.timestamp()) for reason, time in held.until.items()}
    with database.transaction() as connection:
        value = json.dumps({"counts": held.counts, "until": until, "pages": held.pages})
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('held_back', ?)", (value,))
        if last:
            _record_round(connection, last)


def held_back_counts(database: Database) -> HeldBackCounts:
    """Return what the last sync of all pages held back. Raises OddValue."""
    with database.read() as connection:
        row = connection.execute("SELECT value FROM meta WHERE name = 'held_back'").fetchone()
        if row is None:
            return HeldBackCounts({}, {}, 0)
        with suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
            found = json.loads(row[0])
            counts = {Reason(reason): int(number) for reason, number in found["counts"].items()}
            until = {Reason(reason): moment(time) for reason, time in found["until"].items()}
            return HeldBackCounts(counts, until, int(found["pages"]))
        raise OddValue("the counts that are held back are not valid")


def _record_round(connection: Connection, last: Round) -> None:
    value = f"{int(last.began.timestamp())} {int(last.complete)} {int(last.written.timestamp())}"
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('round', ?)", (value,))
