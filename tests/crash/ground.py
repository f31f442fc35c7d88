"""The sites that crashes happen on, and what must hold on them after any crash: two versions of each page, one log."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from syncer.simulator.clock import Clock
from syncer.simulator.server import Simulator
from syncer.simulator.world import START, World
from tests.crash.warm import Child, Ended, Order, Warm
from tests.site import DATED_COLLECTIONS, FORMS, Site, ids, pair, with_date

LATER = timedelta(days=40)
"""Between the first sync and the one that is disturbed: long enough to forget the first one, and for counts to grow."""

Said = Mapping[str, tuple[int, int]]
"""Of each video its views and likes."""

SAVED = 1_780_000_000
"""When all pages were last saved: long ago."""

BEFORE = "state-before"
"""The copy of the state that a site begins with, in its room."""

LONG_AGO = "2026-01-02"
"""The date in pages before the disturbed sync."""

SETTLED = "WARNING The last sync was interrupted"
"""What a sync says that found something to settle."""

CONTRACT = {0, 1, 2, 3, 4}
"""The exit codes of a sync that nobody interrupts."""


@dataclass(frozen=True)
class Versions:
    """A page as it was, and as the disturbed sync is to make it."""

    old: bytes
    new: bytes
    changes: Sequence[tuple[str, str, str]]
    """Each field that changes, with both counts."""


@dataclass
class Ground:
    """A site that can be put back as it was, in a directory of its own with room for what belongs to it."""

    warm: Warm
    site: Site
    room: Path
    """For what belongs to the site, and is no part of it."""
    versions: Callable[[str], Mapping[str, Versions]]
    """The pages, as a sync of this day is to make them."""
    seq: int
    """The diff log's last number before the disturbed sync."""
    started: int = 0

    @property
    def pages(self) -> Mapping[str, Versions]:
        """The pages, as a sync of today is to make them."""
        return self.versions(f"{datetime.now(UTC):%Y-%m-%d}")

    def with_page(self, path: str, versions: Versions) -> Ground:
        """Return the ground with other versions of one page, as of today."""
        pages = {**self.pages, path: versions}
        return replace(self, versions=lambda _: pages)

    def restore(self) -> None:
        """Put the site back as it was: pages, state and log."""
        for path, versions in self.pages.items():
            page = self.site.root / path
            if page.read_bytes() != versions.old:
                page.write_bytes(versions.old)
        self.age()
        for file in leftovers(self.site.root):
            (self.site.root / file).unlink()
        shutil.rmtree(self.site.state, ignore_errors=True)
        if (self.room / BEFORE).exists():
            shutil.copytree(self.room / BEFORE, self.site.state)

    def age(self, at: int = SAVED) -> None:
        """Make it look as if all pages were last saved long ago: else the second decides how a page is changed."""
        for path in self.pages:
            os.utime(self.site.root / path, (at, at))

    def start(
        self,
        *arguments: str,
        at: int = 0,
        act: str = "",
        also: tuple[tuple[int, str], ...] = (),
        trace: str = "",
        lock_timeout: float = 60,
        only: str = "",
        first: str = "",
    ) -> Child:
        """Start a command of `syncer` in a process of its own."""
        self.started += 1
        order = Order(
            arguments or ("sync",), str(self.site.root), str(self.room / f"out-{self.started}"),
            str(self.room / f"err-{self.started}"), at, act, trace, lock_timeout, also, first=first, only=only,
        )  # fmt: skip
        return self.warm.start(order)

    def run(
        self,
        *arguments: str,
        at: int = 0,
        act: str = "",
        also: tuple[tuple[int, str], ...] = (),
        trace: str = "",
        only: str = "",
    ) -> Ended:
        """Run a command of `syncer` to its end, whatever that is."""
        return self.start(*arguments, at=at, act=act, also=also, trace=trace, only=only).ended()

    def new_pages(self) -> int:
        """Count the pages that are new; fail where one is neither old nor new, or where the log says what is not so."""
        new = set()
        for path, versions in self.pages.items():
            page = (self.site.root / path).read_bytes()
            assert page in {versions.old, versions.new}, f"{path} is neither as it was nor as it should be: {page!r}"
            if page == versions.new:
                new.add(path)
        logged = {line["path"] for line in self._whole_lines() if line["seq"] > self.seq}
        assert logged <= new, f"logged and not done: {logged - new}"
        return len(new)

    def assert_recovered(self) -> None:
        """Make a sync that nothing disturbs; afterwards everything must be as if nothing had happened."""
        ended = self.run("sync", "--json")
        said = [line for line in ended.err.splitlines() if not line.startswith(SETTLED)]
        assert (ended.code, said) == (0, []), f"the sync afterwards: {ended}"
        self.assert_settled()

    def assert_settled(self) -> None:
        """Fail unless each page is new, each change is logged once and in order, and nothing is left lying about."""
        assert self.new_pages() == len(self.pages), f"{self.new_pages()} of {len(self.pages)} pages are new"
        assert leftovers(self.site.root) == [], f"left behind: {leftovers(self.site.root)}"
        lines = self.site.log_lines()
        numbers = [line["seq"] for line in lines]
        first = 1 if numbers[:1] == [1] else self.seq + 1  # where the forgotten lines end
        assert numbers == list(range(first, first + len(numbers))), f"the lines are numbered {numbers}"
        logged = Counter(
            (line["path"], line["field"], line["old"], line["new"]) for line in lines if line["seq"] > self.seq
        )
        due = {(path, *change): 1 for path, versions in self.pages.items() for change in versions.changes}
        twice = {change: times for change, times in logged.items() if times > 1}
        assert twice == {}, f"logged more than once: {twice}"
        assert logged.keys() == due.keys(), f"not logged: {sorted(due.keys() - logged.keys())[:5]}"

    def _whole_lines(self) -> Iterator[dict[str, Any]]:  # JSON as it comes
        """Yield the lines of a log that may end in a torn one."""
        log = self.site.state / "diff.jsonl"
        lines = log.read_bytes().split(b"\n")[:-1] if log.exists() else []
        yield from map(json.loads, lines)


