"""Whether each video plays, as YouTube last said: since when, on which pages, and what was reported."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from syncer.decide.availability import (
    CONFIRMED_MISSES,
    Availability,
    PlayState,
    availability_from,
)
from syncer.decide.details import CheckedVideo
from syncer.model import VideoId
from syncer.state.damage import OddValue, member, moment, moment_or_none
from syncer.state.database import Database
from syncer.state.naming_pages import IS_NAMED, IS_ON_PAGE, LEFT_OUT_SINCE, ON_PAGES, PAGES_OF

PART_ROWS = 10_000
"""Videos that are read at once. Between two parts no transaction is open: a reader of the list may be slow."""


PLAYING = json.dumps([state for state in PlayState if state.plays])
"""The states in which a video plays, as JSON."""

_STOPPED = json.dumps([state for state in PlayState if not state.plays])


class VideoPlay(NamedTuple):
    """Whether a video plays, and where it is shown."""

    video_id: VideoId
    availability: Availability
    """Its state is None where YouTube was not asked yet, or did not say."""
    since: datetime | None
    """Since when it is in this state, as far as syncer saw it."""
    checked_at: datetime | None
    """When YouTube was last asked."""
    pages: Sequence[str]
    """Those that name it, in front matter or in their text, relative to the site, sorted."""
    embeds: Sequence[tuple[str, int]] = ()
    """Where the text of pages embeds it: the page, and the line in the file."""
    left_out_since: datetime | None = None
    """Since when YouTube has not returned it, if it is not missing yet."""
    named_by: Sequence[str] = ()
    """Those of the pages that name it outside of their text."""

    def places(self) -> list[tuple[str, int | None]]:
        """Return each place with the video, sorted: the page, and in its text the line in the file."""
        return sorted([*((path, None) for path in self.named_by), *self.embeds], key=lambda at: (at[0], at[1] or 0))


class StateChange(NamedTuple):
    """A video that is in another state than the one that was reported last."""

    video_id: VideoId
    before: PlayState | None
    """None: nothing was reported about it yet."""
    after: PlayState
    since: datetime


def known_states(database: Database, videos: Collection[VideoId]) -> dict[VideoId, PlayState | None]:
    """Return the recorded states of those of these videos that have one, or of which YouTube did not say it."""
    with database.read() as connection:
        rows = connection.execute(
            "SELECT id, state FROM availability WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(videos)),),
        )
        return {VideoId(video): _state(state) for video, state in rows}


def playing_videos(database: Database, limit: int, besides: Collection[VideoId] = ()) -> list[VideoId]:
    """Return at most `limit` other videos of the site's pages that play, as far as YouTube returned them since.

    Those of texts were in their last check, those of front matter in their last accepted reading.
    """
    with database.read() as connection:
        rows = connection.execute(
            "SELECT id FROM availability AS a WHERE state IN (SELECT value FROM json_each(?))"
            " AND coalesce(missed_since, unsure_since) IS NULL AND id NOT IN (SELECT value FROM json_each(?))"
            f" AND NOT EXISTS ({_LEFT_OUT}) AND {IS_ON_PAGE.format('a.id')} LIMIT ?",
            (PLAYING, json.dumps(list(besides)), limit),
        )
        return [VideoId(video) for (video,) in rows]


_LEFT_OUT = f"SELECT 1 FROM videos AS v WHERE v.id = a.id AND v.misses AND {IS_NAMED.format('v.id')}"


def unreported_changes(database: Database) -> list[StateChange]:
    """Return the videos on the site's pages whose state differs from what was reported, by ID.

    Of videos of which nothing was reported yet, only those that do not play are returned.
    """
    with database.read() as connection:
        rows = connection.execute(
            f"SELECT id, reported, state, since FROM availability AS a WHERE {_UNREPORTED} ORDER BY id"
        )
        changes = (
            StateChange(VideoId(video), _state(reported), member(PlayState, state), moment(since))
            for video, reported, state, since in rows
        )
        return [change for change in changes if change.before is not None or not change.after.plays]


def note_reported(database: Database) -> None:
    """Record the states as reported: `unreported_changes` returns nothing until the next change."""
    with database.transaction() as connection:
        connection.execute(f"UPDATE availability AS a SET reported = state WHERE {_UNREPORTED}")


def video_plays(database: Database, *, states: Collection[PlayState | None] | None = None) -> Iterator[VideoPlay]:
    """Yield the videos of the site's pages, by ID: all, or those in one of these states (None: not known)."""
    after, wanted = "", None if states is None else set(states)
    while True:
        with database.read() as connection:
            query = _PLAYS.format(f"{ON_PAGES.format(' WHERE id > :after')} ORDER BY id LIMIT :limit")
            part = connection.execute(query, {"after": after, "limit": PART_ROWS}).fetchall()
            found = [_play(row) for row in part]
        if not found:
            return
        yield from (play for play in found if wanted is None or play.availability.state in wanted)
        after = found[-1].video_id


