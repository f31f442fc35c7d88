"""Finds videos by ID, by page, and by state."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from syncer.decide.availability import Availability, PlayState
from syncer.model import Count, Reading, VideoId
from syncer.state.damage import moment_or_none
from syncer.state.database import Database
from syncer.state.judging import BRAKE
from syncer.state.naming_pages import (
    IN_TEXTS_ONLY,
    IS_NAMED,
    IS_ON_PAGE,
    LEFT_OUT_SINCE,
    ON_PAGES,
    PAGE_COUNT,
    PAGES_OF,
)
from syncer.state.play_states import stored_availability
from syncer.state.videos import COLUMNS, READING_COLUMNS, READING_OF, reading_of


class SearchState(StrEnum):
    """A state of a video that a search can be limited to."""

    MISSING = "missing"
    UNCONFIRMED = "unconfirmed"
    BRAKED = "braked"
    """The safety brake holds its newest reading."""
    HIDDEN = "hidden"
    """YouTube returns it without one of the counts that pages have."""
    NOT_PLAYING = "not-playing"
    """It is in one of the states in which a video does not play (`PlayState`); the states themselves follow.

    `missing` is not among them: it is above, from the first reading without the video on.
    """
    CONFIRMED_MISSING = "confirmed-missing"
    """What `PlayState` calls missing: two readings a day apart were without it."""
    BLOCKED = PlayState.BLOCKED.value
    NOT_EMBEDDABLE = PlayState.NOT_EMBEDDABLE.value
    AGE_RESTRICTED = PlayState.AGE_RESTRICTED.value
    UPCOMING = PlayState.UPCOMING.value
    LIVE = PlayState.LIVE.value
    UNLISTED = PlayState.UNLISTED.value
    PUBLIC = PlayState.PUBLIC.value
    UNKNOWN = "unknown"
    """Whether it plays is not known."""


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
    said: Availability
    """What is known of whether it plays."""
    since: datetime | None
    """Since when it is in this state."""
    in_texts_only: bool
    """Whether its pages have it only in their text, so that its counts are not requested."""


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
        for row in rows:
            video, *read, missing_since, _, _, pages, path, plays, begun, facts, texts = row
            reading = None if read[0] is None else reading_of((video, *read))
            since = moment_or_none(missing_since)
            said = stored_availability(plays, facts)
            state_since = moment_or_none(begun)
            videos.append(KnownVideo(VideoId(video), pages, path, reading, since, said, state_since, bool(texts)))
        return total, videos


def hidden_counts(database: Database, counts: Collection[Count]) -> list[tuple[VideoId, Count]]:
    """Return the videos whose accepted reading lacks one of these counts, with that count."""
    with database.read() as connection:
        rows = connection.execute(
            f"SELECT {READING_COLUMNS} FROM videos AS v CROSS JOIN {READING_OF.format('r', 'accepted')}"
            " WHERE r.views IS NULL OR r.likes IS NULL OR r.comments IS NULL ORDER BY v.id"
        )
        readings = (reading_of(row) for row in rows)
        return [(r.video_id, count) for r in readings for count in sorted(counts) if count not in (r.statistics or {})]


def count_states(database: Database, counts: Collection[Count]) -> dict[SearchState | None, int]:
    """Return how many videos are in each state; under None, the total."""
    conditions = _conditions(counts)
    sums = ", ".join(f"coalesce(sum({condition}), 0)" for condition in conditions.values())
    with database.read() as connection:
        row: Sequence[int] = connection.execute(f"SELECT {sums} FROM ({_ALL})").fetchone()
    return dict(zip(conditions, row, strict=True))


def count_pending(database: Database) -> int:
    """Return how many videos on pages YouTube did not return, and are not known to be missing or otherwise stopped."""
    with database.read() as connection:
        where = f"shown AND missing_since IS NOT NULL AND (state IS NULL OR state NOT IN ({_STOPPED}))"
        return int(connection.execute(f"SELECT count(*) FROM ({_ALL}) WHERE {where}").fetchone()[0])


def oldest_reading(database: Database) -> datetime | None:
    """Return the time of the oldest reading that is stored: of the first sync with readings."""
    with database.read() as connection:
        row = connection.execute(
            "SELECT min(at) FROM readings WHERE sync = (SELECT min(sync) FROM readings)"
        ).fetchone()
        return moment_or_none(row[0])


def oldest_count(database: Database) -> datetime | None:
    """Return when the oldest of the counts that pages show now was read."""
    with database.read() as connection:
        row: tuple[int | None] = connection.execute(
            f"SELECT min(r.at) FROM videos AS v CROSS JOIN {READING_OF.format('r', 'accepted')}"
            f" WHERE {IS_NAMED.format('v.id')}"
        ).fetchone()
        return moment_or_none(row[0])


_STOPPED = ", ".join(f"'{state}'" for state in PlayState if not state.plays)

_IDS = f"{ON_PAGES.format('')} UNION SELECT id FROM videos"

_ALL = (
    "SELECT i.id AS id, r.at AS at, r.present AS present, r.views AS views, r.likes AS likes, r.comments AS comments,"
    f" {LEFT_OUT_SINCE.format('i.id', 'v', 'y')} AS missing_since, v.held AS held,"
    f" {IS_ON_PAGE.format('i.id')} AS shown, {PAGE_COUNT.format('i.id')} AS pages,"
    f" (SELECT min(path) FROM {PAGES_OF.format('i.id')}) AS path, y.state AS state, y.since AS since, y.facts AS facts,"
    f" {IN_TEXTS_ONLY.format('i.id')} AS in_texts_only"
    f" FROM ({_IDS}) AS i LEFT JOIN videos AS v ON v.id = i.id"
    f" LEFT JOIN {READING_OF.format('r', 'accepted')} LEFT JOIN availability AS y ON y.id = i.id"
)

_FOUND = (
    ":search = '' OR a.id LIKE :pattern ESCAPE '!'"
    f" OR EXISTS (SELECT 1 FROM {PAGES_OF.format('a.id')} WHERE path LIKE :pattern ESCAPE '!')"
)


def _conditions(counts: Collection[Count]) -> dict[SearchState | None, str]:
    lacking = " OR ".join(f"{COLUMNS[count]} IS NULL" for count in counts) or "false"
    return {
        None: "true",
        SearchState.MISSING: "missing_since IS NOT NULL",
        SearchState.UNCONFIRMED: f"held IS NOT NULL AND held != '{BRAKE}'",
        SearchState.BRAKED: f"held IS '{BRAKE}'",
        SearchState.HIDDEN: f"present IS 1 AND ({lacking})",
        SearchState.NOT_PLAYING: f"shown AND state IN ({_STOPPED})",
        SearchState.CONFIRMED_MISSING: f"shown AND state IS '{PlayState.MISSING}'",
        SearchState.UNKNOWN: "shown AND state IS NULL",
        **{SearchState(state): f"shown AND state IS '{state}'" for state in PlayState if state != "missing"},
    }
