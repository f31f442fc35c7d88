"""Random days of a site whose videos come and go while requests fail: no video is called missing that is not.

What pages show of it follows in the same sync, unless the safety brake holds the counts of the page.

Two things are left out, because nobody could tell them from the truth: answers of both methods that leave videos out
which are there, on a site too small for the safety brake.
"""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timedelta
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
from syncer.state.play_states import video_plays
from tests.drill.events import SLOW
from tests.examples import PROVING
from tests.site import NOON, Site, crlf, ids

STORMS = int(os.environ.get("SYNCER_STORMS", "40" if PROVING else "12"))
SYNCS, VIDEOS = 6, [VideoId(video) for video in ids(12, seed=35)]
NAMED, EMBEDDED = VIDEOS[:8], VIDEOS[8:]
"""In front matter, and in a text."""
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

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


def states(site: Site) -> dict[VideoId, PlayState | None]:
    with open_state(site.state, site.root) as database:
        return {play.video_id: play.availability.state for play in video_plays(database)}


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
    """One storm: six syncs with faults, and one after them without."""
    site = Site(root, youtube.url)
    for number, video in enumerate(NAMED):
        site.put(f"content/lists/{number}.md", crlf(video, 1, 1))
    site.put("content/text.md", "".join(f"https://youtu.be/{video}\n\n" for video in EMBEDDED).encode())
    site.configure(
        availability="every: 2d",
        collections="  - {directory: content, bodies: true, fields: {video_id: vid_id, counts: {viewCount: viewcount},"
        " unavailable_since: gone, insert_missing: true}}\n",
        youtube="timeout: 2s, retry: {attempts: 1, longest_wait: 1s, deadline: 2s}",
    )
    at, world = NOON, dict.fromkeys(VIDEOS, WORLDS[0])
    absent: dict[VideoId, list[datetime]] = defaultdict(list)
    before: dict[VideoId, PlayState | None] = {}
    for _ in range(SYNCS):
        at += HOUR * random.randint(1, 40)
        world |= {video: random.choice(WORLDS) for video in random.sample(VIDEOS, random.choice([0, 1, 3]))}
        youtube.world = World(videos={str(video): in_parts(now, random) for video, now in world.items()})
        youtube.faults = [parse_fault(fault) for fault in faults(random)]
        for video, now in world.items():
            if now.state in {VideoState.PRIVATE, VideoState.DELETED}:
                absent[video].append(at)
        report = site.sync(at, sleep=lambda _seconds: None)
        found, shown = states(site), dated(site)
        if report.brake is None or report.brake.reason == NOT_PLAYING:
            known = {video for video in NAMED if found[video] is not None}
            assert shown & known == {video for video in known if not PlayState(found[video] or "").plays}
        for video, state in found.items():
            if state is PlayState.MISSING:
                assert absent[video], video
                assert absent[video][-1] - absent[video][0] >= DAY, video
            elif state is not None and state is not before.get(video):
                assert world[video] in SAID[state], "a state begins only in a sync in which it is true"
        before = found
    youtube.world, youtube.faults = World(), []
    site.sync(at + DAY * 2, sleep=lambda _seconds: None)
    assert states(site) == dict.fromkeys(VIDEOS, PlayState.PUBLIC)
    assert dated(site) == set()


def dated(site: Site) -> set[VideoId]:
    """The videos whose pages show a day."""
    texts = {video: (site.root / f"content/lists/{number}.md").read_bytes() for number, video in enumerate(NAMED)}
    return {video for video, text in texts.items() if b'gone: "2' in text}


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
