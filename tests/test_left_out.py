"""When a video that YouTube leaves out is missing: what counts for another day, and what ends all that was noted."""

from __future__ import annotations

from datetime import timedelta

import pytest

from syncer.decide.availability import PlayState
from syncer.decide.unconfirmed import Brake
from syncer.model import Bucket, Reading, VideoId
from syncer.simulator.faults import parse_fault
from syncer.simulator.playing import Playing
from syncer.simulator.server import Simulator
from syncer.simulator.world import Video, VideoState, World
from syncer.state.database import open_database, open_state
from syncer.state.judging import hold_pending
from syncer.state.play_states import VideoPlay, video_plays
from syncer.state.syncs import begin_sync
from syncer.state.videos import missing_videos, save_readings
from syncer.sync.options import Options
from tests.site import NOON, Run, Site, crlf, ids

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
NAMED, OTHER, TEXT, *MORE = map(VideoId, ids(60, seed=41))
DEAD, NOT_HERE = Video(VideoState.PRIVATE), Video(playing=Playing(embeddable=False))
ALL = Options(everything=True)


@pytest.fixture
def site(site: Site) -> Site:
    site.put("content/a.md", crlf(NAMED, 1, 1))
    site.put("content/b.md", crlf(OTHER, 1, 1))
    embed(site, [TEXT])
    site.configure(
        availability="every: 30d",
        collections="  - {directory: content, bodies: true,"
        " fields: {video_id: vid_id, counts: {viewCount: viewcount}}}\n",
    )
    site.sync()
    return site


def embed(site: Site, videos: list[VideoId]) -> None:
    site.put("content/c.md", "".join(f"https://youtu.be/{video}\n\n" for video in videos).encode())


def plays(site: Site) -> dict[VideoId, VideoPlay]:
    with open_state(site.state, site.root) as database:
        return {play.video_id: play for play in video_plays(database)}


def missing(site: Site) -> set[VideoId]:
    return {video for video, play in plays(site).items() if play.availability.state is PlayState.MISSING}


@pytest.mark.parametrize("video", [NAMED, TEXT])
@pytest.mark.parametrize(
    "times",
    [
        [HOUR, HOUR - 5 * SECOND],
        [HOUR, -DAY, 2 * HOUR],
        [2 * DAY, HOUR, HOUR * 2],
        [-2 * DAY, HOUR],
        [2 * DAY, HOUR, 2 * DAY + HOUR],
        [DAY * 4000, HOUR, HOUR * 24],
    ],
    ids=["seconds", "days back", "ahead at first", "behind at first", "behind later", "years ahead"],
)
def test_a_clock_that_steps_makes_no_day(
    site: Site, youtube: Simulator, video: VideoId, times: list[timedelta]
) -> None:
    youtube.world = World(videos={video: DEAD})
    for after in times:
        site.sync(NOON + after, ALL)
        assert missing(site) == set()
    for days in (1, 2):
        site.sync(NOON + times[-1] + DAY * days + HOUR, ALL)
    assert missing(site) == {video}


@pytest.mark.parametrize("video", [NAMED, TEXT])
@pytest.mark.parametrize("days", [2, 4, 8])
def test_a_video_that_is_back_and_missed_once_is_not_missing(
    site: Site, youtube: Simulator, syncer: Run, video: VideoId, days: int
) -> None:
    youtube.world = World(videos={video: DEAD})
    for day in range(1, days + 1):
        site.sync(NOON + DAY * day, ALL)
    assert missing(site) == {video}
    youtube.world = World()
    site.sync(NOON + DAY * days + HOUR * 6)
    assert plays(site)[video].left_out_since is None
    assert "Not returned" not in syncer("status").out
    youtube.world = World(videos={video: DEAD})
    for hours in (12, 24):
        site.sync(NOON + DAY * days + HOUR * hours, ALL)
    assert missing(site) == set()


def test_checks_that_have_the_video_end_what_counts_noted(site: Site, youtube: Simulator) -> None:
    for hours, is_dead, fault in ((1, True, ""), (13, False, "internal@stats"), (26, True, "")):
        youtube.world = World(videos={NAMED: DEAD} if is_dead else {})
        youtube.faults = [parse_fault(fault)] if fault else []
        site.sync(NOON + HOUR * hours, ALL, sleep=lambda _seconds: None)
    assert missing(site) == set()
    assert plays(site)[NAMED].left_out_since == NOON + HOUR * 26


