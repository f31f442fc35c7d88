"""The readings of each video: saved batch by batch, compared with pages, deleted when they are too old."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from sqlite3 import Connection

from syncer.decide.drift import DAY_SECONDS, PRIOR
from syncer.decide.plan import GONE_MISSES, LastRead, is_gone
from syncer.model import Count, Page, Reading, ValueKind, VideoId
from syncer.state.damage import OddValue, moment
from syncer.state.database import Database
from syncer.state.naming_pages import IS_NAMED, save_embeds

STEP_READINGS = 5_000
"""Readings that are deleted at once: some hundredths of a second."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A video that YouTube did not return when it was last requested."""

    video_id: VideoId
    since: datetime
    read_at: datetime
    misses: int
    """Readings at least a day apart without it."""

    @property
    def gone(self) -> bool:
        """Whether it counts as gone, not only as missing."""
        return is_gone(self.misses)


def save_readings(database: Database, sync: int, readings: Sequence[Reading]) -> None:
    """Save the readings of many videos in one transaction; they are not judged yet.

    One with the video at once ends all that was noted of its being left out, even if it is held later.
    """
    by_id = "SELECT id, video FROM videos WHERE id IN (SELECT value FROM json_each(?))"
    with database.transaction() as connection:
        videos = {reading.video_id: None for reading in readings}
        numbers: dict[VideoId, int] = dict(connection.execute(by_id, (json.dumps(list(videos)),)))
        if new := [video for video in videos if video not in numbers]:
            connection.executemany("INSERT INTO videos (id, read_at) VALUES (?, 0)", zip(new, strict=True))
            numbers.update(connection.execute(by_id, (json.dumps(new),)))
        rows = [(sync, numbers[reading.video_id], *values_of(reading)) for reading in readings]
        rows.sort(key=itemgetter(1))  # as they are stored: a large state is not in the cache
        connection.executemany(
            "UPDATE videos SET previous = latest, latest = ?1, read_at = ?2, misses = CASE WHEN ?3 THEN 0 ELSE misses"
            " END, missed_at = CASE WHEN ?3 THEN NULL ELSE missed_at END WHERE video = ?4",
            map(itemgetter(0, 2, 3, 1), rows),
        )
        given = json.dumps([reading.video_id for reading in readings if reading.statistics is not None])
        connection.execute(f"{FORGET_CHECKS} AND id IN (SELECT value FROM json_each(?))", (given,))
        connection.executemany("INSERT OR REPLACE INTO readings VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


def newer_readings(database: Database, readings: Sequence[Reading]) -> list[Reading]:
    """Return those of these readings that are newer than the newest of the same video in the state."""
    names = json.dumps([reading.video_id for reading in readings])
    with database.read() as connection:
        rows = connection.execute(
            "SELECT id, read_at FROM videos WHERE id IN (SELECT value FROM json_each(?))", (names,)
        )
        read_at: dict[VideoId, int] = dict(rows.fetchall())
    return [reading for reading in readings if int(reading.at.timestamp()) > read_at.get(reading.video_id, 0)]


def accepted_readings(database: Database, videos: Iterable[VideoId]) -> dict[VideoId, Reading]:
    """Return the accepted reading of each of these videos that has one."""
    with database.read() as connection:
        rows = connection.execute(
            f"SELECT {READING_COLUMNS} FROM videos AS v CROSS JOIN {READING_OF.format('r', 'accepted')}"
            " WHERE v.video IN (SELECT video FROM videos WHERE id IN (SELECT value FROM json_each(?)))",
            (json.dumps(list(videos)),),  # by number, in whose order they are stored: a large state is not in the cache
        )
        return {row[0]: reading_of(row) for row in rows}


def count_videos(database: Database) -> int:
    """Return how many videos the state knows, from front matter or from texts."""
    with database.read() as connection:
        return int(connection.execute(f"SELECT count(*) FROM ({_KNOWN})").fetchone()[0])


def known_videos(database: Database) -> Generator[VideoId]:
    """Yield the videos that the state knows. Do not change the state while you iterate."""
    with database.read() as connection:
        yield from (video for (video,) in connection.execute(_KNOWN))


def named_videos(database: Database) -> set[VideoId]:
    """Return the videos that the site's pages named in the last sync of all pages."""
    with database.read() as connection:
        return {video for (video,) in connection.execute("SELECT DISTINCT id FROM places")}


def count_named(database: Database) -> int:
    """Return how many videos the site's pages named in the last sync of all pages."""
    with database.read() as connection:
        return int(connection.execute("SELECT count(DISTINCT id) FROM places").fetchone()[0])


def longest_unread(database: Database) -> tuple[VideoId, datetime] | None:
    """Return which video of the site's pages was not read for the longest time, and when it was; gone ones aside."""
    with database.read() as connection:
        row = connection.execute(
            "SELECT id, read_at FROM videos AS v WHERE misses < ? AND read_at > 0"
            f" AND {IS_NAMED.format('v.id')} ORDER BY read_at, id LIMIT 1",
            (GONE_MISSES,),
        ).fetchone()
        return (VideoId(row[0]), moment(row[1])) if row else None


def last_read(database: Database) -> Generator[LastRead]:
    """Yield all videos with readings, longest unread first. Do not change the state while you iterate."""
    with database.read() as connection:
        yield from map(
            LastRead._make,
            connection.execute(
                "SELECT id, read_at, misses, held IS NOT NULL, coalesce(drift, ?) FROM videos ORDER BY read_at, id",
                (PRIOR,),
            ),
        )


def history(database: Database, video: VideoId) -> list[Reading]:
    """Return all stored readings of one video, in the order in which they were made, whatever the clock said."""
    with database.read() as connection:
        rows = connection.execute(
            f"SELECT {READING_COLUMNS} FROM videos AS v CROSS JOIN syncs AS s"
            " CROSS JOIN readings AS r ON r.sync = s.sync AND r.video = v.video WHERE v.id = ? ORDER BY r.sync",
            (video,),
        )
        return [reading_of(row) for row in rows]


def last_said(database: Database, video: VideoId, kind: ValueKind, text: str) -> datetime | None:
    """Return when YouTube last returned this number, if that reading is still stored; of a date, None."""
    if not isinstance(kind, Count):
        return None
    with database.read() as connection:
        row = connection.execute(
            "SELECT r.at FROM syncs AS s CROSS JOIN videos AS v ON v.id = ? CROSS JOIN readings AS r"
            f" ON r.sync = s.sync AND r.video = v.video AND r.{COLUMNS[kind]} = ? ORDER BY s.sync DESC LIMIT 1",
            (video, int(text)),
        ).fetchone()
        return moment(row[0]) if row else None


def missing_videos(database: Database) -> list[Missing]:
    """Return the videos that YouTube did not return when they were last requested, longest missing first."""
    with database.read() as connection:
        rows = connection.execute(
            "SELECT id, missing_since, read_at, misses FROM videos WHERE missing_since IS NOT NULL"
            " ORDER BY missing_since, id"
        ).fetchall()
    return [Missing(VideoId(video), moment(since), moment(read), misses) for video, since, read, misses in rows]


def count_readings(database: Database, *, before: datetime | None = None, video: VideoId | None = None) -> int:
    """Return how many readings are stored: of syncs up to the last before a time, of one video, or all."""
    where, values = _selection(before, video)
    with database.read() as connection:
        return int(connection.execute(f"SELECT count(*) FROM readings WHERE {where}", values).fetchone()[0])


def forget_readings(database: Database, *, video: VideoId | None = None) -> int:
    """Delete the readings of one video, or all. Return how many.

    A video without readings is deleted too.
    """
    where, values = _selection(None, video)
    with database.transaction() as connection:
        forgotten = connection.execute(f"DELETE FROM readings WHERE {where}", values).rowcount
        connection.execute(f"DELETE FROM videos WHERE {where}", values)
    return forgotten


def forget_readings_before(database: Database, before: datetime) -> Generator[int]:
    """Delete the readings of syncs up to the last before a time, in small steps; yield how many, after each.

    A video without readings is deleted too: last, because a new one can get its number.
    """
    with database.read() as connection:
        (last,) = connection.execute(_LAST_BEFORE, (int(before.timestamp()),)).fetchone()
        oldest = connection.execute("SELECT min(sync) FROM readings").fetchone()[0]
    if oldest is None or oldest > last:
        return
    with database.transaction() as connection:
        connection.execute("UPDATE videos SET accepted = NULL WHERE accepted <= ?", (last,))
    forgotten = STEP_READINGS
    while forgotten == STEP_READINGS:
        with database.transaction() as connection:
            forgotten = connection.execute(
                "DELETE FROM readings WHERE (sync, video) IN"
                " (SELECT sync, video FROM readings WHERE sync <= ? ORDER BY sync, video LIMIT ?)",
                (last, STEP_READINGS),
            ).rowcount
        yield forgotten
    with database.transaction() as connection:
        connection.execute("DELETE FROM videos WHERE accepted IS NULL AND latest <= ?", (last,))


def thin_readings(database: Database) -> Generator[int]:
    """Delete the readings that equal the one before and the one after, in small steps; yield how many, after each.

    What remains of a count that does not change is its first and its newest reading, and one a day in between: the
    first is deleted one day when it is too old, and the next one then says almost as long that it was the same.

    Interrupted, a step is made again; a video that was done already then starts a new row of equal readings.
    """
    with database.read() as connection:
        row = connection.execute("SELECT value FROM meta WHERE name = 'thinned'").fetchone()
        newest = connection.execute("SELECT max(latest) FROM videos").fetchone()[0] or 0
    if row and not row[0].isdecimal():
        raise OddValue(f"the last sync that was thinned is {row[0]!r}")
    done = int(row[0]) if row else 0
    if newest <= done:
        return
    after = 0
    while True:
        with database.transaction() as connection:
            rows = connection.execute(_TO_THIN, {"after": after, "done": done, "limit": STEP_READINGS}).fetchall()
            if not rows:
                connection.execute("INSERT OR REPLACE INTO meta VALUES ('thinned', ?)", (str(newest),))
                return
            connection.executemany(
                "UPDATE videos SET same_since = ? WHERE video = ?",
                ((since, video) for video, _, since in rows if since is not None),
            )
            surplus = [(previous, video) for video, previous, since in rows if since is None]
            _delete_densely(connection, surplus, after, rows[-1][0])
        yield len(surplus)
        after = rows[-1][0]


def _delete_densely(connection: Connection, surplus: Collection[tuple[int, int]], after: int, last: int) -> None:
    """Delete readings that exist, given as sync and video, of the videos after one up to a last one.

    Where a sync loses all that it has of these videos, they are deleted together. Where it loses many, the others are
    written again: SQLite joins pages only when they are two thirds empty.
    """
    where = "WHERE sync = ? AND video > ? AND video <= ?"
    by_sync: defaultdict[int, list[int]] = defaultdict(list)
    for sync, video in surplus:
        by_sync[sync].append(video)
    for sync, videos in by_sync.items():
        part, is_many = (sync, after, last), len(videos) > STEP_READINGS // 10
        if is_many and (len(videos),) == connection.execute(f"SELECT count(*) FROM readings {where}", part).fetchone():
            connection.execute(f"DELETE FROM readings {where}", part)
            continue
        connection.executemany("DELETE FROM readings WHERE sync = ? AND video = ?", ((sync, each) for each in videos))
        if is_many:
            rows = connection.execute(f"SELECT * FROM readings {where} ORDER BY video", part).fetchall()
            connection.execute(f"DELETE FROM readings {where}", part)
            connection.executemany("INSERT INTO readings VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


def save_video_pages(
    database: Database,
    places: Iterable[tuple[str, AbstractSet[tuple[VideoId, str]]]],
    digest: str,
    embeds: Iterable[Page] | None = None,
) -> None:
    """Record which page names which video, replacing the last record; only differences are written.

    `places` are pairs of a video and the path of a page that names it, all that begin with each character that an ID
    can begin with; `digest` is what the last record had if there is nothing to do. `embeds` are the pages with videos
    in their text; None: there are none.
    """
    with database.transaction() as connection:
        if embeds or connection.execute("SELECT EXISTS (SELECT 1 FROM embeds)").fetchone()[0]:
            save_embeds(connection, embeds or ())
        saved = connection.execute("SELECT value FROM meta WHERE name = 'places'").fetchone()
        # the number differs after a purge, and after an older version, which keeps the digest as it was
        (number,) = connection.execute("SELECT count(*) FROM places").fetchone()
        if saved == (f"{number} {digest}",):
            return
        for character, now in places:
            within = (character, chr(ord(character) + 1))
            before = set(connection.execute("SELECT id, path FROM places WHERE id >= ? AND id < ?", within))
            connection.executemany("DELETE FROM places WHERE id = ? AND path = ?", before - now)
            connection.executemany("INSERT INTO places VALUES (?, ?)", sorted(now - before))
        (number,) = connection.execute("SELECT count(*) FROM places").fetchone()
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('places', ?)", (f"{number} {digest}",))


RETURNED = "missing_since = NULL, misses = 0, missed_at = NULL"
"""What is set where YouTube returned a video, or nothing asks for it any more."""

FORGET_CHECKS = (
    "UPDATE availability SET missed_since = NULL, unsure_since = NULL"
    " WHERE coalesce(missed_since, unsure_since) IS NOT NULL"
)
"""Forgets the checks that left videos out; more conditions follow."""


def values_of(reading: Reading) -> tuple[int | None, ...]:
    """Return what is stored of a reading beside its video: time, whether YouTube returned it, and the counts."""
    given = reading.statistics
    return int(reading.at.timestamp()), int(given is not None), *map((given or {}).get, COLUMNS)


def reading_of(row: Row) -> Reading:
    """Return the reading in a row: ID, time, whether YouTube returned it, and the counts. Raises OddValue."""
    video, at, present, views, likes, comments = row
    given: dict[Count, int] = {}  # not by a loop, which takes twice as long: a sync does this for every video
    if views is not None:
        given[_VIEWS] = views
    if likes is not None:
        given[_LIKES] = likes
    if comments is not None:
        given[_COMMENTS] = comments
    is_odd = present not in {0, 1}
    for number in given.values():
        is_odd = is_odd or type(number) is not int or number < 0
    if is_odd:
        raise OddValue(f"a reading of {video} is not valid")
    return Reading(video, moment(at), given if present else None)


READING_OF = "readings AS {0} ON {0}.sync = v.{1} AND {0}.video = v.video"
"""The reading of a video `v` that is its `latest`, or its `accepted` one, and so on, by a name of its own."""

_KNOWN = "SELECT id FROM videos UNION SELECT id FROM embeds"

READING_COLUMNS = "v.id, r.at, r.present, r.views, r.likes, r.comments"
"""What `reading_of` takes, of a reading `r`."""

Row = tuple[VideoId, int, int, int | None, int | None, int | None]

COLUMNS: Mapping[Count, str] = {Count.VIEWS: "views", Count.LIKES: "likes", Count.COMMENTS: "comments"}

_VIEWS, _LIKES, _COMMENTS = COLUMNS


_LAST_BEFORE = (
    "SELECT coalesce(max(sync), 0) FROM syncs AS s WHERE started < ?"
    " AND EXISTS (SELECT 1 FROM readings AS r WHERE r.sync = s.sync)"
)
"""The last sync before a time: readings made before it are older, whatever the clock said.

A sync without readings is ignored, because its clock may be wrong: with a clock that is years off, HTTPS fails.
"""


_SAME = "({0}.present, {0}.views, {0}.likes, {0}.comments) IS ({1}.present, {1}.views, {1}.likes, {1}.comments)"

_TO_THIN = (
    "SELECT v.video, v.previous, CASE"
    f" WHEN v.previous IS NULL OR v.previous > :done OR NOT {_SAME.format('n', 'p')} THEN v.latest"
    f" WHEN NOT {_SAME.format('n', 'f')} OR n.at - f.at NOT BETWEEN 0 AND {DAY_SECONDS} THEN v.previous"
    " WHEN v.previous IN (v.same_since, v.accepted) THEN v.same_since END"
    f" FROM videos AS v LEFT JOIN {READING_OF.format('n', 'latest')}"
    f" LEFT JOIN {READING_OF.format('p', 'previous')}"
    f" LEFT JOIN {READING_OF.format('f', 'same_since')}"
    " WHERE v.video > :after AND v.latest > :done ORDER BY v.video LIMIT :limit"
)
"""Videos with a reading that is newer than all that were thinned: their reading before it, and with which reading the
row of equal ones begins. Null: as before, and the reading before the newest is neither its first nor accepted.

The reading before the newest was compared with its own one before, unless a thinning was interrupted.
"""


def _selection(before: datetime | None, video: VideoId | None) -> tuple[str, tuple[int | str, ...]]:
    if before is not None:  # by sync, the first column of the key: no scan of all readings
        return f"sync <= ({_LAST_BEFORE})", (int(before.timestamp()),)
    if video is not None:
        return "video = (SELECT video FROM videos WHERE id = ?)", (video,)
    return "true", ()
