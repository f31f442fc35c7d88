"""A large site is requested, judged and written in windows: random samples, judged before their pages are written."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import groupby, pairwise
from math import ceil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncer.cli.changes import ChangeList
from syncer.cli.show import VIDEOS_SHOWN
from syncer.config.parse import parse_config
from syncer.control import Stage
from syncer.decide.plan import WINDOW_VIDEOS, Windows
from syncer.decide.unconfirmed import Brake, Comparison, Shares, judge
from syncer.errors import ExitCode
from syncer.model import BATCH_SIZE, Count, VideoId
from syncer.simulator.faults import parse_fault
from syncer.simulator.server import Simulator
from syncer.simulator.world import VideoState
from syncer.status.report import SyncReport
from syncer.sync.make import make_sync
from syncer.sync.options import Environment, Listener, Options
from tests.repository import in_git
from tests.site import KEY, NOON, Run, Site, counts, crlf, ids, pair, world_with

LATER = NOON + timedelta(hours=6)
SMALL = 2 * BATCH_SIZE
"""Videos in a window of these tests, so that a few hundred pages fill several."""


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("decide.plan", "state.judging"):
        monkeypatch.setattr(f"syncer.{module}.WINDOW_VIDEOS", SMALL)


def numbered(many: int) -> list[VideoId]:
    return [VideoId(f"{number:011}") for number in range(many)]


def sync(
    site: Site, listener: Listener, *, accept: bool = False, cancelled: Callable[[], bool] = lambda: False
) -> SyncReport:
    config = parse_config(site.config.read_text(encoding="utf-8"), site.config)
    environment = Environment(key=KEY, clock=lambda: LATER, sleep=lambda _: None, cancelled=cancelled)
    return make_sync(config, Options(accept=accept), environment, listener)


def put_pages(site: Site, videos: Sequence[str], views: int = 1) -> None:
    for number, video in enumerate(videos):
        site.put(f"content/{number:04}.md", crlf(video, views, views))


def collapsing_at_the_first_write(youtube: Simulator, videos: Sequence[str]) -> Listener:
    """Let YouTube lose all videos once a sync writes its first pages."""

    def progress(stage: Stage, _done: int, _of: int | None) -> None:
        if stage == "write":
            youtube.world = world_with(dict.fromkeys(videos, VideoState.DELETED))

    return Listener(progress=progress)


def counts_on(page: Path) -> bytes:
    return b"".join(line for line in page.read_bytes().splitlines() if b"Count" in line or b"viewcount" in line)


@settings(deadline=None, max_examples=30)
@given(many=st.integers(0, 60_000), seed=st.text(st.characters(max_codepoint=127), max_size=32))
def test_windows_are_equal_in_size_and_take_no_request_more_than_one_list_would(many: int, seed: str) -> None:
    windows = Windows(numbered(many), seed).windows
    sizes = [len(window) for window in windows]
    assert len(windows) == max(1, ceil(many / WINDOW_VIDEOS))
    assert max(sizes) <= WINDOW_VIDEOS
    assert max(sizes) - min(sizes) < 2 * BATCH_SIZE
    assert sum(ceil(size / BATCH_SIZE) for size in sizes) == ceil(many / BATCH_SIZE)


def test_each_video_is_in_one_window_and_the_same_seed_draws_the_same_windows() -> None:
    videos = numbered(12_345)
    windows = Windows(videos, "20261122T150003Z-9f2c")
    assert sorted(video for window in windows.windows for video in window) == videos
    assert all(windows.window_of(video) == number for number, window in enumerate(windows.windows) for video in window)
    assert Windows(videos, "20261122T150003Z-9f2c").windows == windows.windows
    assert Windows(videos, "20261122T150003Z-9f2d").windows != windows.windows


def test_a_window_is_a_sample_of_all_videos_and_not_a_stretch_of_them() -> None:
    for window in Windows(numbered(50_000), "a seed").windows:
        first_half = sum(int(video) < 25_000 for video in window)
        assert 2300 < first_half < 2700  # of 5,000: more than five standard deviations


def test_up_to_five_thousand_videos_are_one_window_in_their_own_order() -> None:
    videos = numbered(WINDOW_VIDEOS)
    assert Windows(videos, "a seed").windows == [videos]
    assert len(Windows(numbered(WINDOW_VIDEOS + 1), "a seed").windows) == 2


def test_too_few_missing_videos_for_a_brake_in_each_window_are_enough_together() -> None:
    def window(first: int) -> list[Comparison]:
        known = {Count.VIEWS: 10}
        return [Comparison(video, known, {}, True, False, frozenset()) for video in numbered(4)[first:]]

    first = judge(window(0), missing=0.5, falling=0.5)
    assert (first.brake, first.so_far) == (None, Shares(present=4, missing=4))
    second = judge(window(1), missing=0.5, falling=0.5, before=first.so_far)
    assert (second.brake, second.so_far) == (Brake("missing", 7, 7), Shares(present=7, missing=7))


def test_a_window_is_held_for_its_own_share_however_well_the_others_did() -> None:
    known, fallen = {Count.VIEWS: 10}, {Count.VIEWS: 9}
    window = [Comparison(video, known, fallen, True, True, frozenset()) for video in numbered(8)]
    before = Shares(present=1000, counts=1000)
    assert judge(window, missing=0.5, falling=0.5, before=before).brake == Brake("falling", 8, 8)


@pytest.mark.usefixtures("small_windows")
def test_a_large_site_is_brought_up_to_date_like_a_small_one(site: Site, youtube: Simulator) -> None:
    videos = ids(5 * SMALL + 7)
    put_pages(site, videos)
    report = site.sync()
    assert (report.exit, report.asked, report.answered) == (0, len(videos), len(videos))
    assert (report.changed_pages, report.changed_counts) == (len(videos), 2 * len(videos))
    for number, video in enumerate(videos):
        assert (site.root / f"content/{number:04}.md").read_bytes() == crlf(video, *counts(youtube, video))
    again = site.sync(LATER)
    assert (again.exit, again.changed_counts) == (0, 0)


@pytest.mark.usefixtures("small_windows")
def test_youtube_that_collapses_in_mid_sync_stops_it_and_what_was_written_before_stays(
    site: Site, youtube: Simulator, syncer: Run
) -> None:
    videos = ids(8 * SMALL)
    put_pages(site, videos)
    site.sync()
    youtube.clock.advance(timedelta(days=400))
    right = {video: counts(youtube, video) for video in videos}
    before = {number: (site.root / f"content/{number:04}.md").read_bytes() for number in range(len(videos))}

    report = sync(site, collapsing_at_the_first_write(youtube, videos))
    assert report.brake is not None
    assert (report.brake.reason, report.brake.earlier, report.exit) == ("missing", False, 1)
    assert report.asked == len(videos)
    new = [crlf(video, *right[video]) for video in videos]
    now = [(site.root / f"content/{number:04}.md").read_bytes() for number in range(len(videos))]
    changed = [number for number, page in enumerate(now) if page != before[number]]
    assert all(now[number] == new[number] for number in changed)
    assert SMALL <= len(changed) <= 4 * SMALL  # the first window, and those that were requested before the collapse
    assert report.changed_pages == len(changed)
    status = syncer("status", "--json").document
    assert status["held_by_brake"] >= len(videos) - 4 * SMALL
    assert len(status["missing"]) <= SMALL // 2  # of the window that was being requested, if not more of it was lost

    youtube.world = world_with({})
    assert (site.sync(LATER + timedelta(hours=6)).brake, site.sync(LATER + timedelta(hours=12)).changed_counts) == (
        None,
        0,
    )
    assert [(site.root / f"content/{number:04}.md").read_bytes() for number in range(len(videos))] == new


@pytest.mark.usefixtures("small_windows")
def test_a_window_is_judged_by_all_of_its_own_readings_whenever_they_come(site: Site, youtube: Simulator) -> None:
    """A missing video is confirmed by a second request. If that is late, those that are present come a window early."""
    videos = ids(4 * SMALL)
    put_pages(site, videos)
    site.sync()
    gone = videos[::10]
    youtube.world = world_with(dict.fromkeys(gone, VideoState.DELETED))
    youtube.faults = [parse_fault("late@general")]
    report = site.sync(LATER)
    assert (report.brake, report.exit, sorted(report.missing)) == (None, 0, sorted(gone))


@pytest.mark.parametrize("windows", [1, 3])
@pytest.mark.usefixtures("small_windows")
def test_an_interrupted_sync_leaves_its_readings_to_be_judged_with_those_that_it_did_not_get(
    site: Site, youtube: Simulator, windows: int
) -> None:
    """Judged at once, those present would be accepted, and the next sync would see the missing ones alone."""
    videos = ids(windows * SMALL)
    put_pages(site, videos)
    site.sync()
    gone = videos[::10]
    youtube.world = world_with(dict.fromkeys(gone, VideoState.DELETED))
    youtube.clock.advance(timedelta(days=400))
    youtube.faults = [parse_fault("stall@general")]
    told = threading.Event()

    def progress(stage: Stage, done: int, _of: int | None) -> None:
        if stage == "ask" and done >= SMALL - SMALL // 10:
            told.set()

    interrupted = sync(site, Listener(progress=progress), cancelled=told.is_set)
    assert (interrupted.exit, len(interrupted.missing) < len(gone)) == (ExitCode.INTERRUPTED, True)
    youtube.faults = []
    report = site.sync(LATER + timedelta(minutes=1))
    assert (report.brake, report.exit) == (None, 0)
    right = {video: counts(youtube, video) for video in videos if video not in gone}
    pages = {video: (site.root / f"content/{number:04}.md").read_bytes() for number, video in enumerate(videos)}
    assert {video: pages[video] for video in right} == {video: crlf(video, *right[video]) for video in right}


@pytest.mark.usefixtures("small_windows")
def test_a_sync_that_is_stopped_in_its_second_half_says_how_much_it_had_written(
    site: Site, youtube: Simulator, syncer: Run
) -> None:
    videos = ids(6 * SMALL)
    put_pages(site, videos)
    site.sync()
    youtube.clock.advance(timedelta(days=400))

    report = sync(site, collapsing_at_the_first_write(youtube, videos))
    assert report.brake is not None
    share = f"{report.brake.struck:,} of {report.brake.of:,} videos in one part of it are missing"
    said = f"The safety brake stopped the last sync: {share} (limit 50%)."
    shown = syncer("status").out
    assert said in shown
    assert f"{report.changed_counts:,} counts had been written before." in shown
    assert syncer("sync", "--accept").code == 0
    assert syncer("status", "--json").document["held_by_brake"] == 0


@pytest.mark.usefixtures("small_windows")
def test_a_sync_that_is_stopped_lists_as_missing_what_it_had_accepted_and_says_how_much_is_held(
    site: Site, youtube: Simulator, syncer: Run, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    videos = ids(6 * SMALL)
    put_pages(site, videos)
    site.configure(git="commit: true")
    repository = in_git(site)
    site.sync()
    few = dict.fromkeys(videos[::3], VideoState.DELETED)
    youtube.world = world_with(few)
    youtube.clock.advance(timedelta(days=400))

    with caplog.at_level("INFO", "syncer.sync"):
        report = sync(site, collapsing_at_the_first_write(youtube, videos))
    assert report.brake is not None
    assert (report.brake.earlier, report.brake.part) == (False, True)
    document = syncer("status", "--json").document
    missing = [each["video_id"] for each in document["missing"]]
    assert missing == sorted(set(report.missing) - report.braked)
    assert VIDEOS_SHOWN < len(missing) < len(few)
    assert len(report.braked) == document["held_by_brake"] < len(videos)
    assert f"Missing on YouTube: {len(missing)} videos" in repository.git("log", "-1", "--format=%B")
    held = {video for video, *_ in report.held}
    assert report.pages_of.keys() == {*missing, *held}, "what is held is neither missing nor gone"
    assert held < report.braked
    (judged,) = (record.getMessage() for record in caplog.records if record.__dict__.get("event") == "judged")
    holds = f"the safety brake holds {len(report.braked)} readings"
    assert judged.endswith(f"; {len(report.missing)} missing, 0 counts unconfirmed; {holds}")

    capsys.readouterr()
    ChangeList().show(report, quiet=False)
    listed = capsys.readouterr().out.split("Not returned by YouTube, counts kept:\n")[1].split("The safety brake")[0]
    lines = listed.splitlines()
    assert [line.split()[0] for line in lines[:VIDEOS_SHOWN]] == missing[:VIDEOS_SHOWN]
    assert lines[VIDEOS_SHOWN].startswith(f"  ... and {len(missing) - VIDEOS_SHOWN:,} more")


@pytest.mark.usefixtures("small_windows")
def test_a_page_with_videos_of_several_windows_is_written_once(site: Site, youtube: Simulator) -> None:
    videos = ids(6 * SMALL)
    for number, (first, second) in enumerate(pairwise(videos)):
        site.put(f"content/lists/{number:04}.md", pair((first, 1, 1), (second, 1, 1)))
    batches: list[list[str]] = []
    report = sync(site, Listener(changed=lambda changes: batches.append([change.path for change in changes])))
    assert (report.problems, report.exit, report.changed_pages) == ((), 0, len(videos) - 1)
    paths = [path for batch in batches for path, _ in groupby(batch)]
    assert len(paths) == len(set(paths)) == len(videos) - 1
    for number, (first, second) in enumerate(pairwise(videos)):
        expected = pair((first, *counts(youtube, first)), (second, *counts(youtube, second)))
        assert (site.root / f"content/lists/{number:04}.md").read_bytes() == expected


@pytest.mark.usefixtures("small_windows")
def test_pages_whose_videos_are_fresh_are_repaired_beside_the_windows(site: Site, youtube: Simulator) -> None:
    fresh, due = ids(SMALL), ids(5 * SMALL, seed=2)
    put_pages(site, fresh)
    site.sync(LATER - timedelta(seconds=30))
    put_pages(site, fresh)  # an author's old copy
    for number, video in enumerate(due):
        site.put(f"content/due/{number:04}.md", crlf(video, 1, 1))
    report = sync(site, Listener())
    assert (report.fresh, report.asked, report.changed_pages) == (SMALL, 5 * SMALL, 6 * SMALL)
    for number, video in enumerate(fresh):
        assert (site.root / f"content/{number:04}.md").read_bytes() == crlf(video, *counts(youtube, video))


@pytest.mark.usefixtures("small_windows")
def test_what_is_held_and_fresh_is_accepted_beside_windows_of_other_videos(site: Site, youtube: Simulator) -> None:
    held, due = ids(SMALL), ids(3 * SMALL, seed=2)
    put_pages(site, held)
    site.sync()
    youtube.clock.advance(timedelta(days=400))
    right = {video: counts(youtube, video) for video in held}
    gone = world_with(dict.fromkeys(held[: SMALL // 2 + 1], VideoState.DELETED))
    youtube.world, good = gone, youtube.world
    assert site.sync(LATER - timedelta(seconds=30)).brake is not None
    youtube.world = good
    for number, video in enumerate(due):
        site.put(f"content/due/{number:04}.md", crlf(video, 1, 1))
    report = sync(site, Listener(), accept=True)
    assert (report.brake, report.asked, len(report.accepted)) == (None, 3 * SMALL, SMALL)
    assert report.changed_pages == 3 * SMALL + SMALL - (SMALL // 2 + 1)
    for number, video in list(enumerate(held))[SMALL // 2 + 1 :]:
        assert (site.root / f"content/{number:04}.md").read_bytes() == crlf(video, *right[video])


@pytest.mark.usefixtures("small_windows")
def test_a_dry_run_of_a_large_site_says_what_would_change_and_writes_nothing(
    site: Site, youtube: Simulator, syncer: Run
) -> None:
    videos = ids(3 * SMALL)
    put_pages(site, videos)
    before = [counts_on(page) for page in sorted((site.root / "content").glob("*.md"))]
    ran = syncer("sync", "--dry-run", "--json")
    document = json.loads(ran.out)
    assert (ran.code, document["changed_pages"], len(document["changes"])) == (0, len(videos), 2 * len(videos))
    assert [counts_on(page) for page in sorted((site.root / "content").glob("*.md"))] == before
    assert not site.state.exists()