def known_videos(database: Database, videos: Collection[VideoId]) -> dict[VideoId, CheckedVideo]:
    """Return what is known of those of these videos that are missing, or that YouTube was asked about."""
    with database.read() as connection:
        rows = connection.execute(
            f"SELECT n.value, misses >= {CONFIRMED_MISSES}, coalesce(read_at, 0), missing_since,"
            " a.state, a.since, a.checked_at, a.facts FROM json_each(?) AS n"
            " LEFT JOIN videos AS v ON v.id = n.value LEFT JOIN availability AS a ON a.id = n.value"
            f" WHERE a.id IS NOT NULL OR misses >= {CONFIRMED_MISSES}",
            (json.dumps(list(videos)),),
        )
        known = {}
        for video, is_missing, read_at, missing_since, state, since, checked_at, facts in rows:
            known[VideoId(video)] = (
                CheckedVideo(Availability(PlayState.MISSING), moment_or_none(missing_since), moment(read_at))
                if is_missing
                else CheckedVideo(stored_availability(state, facts), moment_or_none(since), moment(checked_at))
            )
        return known


def video_play(database: Database, video: VideoId) -> VideoPlay | None:
    """Return what is known of one video; None if no page has it."""
    with database.read() as connection:
        row = connection.execute(_PLAYS.format(ON_PAGES.format(" WHERE id = :id")), {"id": video}).fetchone()
        return None if row is None else _play(row)


def stopped_videos(database: Database) -> list[tuple[VideoId, PlayState, datetime]]:
    """Return the videos of the site's pages that do not play, by ID, with their states and since when."""
    with database.read() as connection:
        rows = connection.execute(
            "SELECT id, state, since FROM availability AS a WHERE state IN (SELECT value FROM json_each(?))"
            f" AND since IS NOT NULL AND {IS_ON_PAGE.format('a.id')} ORDER BY id",
            (_STOPPED,),
        )
        return [(VideoId(video), member(PlayState, state), moment(since)) for video, state, since in rows]


def count_states(database: Database) -> Mapping[PlayState | None, int]:
    """Return how many videos of the site's pages are in each state; None: not known."""
    with database.read() as connection:
        rows = connection.execute(
            f"SELECT a.state, count(*) FROM ({ON_PAGES.format('')}) AS n"
            " LEFT JOIN availability AS a ON a.id = n.id GROUP BY a.state"
        )
        return {_state(state): number for state, number in rows}


_PLAYS = (
    "SELECT n.id, a.state, a.since, a.checked_at, a.facts, CASE WHEN a.state IS NOT 'missing' THEN"
    f" {LEFT_OUT_SINCE.format('n.id', 'v', 'a')} END,"
    f" (SELECT json_group_array(path) FROM (SELECT path FROM {PAGES_OF.format('n.id')} ORDER BY path)),"
    " (SELECT json_group_array(json_array(path, line))"
    " FROM (SELECT path, line FROM embeds AS e WHERE e.id = n.id ORDER BY path, line)),"
    " (SELECT json_group_array(path) FROM (SELECT path FROM places AS p WHERE p.id = n.id ORDER BY path))"
    " FROM ({}) AS n"
    " LEFT JOIN videos AS v ON v.id = n.id LEFT JOIN availability AS a ON a.id = n.id ORDER BY n.id"
)

_UNREPORTED = f"state IS NOT NULL AND since IS NOT NULL AND state IS NOT reported AND {IS_ON_PAGE.format('a.id')}"


def _state(name: str | None) -> PlayState | None:
    """Return the state of this name. Raises OddValue."""
    return None if name is None else member(PlayState, name)


def _play(row: tuple[str, str | None, int | None, int | None, str | None, int | None, str, str, str]) -> VideoPlay:
    """Return what a row says. Raises OddValue."""
    video, state, since, checked_at, text, left_out, pages, lines, named = row
    embeds, said = [(path, line) for path, line in json.loads(lines)], stored_availability(state, text)
    at = moment_or_none(checked_at)
    since_when, left_out_since = moment_or_none(since), moment_or_none(left_out)
    paths, named_by = json.loads(pages), json.loads(named)
    return VideoPlay(VideoId(video), said, since_when, at, paths, embeds, left_out_since, named_by)


def stored_availability(state: str | None, facts: str | None) -> Availability:
    """Return what was stored. Raises OddValue."""
    try:
        return availability_from(_state(state), "{}" if facts is None else facts)
    except (ValueError, RecursionError) as error:
        raise OddValue(str(error)) from error
