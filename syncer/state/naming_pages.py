"""Which pages name a video in their front matter, or embed it in their text, as of the last sync of all pages."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from sqlite3 import Connection

from syncer.model import Page, VideoId
from syncer.state.database import Database

PAGES_OF = "(SELECT path FROM places WHERE id = {0} UNION SELECT path FROM embeds WHERE id = {0})"
"""The pages that name or embed the video of a column."""

ON_PAGES = "SELECT id FROM places{0} UNION SELECT id FROM embeds{0}"
"""The videos of all pages, each once; a condition follows the names of the tables, or nothing."""

IS_NAMED = "EXISTS (SELECT 1 FROM places AS p WHERE p.id = {0})"
"""Whether front matter names the video of a column."""

IS_ON_PAGE = f"({IS_NAMED} OR EXISTS (SELECT 1 FROM embeds AS e WHERE e.id = {{0}}))"
"""Whether there is a page that names or embeds it: for a whole site three times as fast as to look for the pages."""

IN_TEXTS_ONLY = f"(EXISTS (SELECT 1 FROM embeds AS e WHERE e.id = {{0}}) AND NOT {IS_NAMED})"
"""Whether the video is only in the text of pages: its counts are not requested."""

LEFT_OUT_SINCE = f"CASE WHEN {IN_TEXTS_ONLY} THEN {{2}}.missed_since ELSE {{1}}.missing_since END"
"""Since when YouTube has not returned it: the readings of its counts say that, or the checks if there are none.

The second and the third name are those of its rows in `videos` and `availability`.
"""

PAGE_COUNT = (
    "(SELECT count(*) FROM places AS p WHERE p.id = {0}) + (SELECT count(DISTINCT path) FROM embeds AS e WHERE"
    " e.id = {0} AND NOT EXISTS (SELECT 1 FROM places AS p WHERE p.id = e.id AND p.path = e.path))"
)
"""How many there are: twice as fast."""


def save_embeds(connection: Connection, pages: Iterable[Page]) -> None:
    """Record the embeds of these pages, replacing the last record; only differences are written."""
    rows = ((slot.video_id, page.path, slot.line) for page in pages for slot in page.slots)
    connection.execute("CREATE TEMP TABLE found (id, path, line, PRIMARY KEY (id, path, line)) WITHOUT ROWID")
    connection.executemany("INSERT OR IGNORE INTO found VALUES (?, ?, ?)", rows)
    connection.execute("DELETE FROM embeds WHERE (id, path, line) NOT IN (SELECT id, path, line FROM found)")
    connection.execute("INSERT OR IGNORE INTO embeds SELECT id, path, line FROM found")
    connection.execute("DROP TABLE found")


def count_pages_of(database: Database, videos: Iterable[VideoId], pages: Collection[str] = ()) -> int:
    """Return how many pages name any of these videos, or are one of these pages.

    If no sync has noted yet which pages name the videos, they count as one more.
    """
    with database.read() as connection:
        named, both = connection.execute(
            "SELECT count(*), count(*) FILTER (WHERE path IN (SELECT value FROM json_each(?))) FROM"
            " (SELECT DISTINCT path FROM places WHERE id IN (SELECT value FROM json_each(?)))",
            (json.dumps(list(pages)), json.dumps(list(videos))),
        ).fetchone()
    return len(pages) + int(named or 1) - int(both)


def pages_of_videos(
    database: Database, videos: Iterable[VideoId], *, with_embeds: bool = True
) -> dict[VideoId, list[str]]:
    """Return the pages that name each of these videos, sorted; a video on no page is left out.

    `with_embeds`: the pages that embed it in their text, too.
    """
    found: dict[VideoId, list[str]] = {}
    with database.read() as connection:
        rows = connection.execute(
            "SELECT id, path FROM places WHERE id IN (SELECT value FROM json_each(:videos)) UNION SELECT id, path FROM"
            " embeds WHERE :embeds AND id IN (SELECT value FROM json_each(:videos)) ORDER BY id, path",
            {"videos": json.dumps(list(videos)), "embeds": with_embeds},
        )
        for video, path in rows:
            found.setdefault(VideoId(video), []).append(path)
    return found


def forget_video_pages(database: Database, video: VideoId | None = None) -> None:
    """Delete the record of which pages name one video, or all, until the next whole sync, and whether it plays."""
    with database.transaction() as connection:
        for table in ("places", "embeds", "availability"):
            connection.execute(f"DELETE FROM {table} WHERE :video IS NULL OR id = :video", {"video": video})
