"""The rows of whole tables for `syncer export`, read in parts: neither memory nor a writer's log grows meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from syncer.state.database import Database
from syncer.state.naming_pages import LEFT_OUT_SINCE, ON_PAGES, PAGE_COUNT, PAGES_OF
from syncer.state.videos import READING_OF

Row = tuple[str | int | None, ...]

PART_ROWS = 10_000
"""Rows that are read at once. Between two parts no transaction is open: a reader of the output may be slow."""


def reading_rows(database: Database, since: datetime | None) -> Iterator[Row]:
    """Yield the readings that were made since then, in the order of syncs, then of videos.

    A row: video ID, time, the sync's ID, whether YouTube returned the video, views, likes, comments; times are seconds
    since 1970.
    """
    after: tuple[int, int] = (0, 0)
    while True:
        with database.read() as connection:
            part = connection.execute(
                "SELECT r.sync, r.video, v.id, r.at, s.id, r.present, r.views, r.likes, r.comments FROM readings AS r"
                " CROSS JOIN videos AS v USING (video) LEFT JOIN syncs AS s ON s.sync = r.sync"
                " WHERE (r.sync, r.video) > (?, ?) ORDER BY r.sync, r.video LIMIT ?",
                (*after, PART_ROWS),
            ).fetchall()
        if not part:
            return
        earliest = since.timestamp() if since else 0
        yield from (row[2:] for row in part if row[3] >= earliest)
        after = part[-1][:2]


def video_rows(database: Database, since: datetime | None) -> Iterator[Row]:
    """Yield the videos that are on a page or were read, by ID; with `since`, those whose newest reading is not older.

    A row: ID, number of pages, the first page's path, the time of the accepted reading, its views, likes and comments,
    the time of the newest reading, since when YouTube does not return the video, why the newest reading is held; then
    whether it plays, since when, when that was checked, and what else was said, for `decide.availability_from`.
    """
    after = ""
    while True:
        with database.read() as connection:
            part = connection.execute(_VIDEOS, {"after": after, "limit": PART_ROWS}).fetchall()
        if not part:
            return
        earliest = since.timestamp() if since else None
        yield from (row for row in part if earliest is None or (row[7] is not None and row[7] >= earliest))
        after = part[-1][0]


_VIDEOS = (
    f"SELECT i.id, {PAGE_COUNT.format('i.id')},"
    f" (SELECT min(path) FROM {PAGES_OF.format('i.id')}), r.at, r.views, r.likes, r.comments,"
    f" v.read_at, {LEFT_OUT_SINCE.format('i.id', 'v', 'a')}, v.held, a.state, a.since, a.checked_at, a.facts FROM ("
    f"{ON_PAGES.format(' WHERE id > :after')} UNION SELECT id FROM videos WHERE id > :after ORDER BY 1 LIMIT :limit"
    f") AS i LEFT JOIN videos AS v ON v.id = i.id LEFT JOIN {READING_OF.format('r', 'accepted')}"
    " LEFT JOIN availability AS a ON a.id = i.id ORDER BY i.id"
)
