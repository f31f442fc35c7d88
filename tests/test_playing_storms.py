"""Random days of a site whose videos come and go while requests fail: no video is called missing that is not.

What pages show of it follows in the same sync, unless the safety brake holds the counts of the page.

Two things are left out, because nobody could tell them from the truth: answers of both methods that leave videos out
which are there, on a site too small for the safety brake. Days are those of the machine's clock, which steps back and
forth here.
"""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import combinations
from pathlib import Path
from random import Random

import pytest

from syncer.decide.availability import PlayState
from syncer.decide.unconfirmed import NOT_PLAYING
from syncer.model import VideoId
from syncer.simulator.faults import KINDS, parse_fault
from syncer.simulator.playing import Playing
from syncer.simulator.server import Simulator
from syncer.simulator.world import Video, VideoState, World
from syncer.state.database import open_state
from syncer.state.play_states import VideoPlay, video_plays
from syncer.state.videos import history, missing_videos
from syncer.sync.options import Options
from tests.drill.events import SLOW
from tests.examples import PROVING
from tests.site import NOON, Site, crlf, ids

STORMS = int(os.environ.get("SYNCER_STORMS", "40" if PROVING else "12"))
SYNCS, VIDEOS = 8, [VideoId(video) for video in ids(12, seed=35)]
NAMED, EMBEDDED = VIDEOS[:8], VIDEOS[8:]
"""In front matter, and in a text: where they begin. The first one stays, and plays."""
SECONDS, HOUR, DAY = timedelta(seconds=5), timedelta(hours=1), timedelta(days=1)

LEAVES_OUT = {"all-missing", "private", "no-items", "object"}
"""Answers that look good and lack the videos: of one method only."""
FAULTS = sorted(KINDS.keys() - SLOW - {"late", "flood", "gzip-bomb", "huge-chunk", "huge-length", "strangers"})

WORLDS = [
    Video(),
    Video(VideoState.PRIVATE),
    Video(VideoState.DELETED),
    Video(VideoState.UNLISTED),
    Video(playing=Playing(embeddable=False)),
    Video(playing=Playing(age_restricted=True)),
    Video(playing=Playing(allowed=())),
    Video(playing=Playing(scheduled=NOON + timedelta(days=30))),
    Video(playing=Playing(embeddable=False, started=NOON)),
]
PARTS = ("status", "contentDetails", "snippet", "liveStreamingDetails")
"""Of an answer, each of which may be left out."""
SAID = {
    PlayState.NOT_EMBEDDABLE: (WORLDS[4], WORLDS[8]),
    PlayState.AGE_RESTRICTED: (WORLDS[5],),
    PlayState.BLOCKED: (WORLDS[6],),
    PlayState.PUBLIC: (WORLDS[0],),
    PlayState.UNLISTED: (WORLDS[3],),
    PlayState.UPCOMING: (WORLDS[7],),
    PlayState.LIVE: (),
}
"""When a video is in a state."""


def known(site: Site) -> dict[VideoId, VideoPlay]:
    with open_state(site.state, site.root) as database:
        return {play.video_id: play for play in video_plays(database)}


def states(site: Site) -> dict[VideoId, PlayState | None]:
    return {video: play.availability.state for video, play in known(site).items()}


@pytest.mark.storm
@pytest.mark.parametrize("part", range(4))
def test_no_storm_makes_a_false_missing_and_all_are_back_with_the_first_sync_after_it(
    tmp_path: Path, part: int
) -> None:
    with Simulator(World()) as youtube:
        for seed in range(part, STORMS, 4):
            weather(tmp_path / str(seed), youtube, Random(seed))
            shutil.rmtree(tmp_path / str(seed))
            youtube.clock.advance(DAY)  # another day's quota


