"""Lists whose items are added, removed, sorted and edited between any two steps, some of which are killed.

No count ever goes to an item of another video. Where the items of a video can be told apart, each has the count that it
should have. Numbers that a person writes are used once, so it is always clear who wrote a number last.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule, run_state_machine_as_test

from syncer.config.parse import parse_config
from syncer.config.sections import Config
from syncer.model import ProblemKind
from syncer.review.act import Choice, act
from syncer.review.undo import undo
from syncer.simulator.world import Video, World
from syncer.sync.make import make_sync
from syncer.sync.open_state import settle
from syncer.sync.options import NO_LISTENER, Environment, Options
from tests.examples import PROVING
from tests.machines import SiteMachine
from tests.repository import in_git
from tests.site import KEY, ids
from tests.talks import FORMS, Talks

MINUTE = timedelta(minutes=1)
VIDEOS = ids(4, seed=171)


class KilledError(BaseException):
    """The process ends here."""


@dataclass(eq=False)
class Talk:
    """An item of the list, as the same object wherever it stands."""

    video: str
    views: int


@dataclass
class Write:
    """What a sync, an undo or a drop wrote."""

    name: str
    """Empty: it was killed, and its name is not known yet."""
    changes: dict[Talk, tuple[int, int]]
    """Old and new."""
    listed: Counter[str]
    """How many items each video had then."""


class ListMachine(SiteMachine):
    """A site with one list, and what must be true of it."""

    def __init__(self) -> None:
        super().__init__()
        self.real = dict.fromkeys(VIDEOS, 1_000_000)
        self.said: dict[str, int] = {}
        self.by_hand = count(1)
        self.talks: list[Talk] = []
        self.write = Write("", {}, Counter())
        self.unclear = set[str]()
        """Videos of which an item was added or removed while several stood in the list."""
        self.moved = False
        self.suppressed = set[tuple[str, int]]()
        self.own = set[Talk]()
        """Their counts were written by syncer."""
        self.killed = False
        self.twice = set[str]()
        """Videos that were ever twice in the list: of these, the log does not say which item it means."""
        self.ever = {video: {views} for video, views in self.real.items()}

    @initialize(path=st.sampled_from(sorted(FORMS)), videos=st.lists(st.sampled_from(VIDEOS), min_size=1, max_size=6))
    def begin(self, path: str, videos: list[str]) -> None:
        self.file = Talks(self.site, path)
        self.twice |= {video for video in videos if videos.count(video) > 1}
        self.talks = [self.new(video) for video in videos]
        self.put()
        self.repository = in_git(self.site)
        self.committed = self.listed()

    def new(self, video: str) -> Talk:
        talk = Talk(video, next(self.by_hand))
        self.ever[video].add(talk.views)
        return talk

    def listed(self) -> list[tuple[str, int]]:
        return [(talk.video, talk.views) for talk in self.talks]

    def put(self) -> None:
        self.file.put(*self.listed())

    @rule(data=st.data())
    def rearrange(self, data: st.DataObject) -> None:
        """Items of the same video keep their order: nobody could tell them apart otherwise."""
        before = Counter(talk.video for talk in self.talks)
        kept = [talk for talk in self.talks if data.draw(st.integers(0, 4))]
        added = [self.new(video) for video in data.draw(st.lists(st.sampled_from(VIDEOS), max_size=2))]
        order = data.draw(st.permutations([talk.video for talk in kept + added]))
        waiting: defaultdict[str, list[Talk]] = defaultdict(list)
        for talk in (added + kept) if data.draw(st.booleans()) else (kept + added):
            waiting[talk.video].append(talk)
        after = Counter(order)
        self.unclear |= {video for video in VIDEOS if before[video] != after[video] or set(added) & set(waiting[video])}
        self.talks = [waiting[video].pop(0) for video in order]
        self.twice |= {video for video in VIDEOS if after[video] > 1}
        self.moved = True
        self.put()

    @rule(data=st.data())
    @precondition(lambda self: self.talks)
    def edit(self, data: st.DataObject) -> None:
        talk = data.draw(st.sampled_from(self.talks))
        talk.views = next(self.by_hand)
        self.ever[talk.video].add(talk.views)
        self.own.discard(talk)
        self.put()

    @rule(video=st.sampled_from(VIDEOS), more=st.integers(1, 50))
    def watch(self, video: str, more: int) -> None:
        self.real[video] += more
        self.ever[video].add(self.real[video])

    def clock(self) -> datetime:
        return self.now

    def killing_clock(self) -> datetime:
        """Ends the process between the write of the page and its line in the log."""
        if self.file.text() != self.before:
            raise KilledError
        return self.now

    def environment(self, *, killed: bool) -> Environment:
        self.before = self.file.text()
        self.now += MINUTE
        return Environment(key=KEY, clock=self.killing_clock if killed else self.clock, sleep=lambda _: None)

    def config(self) -> Config:
        return parse_config(self.site.config.read_text(encoding="utf-8"), self.site.config)

    @rule(end=st.sampled_from(["", "", "", "written", "unwritten"]))
    def sync(self, end: str) -> None:
        self.now += 6 * MINUTE
        self.youtube.world = World(
            videos={video: Video(counts={"viewCount": views}) for video, views in self.real.items()},
            start=self.youtube.clock.now(),
        )
        self.recover()
        for talk in self.talks:
            self.said[talk.video] = self.real[talk.video]
        self.suppressed = {each for each in self.suppressed if self.said[each[0]] == each[1]}
        changes = {
            talk: (talk.views, self.real[talk.video])
            for talk in self.talks
            if talk.views != self.real[talk.video] and (talk.video, self.real[talk.video]) not in self.suppressed
        }
        environment, name = self.environment(killed=bool(end)), ""
        with suppress(KilledError):
            report = make_sync(self.config(), Options(everything=True), environment)
            assert {problem.kind for problem in report.problems} <= {ProblemKind.KEYS_NOT_FOUND}, report.problems
            assert not report.unconfirmed
            name = report.sync
        self.made(name, changes, end)

    def made(self, name: str, changes: dict[Talk, tuple[int, int]], end: str) -> None:
        """A command ended, or was killed when it had written the file (or, as it seems, just before)."""
        if changes:
            self.write = Write(name, changes, Counter(talk.video for talk in self.talks))
            self.unclear, self.moved, self.killed = set(), False, bool(end)
        if end == "unwritten" and changes:
            self.site.put(self.file.path, self.before.encode())
            return
        for talk, (_, new) in changes.items():
            talk.views = new
            self.own.add(talk)
        assert self.file.says(*self.listed())
        if name:
            self.require_logged(name, Counter((talk.video, *both) for talk, both in changes.items()))

    def require_logged(self, name: str, expected: Counter[tuple[str, int, int]], of: Collection[str] = VIDEOS) -> None:
        lines = [line for line in self.site.log_lines() if line["sync"] == name and line["video_id"] in of]
        assert Counter((line["video_id"], int(line["old"]), int(line["new"])) for line in lines) == expected

    def clear(self) -> set[str]:
        """Videos whose items can be told apart since the last write, although they may stand elsewhere."""
        changed = Counter(talk.video for talk in self.write.changes)
        return {
            video
            for video, items in changed.items()
            if not self.moved or (video not in self.unclear and items == self.write.listed[video])
        }

    def recover(self) -> None:
        """The next command logs what the killed one wrote, and that is what the file says."""
        self.now += MINUTE
        if self.killed:
            lines = len(self.site.log_lines())
            settle(self.config(), self.clock)
            assert self.file.says(*self.listed()), "nothing is written"
            new = self.site.log_lines()[lines:]
            clear, write = self.clear(), self.write
            self.write = Write(new[0]["sync"] if new else "", write.changes, write.listed)
            done = {talk: both for talk, both in write.changes.items() if talk.video in clear and talk.views == both[1]}
            self.require_logged(self.write.name, Counter((talk.video, *both) for talk, both in done.items()), clear)
            if new and new[0]["why"] in {"undo", "dropped"}:
                self.suppress((line["video_id"], int(line["old"]), int(line["new"])) for line in new)
            self.killed = False

    def suppress(self, changes: Iterable[tuple[str, int, int]]) -> None:
        """Of an undo or a drop: the old numbers are suppressed, and the new ones are not any more."""
        made = list(changes)
        self.suppressed -= {(video, new) for video, _, new in made}
        self.suppressed |= {(video, old) for video, old, _ in made}
        self.suppressed = {each for each in self.suppressed if self.said.get(each[0]) == each[1]}

    def restored(self, name: str, expected: dict[Talk, int], certain: Collection[str]) -> None:
        """An undo or a drop ended: these counts are as expected, and of the others none is of another video."""
        found = re.findall(rf'({"|".join(VIDEOS)})"?[\s,:{{]*(?:"?views"?\s*[:=]\s*)?([0-9]+)', self.file.text())
        assert [video for video, _ in found] == [talk.video for talk in self.talks]
        changes: dict[Talk, tuple[int, int]] = {}
        for talk, (video, text) in zip(self.talks, found, strict=True):
            assert int(text) in self.ever[video]
            if video in certain:
                assert int(text) == expected.get(talk, talk.views)
            if int(text) != talk.views:
                changes[talk] = talk.views, int(text)
        self.suppress((talk.video, *both) for talk, both in changes.items())
        self.made(name, changes, "")

    @rule(killed=st.booleans())
    @precondition(lambda self: self.write.changes)
    def undo(self, killed: bool) -> None:
        self.recover()
        if not self.write.name:
            return
        clear = self.clear()
        expected = {talk: old for talk, (old, new) in self.write.changes.items() if talk.views == new}
        name, suppressed = "", set(self.suppressed)
        with suppress(KilledError):
            name = undo(self.config(), self.write.name, self.environment(killed=killed), NO_LISTENER, 0)[0].sync
        self.restored(name, expected, clear)
        if not name:
            self.killed = True
            self.suppressed = suppressed  # until it is recovered

    @rule()
    def commit(self) -> None:
        self.recover()
        self.repository.commit_all()
        self.committed = self.listed()

    @rule()
    def drop(self) -> None:
        self.recover()
        committed = dict(self.committed)
        once = Counter(video for video, _ in self.committed)
        certain = {talk.video for talk in self.talks} - self.twice - {video for video in once if once[video] != 1}
        expected = {talk: committed[talk.video] for talk in self.talks if talk.video in committed and talk in self.own}
        environment = self.environment(killed=False)
        result = act(self.config(), Choice(drop=[self.file.path]), None, environment)
        self.restored(result.dropped.sync if result.dropped else "", expected, certain)


@pytest.mark.parametrize(
    ("examples", "steps"),
    [(3, 15), pytest.param(150 if PROVING else 12, 30, marks=pytest.mark.storm)],
    ids=["some", "many"],
)
def test_no_count_leaves_its_video(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        ListMachine, settings=settings(max_examples=examples, stateful_step_count=steps, deadline=None)
    )
