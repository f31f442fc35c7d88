"""Sites whose policy, counts, pages and clock change as they like: no policy writes anything but the newest reading."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from syncer.model import ProblemKind
from syncer.simulator.world import Video, World
from syncer.state.database import open_to_read
from syncer.state.judging import suppressed_numbers
from syncer.state.writes import held_back_counts
from syncer.sync.options import Options
from tests.examples import PROVING
from tests.machines import SiteMachine
from tests.site import NOON, ids, plain

HOUR = timedelta(hours=1)
VIDEOS = ids(3, seed=27)
LONGEST_PAUSE = 200 * HOUR

POLICIES: Mapping[str, tuple[timedelta | None, timedelta | None]] = {
    "in_place: true": (None, None),
    "min_change: 1%": (None, None),
    "min_change: {viewCount: 25}, rounding: display": (None, None),
    "min_change: 5%, at_least_every: 28d": (28 * 24 * HOUR, None),
    "at_most_every: 12d": (None, 12 * 24 * HOUR),
    "rounding: display, at_least_every: 28d, at_most_every: 12d": (28 * 24 * HOUR, 12 * 24 * HOUR),
    "min_change: 100, at_least_every: 2d, at_most_every: 2d": (48 * HOUR, 48 * HOUR),
}
"""Each with its `at_least_every` and `at_most_every`."""

Key = tuple[str, str]
"""A page and a field."""


class PolicyMachine(SiteMachine):
    """A site with three pages, and what may be true of it."""

    def __init__(self) -> None:
        super().__init__()
        self.real: dict[str, list[int]] = {}
        self.wrong_since: dict[Key, object] = {}
        self.last_name: str | None = None
        self.closed_until = NOON

    @initialize(
        policy=st.sampled_from(sorted(POLICIES)), counts=st.lists(st.integers(2000, 5000), min_size=6, max_size=6)
    )
    def begin(self, policy: str, counts: list[int]) -> None:
        (self.site.root / "content" / "lists").mkdir(parents=True)
        for number, video in enumerate(VIDEOS):
            self.real[video] = counts[2 * number : 2 * number + 2]
            self.site.put(f"content/{number}.md", plain(video, *self.real[video]))
        self.policy = ""
        self.change_policy(policy)

    def pages(self) -> dict[Key, int]:
        shown: dict[Key, int] = {}
        for number in range(len(VIDEOS)):
            lines = (self.site.root / f"content/{number}.md").read_text().splitlines()
            shown[f"content/{number}.md", "likeCount"] = int(lines[1].split()[1])
            shown[f"content/{number}.md", "viewcount"] = int(lines[3].split()[1])
        return shown

    def wanted(self) -> dict[Key, int]:
        named = {f"content/{number}.md": self.real[video] for number, video in enumerate(VIDEOS)}
        return {
            (path, field): counts[field == "likeCount"]
            for path, counts in named.items()
            for field in ("viewcount", "likeCount")
        }

    def differing(self) -> set[Key]:
        """The places that differ and are not suppressed."""
        database = open_to_read(self.site.state, str(self.site.root.resolve()))
        assert database
        with database:
            undone = suppressed_numbers(database, [f"content/{number}.md" for number in range(len(VIDEOS))])
        suppressed = {((place.path, place.field), number) for place, number in undone}
        shown, wanted = self.pages(), self.wanted()
        return {key for key in shown if shown[key] != wanted[key] and (key, wanted[key]) not in suppressed}

    @rule(policy=st.sampled_from(sorted(POLICIES)))
    def change_policy(self, policy: str) -> None:
        if policy != self.policy:
            self.site.configure(write=policy)
            self.policy, self.policy_since, self.closed_until = policy, self.now, NOON
            self.wrong_since.clear()

    @rule(hours=st.integers(1, LONGEST_PAUSE // HOUR))
    def wait(self, hours: int) -> None:
        self.now += hours * HOUR
        self.sync(Options(everything=True))

    @rule(video=st.sampled_from(VIDEOS), views=st.integers(-30, 400), likes=st.integers(-3, 30))
    def move(self, video: str, views: int, likes: int) -> None:
        old = self.real[video]
        self.real[video] = [max(count // 2, count + by) for count, by in zip(old, (views, likes), strict=True)]

    @rule(number=st.integers(0, len(VIDEOS) - 1), views=st.integers(1000, 6000), likes=st.integers(1000, 6000))
    def edit(self, number: int, views: int, likes: int) -> None:
        self.site.put(f"content/{number}.md", plain(VIDEOS[number], views, likes))

    @rule(
        options=st.sampled_from(
            [
                Options(everything=True),
                Options(everything=True, paths=("content/1.md",)),
                Options(everything=True, dry_run=True),
            ]
        )
    )
    def sync(self, options: Options) -> None:
        self.now += HOUR / 60
        self.youtube.world = World(
            videos={
                video: Video(counts={"viewCount": views, "likeCount": likes, "commentCount": 1})
                for video, (views, likes) in self.real.items()
            },
            start=self.youtube.clock.now(),
        )
        at_least, at_most = POLICIES[self.policy]
        before, wanted = self.pages(), self.wanted()
        report = self.site.sync(self.now, options)
        assert {problem.kind for problem in report.problems} <= {ProblemKind.STATE_LOST}
        assert not report.unconfirmed
        assert not report.brake
        after = self.pages()
        assert all(after[key] in {before[key], wanted[key]} for key in after), "an older reading, or none"
        written = {key for key in after if after[key] != before[key]}
        assert not (options.dry_run and written)
        assert not written or not at_most or self.now >= self.closed_until, "too soon"
        if options.dry_run:
            return
        if written:
            self.last_name = report.sync
        if options.paths:
            return
        if at_most and written:
            self.closed_until = self.now + at_most
        self.require_in_time(at_least, at_most)

    def require_in_time(self, at_least: timedelta | None, at_most: timedelta | None) -> None:
        """After a sync of all pages: what is still wrong is so for no longer than the policy says, and counted."""
        wrong = self.differing()
        self.wrong_since = {key: self.wrong_since.get(key, self.now) for key in wrong}
        longest = max((self.now - since for since in self.wrong_since.values()), default=timedelta())  # type: ignore[operator]
        pause = LONGEST_PAUSE + HOUR
        if self.policy == "in_place: true":
            assert not wrong
            return
        if at_least or (at_most and self.policy.startswith("at_most")):
            assert longest < (at_least or at_most or pause) + pause
        with open_to_read(self.site.state, str(self.site.root.resolve())) as database:  # type: ignore[union-attr]
            held = held_back_counts(database)
        assert (sum(held.counts.values()), held.pages) == (len(wrong), len({path for path, _ in wrong}))

    @rule()
    @precondition(lambda self: self.last_name)
    def undo(self) -> None:
        assert self.last_name
        self.now += HOUR / 60
        self.site.undo(self.last_name, self.now)
        self.last_name = None
        self.wrong_since.clear()

    @rule()
    def lose_the_state(self) -> None:
        for file in self.site.state.glob("state.sqlite3*"):
            file.unlink()
        self.closed_until = NOON
        self.wrong_since.clear()

    @rule()
    def settle(self) -> None:
        """A site whose policy is every change again is settled by the next sync, and stays so."""
        before = self.policy
        self.change_policy("in_place: true")
        self.sync(Options(everything=True))
        shown = self.pages()
        self.sync(Options(everything=True))
        assert self.pages() == shown
        self.change_policy(before)

    @invariant()
    def the_log_tells_how_each_count_came_to_be(self) -> None:
        lines = self.site.log_lines()
        first = lines[0]["seq"] if lines else 1  # those of a month ago are deleted
        assert [line["seq"] for line in lines] == list(range(first, first + len(lines)))
        assert {line["why"] for line in lines} <= {"changed", "heartbeat", "undo"}


@pytest.mark.parametrize(
    ("examples", "steps"),
    [(3, 20), pytest.param(120 if PROVING else 8, 40, marks=pytest.mark.storm)],
    ids=["some", "many"],
)
def test_no_policy_writes_too_late_too_soon_or_an_older_reading(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        PolicyMachine, settings=settings(max_examples=examples, stateful_step_count=steps, deadline=None)
    )
