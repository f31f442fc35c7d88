"""Decides which readings reach the pages: they are accepted or held, and undone numbers are suppressed.

A suppressed number is not written to the same place (page, field, video) again until YouTube returns a different one.
It is recorded when an undo or a drop is marked as done (`state.intents`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterable, Iterator, Mapping
from datetime import UTC, datetime, time
from functools import lru_cache
from sqlite3 import Connection
from typing import NamedTuple

from syncer.decide import drift
from syncer.decide.drift import DAY_SECONDS
from syncer.decide.plan import WINDOW_VIDEOS
from syncer.decide.unconfirmed import VIEWS_CHANGED_MEANING, Brake, Comparison, comparable
from syncer.model import Count, Place, Reading, Slot, Statistics, VideoId
from syncer.state.damage import OddValue, member
from syncer.state.database import Database
from syncer.state.naming_pages import IS_NAMED
from syncer.state.videos import COLUMNS, READING_OF, RETURNED, reading_of

BRAKE = "brake"
"""The value of `held` for readings held by the safety brake; for others it lists their unconfirmed counts."""

_NOTHING: frozenset[Count] = frozenset()


class Pending(NamedTuple):
    """A reading that is neither accepted nor held yet."""

    now: Reading
    before: Reading | None
    """The accepted reading."""
    was_missing: bool
    unconfirmed: frozenset[Count]
    """The counts for which the reading before this one was held."""


def pending_readings(database: Database, counts: frozenset[Count]) -> Generator[Pending]:
    """Yield the readings that are not judged yet, with these counts. Do not change the state while you iterate."""
    wanted = [column if count in counts else None for count, column in COLUMNS.items()]
    new, old = (", ".join(f"{name}.{column}" if column else "NULL" for column in wanted) for name in "na")
    with database.read() as connection:
        rows = connection.execute(
            f"SELECT v.id, n.at, n.present, {new}, v.id, a.at, a.present, {old}, v.missing_since, v.held"
            f" FROM videos AS v CROSS JOIN {READING_OF.format('n', 'latest')}"
            f" LEFT JOIN {READING_OF.format('a', 'accepted')} WHERE v.judged IS NOT v.latest"
        )
        for row in rows:
            before = reading_of(row[6:12]) if row[7] is not None else None
            held = _unconfirmed(row[13]) if row[13] else _NOTHING
            yield Pending(reading_of(row[:6]), before, row[12] is not None, held)


def compare_pending(
    pending: Iterable[Pending], of_pages: Mapping[VideoId, Slot], counts: frozenset[Count]
) -> Iterator[Comparison]:
    """Yield each new reading beside the known counts: those of `counts` that YouTube counts the same way since then.

    The readings have no other counts than these.
    """
    for now, before, was_missing, held in pending:
        if before is None:
            slot = of_pages.get(now.video_id)
            values = zip(slot.fields, slot.texts, strict=True) if slot else ()
            counts_of = ((field.kind, text) for field, text in values if text is not None)
            known: Statistics = {count: int(text) for count, text in counts_of if isinstance(count, Count)}
        else:
            known = before.statistics or {}
        new = now.statistics or {}
        same = comparable(counts, before.at if before else None, now.at)
        if same != counts:
            known, new = ({c: number for c, number in each.items() if c in same} for each in (known, new))
        was_present, is_present = before is not None and not was_missing, now.statistics is not None
        yield Comparison(now.video_id, known, new, was_present, is_present, held)  # in order: names take twice as long


def held_videos(database: Database, *, by_brake: bool = False) -> list[VideoId]:
    """Return the videos with a held reading, or with one that the safety brake holds."""
    which = f"held = '{BRAKE}'" if by_brake else "held IS NOT NULL"
    with database.read() as connection:
        return [VideoId(video) for (video,) in connection.execute(f"SELECT id FROM videos WHERE {which}")]


def hold_pending(database: Database, brake: Brake) -> None:
    """Hold all pending readings, and record the brake that holds them."""
    with database.transaction() as connection:
        connection.execute(f"{_HOLD} WHERE judged IS NOT latest", (BRAKE,))
        connection.execute(
            "INSERT OR REPLACE INTO meta VALUES ('brake', ?)", (f"{brake.reason} {brake.struck} {brake.of}",)
        )


def accept_pending(
    database: Database,
    counts: frozenset[Count],
    unconfirmed: Iterable[tuple[VideoId, frozenset[Count]]] = (),
    ahead: Iterable[VideoId] = (),
) -> None:
    """Accept the pending readings, but hold those with unconfirmed counts, and leave those of the videos `ahead`.

    The drift of each video learns from what these `counts` did since its reading was last accepted.
    """
    with database.transaction() as connection:
        connection.executemany(
            f"{_HOLD} WHERE id = ?",
            ((",".join(sorted(held)), video) for video, held in unconfirmed),
        )
        pending = "judged IS NOT latest AND id NOT IN (SELECT value FROM json_each(?))"
        connection.execute(f"{_accept(counts)} WHERE {pending}", (json.dumps(list(ahead)),))


def accept_held(database: Database, counts: frozenset[Count]) -> dict[VideoId, bool]:
    """Accept all held readings, because the user decided so; return their videos, and whether they are missing now.

    Their drifts learn from these `counts`, as in `accept_pending`.
    """
    with database.transaction() as connection:
        held = connection.execute(f"SELECT id, NOT {_GIVEN} FROM videos WHERE held IS NOT NULL")
        accepted = {VideoId(video): bool(missing) for video, missing in held}
        connection.execute(f"{_accept(counts)} WHERE held IS NOT NULL")
    return accepted


def release_unnamed(database: Database) -> None:
    """Release held readings of videos that no page's front matter names any more, and forget that they were left out.

    Their counts are not requested again.
    """
    with database.transaction() as connection:
        connection.execute(
            f"UPDATE videos SET held = NULL, {RETURNED}"
            " WHERE (held IS NOT NULL OR missing_since IS NOT NULL)"
            f" AND NOT {IS_NAMED.format('videos.id')}"
        )


def unconfirmed_counts(database: Database) -> list[tuple[VideoId, Count]]:
    """Return the counts that wait for a second reading to confirm them."""
    with database.read() as connection:
        rows = connection.execute(
            "SELECT id, held FROM videos WHERE held IS NOT NULL AND held != ? ORDER BY id", (BRAKE,)
        )
        return [(VideoId(video), count) for video, held in rows for count in sorted(_unconfirmed(held))]


def current_brake(
    database: Database, counts: frozenset[Count], *, in_sync: bool = False, stopped_it: bool = False
) -> Brake | None:
    """Return the brake that holds readings now; None if it holds none that it would stop a sync for.

    Of the last sync, or of the one that is in progress (`in_sync`) and that it stopped, it is as it was then. Of an
    earlier sync it tells what of these `counts`, or of the videos, is still held.
    """
    held = count_braked(database)
    if not held:
        return None
    with database.read() as connection:
        of_last, read = connection.execute(
            "SELECT braked = (SELECT max(sync) FROM syncs WHERE report IS NOT NULL),"
            " (SELECT count(*) FROM videos WHERE latest = braked)"
            " FROM (SELECT max(judged) AS braked FROM videos WHERE held = ?)",
            (BRAKE,),
        ).fetchone()
        row = connection.execute("SELECT value FROM meta WHERE name = 'brake'").fetchone()
        earlier = not (stopped_it if in_sync else of_last)
        if row is None:
            return Brake("missing", held, held, earlier=earlier)  # of an older version, which did not record it
        match = re.fullmatch("(missing|falling) ([0-9]{1,15}) ([0-9]{1,15})", row[0])
        if match is None:
            raise OddValue(f"{row[0]!r} is not a brake")
        brake = Brake(match[1], int(match[2]), int(match[3]), earlier=earlier, part=read > WINDOW_VIDEOS)
        return _still_held(connection, brake, counts) if earlier else brake


def _still_held(connection: Connection, brake: Brake, counts: Iterable[Count]) -> Brake | None:
    """Return the brake of an earlier sync with the numbers of what is still held; None if nothing is left of it.

    Counts that were compared with those of pages, which are not stored, may all have fallen. Of a sync with several
    windows, the numbers stay those of its part while they are not smaller.
    """
    if brake.reason == "falling":
        own = {COLUMNS[count]: _COMPARABLE_VIEWS if count is Count.VIEWS else "true" for count in counts}
        fell = " + ".join(f"(n.{column} < a.{column} AND {same})" for column, same in own.items())
        both = " + ".join(f"(n.{column} + a.{column} IS NOT NULL AND {same})" for column, same in own.items())
        given = " + ".join(f"(n.{column} IS NOT NULL)" for column in own)
        query = (
            f"SELECT total(coalesce({fell}, 0)), total(CASE WHEN a.at IS NULL THEN 0 ELSE {both} END),"
            f" total(CASE WHEN a.at IS NULL THEN {given} ELSE 0 END)"
            f" FROM videos AS v CROSS JOIN {READING_OF.format('n', 'latest')}"
            f" LEFT JOIN {READING_OF.format('a', 'accepted')} WHERE v.held = '{BRAKE}'"
        )
    else:
        query = (
            f"SELECT total(NOT {_GIVEN}), count(*), 0 FROM videos"
            f" WHERE held = '{BRAKE}' AND missing_since IS NULL AND accepted IS NOT NULL"
        )
    struck, of, unknown = map(int, connection.execute(query).fetchone())
    if unknown:
        struck, of = min(brake.struck, struck + unknown), min(brake.of, of + unknown)
    if brake.part and struck >= brake.struck and of >= brake.of:
        return brake
    return Brake(brake.reason, struck, of, earlier=True) if struck else None


def release_braked(database: Database) -> None:
    """Release the readings that the brake holds: none is left of those for which it stopped a sync."""
    with database.transaction() as connection:
        connection.execute("UPDATE videos SET held = NULL WHERE held = ?", (BRAKE,))


def count_braked(database: Database) -> int:
    """Return how many readings the brake holds."""
    with database.read() as connection:
        return int(connection.execute("SELECT count(*) FROM videos WHERE held = ?", (BRAKE,)).fetchone()[0])


def braked_falls(database: Database, counts: Iterable[Count], limit: int) -> list[tuple[VideoId, Count, int, int]]:
    """Return which of these counts fell most in readings that the brake holds, with the accepted and held numbers."""
    fell = " UNION ALL ".join(
        f"SELECT v.id AS id, '{count}' AS count, a.{COLUMNS[count]} AS before, n.{COLUMNS[count]} AS now"
        f" FROM videos AS v CROSS JOIN {READING_OF.format('n', 'latest')}"
        f" CROSS JOIN {READING_OF.format('a', 'accepted')}"
        f" WHERE v.held = '{BRAKE}' AND n.{COLUMNS[count]} < a.{COLUMNS[count]}"
        f" AND {_COMPARABLE_VIEWS if count is Count.VIEWS else 'true'}"
        for count in sorted(counts)
    )
    with database.read() as connection:
        rows = connection.execute(f"SELECT * FROM ({fell}) ORDER BY now - before, id, count LIMIT ?", (limit,))
        return [(VideoId(video), member(Count, count), before, now) for video, count, before, now in rows]


def braked_missing(database: Database, limit: int) -> list[VideoId]:
    """Return some videos that are missing in readings that the brake holds, and were not before."""
    which = f"held = '{BRAKE}' AND missing_since IS NULL AND NOT {_GIVEN}"
    with database.read() as connection:
        rows = connection.execute(f"SELECT id FROM videos WHERE {which} ORDER BY id LIMIT ?", (limit,))
        return [VideoId(video) for (video,) in rows]


def suppressed_numbers(database: Database, paths: Iterable[str]) -> set[tuple[Place, int]]:
    """Return the suppressed numbers on these pages, each with its place."""
    with database.read() as connection:
        rows = connection.execute(
            "SELECT path, field, id, number FROM suppressed WHERE path IN (SELECT value FROM json_each(?))",
            (json.dumps(list(paths)),),
        )
        return {(Place(path, field, VideoId(video)), number) for path, field, video, number in rows}


def count_suppressed(database: Database) -> int:
    """Return how many numbers are suppressed."""
    with database.read() as connection:
        return int(connection.execute("SELECT count(*) FROM suppressed").fetchone()[0])


def release_suppressed(database: Database) -> int:
    """Release the numbers for which YouTube has returned different ones; return how many are still suppressed."""
    count = count_suppressed(database)
    if not count:
        return 0
    with database.transaction() as connection:
        return count - connection.execute(f"DELETE FROM suppressed AS s WHERE EXISTS ({_OTHER})").rowcount


def forget_unread(database: Database) -> None:
    """Release the suppressed numbers of videos without stored readings."""
    with database.transaction() as connection:
        connection.execute(f"DELETE FROM suppressed AS s WHERE NOT EXISTS ({_ACCEPTED})")


def _unconfirmed(held: str) -> frozenset[Count]:
    if held == BRAKE:
        return _NOTHING
    return frozenset(member(Count, name) for name in held.split(","))


_GIVEN = "EXISTS (SELECT 1 FROM readings AS r WHERE r.sync = latest AND r.video = videos.video AND r.present)"

_HOLD = "UPDATE videos SET judged = latest, held = ?, missing_since = CASE WHEN misses THEN missing_since END"
"""Holds readings; one with the video was left out no more, since it was saved."""

_SAME_DAY = f"misses AND missed_at > read_at - {DAY_SECONDS}"
"""Misses that are closer together than a day count as one, and so does one after a miss in the future."""

_MISSED_AT = (
    "coalesce((SELECT max(r.at, read_at) FROM readings AS r WHERE r.sync = previous AND r.video = videos.video),"
    " read_at)"
)
"""From when a miss counts: if the clock is behind the reading before it, from there, because it may be wrong now."""

_COMPARABLE_VIEWS = " AND ".join(
    f"(a.at < {seconds}) = (n.at < {seconds})"
    for day in VIEWS_CHANGED_MEANING
    for seconds in [int(datetime.combine(day, time(), UTC).timestamp())]
)
"""Whether the views of both readings mean the same (`decide.unconfirmed.comparable`)."""


@lru_cache(maxsize=8)
def _accept(counts: frozenset[Count]) -> str:
    """Return the UPDATE that accepts each video's newest reading and learns its drift (`decide.drift`).

    Accepted readings are compared with pages. A video that YouTube did not return keeps its last accepted reading.
    Times later than the newest reading come from a clock that ran ahead: the reading's time replaces them.

    `LIMIT 1` keeps SQLite from computing each step as often as the next ones name it.
    """
    columns = [column for count, column in COLUMNS.items() if count in counts]
    both = {column: f"max(n.{column}, a.{column}, 1)" for column in columns}
    if "views" in both:
        both["views"] = f"CASE WHEN {_COMPARABLE_VIEWS} THEN {both['views']} END"
    larger = "".join(
        f", {each} AS of_{column}, abs(n.{column} - a.{column}) AS by_{column}" for column, each in both.items()
    )
    compared = " + ".join(["0", *(f"(of_{column} IS NOT NULL)" for column in columns)])
    relative = " + ".join(["0", *(f"coalesce(by_{column} * 1.0 / of_{column}, 0)" for column in columns)])
    steps = " + ".join(["0", *(f"coalesce(1.0 / of_{column}, 0)" for column in columns)])
    return (
        "UPDATE videos SET judged = latest, held = NULL,"
        " (accepted, missing_since, misses, missed_at, drift, observed) = ("
        "SELECT CASE WHEN given THEN latest ELSE accepted END,"
        " CASE WHEN given THEN NULL WHEN misses THEN min(coalesce(missing_since, read_at), read_at) ELSE read_at END,"
        f" CASE WHEN given THEN 0 WHEN {_SAME_DAY} THEN misses ELSE misses + 1 END,"
        f" CASE WHEN given THEN NULL WHEN {_SAME_DAY} AND missed_at <= read_at THEN missed_at ELSE {_MISSED_AT} END,"
        f" coalesce(rate + (min(relative / days, max({drift.LARGEST_RISE} * rate, {drift.ALWAYS_BELIEVED})) - rate)"
        " * days / (days + weighs), drift),"
        f" coalesce(CAST((weighs + days) * {DAY_SECONDS} AS INTEGER), observed) FROM ("
        "SELECT given, days, rate, relative, min("
        f"coalesce(observed / {DAY_SECONDS}.0,"
        f" min(max(step / {drift.PRIOR}, {drift.SHORTEST_PRIOR}), {drift.LONGEST_PRIOR})),"
        f" min(max({drift.REMEMBERED_COUNTS} * step / max(rate, {drift.SMALLEST}), {drift.SHORTEST_MEMORY}),"
        f" {drift.LONGEST_MEMORY})) AS weighs FROM ("
        f"SELECT given, days, rate, ({relative}) / ({compared}) AS relative,"
        f" ({steps}) / ({compared}) AS step FROM ("
        f"SELECT n.present IS 1 AS given, coalesce(drift, {drift.PRIOR}) AS rate,"
        f" CASE WHEN n.at > a.at THEN (n.at - a.at) / {DAY_SECONDS}.0 END AS days{larger} FROM (SELECT 1)"
        " LEFT JOIN readings AS n ON n.sync = latest AND n.video = videos.video AND n.present"
        " LEFT JOIN readings AS a ON a.sync = accepted AND a.video = videos.video LIMIT 1) LIMIT 1) LIMIT 1))"
    )


_ACCEPTED = f"SELECT 1 FROM videos AS v CROSS JOIN {READING_OF.format('r', 'accepted')} WHERE v.id = s.id"

_COUNTS = " ".join(f"WHEN '{count}' THEN r.{column}" for count, column in COLUMNS.items())

_OTHER = f"{_ACCEPTED} AND CASE s.count {_COUNTS} END != s.number"