def leftovers(root: Path) -> list[str]:
    """Temporary files of ours, anywhere in the site."""
    return sorted(str(path.relative_to(root)) for path in root.rglob(".syncer-*"))


@contextmanager
def youtube_later() -> Iterator[Simulator]:
    """A YouTube in which the counts have grown since START."""
    with Simulator(World(), Clock(START + LATER)) as simulator:
        yield simulator


def prepare(
    warm: Warm,
    youtube: Simulator,
    room: Path,
    number: int,
    *,
    aged: bool,
    root: Path | None = None,
    in_place: bool = True,
) -> Ground:
    """Make the ground: so many pages in all forms and one of two videos.

    `aged`: a sync was made long ago, so the state is there and its readings and lines are to be forgotten. Else there
    is no state yet. The site stands at `root`, or in the room. Its pages are all changed in place, or all swapped.
    """
    site = Site(root or room / "site", youtube.url)
    (site.root / "content" / "lists").mkdir(parents=True)
    before, now = _said(ids(number + 1), START), _said(ids(number + 1), START + LATER)
    versions_on = cache(lambda day: dict(_versions(before, now, day)))
    pages = versions_on("2026-11-22")
    for path, versions in pages.items():
        site.put(path, versions.old)
    if aged:
        _sync_long_ago(site)
        assert all((site.root / path).read_bytes() == versions.old for path, versions in pages.items())
        shutil.copytree(site.state, room / BEFORE)
    site.configure(
        collections=DATED_COLLECTIONS,
        youtube="timeout: 20s, connections: 2, retry: {attempts: 2, longest_wait: 1s, deadline: 20s}",
        write=f"in_place: {str(in_place).lower()}",
    )
    ground = Ground(warm, site, room, versions_on, len(site.log_lines()))
    ground.age()
    return ground


def _sync_long_ago(site: Site) -> None:
    """Make a sync whose lines and readings are too old by now."""
    with Simulator(World(), Clock(START)) as youtube:
        before = Site(site.root, youtube.url)
        before.configure()
        extra = before.put("content/long-ago.md", FORMS[0](ids(1)[0], 1, 2))
        assert before.sync(at=datetime.now(UTC) - LATER).exit == 0
        extra.unlink()


def _said(videos: Sequence[str], at: datetime) -> Said:
    """Views and likes of the videos at a time."""
    said = {}
    for video in videos:
        given = World().statistics(video, at)
        assert given is not None
        said[video] = given["viewCount"], given["likeCount"]
    return said


def _versions(before: Said, now: Said, day: str) -> Iterator[tuple[str, Versions]]:
    """Yield the pages; one of two has a date, which a sync of that day writes."""
    *single, last = before
    for number, video in enumerate(single):
        form = FORMS[number % len(FORMS)]
        old, new = form(video, *before[video]), form(video, *now[video])
        changes = list(_changes("", before[video], now[video]))
        if number % 2 and changes:
            old, new = with_date(old, LONG_AGO), with_date(new, day)
            changes.append(("viewsUpdated", LONG_AGO, day))
        yield f"content/{number % 3}/{number}.md", Versions(old, new, changes)
    two = single[0], last
    old, new = (pair(*((video, *said[video]) for video in two)) for said in (before, now))
    changes = [
        change for place, video in enumerate(two) for change in _changes(f"videos[{place}].", before[video], now[video])
    ]
    yield "content/lists/two.md", Versions(old, new, changes)


def _changes(prefix: str, before: tuple[int, int], now: tuple[int, int]) -> Iterator[tuple[str, str, str]]:
    for field, old, new in zip(("viewcount", "likeCount"), before, now, strict=True):
        if old != new:
            yield prefix + field, str(old), str(new)
