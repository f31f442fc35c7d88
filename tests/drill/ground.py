"""The site of a drill, its author, and the YouTube that it is about."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

from syncer.simulator.server import Simulator
from syncer.simulator.world import Video, VideoState, World
from tests.repository import Repository, in_git
from tests.site import FORMS, Site, counts, ids
from tests.weather.sheets import Sheet, Slot, listed, single

LISTED = 10
"""Videos of a page that lists some; one page in fifty does."""

BROKEN = b"---\nvid_id: one\nvid_id: two\n---\n"
STAGED, UNSTAGED = b"Words that wait in the index.\n", b"Words that git has never seen.\n"

PATIENT = "timeout: 2s, retry: {attempts: 2, longest_wait: 1s, deadline: 5s}"
PLENTY = "stats_units_per_day: 1000000, general_units_per_day: 1000000"


@dataclass
class Ground:
    """What the author and YouTube know; nothing of it comes from the program."""

    site: Site
    youtube: Simulator
    random: Random
    port: int
    videos: list[str] = field(default_factory=list)
    sheets: dict[str, Sheet] = field(default_factory=dict)
    by_hand: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Of each page the counts that its author has ever saved in it."""
    broken: set[str] = field(default_factory=set)
    kept: set[str] = field(default_factory=set)
    """Pages that are not taken away: they have work of the author's that is not committed."""

    @property
    def repository(self) -> Repository:
        return Repository(self.site.root)

    def prepare(self, pages: int) -> None:
        """Makes the pages, commits them, and leaves some work of the author's uncommitted."""
        self.videos = ids(pages + pages // 50 * LISTED, seed=self.random.randrange(10**6))
        fresh = iter(self.videos)
        (self.site.root / "content/lists").mkdir(parents=True)
        for number in range(pages):
            some = [next(fresh) for _ in range(LISTED if number % 50 == 0 else 1)]
            self.add(some, number)
        self.configure()
        in_git(self.site)
        staged, edited = self.random.sample(sorted(self.sheets), 2)
        self.kept = {staged, edited}
        self.edit(staged, STAGED)
        self.repository.git("add", staged)
        self.edit(edited, UNSTAGED)

    def add(self, videos: list[str], number: int) -> None:
        """The author begins a page."""
        several = len(videos) > 1
        path = f"content/lists/{number}.md" if several else f"content/{number}.md"
        write = listed if several else single(number % len(FORMS))
        self.sheets[path] = Sheet(path, write, [Slot(video, "1", "2") for video in videos])
        self.save(path)

    def edit(self, path: str, words: bytes) -> None:
        """The author writes on at the end of a page."""
        self.sheets[path].end += words
        self.save(path)

    def set_counts(self, path: str, views: str, likes: str) -> None:
        """The author writes other counts into a page."""
        sheet = self.sheets[path]
        sheet.slots = [slot._replace(views=views, likes=likes) for slot in sheet.slots]
        self.save(path)

    def delete(self, path: str) -> None:
        """The author takes a page away."""
        del self.sheets[path]
        self.broken.discard(path)
        (self.site.root / path).unlink()

    def err(self, path: str) -> None:
        """The author makes a mistake."""
        self.broken.add(path)
        self._replace(path, BROKEN)

    def save(self, path: str) -> None:
        """The author's editor saves: with the counts that it was opened with, whatever they are by now."""
        self.broken.discard(path)
        sheet = self.sheets[path]
        self.by_hand[path].update(text for slot in sheet.slots for text in (slot.views, slot.likes))
        self._replace(path, sheet.page)

    def configure(self, every: str = "2s", quota: str = PLENTY) -> None:
        self.site.configure(
            youtube=PATIENT,
            schedule=f"every: {every}, jitter: 0s",
            quota=quota,
            git="commit: true, author: 'syncer <syncer@example.org>'",
            status_page=f"listen: '127.0.0.1:{self.port}'",
        )

    def hide(self, videos: Iterable[str], state: VideoState) -> None:
        """From now on YouTube has these videos in another state; all others are public."""
        self.youtube.world = World(videos={video: Video(state) for video in videos})

    def has_new_files(self) -> bool:
        """Whether the program has made files that are about to come in their pages' places."""
        return any(name.startswith(".syncer-") for name in os.listdir(self.site.root / "content"))

    def calm(self) -> None:
        """All is well from now on, and YouTube's clock stands still."""
        self.youtube.faults = []
        self.youtube.world = World()
        for path in sorted(self.broken):
            self.save(path)
        self.configure()

    def true_page(self, path: str) -> bytes:
        """The page with the words of its author and the counts of YouTube."""
        sheet = self.sheets[path]
        slots = [Slot(slot.video, *map(str, counts(self.youtube, slot.video))) for slot in sheet.slots]
        return sheet.write(slots) + sheet.end

    def _replace(self, path: str, page: bytes) -> None:
        new = self.site.put(f"{path}#", page)
        new.replace(self.site.root / path)
