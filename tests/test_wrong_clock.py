"""A clock that was wrong for one sync costs that sync alone: no time that it noted decides anything afterwards."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.config.parse import parse_config
from syncer.decide.quota import PARKING_MARGIN, is_parked, next_reset, quota_day
from syncer.decide.schedule import first_time
from syncer.diff_log.lines import LOG, lines_of_sync, read_log
from syncer.model import VideoId
from syncer.simulator.server import Simulator
from syncer.simulator.world import VideoState
from syncer.state.database import Database, open_to_read
from syncer.state.syncs import last_syncs, last_whole_sync
from syncer.state.videos import history, last_read, missing_videos
from syncer.status_page.chart import LEFT, RIGHT, WIDTH
from syncer.status_page.frame import Frame
from syncer.status_page.reading import VideoDetails
from syncer.status_page.video_pages import video_page
from syncer.sync.forget import Selection, forget
from syncer.sync.options import Options
from tests.ledgers import balances
from tests.site import NOON, Site, counts, crlf, ids, world_with
from tests.test_brake import in_weather, pages, put_pages

DAY = timedelta(days=1)
OFF = [timedelta(days=3650), timedelta(days=400), 2 * DAY, timedelta(hours=20), -2 * DAY, -timedelta(days=3650)]
wrong = pytest.mark.parametrize("off", OFF, ids=str)


def opened(site: Site) -> Database:
    database = open_to_read(site.state, os.path.realpath(site.root))
    assert database
    return database


@wrong
def test_a_bucket_that_a_wrong_clock_parked_is_open_when_the_clock_is_right(
    site: Site, youtube: Simulator, off: timedelta
) -> None:
    put_pages(site, ids(3))
    spent = in_weather(site, youtube, NOON + off, "day-limit@stats", "quota-exceeded@general")
    assert (spent.answered, spent.exit) == (0, 1)
    report = site.sync(NOON, Options(everything=True))
    assert (report.answered, report.over_quota, report.exit) == (3, 0, 0)


def test_a_bucket_that_a_right_clock_parked_is_closed_until_the_next_reset(site: Site, youtube: Simulator) -> None:
    put_pages(site, ids(3))
    in_weather(site, youtube, NOON, "day-limit@stats", "quota-exceeded@general")
    assert site.sync(next_reset(NOON) - timedelta(seconds=1)).over_quota == 3
    with opened(site) as database:
        assert all(status.parked_until for status in balances(database, NOON).values())
    assert site.sync(next_reset(NOON) + PARKING_MARGIN).answered == 3


moments = st.integers(10**8, 7 * 10**9).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(moments, moments)
def test_no_bucket_is_closed_beyond_the_next_reset_whatever_was_noted(until: datetime, at: datetime) -> None:
    assert not is_parked(until, at) or not is_parked(until, next_reset(at) + PARKING_MARGIN)


@given(moments, st.integers(1, int(PARKING_MARGIN.total_seconds())))
def test_a_bucket_is_closed_from_when_youtube_says_so_to_a_little_after_the_reset(at: datetime, late: int) -> None:
    until = next_reset(at) + timedelta(seconds=late)
    assert is_parked(until, at)
    assert is_parked(until, until - timedelta(seconds=1))
    assert not is_parked(until, until)


@wrong
def test_after_a_wrong_clock_every_video_is_due_and_every_page_true(
    site: Site, youtube: Simulator, off: timedelta
) -> None:
    videos = ids(7)
    put_pages(site, videos)
    site.sync(NOON - DAY)
    youtube.clock.advance(DAY)
    site.sync(NOON + off)
    youtube.clock.advance(DAY)
    schedule = parse_config(site.config.read_text(), site.config).schedule.as_model()
    with opened(site) as database:
        assert first_time(schedule, last_whole_sync(database), NOON) == NOON
    report = site.sync(NOON)
    assert (report.asked, report.answered, report.fresh, report.exit) == (7, 7, 0, 0)
    assert pages(site) == {f"{n}.md": crlf(video, *counts(youtube, video)) for n, video in enumerate(videos)}
    assert site.sync(NOON + timedelta(seconds=60)).fresh == 7


@wrong
def test_the_log_is_in_order_and_each_sync_in_it_is_found(site: Site, youtube: Simulator, off: timedelta) -> None:
    put_pages(site, ids(3))
    names = []
    for at in (NOON - DAY, NOON + off, NOON, NOON + DAY):
        names.append(site.sync(at).sync)
        youtube.clock.advance(40 * DAY)
    lines = list(read_log(site.state / LOG))
    numbers = [int(str(line["seq"])) for line in lines]
    assert numbers == list(range(numbers[0], numbers[0] + len(lines)))
    for name in names:
        expected = [line for line in lines if line["sync"] == name]
        assert lines_of_sync(site.state / LOG, name, limit=99) == expected
    assert all(any(line["sync"] == name for line in lines) for name in names[-2:])


@wrong
def test_a_small_quota_goes_round_the_whole_site_all_the_same(site: Site, off: timedelta) -> None:
    """At most, it leaves out the one day whose units the wrong clock has spent."""
    site.configure(quota="stats_units_per_day: 1, general_units_per_day: 1, reserve: 0")
    put_pages(site, ids(250))
    assert site.sync(NOON + off).answered == 100
    right = [NOON + number * DAY for number in range(4)]
    spent = [quota_day(at) == quota_day(NOON + off) for at in right]
    assert [site.sync(at).answered for at in right] == [0 if each else 100 for each in spent]
    if any(spent):
        right.append(NOON + 4 * DAY)
        assert site.sync(right[-1]).answered == 100
    with opened(site) as database:
        newest = [at for _, at, *_ in last_read(database)]
    assert len(newest) == 250
    assert all(right[0] <= datetime.fromtimestamp(at, UTC) <= right[-1] for at in newest)


@wrong
def test_a_video_that_a_wrong_clock_saw_missing_is_gone_a_day_later_than_any_other_at_most(
    site: Site, youtube: Simulator, off: timedelta
) -> None:
    (video,) = ids(1)
    put_pages(site, [video])
    site.sync(NOON - DAY)
    youtube.world = world_with({video: VideoState.DELETED})
    times = [NOON + off, NOON, NOON + DAY, NOON + 2 * DAY, NOON + 3 * DAY]
    gone = [site.sync(at, Options(everything=True)).gone for at in times]
    assert gone[-1] == (video,)
    assert gone[1] == ()
    with opened(site) as database:
        (missing,) = missing_videos(database)
    assert missing.since <= NOON + 2 * DAY
    assert missing.read_at == NOON + 3 * DAY


@wrong
def test_units_that_a_wrong_clock_spent_are_no_reason_to_leave_a_video_out(
    site: Site, youtube: Simulator, off: timedelta
) -> None:
    site.configure(quota="stats_units_per_day: 1, general_units_per_day: 1, reserve: 0")
    put_pages(site, ids(3))
    assert site.sync(NOON + off).answered == 3
    youtube.clock.advance(DAY)
    assert site.sync(NOON, Options(everything=True)).answered == 3


@wrong
def test_a_wrong_clock_does_not_make_a_site_forget_what_it_has_spent_today(site: Site, off: timedelta) -> None:
    site.configure(quota="stats_units_per_day: 1, general_units_per_day: 1, reserve: 0")
    put_pages(site, ids(150))
    assert site.sync(NOON).answered == 100
    site.sync(NOON + off)
    assert site.sync(NOON + timedelta(hours=1)).answered == 0


@pytest.mark.parametrize("off", [timedelta(days=3650), 400 * DAY, -timedelta(days=3650)], ids=str)
def test_the_units_of_a_wrong_clock_are_forgotten_a_few_days_later(site: Site, off: timedelta) -> None:
    put_pages(site, ids(3))
    for at in (NOON + off, *(NOON + number * DAY for number in range(4))):
        site.sync(at, Options(everything=True))
    with opened(site) as database, database.read() as connection:
        days = [day for (day,) in connection.execute("SELECT DISTINCT day FROM units ORDER BY day")]
    assert days == [quota_day(NOON + number * DAY).isoformat() for number in (1, 2, 3)]


@wrong
def test_what_is_too_old_is_forgotten_though_the_log_begins_with_a_line_of_a_wrong_clock(
    site: Site, youtube: Simulator, off: timedelta
) -> None:
    put_pages(site, ids(2))
    for days in range(0, 60, 15):
        site.sync(NOON + off if days == 0 else NOON + timedelta(days=days))
        youtube.clock.advance(40 * DAY)
    last = NOON + timedelta(days=90)
    site.sync(last)
    dates = [datetime.fromisoformat(str(line["at"])) for line in read_log(site.state / LOG)]
    assert dates
    assert all(last - timedelta(days=30) < at <= last for at in dates)


@pytest.mark.parametrize("off", [2 * DAY, 20 * DAY, timedelta(hours=20), -2 * DAY], ids=str)
def test_readings_are_listed_in_the_order_in_which_they_were_made(
    site: Site, youtube: Simulator, off: timedelta
) -> None:
    video = VideoId(ids(1)[0])
    put_pages(site, [video])
    times = [NOON - DAY, NOON + off, NOON, NOON + DAY]  # near enough that none of them is forgotten
    for at in times:
        site.sync(at, Options(everything=True))
        youtube.clock.advance(DAY)
    with opened(site) as database:
        seen = VideoDetails(video, history(database, video), (), None, unconfirmed=False, play=None)
    assert [reading.at for reading in seen.readings] == times
    shown = bytes(video_page(Frame(), seen).body).decode()
    assert shown.index(f"{times[-1]:%Y-%m-%d %H:%M:%S}</t", shown.index("<tbody")) == min(
        shown.index(f"{at:%Y-%m-%d %H:%M:%S}</t", shown.index("<tbody")) for at in times
    )
    places = [float(x) for x in re.findall(r'<circle cx="([0-9.-]+)"', shown)]
    assert all(LEFT <= x <= WIDTH - RIGHT for x in places)
    assert len(places) >= len(times)


@pytest.mark.parametrize("by_purge", [False, True], ids=["sync", "purge"])
@pytest.mark.parametrize("off", [timedelta(days=3650), timedelta(days=400), 20 * DAY, 2 * DAY], ids=str)
def test_what_a_clock_ahead_of_its_time_noted_is_forgotten_with_what_came_after_it(
    site: Site, youtube: Simulator, off: timedelta, *, by_purge: bool
) -> None:
    put_pages(site, ids(2))
    for at in (NOON + off, NOON):
        site.sync(at, Options(everything=True))
        youtube.clock.advance(40 * DAY)
    assert len({line["sync"] for line in read_log(site.state / LOG)}) == 2
    late = NOON + 30 * DAY
    if by_purge:
        config = parse_config(site.config.read_text(encoding="utf-8"), site.config)
        selection = Selection(before=late - config.history.keep)
        told = [
            forget(config, selection, dry_run=dry_run, clock=lambda: late, sleep=lambda _: None)
            for dry_run in (True, False)
        ]
        assert told == [(4, 8), (4, 8)]
    else:
        site.sync(late)
    with opened(site) as database:
        assert {reading.at for reading in history(database, VideoId(ids(2)[0]))} <= {late}
        assert [sync.started for sync in last_syncs(database, 9)] == [NOON if by_purge else late]
    assert {str(line["at"])[:10] for line in read_log(site.state / LOG)} <= {f"{late:%Y-%m-%d}"}


def test_a_clock_far_behind_that_gets_no_answer_ages_no_reading_and_no_line_of_the_log(
    site: Site, youtube: Simulator
) -> None:
    put_pages(site, ids(2))
    pages = {path: path.read_bytes() for path in (site.root / "content").rglob("*.md")}
    site.sync(NOON)
    before = [line["seq"] for line in read_log(site.state / LOG)]
    for path, page in pages.items():
        path.write_bytes(page)  # repaired from the state, by a sync in 2002
    in_weather(site, youtube, NOON - 9000 * DAY, "backend-503")
    youtube.faults = []
    site.sync(NOON + DAY)
    with opened(site) as database:
        assert [reading.at for reading in history(database, VideoId(ids(2)[0]))] == [NOON, NOON + DAY]
    lines = list(read_log(site.state / LOG))
    assert [line["seq"] for line in lines][: len(before)] == before
    assert any(str(line["at"]) < str(line["as_of"]) for line in lines)
