"""Whether each video plays, as YouTube last said: which are due to be looked at, since when, and what was reported."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from sqlite3 import Connection
from typing import NamedTuple

from syncer.decide.availability import (
    BROADCAST,
    CONFIRMED_MISSES,
    SOON,
    Availability,
    PlayState,
    availability_from,
)
from syncer.decide.details import CheckedVideo
from syncer.decide.unconfirmed import NOT_PLAYING, Brake
from syncer.model import VideoId
from syncer.state.damage import OddValue, member, moment, moment_or_none
from syncer.state.database import Database
from syncer.state.naming_pages import IS_ON_PAGE, LEFT_OUT_SINCE, PAGES_OF
from syncer.state.videos import CHECKED, FORGET_CHECKS, IS_DUE

UNSURE = timedelta(days=7)
"""For so long YouTube must leave a video out if its answers are unsure, and the site has no video that plays."""

PART_ROWS = 10_000
"""Videos that are read at once. Between two parts no transaction is open: a reader of the list may be slow."""


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


class Misses(NamedTuple):
    """Checks in a row that left a video out."""

    missed_since: datetime | None = None
    """The first that was not unsure."""
    unsure_since: datetime | None = None
    """The first that was."""
    checked_at: datetime | None = None
    """The newest, or the check before them."""


class Check(NamedTuple):
    """What YouTube returned about one video."""

    video_id: VideoId
    at: datetime
    due_at: datetime
    """When to ask again."""
    found: Availability | None
    """None: it left the video out."""
    since: datetime | None = None
    """Since when, if not since now."""
    unsure: bool = False
    """The answer had no video at all, or it rejected the video."""
    left_out: Misses = Misses()
    """Of a video that only texts embed: this and the checks before."""


def note_missing(database: Database, soon: timedelta) -> None:
    """Record as missing what both methods left out in two readings a day apart; it is due again after `soon`.

    These readings are accepted ones: while the safety brake holds them, nothing changes.
    """
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO availability SELECT id, read_at, read_at + ?, 'missing', missing_since, '{}', NULL, NULL, NULL"
            f" FROM videos AS v WHERE misses >= {CONFIRMED_MISSES}"
            " AND EXISTS (SELECT 1 FROM places AS p WHERE p.id = v.id) ON CONFLICT (id) DO UPDATE"
            " SET checked_at = excluded.checked_at, due_at = excluded.due_at, facts = '{}', since = excluded.since,"
            " state = 'missing' WHERE state IS NOT 'missing'",
            (int(soon.total_seconds()),),
        )


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
    named = "SELECT value AS id FROM json_each(:only)"
    if only is None:
        named = "SELECT id FROM places UNION SELECT id FROM embeds"
    query = f"FROM ({named}) AS n {CHECKED} WHERE :everything OR {IS_DUE}"
    values = {
        "only": None if only is None else json.dumps(sorted(only)),
        "everything": everything,
        "now": int(now.timestamp()),
        "every": int(every.total_seconds()),
        "limit": limit,
    }
    order = "ORDER BY a.state IS NOT NULL, a.state IN (SELECT value FROM json_each(:playing)), a.due_at, n.id"
    playing = json.dumps([state for state in PlayState if state.plays])
    with database.read() as connection:
        (number,) = connection.execute(f"SELECT count(*) {query}", values).fetchone()
        rows = connection.execute(f"SELECT n.id {query} {order} LIMIT :limit", {**values, "playing": playing})
        return [VideoId(video) for (video,) in rows], number


def hold_checks(database: Database, checks: Iterable[Check], stopped: Collection[str], brake: Brake) -> None:
    """Record that this brake holds what YouTube returned: its videos are due at once.

    Nothing of it is saved, except that those that were returned are not left out any more. Those that would have
    stopped playing, `stopped`, are due before the others, which tells them apart.
    """
    with database.transaction() as connection:
        for check in checks:
            due_at = check.video_id not in stopped
            connection.execute("UPDATE availability SET due_at = ? WHERE id = ?", (due_at, check.video_id))
            _forget_misses(connection, check)
        connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (NOT_PLAYING, f"{brake.struck} {brake.of}"))


def playing_brake(database: Database) -> tuple[Brake | None, int]:
    """Return the brake that holds what YouTube returned, with the numbers of what is held now, and of how many videos.

    None and 0 if nothing is held now that would stop playing.
    """
    with database.read() as connection:
        held, stopped, played = connection.execute(
            "SELECT count(*), count(CASE WHEN due_at = 0 THEN 1 END),"
            " count(CASE WHEN state IN (SELECT value FROM json_each(?)) THEN 1 END) FROM availability"
            " WHERE due_at IN (0, 1) AND id IN (SELECT id FROM places UNION SELECT id FROM embeds)",
            (json.dumps([state for state in PlayState if state.plays]),),
        ).fetchone()
        row = connection.execute("SELECT value FROM meta WHERE name = ?", (NOT_PLAYING,)).fetchone()
    if not stopped or row is None:
        return None, 0
    match = re.fullmatch("([0-9]{1,15}) ([0-9]{1,15})", row[0])
    if match is None:
        raise OddValue(f"{row[0]!r} is not a brake")
    struck, of = min(int(match[1]), stopped), min(int(match[2]), max(played, stopped))
    return Brake(NOT_PLAYING, struck, of, earlier=True), held


def regions_changed(database: Database, regions: str) -> bool:
    """Whether the last check of all videos that were due was made for other regions."""
    with database.read() as connection:
        row = connection.execute("SELECT value FROM meta WHERE name = 'regions'").fetchone()
        return bool(row is None or row[0] != regions)


def note_regions(database: Database, regions: str) -> None:
    """Record for which regions all videos that were due have been checked."""
    with database.transaction() as connection:
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('regions', ?)", (regions,))


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
            (json.dumps([state for state in PlayState if state.plays]), json.dumps(list(besides)), limit),
        )
        return [VideoId(video) for (video,) in rows]


def confirm_missing(database: Database, checks: Sequence[Check], every: timedelta) -> list[Check]:
    """Return these checks; what only texts embed is missing where YouTube left it out for a day, in each check.

    Nothing else tells it of such videos: their counts are not requested. Answers that are unsure tell it after a week,
    and only where no video of the site is known to play, which would have had to be in them.
    """
    absent = [check.video_id for check in checks if check.found is None]
    with database.read() as connection:
        found = connection.execute(
            "SELECT n.value, missed_since, unsure_since, checked_at FROM json_each(?) AS n"
            " LEFT JOIN availability AS a ON a.id = n.value WHERE state IS NOT 'missing'"
            " AND EXISTS (SELECT 1 FROM embeds AS e WHERE e.id = n.value)"
            " AND NOT EXISTS (SELECT 1 FROM places AS p WHERE p.id = n.value)",
            (json.dumps(absent),),
        )
        rows = {VideoId(video): Misses(*map(moment_or_none, times)) for video, *times in found}
        (is_returned,) = connection.execute(_ANY_COUNTED).fetchone()
    is_alone = not is_returned and not playing_videos(database, 1)
    return [
        _confirmed(check, rows[check.video_id], every, is_alone=is_alone) if check.video_id in rows else check
        for check in checks
    ]


def _confirmed(check: Check, before: Misses, every: timedelta, *, is_alone: bool) -> Check:
    """Return a check that left out a video of texts: whether it is missing, or since when it is left out.

    A miss in the future is forgotten. If the check before is in the future, the clock may be behind now: a first miss
    then counts from there.
    """
    at, missed, unsure = check.at, before.missed_since, before.unsure_since
    missed, unsure = (each if each and each <= at else None for each in (missed, unsure))
    since = min(missed or at, unsure or at) if check.unsure else missed or at
    if at - since >= (UNSURE if check.unsure else BROADCAST) and (is_alone or not check.unsure):
        missing = Availability(PlayState.MISSING)
        return check._replace(due_at=at + min(every, SOON), found=missing, since=since)
    start = max(at, before.checked_at or at)
    missed, unsure = (missed, unsure or start) if check.unsure else (missed or start, unsure)
    return check._replace(left_out=Misses(missed, unsure))


def save_checks(database: Database, checks: Iterable[Check]) -> None:
    """Record what YouTube returned. A video that it left out, or of which it does not say it, keeps its state.

    What was known beside the state stays with it.

    Of one that the counts are without, too, nothing is recorded until it is missing or back. A missing video that it
    returns is back, whatever it says: its counts are requested again by the next sync.
    """
    with database.transaction() as connection:
        for check in checks:
            video, at, due_at, found, since, _, left_out = check
            row = {"id": video, "at": int(at.timestamp()), "due": int(due_at.timestamp()), "facts": None, "state": None}
            missed, unsure = (each and int(each.timestamp()) for each in left_out[:2])
            row |= {"since": int((since or at).timestamp()), "missed": missed, "unsure": unsure}
            if found is not None:
                row |= {"facts": found.facts(), "state": found.state}
                _forget_misses(connection, check)
            connection.execute(
                "INSERT INTO availability SELECT :id, :at, :due, :state, CASE WHEN :state IS NOT NULL THEN :since END,"
                " coalesce(:facts, '{}'), NULL, :missed, :unsure"
                f" WHERE :facts IS NOT NULL OR NOT EXISTS ({_BEGUN_TO_MISS})"
                " ON CONFLICT (id) DO UPDATE SET checked_at = :at, due_at = :due,"
                " facts = CASE WHEN :state IS NULL AND json_valid(facts) THEN json_patch(facts, coalesce(:facts, '{}'))"
                " ELSE coalesce(:facts, facts) END,"
                f" state = {_NEW_STATE},"
                f" since = CASE WHEN {_NEW_STATE} IS state THEN since WHEN {_NEW_STATE} IS NOT NULL THEN :since END,"
                " missed_since = :missed, unsure_since = :unsure",
                row,
            )


def _forget_misses(connection: Connection, check: Check) -> None:
    """Forget how often a video was left out that a check returned, by counts as well as by checks."""
    if check.found is not None and check.found.state is not PlayState.MISSING:
        connection.execute(
            "UPDATE videos SET missing_since = NULL, misses = 0, missed_at = NULL WHERE id = ? AND misses",
            (check.video_id,),
        )
        connection.execute(f"{FORGET_CHECKS} AND id = ?", (check.video_id,))


_ANY_COUNTED = (
    "SELECT EXISTS (SELECT 1 FROM places AS p JOIN videos AS v ON v.id = p.id"
    " WHERE v.accepted IS NOT NULL AND NOT v.misses)"
)

_LEFT_OUT = (
    "SELECT 1 FROM videos AS v WHERE v.id = a.id AND v.misses AND EXISTS (SELECT 1 FROM places AS p WHERE p.id = v.id)"
)

_BEGUN_TO_MISS = (
    "SELECT 1 FROM videos AS v LEFT JOIN availability AS a ON a.id = v.id"
    " WHERE v.id = :id AND v.missing_since IS NOT NULL AND a.state IS NOT 'missing'"
    " AND EXISTS (SELECT 1 FROM places AS p WHERE p.id = v.id)"
)

_NEW_STATE = "(CASE WHEN :state IS NULL AND (:facts IS NULL OR state IS NOT 'missing') THEN state ELSE :state END)"


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
            named = "SELECT id FROM places WHERE id > :after UNION SELECT id FROM embeds WHERE id > :after"
            query = _PLAYS.format(f"{named} ORDER BY id LIMIT :limit")
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
        named = "SELECT id FROM places WHERE id = :id UNION SELECT id FROM embeds WHERE id = :id"
        row = connection.execute(_PLAYS.format(named), {"id": video}).fetchone()
        return None if row is None else _play(row)


def stopped_videos(database: Database) -> list[tuple[VideoId, PlayState, datetime]]:
    """Return the videos of the site's pages that do not play, by ID, with their states and since when."""
    with database.read() as connection:
        rows = connection.execute(
            "SELECT id, state, since FROM availability AS a WHERE state IN (SELECT value FROM json_each(?))"
            f" AND since IS NOT NULL AND {IS_ON_PAGE.format('a.id')} ORDER BY id",
            (json.dumps([state for state in PlayState if not state.plays]),),
        )
        return [(VideoId(video), member(PlayState, state), moment(since)) for video, state, since in rows]


def count_states(database: Database) -> Mapping[PlayState | None, int]:
    """Return how many videos of the site's pages are in each state; None: not known."""
    with database.read() as connection:
        rows = connection.execute(
            "SELECT a.state, count(*) FROM (SELECT id FROM places UNION SELECT id FROM embeds) AS n"
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
