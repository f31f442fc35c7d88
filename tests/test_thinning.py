"""Readings that say nothing new are deleted after a sync, and the history says the same as before."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from syncer.model import Count, Reading, VideoId
from syncer.simulator.server import Simulator
from syncer.state.database import Database, open_database
from syncer.state.judging import accept_pending
from syncer.state.syncs import begin_sync, end_sync, forget_syncs
from syncer.state.videos import (
    accepted_readings,
    count_readings,
    forget_readings_before,
    history,
    last_said,
    save_readings,
    thin_readings,
)
from tests.examples import examples
from tests.site import NOON, Run, Site, crlf, ids

VIDEOS = [VideoId(video) for video in ids(3, seed=41)]
HOUR = timedelta(hours=1)

Told = tuple[int | None, bool]
"""The views of a reading, None: missing; and whether it is held."""

SYNCS = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(VIDEOS), st.tuples(st.none() | st.integers(1, 2), st.booleans())),
        st.integers(-1, 30),  # hours since the sync before: the clock may be set back
        st.none() | st.integers(0, 2),  # after how many steps the thinning is interrupted
    ),
    max_size=12,
)


def synced(database: Database, at: datetime, readings: Sequence[Reading], held: Sequence[VideoId] = ()) -> None:
    number = begin_sync(database, f"{at:%Y%m%dT%H%M%SZ}-{count_of(database, 'syncs'):04x}", at)
    save_readings(database, number, readings)
    accept_pending(database, frozenset(Count), ((video, frozenset([Count.VIEWS])) for video in held))
    end_sync(database, number, "{}", whole=True, last_seq=1)


def reading(video: VideoId, at: datetime, views: int | None) -> Reading:
    return Reading(video, at, None if views is None else {Count.VIEWS: views})


def count_of(database: Database, table: str) -> int:
    with database.read() as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def thin(database: Database) -> int:
    return sum(thin_readings(database))


@examples(300)
@example([({VIDEOS[0]: (None, False)}, 0, None)] * 3)
@given(SYNCS)
def test_the_history_says_the_same_as_before(syncs: list[tuple[dict[VideoId, Told], int, int | None]]) -> None:
    with TemporaryDirectory() as place, pytest.MonkeyPatch.context() as patch:
        patch.setattr("syncer.state.videos.STEP_READINGS", 1)
        thinned, whole = (open_database(Path(place, name), place) for name in ("thinned", "whole"))
        at = NOON
        with thinned, whole:
            for told, hours, steps in syncs:
                at += hours * HOUR
                for database in (thinned, whole):
                    readings = [reading(video, at, views) for video, (views, _) in told.items()]
                    synced(database, at, readings, [video for video, (_, is_held) in told.items() if is_held])
                list(islice(thin_readings(thinned), steps))
            assert accepted_readings(thinned, VIDEOS) == accepted_readings(whole, VIDEOS)
            for video in VIDEOS:
                require_same(history(thinned, video), history(whole, video))
                for views in (1, 2):
                    newest = last_said(whole, video, Count.VIEWS, str(views))
                    assert last_said(thinned, video, Count.VIEWS, str(views)) == newest


def require_same(kept: Sequence[Reading], every: Sequence[Reading]) -> None:
    """Every reading that is not kept equals the kept ones around it, which are at most a day apart."""
    left = list(kept)
    before = None
    for each in every:
        if left and each == left[0]:
            before = left.pop(0)
        elif each != before:  # one of the same second may be either of two
            assert before is not None
            assert left, "the newest is kept"
            assert before.statistics == each.statistics == left[0].statistics
            assert timedelta(0) <= left[0].at - before.at <= timedelta(days=1)
    assert not left


def test_of_a_count_that_does_not_change_the_first_the_newest_and_one_a_day_remain(tmp_path: Path) -> None:
    with open_database(tmp_path / "state", tmp_path) as database:
        for hour in range(72):
            synced(database, NOON + hour * HOUR, [reading(VIDEOS[0], NOON + hour * HOUR, 7)])
            thin(database)
        assert [(each.at - NOON) // HOUR for each in history(database, VIDEOS[0])] == [0, 24, 48, 71]


def test_the_accepted_reading_remains_while_newer_equal_ones_are_held(tmp_path: Path) -> None:
    video = VIDEOS[0]
    with open_database(tmp_path / "state", tmp_path) as database:
        for hour in range(4):
            at = NOON + hour * HOUR
            synced(database, at, [reading(video, at, 7)], [video] if hour >= 2 else [])
            thin(database)
        assert accepted_readings(database, VIDEOS)[video].at == NOON + HOUR


def test_a_video_read_twice_in_one_sync_keeps_its_history(tmp_path: Path) -> None:
    with open_database(tmp_path / "state", tmp_path) as database:
        for hour, views in enumerate((1, 2, 1)):
            for again in range(2):
                at = NOON + hour * HOUR
                save_readings(database, hour + 1, [reading(VIDEOS[0], at, views + again)])
            accept_pending(database, frozenset(Count))
            begin_sync(database, str(hour), NOON)
            thin(database)
        assert [dict(each.statistics or {}) for each in history(database, VIDEOS[0])] == [
            {Count.VIEWS: views} for views in (2, 3, 2)
        ]


def test_readings_that_differ_in_one_count_all_remain(tmp_path: Path) -> None:
    video = VIDEOS[0]
    with open_database(tmp_path / "state", tmp_path) as database:
        said: list[dict[Count, int] | None]
        said = [{Count.VIEWS: 1}, {Count.VIEWS: 1, Count.LIKES: 0}, {Count.VIEWS: 1}, None, {}, {Count.COMMENTS: 3}]
        for number, counts in enumerate(said):
            synced(database, NOON + number * HOUR, [Reading(video, NOON + number * HOUR, counts)])
            assert thin(database) == 0
        assert [each.statistics for each in history(database, video)] == said


def test_a_first_reading_that_is_too_old_leaves_a_history_that_is_almost_as_long(tmp_path: Path) -> None:
    keep, at = timedelta(days=3), NOON
    with open_database(tmp_path / "state", tmp_path) as database:
        for hour in range(24 * 8):
            at = NOON + hour * HOUR
            synced(database, at, [reading(VIDEOS[0], at, 7)])
            list(forget_readings_before(database, at - keep))
            thin(database)
            forget_syncs(database, at - keep)
            oldest = history(database, VIDEOS[0])[0].at
            assert at - oldest <= keep
            assert hour < 72 or at - oldest >= keep - timedelta(days=1)
            assert accepted_readings(database, VIDEOS)[VIDEOS[0]].at == at
        assert count_readings(database) <= 5


def test_a_purge_that_is_interrupted_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syncer.state.videos.STEP_READINGS", 2)
    old, new = VIDEOS[:2], VIDEOS[2]
    with open_database(tmp_path / "state", tmp_path) as database:
        for hour in range(4):
            synced(database, NOON + hour * HOUR, [reading(video, NOON + hour * HOUR, hour) for video in old])
        synced(database, NOON + 5 * HOUR, [reading(new, NOON + 5 * HOUR, 1)])
        assert list(islice(forget_readings_before(database, NOON + 4 * HOUR), 2)) == [2, 2]
    with open_database(tmp_path / "state", tmp_path) as database:
        assert accepted_readings(database, VIDEOS).keys() == {new}
        assert sum(forget_readings_before(database, NOON + 4 * HOUR)) == 4
        assert (count_readings(database), count_of(database, "videos")) == (1, 1)


def test_the_file_shrinks_when_readings_are_purged(tmp_path: Path) -> None:
    file = tmp_path / "state" / "state.sqlite3"
    with open_database(tmp_path / "state", tmp_path) as database:
        with database.transaction() as connection:
            connection.execute("INSERT INTO syncs VALUES (1, 'a', 1000, 1, '{}'), (2, 'b', 2000, 1, '{}')")
            connection.execute(
                "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)"
                " INSERT INTO readings SELECT 1 + (i > 200000), i, 1000, 1, i, i, i FROM n"
            )
        size = checkpointed(database, file)
        assert sum(forget_readings_before(database, datetime.fromtimestamp(2000, UTC))) == 200_000
        assert checkpointed(database, file) == size
        assert 1 < len(list(database.release_space())) < 10
        assert checkpointed(database, file) < size * 0.6  # a third is used, and two megabytes are not worth a step
        assert list(database.release_space()) == []


def checkpointed(database: Database, file: Path) -> int:
    with database.read() as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return file.stat().st_size


def test_a_small_state_of_an_older_version_can_shrink_from_then_on(tmp_path: Path) -> None:
    open_database(tmp_path / "state", tmp_path).__exit__(None, None, None)
    file = tmp_path / "state" / "state.sqlite3"
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA auto_vacuum = NONE")
        connection.execute("VACUUM")
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (0,)
    with open_database(tmp_path / "state", tmp_path) as database, database.read() as connection:
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)


def test_syncs_thin_what_they_read_and_say_so(site: Site, syncer: Run, youtube: Simulator) -> None:
    site.put("content/a.md", crlf(VIDEOS[0], 1, 2))
    for minutes in range(0, 60, 10):  # YouTube's time stands still: its counts do not change
        site.sync(NOON + timedelta(minutes=minutes))
    shown = syncer("history", VIDEOS[0])
    assert [line[:16] for line in shown.out.splitlines()[1:3]] == ["2026-11-22 20:00", "2026-11-22 20:50"]
    assert "Between two equal rows, every reading was the same.\n" in shown.out
    youtube.clock.advance(timedelta(days=400))
    site.sync(NOON + timedelta(hours=2))
    assert len(syncer("history", VIDEOS[0], "--json").document["readings"]) == 3


def test_where_a_sync_loses_nearly_all_readings_the_others_remain(tmp_path: Path) -> None:
    videos = [VideoId(f"{number:011d}") for number in range(6_000)]
    with open_database(tmp_path / "state", tmp_path) as database:
        for hour in range(4):
            at = NOON + hour * HOUR
            synced(database, at, [reading(video, at, 0 if n else hour) for n, video in enumerate(videos)])
            thin(database)
        assert count_readings(database) == 4 + 2 * (len(videos) - 1)
        assert [each.statistics for each in history(database, videos[0])] == [{Count.VIEWS: n} for n in range(4)]


def test_what_remains_of_a_sync_is_stored_densely(tmp_path: Path) -> None:
    videos = [VideoId(f"{number:011d}") for number in range(6_000)]
    with open_database(tmp_path / "state", tmp_path) as database:
        for hour in range(24):
            at = NOON + hour * HOUR
            synced(database, at, [reading(video, at, (hour + n) // 3) for n, video in enumerate(videos)])
            thin(database)
        rows = count_readings(database)
        assert rows < 0.75 * 24 * len(videos)
        size = checkpointed(database, tmp_path / "state" / "state.sqlite3")
    with sqlite3.connect(tmp_path / "state" / "state.sqlite3") as connection:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert size < 1.35 * (tmp_path / "state" / "state.sqlite3").stat().st_size
