"""Of which videos YouTube is asked next whether they play.

A sync in which none is due loads nothing else about playing.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime, timedelta

from syncer.decide.plan import FRESH_SECONDS
from syncer.model import VideoId
from syncer.state.database import Database
from syncer.state.naming_pages import IS_NAMED, ON_PAGES


def any_unchecked(database: Database, now: datetime, every: timedelta, regions: str) -> bool:
    """Whether there may be a video on the site's pages of which YouTube has to be asked whether it plays.

    `every`: how often each is checked; `regions`: whose blocks count.
    """
    with database.read() as connection:
        (found,) = connection.execute(
            "SELECT NOT EXISTS (SELECT 1 FROM meta WHERE name = 'regions' AND value = :regions) OR EXISTS ("
            "SELECT 1 FROM places AS p LEFT JOIN availability AS a ON a.id = p.id LEFT JOIN videos AS v ON v.id = p.id"
            f" WHERE {_IS_DUE}) OR EXISTS (SELECT 1 FROM embeds AS n {_CHECKED} WHERE {_IS_DUE})",
            {"now": int(now.timestamp()), "every": int(every.total_seconds()), "regions": regions},
        ).fetchone()
        return bool(found)


def due_videos(
    database: Database,
    now: datetime,
    every: timedelta,
    *,
    limit: int,
    only: Collection[VideoId] | None = None,
    everything: bool = False,
) -> tuple[list[VideoId], int]:
    """Return at most `limit` videos that are due, the most urgent first, and how many are due in all.

    Urgent are those of which nothing is known, then those that do not play, then those that were due first. `only`:
    look at these videos; None: at all that the site's pages named or embedded in the last sync of all pages.
    `everything`: they are all due.
    """
    from syncer.state.play_states import PLAYING

    named = "SELECT value AS id FROM json_each(:only)"
    if only is None:
        named = ON_PAGES.format("")
    query = f"FROM ({named}) AS n {_CHECKED} WHERE :everything OR {_IS_DUE}"
    values = {
        "only": None if only is None else json.dumps(sorted(only)),
        "everything": everything,
        "now": int(now.timestamp()),
        "every": int(every.total_seconds()),
        "limit": limit,
    }
    order = "ORDER BY a.state IS NOT NULL, a.state IN (SELECT value FROM json_each(:playing)), a.due_at, n.id"
    with database.read() as connection:
        (number,) = connection.execute(f"SELECT count(*) {query}", values).fetchone()
        rows = connection.execute(f"SELECT n.id {query} {order} LIMIT :limit", {**values, "playing": PLAYING})
        return [VideoId(video) for (video,) in rows], number


def regions_changed(database: Database, regions: str) -> bool:
    """Whether the last check of all videos that were due was made for other regions."""
    with database.read() as connection:
        row = connection.execute("SELECT value FROM meta WHERE name = 'regions'").fetchone()
        return bool(row is None or row[0] != regions)


def note_regions(database: Database, regions: str) -> None:
    """Record for which regions all videos that were due have been checked."""
    with database.transaction() as connection:
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('regions', ?)", (regions,))


_CHECKED = (
    f"LEFT JOIN availability AS a ON a.id = n.id LEFT JOIN videos AS v ON v.id = n.id AND {IS_NAMED.format('v.id')}"
)
"""What is known of the videos `n`; the readings of counts `v` only where front matter names them, not just a text."""

_IS_DUE = (
    "(CASE WHEN v.missing_since IS NOT NULL AND a.state IS NOT 'missing'"
    f" THEN v.read_at NOT BETWEEN :now - {FRESH_SECONDS - 1} AND :now"
    " ELSE a.id IS NULL OR a.due_at <= :now OR a.checked_at NOT BETWEEN :now - :every + 1 AND :now"
    " OR (a.state IS 'missing' AND v.id IS NOT NULL AND v.missing_since IS NULL) END)"
)
"""Whether a video is due; `every`: in seconds. One that begins to be missing is due when its counts are."""
