"""Finds videos by ID, by page, and by state."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from syncer.model import Count, Reading, VideoId
from syncer.state.damage import moment
from syncer.state.database import Database
from syncer.state.judging import BRAKE
from syncer.state.videos import COLUMNS, reading_of


class SearchState(StrEnum):
    """A state of a video that a search can be limited to."""

    MISSING = "missing"
    UNCONFIRMED = "unconfirmed"
    BRAKED = "braked"
    """The safety brake holds its newest reading."""
    HIDDEN = "hidden"
    """YouTube returns it without one of the counts that pages have."""


@dataclass(frozen=True, slots=True)
class KnownVideo:
    """A video that is on a page, or that was read."""

    video_id: VideoId
    pages: int
    """How many pages it is on."""
    path: str | None
    """The first of these pages."""
    reading: Reading | None
    """The accepted reading."""
    missing_since: datetime | None


def find_videos(
    database: Database,
    search: str,
    state: SearchState | None,
    *,
    counts: Collection[Count],
    limit: int,
    offset: int = 0,
) -> tuple[int, list[KnownVideo]]:
    """Return how many videos a search finds, and at most `limit` of them after the first `offset`, by ID.

    `search` is part of a video's ID or of a page's path, in any case; `counts` are the counts that pages have.
    """
    where = f"({_FOUND}) AND ({_conditions(counts)[state]})"
    literal = re.sub("[!%_]", r"!\g<0>", search)
    values = {"search": search, "pattern": f"%{literal}%", "limit": limit, "offset": offset}
    with database.read() as connection:
        total = int(connection.execute(f"SELECT count(*) FROM ({_ALL}) AS a WHERE {where}", values).fetchone()[0])
        rows = connection.execute(
            f"SELECT * FROM ({_ALL}) AS a WHERE {where} ORDER BY id LIMIT :limit OFFSET :offset", values
        )
        videos = []
        for video, at, present, views, likes, comments, missing_since, _, pages, path in rows:
            reading = None if at is None else reading_of((video, at, present, views, likes, comments))
            since = None if missing_since is None else moment(missing_since)
            videos.append(KnownVideo(VideoId(video), pages, path, reading, since))
        return total, videos


def count_states(database: Database, counts: Collection[Count]) -> dict[SearchState | None, int]:
    """Return how many videos are in each state; under None, the total."""
    conditions = _conditions(counts)
    sums = ", ".join(f"coalesce(sum({condition}), 0)" for condition in conditions.values())
    with database.read() as connection:
        row: Sequence[int] = connection.execute(f"SELECT {sums} FROM ({_ALL})").fetchone()
    return dict(zip(conditions, row, strict=True))


def oldest_count(database: Database) -> datetime | None:
    """Return when the oldest of the counts that pages show now was read."""
    with database.read() as connection:
        row: tuple[int | None] = connection.execute(
            "SELECT min(r.at) FROM videos AS v CROSS JOIN readings AS r ON r.sync = v.accepted AND r.video = v.video"
            " WHERE EXISTS (SELECT 1 FROM places AS p WHERE p.id = v.id)"
        ).fetchone()
        return None if row[0] is None else moment(row[0])


_IDS = "SELECT id FROM places UNION SELECT id FROM videos"

_ALL = (
    "SELECT i.id AS id, r.at AS at, r.present AS present, r.views AS views, r.likes AS likes, r.comments AS comments,"
    " v.missing_since AS missing_since, v.held AS held,"
    " (SELECT count(*) FROM places AS p WHERE p.id = i.id) AS pages,"
    " (SELECT min(path) FROM places AS p WHERE p.id = i.id) AS path"
    f" FROM ({_IDS}) AS i LEFT JOIN videos AS v ON v.id = i.id"
    " LEFT JOIN readings AS r ON r.sync = v.accepted AND r.video = v.video"
)

_FOUND = (
    ":search = '' OR a.id LIKE :pattern ESCAPE '!'"
    " OR EXISTS (SELECT 1 FROM places AS p WHERE p.id = a.id AND p.path LIKE :pattern ESCAPE '!')"
)


def _conditions(counts: Collection[Count]) -> dict[SearchState | None, str]:
    lacking = " OR ".join(f"{COLUMNS[count]} IS NULL" for count in counts) or "false"
    return {
        None: "true",
        SearchState.MISSING: "missing_since IS NOT NULL",
        SearchState.UNCONFIRMED: f"held IS NOT NULL AND held != '{BRAKE}'",
        SearchState.BRAKED: f"held IS '{BRAKE}'",
        SearchState.HIDDEN: f"present IS 1 AND ({lacking})",
    }