def weather(root: Path, youtube: Simulator, random: Random) -> None:
    """One storm: eight syncs with faults, and one after them without."""
    site = Site(root, youtube.url)
    in_texts = set(EMBEDDED)
    put_pages(site, in_texts, VIDEOS)
    site.configure(
        availability="every: 2d",
        collections="  - {directory: content, bodies: true, fields: {video_id: vid_id, counts: {viewCount: viewcount},"
        " unavailable_since: gone, insert_missing: true}}\n",
        youtube="timeout: 2s, retry: {attempts: 1, longest_wait: 1s, deadline: 2s}",
    )
    real, world, clocks = NOON, dict.fromkeys(VIDEOS, WORLDS[0]), [NOON]
    found: dict[VideoId, PlayState | None] = {}
    absent: dict[VideoId, list[datetime]] = defaultdict(list)
    movers = random.sample(VIDEOS[1:], random.choice([0, 0, 2, 4]))
    days_without, steps = random.random() < 0.2, random.random() < 0.4
    for _ in range(SYNCS):
        real += HOUR * random.randint(1, 40)
        at = real + (random.choice([SECONDS, -SECONDS, -DAY * 2, DAY * 2, HOUR * 0]) if steps else HOUR * 0)
        at += timedelta(seconds=at in clocks)  # the model takes two syncs of one second for one
        clocks.append(at)
        world |= {video: random.choice(WORLDS) for video in random.sample(VIDEOS[1:], random.choice([0, 1, 3]))}
        world |= {video: random.choice(WORLDS[:3]) for video in movers}
        moved = [video for video in movers if random.random() < 0.5]
        in_texts ^= set(moved)
        put_pages(site, in_texts, moved)
        youtube.world = World(videos={str(video): in_parts(now, random) for video, now in world.items()})
        chosen = ["all-missing@general"] if days_without else faults(random)
        youtube.faults = [parse_fault(fault) for fault in chosen]
        for video, now in world.items():
            if now.state in {VideoState.PRIVATE, VideoState.DELETED}:
                absent[video].append(at)
        narrowed = frozenset(random.sample(sorted(in_texts), 1)) if in_texts and random.random() < 0.1 else frozenset()
        options = Options(everything=random.random() < 0.5, videos=frozenset() if moved else narrowed)
        report = site.sync(at, options, sleep=lambda _seconds: None)
        plays, shown = known(site), dated(site)
        before, found = found, {video: play.availability.state for video, play in plays.items()}
        for video in returned(site, at, world, whole_checks=not any("@stats" not in fault for fault in chosen)):
            absent[video] = []
            assert plays[video].left_out_since is None, video
        if not options.videos:
            assert not in_texts & left_out(site), "what no front matter names is not told by its counts"
        if not options.videos and (report.brake is None or report.brake.reason == NOT_PLAYING):
            # what was checked before the newest line of the diff log does not overwrite it
            certain = {video for video in VIDEOS if not steps or plays[video].checked_at == at == max(clocks)}
            named = {video for video in certain - in_texts if found[video] is not None}
            assert shown & named == {video for video in named if not PlayState(found[video] or "").plays}
        for video, state in found.items():
            if (
                state is PlayState.MISSING and before.get(video) is not PlayState.MISSING
            ):  # else no check could end it yet
                assert absent[video], video
                assert any(b - a >= DAY for a, b in combinations(absent[video], 2)), video
            elif state not in {None, PlayState.MISSING, before.get(video)} and plays[video].since == at:
                assert world[video] in SAID[PlayState(state or "")], "a state begins only in a sync in which it is true"
    youtube.world, youtube.faults = World(), []
    site.sync(max(*clocks, real) + DAY * 2, sleep=lambda _seconds: None)
    assert states(site) == dict.fromkeys(VIDEOS, PlayState.PUBLIC)
    assert dated(site) == set()


def put_pages(site: Site, in_texts: set[VideoId], moved: Iterable[VideoId]) -> None:
    """Write the text, and the pages of those videos that moved into front matter or out of it."""
    site.put("content/text.md", "".join(f"https://youtu.be/{video}\n\n" for video in sorted(in_texts)).encode())
    for video in moved:
        if video in in_texts:
            (site.root / page_of(video)).unlink(missing_ok=True)
        else:
            site.put(page_of(video), crlf(video, 1, 1))


def page_of(video: VideoId) -> str:
    return f"content/lists/{VIDEOS.index(video)}.md"


def returned(site: Site, at: datetime, world: dict[VideoId, Video], *, whole_checks: bool) -> set[VideoId]:
    """The videos that YouTube returned in the sync at this time: with counts, or in checks that no fault met."""
    there = {video for video, now in world.items() if now.state not in {VideoState.PRIVATE, VideoState.DELETED}}
    with open_state(site.state, site.root) as database:
        readings = {video: history(database, video)[-1:] for video in VIDEOS}
        checked = {play.video_id for play in video_plays(database) if play.checked_at == at and whole_checks}
    counted = {video for video, last in readings.items() if last and last[0].at == at and last[0].statistics}
    assert not counted & left_out(site)
    return counted | checked & there


def left_out(site: Site) -> set[VideoId]:
    """The videos that the newest readings of counts left out, as status tells it."""
    with open_state(site.state, site.root) as database:
        return {each.video_id for each in missing_videos(database)}


def dated(site: Site) -> set[VideoId]:
    """The videos whose pages show a day."""
    pages = {video: site.root / page_of(video) for video in VIDEOS}
    return {video for video, page in pages.items() if page.exists() and b'gone: "2' in page.read_bytes()}


def in_parts(video: Video, random: Random) -> Video:
    """The video, of which some answers have only parts."""
    left_out = random.sample(PARTS, random.choice([0, 0, 0, 1, 2]))
    says = random.random() > 0.1
    playing = replace(video.playing, without=tuple(left_out), embeddable=video.playing.embeddable if says else None)
    return replace(video, playing=playing)


def faults(random: Random) -> list[str]:
    """At most two, of which only one leaves videos out, and that of one method."""
    chosen = random.sample(FAULTS, random.choice([0, 1, 1, 2]))
    if LEAVES_OUT.intersection(chosen):
        return [f"{chosen[0]}@{random.choice(['stats', 'general'])}"]
    return [f"{name}{random.choice(['', '@stats', '@general', ':50%'])}" for name in chosen]