def test_counts_of_the_video_end_what_checks_noted_while_only_a_text_had_it(site: Site, youtube: Simulator) -> None:
    youtube.world = World(videos={TEXT: DEAD})
    site.sync(NOON + HOUR, ALL)
    youtube.world, youtube.faults = World(), [parse_fault("internal@general")]
    site.put("content/d.md", crlf(TEXT, 1, 1))
    site.sync(NOON + HOUR * 12, ALL, sleep=lambda _seconds: None)
    (site.root / "content/d.md").unlink()
    youtube.world, youtube.faults = World(videos={TEXT: DEAD}), []
    site.sync(NOON + HOUR * 26, ALL)
    assert missing(site) == set()


def test_what_a_brake_holds_ends_it_too(site: Site, youtube: Simulator) -> None:
    embed(site, [TEXT, *MORE[:8]])
    site.sync(NOON + SECOND, ALL)
    youtube.world = World(videos={TEXT: DEAD})
    site.sync(NOON + HOUR, ALL)
    youtube.world = World(videos=dict.fromkeys(MORE[:8], NOT_HERE))
    assert site.sync(NOON + HOUR * 12, ALL).brake is not None
    youtube.world = World(videos={TEXT: DEAD})
    site.sync(NOON + HOUR * 26, ALL)
    assert missing(site) == set()


def test_a_reading_that_is_held_ends_it_too(site: Site, youtube: Simulator) -> None:
    youtube.world = World(videos={NAMED: DEAD})
    site.sync(NOON + HOUR, ALL)
    with open_database(site.state, site.root) as database:
        number = begin_sync(database, "20261123T080000Z-0000", NOON + HOUR * 12)
        save_readings(database, number, [Reading(NAMED, NOON + HOUR * 12, {})])
        hold_pending(database, Brake("falling", 1, 1))
        assert missing_videos(database) == []
    site.sync(NOON + HOUR * 26, ALL)
    assert missing(site) == set()
    assert plays(site)[NAMED].left_out_since == NOON + HOUR * 26


def test_a_video_that_front_matter_names_no_more_is_not_told_by_its_counts(
    site: Site, youtube: Simulator, syncer: Run
) -> None:
    youtube.world = World(videos={NAMED: DEAD})
    site.sync(NOON + HOUR, ALL)
    embed(site, [TEXT, NAMED])
    (site.root / "content/a.md").unlink()
    youtube.faults = [parse_fault("internal@general")]
    site.sync(NOON + HOUR * 7, sleep=lambda _seconds: None)
    assert plays(site)[NAMED].left_out_since is None
    assert "Not returned" not in syncer("status").out


@pytest.mark.parametrize("fails_between", [False, True])
def test_answers_without_their_witnesses_prove_nothing_however_long(
    site: Site, youtube: Simulator, fails_between: bool
) -> None:
    for day in range(1, 12):
        is_failure = fails_between and day not in {1, 9, 11}
        youtube.faults = [parse_fault("internal" if is_failure else "all-missing@general")]
        site.sync(NOON + DAY * day, ALL, sleep=lambda _seconds: None)
        assert missing(site) == set()


def test_a_narrowed_check_of_a_video_has_its_witnesses_too(site: Site, youtube: Simulator) -> None:
    only = Options(everything=True, videos=frozenset({TEXT}))
    youtube.faults = [parse_fault("all-missing")]
    for day in range(1, 10):
        assert site.sync(NOON + DAY * day, only).units == {Bucket.GENERAL: 1}
        assert missing(site) == set()
    youtube.world, youtube.faults = World(videos={TEXT: DEAD}), []
    for day in (10, 11):
        site.sync(NOON + DAY * day, only)
    assert missing(site) == {TEXT}
    assert plays(site)[OTHER].checked_at == NOON, "of witnesses a narrowed sync saves nothing"


def test_where_no_other_video_is_known_to_play_a_week_of_such_answers_counts(site: Site, youtube: Simulator) -> None:
    for name in "ab":
        (site.root / f"content/{name}.md").unlink()
    youtube.world = World(videos={TEXT: DEAD})
    told = []
    for day in range(1, 10):
        site.sync(NOON + DAY * day, ALL)
        told += [day] if missing(site) else []
    assert told == [8, 9]


def test_a_full_request_gives_one_place_to_a_witness(site: Site, youtube: Simulator) -> None:
    texts = MORE[:50]
    (site.root / "content/b.md").unlink()
    youtube.world = World(videos=dict.fromkeys(texts, DEAD))
    embed(site, texts)
    site.sync(NOON + HOUR)
    report = site.sync(NOON + HOUR * 26)
    assert report.units[Bucket.GENERAL] == 1
    assert len(missing(site)) == 48, "of 49, one had its turn only now"
    site.sync(NOON + HOUR * 27)
    site.sync(NOON + HOUR * 52)
    assert missing(site) == set(texts)
