"""The site of the matrix: 160 videos in four batches on four pages, put back as it was before each case."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from syncer.config.parse import parse_config
from syncer.config.sections import Config
from syncer.model import Bucket, Reading, VideoId
from syncer.simulator.clock import Clock
from syncer.simulator.faults import GROUPS, KINDS, parse_fault
from syncer.simulator.server import Simulator
from syncer.simulator.units import BucketName
from syncer.simulator.world import START, World
from syncer.state.database import open_database
from syncer.state.judging import count_braked, unconfirmed_counts
from syncer.state.videos import accepted_readings, missing_videos
from syncer.status.report import SyncReport
from syncer.sync.make import make_sync
from syncer.sync.options import Environment, Options
from tests.examples import storms_but
from tests.ledgers import parked_buckets, spent_units
from tests.site import KEY, Site, counts, ids

DAY = timedelta(days=1)
FEWEST = 10
"""Likes that every video has: a tenth less of fewer could be none at all, and that would be unconfirmed."""
VIDEOS = sorted([v for v in ids(400, seed=3) if (World().statistics(v, START) or {})["likeCount"] >= FEWEST][:160])
"""In the order in which they are asked about when all were read at the same time."""
BATCHES = [VIDEOS[first : first + 50] for first in range(0, len(VIDEOS), 50)]
PAGES = {f"content/lists/{number}.md": VIDEOS[number::4] for number in range(4)}
"""Each page has videos of every batch."""
PAUSE = 0.01
BUCKETS: tuple[BucketName, ...] = ("stats", "general")
FIRST = {(next(iter(faults)), BUCKETS[number % 2]) for number, faults in enumerate(GROUPS.values())}
"""Of each group of faults the first one, of the two methods in turn."""
IN_TURN: Mapping[str, BucketName] = {fault: BUCKETS[number % 2] for number, fault in enumerate(KINDS)} | dict(FIRST)
"""Of each fault one method: for what is the same with both."""

_COUNTS = re.compile(rb"- id: '([^']{11})'\r\n    viewcount: \"(\d+)\" # views\r\n    likeCount: (\d+)\r\n")

Numbers = Mapping[str, tuple[int, int]]
"""Of each video its views and likes."""


class Struck(Protocol):
    """A case of a test: a fault, and the method that it strikes."""

    @property
    def fault(self) -> str: ...
    @property
    def bucket(self) -> BucketName: ...


def mostly_storms(cases: Iterable[Struck]) -> list[object]:
    """The cases as `parametrize` takes them: all but one of each group of faults are storms."""
    listed = list(cases)
    return storms_but([case for case in listed if (case.fault, case.bucket) in FIRST], listed)


@dataclass(frozen=True)
class Memory:
    """What the state says when a sync is over, apart from the readings themselves."""

    accepted: Mapping[VideoId, Reading]
    spent: Mapping[Bucket, int]
    held: tuple[Collection[object], ...]
    """What is missing, unconfirmed, braked and parked: all empty where all is well.

    A method that failed is not among them: it is marked until it is asked again, and on a good day it need not be.
    """


@dataclass(frozen=True)
class Ground:
    """A site that had one good sync at START, and a copy of it."""

    site: Site
    saved: Path

    @staticmethod
    def prepare(root: Path) -> Ground:
        """Makes the site with counts that are too low, and its first sync."""
        with Simulator(World()) as youtube:
            ground = Ground(Site(root / "site", youtube.url), root / "saved")
            for path, videos in PAGES.items():
                ground.site.put(path, render(dict.fromkeys(videos, (1, 2)), videos))
            report = sync(ground.site, youtube)
            assert (report.exit, report.changed_counts) == (0, 2 * len(VIDEOS))
        shutil.copytree(ground.site.root, ground.saved)
        return ground

    def restore(self, url: str) -> Site:
        """Puts everything back as it was after the first sync; YouTube has another address now."""
        shutil.rmtree(self.site.root)
        shutil.copytree(self.saved, self.site.root)
        return Site(self.site.root, url)


def youtube_at(days: int) -> Simulator:
    """A YouTube so many days after the first sync, whose slow answers take a hundredth of a second for a piece."""
    return Simulator(World(), Clock(START + days * DAY), pause=PAUSE)


def set_weather(youtube: Simulator, *faults: str) -> None:
    youtube.faults = [parse_fault(fault) for fault in faults]


def sync(site: Site, youtube: Simulator, *, timeout: float = 5, attempts: int = 1, connections: int = 1) -> SyncReport:
    """Makes a sync at YouTube's time that does not wait between tries."""
    retry = f"retry: {{attempts: {attempts}, longest_wait: 1s, deadline: 20s}}"
    site.configure(youtube=f"timeout: 5s, connections: {connections}, {retry}")
    config = _with_timeout(parse_config(site.config.read_text(encoding="utf-8"), site.config), timeout)
    return make_sync(config, Options(), Environment(key=KEY, clock=youtube.clock.now, sleep=lambda _: None))


