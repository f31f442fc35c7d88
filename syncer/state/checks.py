"""What YouTube returned when it was asked whether videos play: saved, or held by a safety brake.

A video that it left out is missing only after more checks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from sqlite3 import Connection
from typing import NamedTuple

from syncer.decide.availability import BROADCAST, CONFIRMED_MISSES, SOON, Availability, PlayState
from syncer.decide.unconfirmed import NOT_PLAYING, Brake
from syncer.model import VideoId
from syncer.state.damage import OddValue, moment_or_none
from syncer.state.database import Database
from syncer.state.naming_pages import IN_TEXTS_ONLY, IS_NAMED, ON_PAGES
from syncer.state.play_states import PLAYING, playing_videos
from syncer.state.videos import FORGET_CHECKS, RETURNED

UNSURE = timedelta(days=7)
"""For so long YouTube must leave a video out if its answers are unsure, and the site has no video that plays."""


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


def newer_checks(database: Database, checks: Iterable[Check]) -> list[Check]:
    """Return those that are newer than all that YouTube said of the same video, by a check or by leaving it out."""
    times = {check.video_id: int(check.at.timestamp()) for check in checks}
    with database.read() as connection:
        rows = connection.execute(
            "SELECT n.key FROM json_each(?) AS n LEFT JOIN availability AS a ON a.id = n.key"
            " LEFT JOIN videos AS v ON v.id = n.key AND v.missing_since IS NOT NULL"
            " WHERE n.value > coalesce(a.checked_at, 0) AND n.value > coalesce(v.read_at, 0)",
            (json.dumps(times),),
        )
        newer = {video for (video,) in rows}
    return [check for check in checks if check.video_id in newer]


def note_missing(database: Database, soon: timedelta) -> None:
    """Record as missing what both methods left out in two readings a day apart; it is due again after `soon`.

    These readings are accepted ones: while the safety brake holds them, nothing changes.
    """
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO availability SELECT id, read_at, read_at + ?, 'missing', missing_since, '{}', NULL, NULL, NULL"
            f" FROM videos AS v WHERE misses >= {CONFIRMED_MISSES}"
            f" AND {IS_NAMED.format('v.id')} ON CONFLICT (id) DO UPDATE"
            " SET checked_at = excluded.checked_at, due_at = excluded.due_at, facts = '{}', since = excluded.since,"
            " state = 'missing' WHERE state IS NOT 'missing'",
            (int(soon.total_seconds()),),
        )


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
            f" WHERE due_at IN (0, 1) AND id IN ({ON_PAGES.format('')})",
            (PLAYING,),
        ).fetchone()
        row = connection.execute("SELECT value FROM meta WHERE name = ?", (NOT_PLAYING,)).fetchone()
    if not stopped or row is None:
        return None, 0
    match = re.fullmatch("([0-9]{1,15}) ([0-9]{1,15})", row[0])
    if match is None:
        raise OddValue(f"{row[0]!r} is not a brake")
    struck, of = min(int(match[1]), stopped), min(int(match[2]), max(played, stopped))
    return Brake(NOT_PLAYING, struck, of, earlier=True), held


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
            f" AND {IN_TEXTS_ONLY.format('n.value')}",
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
            f"UPDATE videos SET {RETURNED} WHERE id = ? AND misses",
            (check.video_id,),
        )
        connection.execute(f"{FORGET_CHECKS} AND id = ?", (check.video_id,))


_ANY_COUNTED = (
    "SELECT EXISTS (SELECT 1 FROM places AS p JOIN videos AS v ON v.id = p.id"
    " WHERE v.accepted IS NOT NULL AND NOT v.misses)"
)


_BEGUN_TO_MISS = (
    "SELECT 1 FROM videos AS v LEFT JOIN availability AS a ON a.id = v.id"
    " WHERE v.id = :id AND v.missing_since IS NOT NULL AND a.state IS NOT 'missing'"
    f" AND {IS_NAMED.format('v.id')}"
)


_NEW_STATE = "(CASE WHEN :state IS NULL AND (:facts IS NULL OR state IS NOT 'missing') THEN state ELSE :state END)"
