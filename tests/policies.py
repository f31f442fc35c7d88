"""A site with a write policy, whose videos have the counts that a test gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from syncer.decide.thresholds import Reason
from syncer.simulator.server import Simulator
from syncer.simulator.world import Video, World
from syncer.state.database import Database, open_to_read
from syncer.status.report import SyncReport
from syncer.sync.options import Options
from tests.site import NOON, Site, ids

DAY = timedelta(days=1)
A, B = ids(2, seed=16)
PAGE, OTHER = "content/a.md", "content/b.md"


class Story:
    """A site whose videos have the counts that a test gives them, and the time of its syncs."""

    def __init__(self, site: Site, youtube: Simulator) -> None:
        self.site, self._youtube = site, youtube

    def at(
        self,
        days: float,
        counts: Mapping[str, tuple[int, int]],
        options: Options | None = None,
        sleep: Callable[[float], object] = lambda _: None,
    ) -> SyncReport:
        """Makes a sync so many days after noon, with these views and likes on YouTube."""
        videos = {
            video: Video(counts={"viewCount": views, "likeCount": likes, "commentCount": 1})
            for video, (views, likes) in counts.items()
        }
        self._youtube.world = World(videos=videos, start=self._youtube.clock.now())
        return self.site.sync(NOON + days * DAY, options, sleep=sleep)

    def page(self, path: str = PAGE) -> bytes:
        return (self.site.root / path).read_bytes()

    def state(self) -> Database:
        database = open_to_read(self.site.state, str(self.site.root.resolve()))
        assert database
        return database


def held(report: SyncReport) -> Mapping[Reason, int]:
    assert report.held_back
    return report.held_back.counts