def render(numbers: Numbers, videos: Sequence[str]) -> bytes:
    """A page; nothing in it but the counts may ever change."""
    items = "".join(
        f"  - id: '{video}'\r\n    viewcount: \"{numbers[video][0]}\" # views\r\n    likeCount: {numbers[video][1]}\r\n"
        for video in videos
    )
    return f'---\r\ntitle: "A \\"list\\""\r\nvideos:\r\n{items}---\r\n- id: viewcount: "1"\r\n'.encode() + b"\xff end"


def on_disk(site: Site) -> Numbers:
    """The counts on all pages; fails where a byte beside them is another."""
    found: dict[str, tuple[int, int]] = {}
    for path, videos in PAGES.items():
        page = (site.root / path).read_bytes()
        mine = {video.decode(): (int(views), int(likes)) for video, views, likes in _COUNTS.findall(page)}
        assert page == render(mine, videos), f"{path}: a byte beside the counts is another"
        found |= mine
    return found


def truth(youtube: Simulator) -> Numbers:
    """What is true now."""
    return {video: counts(youtube, video) for video in VIDEOS}


def remember(site: Site, now: datetime) -> Memory:
    with open_database(site.state, str(site.root.resolve())) as database:
        held: tuple[Collection[object], ...] = (
            missing_videos(database),
            unconfirmed_counts(database),
            range(count_braked(database)),
            parked_buckets(database, now),
        )
        accepted = accepted_readings(database, [VideoId(video) for video in VIDEOS])
        return Memory(accepted, spent_units(database, now), held)


def replayed(site: Site, before: Numbers) -> Numbers:
    """The counts of a time, changed as the diff log tells it; fails where a line does not follow from what was."""
    slots = {
        (path, f"videos[{place}].{field}"): str(before[video][number])
        for path, videos in PAGES.items()
        for place, video in enumerate(videos)
        for number, field in enumerate(("viewcount", "likeCount"))
    }
    lines = site.log_lines()
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    for line in lines:
        slot = line["path"], line["field"]
        assert slots[slot] == line["old"] != line["new"]
        slots[slot] = line["new"]
    numbers = {}
    for path, videos in PAGES.items():
        for place, video in enumerate(videos):
            views, likes = (int(slots[path, f"videos[{place}].{field}"]) for field in ("viewcount", "likeCount"))
            numbers[video] = views, likes
    return numbers


def with_key(site: Site, records: Sequence[logging.LogRecord]) -> list[str]:
    """Where the key stands, of all that was written: files, and every field of every log record."""
    files = [path for path in site.root.rglob("*") if path.is_file()]
    found = [str(path) for path in files if KEY.encode() in path.read_bytes()]
    return found + [str(vars(record)) for record in records if KEY in f"{vars(record)} {record.getMessage()}"]


def left_behind(site: Site) -> set[str]:
    """Files that a sync does not leave."""
    state = {f".syncer/{name}" for name in (".gitignore", "diff.jsonl", "lock", "state.sqlite3")}
    known = {"config/syncer.yaml", *PAGES, *state}
    return {path.relative_to(site.root).as_posix() for path in site.root.rglob("*") if path.is_file()} - known


def _with_timeout(config: Config, seconds: float) -> Config:
    """The config with a timeout that may be shorter than a config can say."""
    youtube = config.youtube.model_copy(update={"timeout": timedelta(seconds=seconds)})
    return config.model_copy(update={"youtube": youtube})
