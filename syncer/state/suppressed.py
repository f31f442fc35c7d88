"""The suppressed numbers: not written to their places again until YouTube gives other ones.

`decide.diff.suppressed_by` says which they are; they are stored with the intents that are done (`state.intents`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from syncer.model import Count, Place, VideoId
from syncer.state.damage import moment
from syncer.state.database import Database
from syncer.state.videos import COLUMNS


def suppressed_numbers(database: Database, paths: Iterable[str]) -> dict[Place, int]:
    """Return the suppressed numbers of the places on these pages."""
    with database.read() as connection:
        rows = connection.execute(
            "SELECT path, field, id, number FROM suppressed WHERE path IN (SELECT value FROM json_each(?))",
            (json.dumps(list(paths)),),
        )
        return {Place(path, field, VideoId(video)): number for path, field, video, number in rows}


def count_suppressed(database: Database) -> int:
    """Return at how many places a number is suppressed."""
    with database.read() as connection:
        return int(connection.execute("SELECT count(*) FROM suppressed").fetchone()[0])


def release_suppressed(database: Database) -> int:
    """Forget the numbers in whose place YouTube has given others; return how many are still suppressed."""
    count = count_suppressed(database)
    if not count:
        return 0
    with database.transaction() as connection:
        return count - connection.execute(f"DELETE FROM suppressed AS s WHERE EXISTS ({_OTHER})").rowcount


def forget_unread(database: Database) -> None:
    """Forget the numbers of videos of which no reading is kept."""
    with database.transaction() as connection:
        connection.execute(f"DELETE FROM suppressed AS s WHERE NOT EXISTS ({_ACCEPTED})")


def last_said(database: Database, video: VideoId, count: Count, number: int) -> datetime | None:
    """Return when YouTube said this number last, if a reading is kept in which it did."""
    with database.read() as connection:
        row = connection.execute(
            "SELECT r.at FROM syncs AS s CROSS JOIN videos AS v ON v.id = ? CROSS JOIN readings AS r"
            f" ON r.sync = s.sync AND r.video = v.video AND r.{COLUMNS[count]} = ? ORDER BY s.sync DESC LIMIT 1",
            (video, number),
        ).fetchone()
        return moment(row[0]) if row else None


_ACCEPTED = (
    "SELECT 1 FROM videos AS v CROSS JOIN readings AS r ON r.sync = v.accepted AND r.video = v.video WHERE v.id = s.id"
)

_COUNTS = " ".join(f"WHEN '{count}' THEN r.{column}" for count, column in COLUMNS.items())

_OTHER = f"{_ACCEPTED} AND CASE s.count {_COUNTS} END != s.number"
