"""The build hook is called when a build is worth it, and never more often than the config says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from syncer.config.formats import parse_share
from syncer.decide.due_build import BuildRules, HookCall, NextCall, Unbuilt, WaitsFor, next_call, retry_after
from syncer.state.builds import (
    CALLS_KEPT,
    begin_call,
    end_call,
    note_changed_pages,
    note_pushed,
    note_site_pages,
    set_back_times,
    unbuilt_pages,
)
from syncer.state.damage import OddValue
from syncer.state.database import open_database

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
RULES = BuildRules(when=0.05, at_least_every=DAY, at_most_per_day=4, quiet=10 * MINUTE)


def unbuilt(
    changed: int = 5,
    *,
    pages: int = 100,
    since: datetime = NOON,
    last: datetime | None = None,
    unpushed: bool = False,
    calls: Sequence[HookCall] = (),
) -> Unbuilt:
    return Unbuilt(changed, pages, since if changed else None, (last or since) if changed else None, unpushed, calls)


def accepted(*times: datetime) -> list[HookCall]:
    return [HookCall(at, 200) for at in times]


def failed(*times: datetime, status: int | None = 503) -> list[HookCall]:
    return [HookCall(at, status) for at in times]


@pytest.mark.parametrize(
    ("waiting", "expected"),
    [
        (unbuilt(0), NextCall(None, WaitsFor.CHANGE)),
        (unbuilt(5, unpushed=True), NextCall(None, WaitsFor.PUSH)),
        (unbuilt(5), NextCall(NOON + 10 * MINUTE, WaitsFor.QUIET)),
        (unbuilt(5, last=NOON + HOUR), NextCall(NOON + HOUR + 10 * MINUTE, WaitsFor.QUIET)),
        (unbuilt(4), NextCall(NOON + DAY, WaitsFor.SHARE)),
        (unbuilt(4, calls=accepted(NOON - 3 * HOUR)), NextCall(NOON + 21 * HOUR, WaitsFor.SHARE)),
        (unbuilt(4, calls=accepted(NOON - 3 * DAY)), NextCall(NOON + 10 * MINUTE, WaitsFor.QUIET)),
        (unbuilt(5, pages=0), NextCall(NOON + DAY, WaitsFor.SHARE)),
        (
            unbuilt(100, calls=accepted(*(NOON - hour * HOUR for hour in (30, 5, 4, 3, 2)))),
            NextCall(NOON + 19 * HOUR, WaitsFor.LIMIT),
        ),
        (unbuilt(100, calls=failed(NOON + HOUR)), NextCall(NOON + HOUR + 5 * MINUTE, WaitsFor.RETRY)),
        (unbuilt(100, calls=failed(NOON, NOON + HOUR)), NextCall(NOON + HOUR + 20 * MINUTE, WaitsFor.RETRY)),
        (unbuilt(100, calls=failed(NOON + HOUR, status=None)), NextCall(NOON + HOUR + 5 * MINUTE, WaitsFor.RETRY)),
        (
            unbuilt(1, calls=[*accepted(NOON - HOUR), *failed(NOON)]),
            NextCall(NOON + 23 * HOUR, WaitsFor.SHARE),
        ),
    ],
)
def test_when_the_next_call_is_made(waiting: Unbuilt, expected: NextCall) -> None:
    assert next_call(waiting, RULES, NOON + 2 * HOUR) == expected


@pytest.mark.parametrize("percent", range(1, 101))
def test_each_share_is_reached_exactly(percent: int) -> None:
    rules = replace(RULES, when=parse_share(f"{percent}%"))
    for pages in (100, 700):
        enough = percent * pages // 100
        assert next_call(unbuilt(enough, pages=pages), rules, NOON).waits_for is WaitsFor.QUIET
        assert next_call(unbuilt(enough - 1, pages=pages), rules, NOON).waits_for in {WaitsFor.SHARE, WaitsFor.CHANGE}


def test_a_share_of_zero_is_reached_by_any_page_even_where_nobody_counted_them() -> None:
    rules = BuildRules(0, DAY, 4, timedelta(0))
    assert next_call(unbuilt(1, pages=0), rules, NOON).is_due(NOON)
    assert not next_call(unbuilt(0), rules, NOON).is_due(NOON)


def test_a_call_that_failed_is_repeated_at_once_only_where_the_limit_allows() -> None:
    now = NOON + 3 * HOUR
    three = unbuilt(calls=failed(NOON, NOON + HOUR, NOON + 2 * HOUR + 59 * MINUTE))
    assert not next_call(three, RULES, now).is_due(now)
    assert next_call(three, RULES, now, retry_at_once=True).is_due(now)
    four = unbuilt(calls=failed(NOON, NOON + HOUR, NOON + 2 * HOUR, NOON + 2 * HOUR))
    assert next_call(four, RULES, now, retry_at_once=True) == NextCall(NOON + DAY, WaitsFor.LIMIT)


def test_the_waits_after_failures_grow_to_six_hours() -> None:
    waits = [retry_after(failures) / MINUTE for failures in range(1, 7)]
    assert waits == [5, 20, 80, 320, 360, 360]


@pytest.mark.parametrize(("every", "slack"), [(DAY, HOUR), (7 * DAY, HOUR), (HOUR, 3 * MINUTE), (20 * MINUTE, MINUTE)])
def test_a_sync_takes_the_end_of_at_least_every_as_passed_a_little_early(every: timedelta, slack: timedelta) -> None:
    rules, second = BuildRules(1, every, 4, timedelta(0)), timedelta(seconds=1)
    waiting, end = unbuilt(1), NOON + every
    assert next_call(waiting, rules, end - slack, early=True).is_due(end - slack)
    assert next_call(waiting, rules, end - slack - second, early=True) == NextCall(end, WaitsFor.SHARE)
    assert next_call(waiting, rules, end - second) == NextCall(end, WaitsFor.SHARE), "the daemon looks again soon"


def test_the_limit_of_calls_in_a_day_has_no_such_slack() -> None:
    now = NOON + DAY - timedelta(seconds=1)
    full = unbuilt(1, calls=accepted(*[NOON] * 4))
    assert next_call(full, RULES, now, early=True) == NextCall(NOON + DAY, WaitsFor.LIMIT)


def test_a_time_after_now_counts_as_now() -> None:
    ahead = unbuilt(calls=failed(*(NOON + 365 * DAY for _ in range(4))), since=NOON + 365 * DAY)
    assert next_call(ahead, RULES, NOON) == NextCall(NOON + DAY, WaitsFor.LIMIT)


@pytest.mark.parametrize("late", [timedelta(0), timedelta(seconds=59), 2 * MINUTE, 365 * DAY])
def test_a_time_from_before_the_clock_was_set_back_is_noticed_whichever_it_is(late: timedelta) -> None:
    is_ahead = late > MINUTE
    assert unbuilt(since=NOON + late).is_ahead_of(NOON) is is_ahead
    assert unbuilt(since=NOON, last=NOON + late).is_ahead_of(NOON) is is_ahead
    assert unbuilt(calls=accepted(NOON + late)).is_ahead_of(NOON) is is_ahead
    assert not unbuilt(0).is_ahead_of(NOON)


@pytest.mark.parametrize(
    ("calls", "needs"),
    [
        ([], False),
        (failed(NOON, NOON), False),
        (failed(NOON, NOON, NOON), True),
        (failed(NOON, NOON, NOON, status=None), True),
        ([*failed(NOON, NOON), *accepted(NOON), *failed(NOON)], False),
        *((failed(NOON, status=status), True) for status in (301, 302, 400, 401, 403, 404, 410)),
        *((failed(NOON, status=status), False) for status in (0, 408, 425, 429, 500, 502, 503)),
        ([*failed(NOON, status=404), *accepted(NOON)], False),
    ],
)
def test_what_needs_attention(calls: Sequence[HookCall], needs: bool) -> None:
    assert unbuilt(calls=calls).needs_attention is needs


def test_a_page_that_changes_twice_counts_once_and_a_success_takes_all(tmp_path: Path) -> None:
    with open_database(tmp_path / ".syncer", tmp_path) as database:
        note_site_pages(database, 9)
        for number, paths in enumerate([["a.md", "b.md"], ["b.md", "c.md"]]):
            with database.transaction() as connection:
                note_changed_pages(connection, paths, NOON + number * HOUR)
        waiting = unbuilt_pages(database, pushes=True)
        second = timedelta(seconds=1)
        assert waiting == Unbuilt(3, 9, NOON + second, NOON + HOUR + second, unpushed=True, calls=[])
        assert not unbuilt_pages(database, pushes=False).unpushed
        note_pushed(database)
        assert not unbuilt_pages(database, pushes=True).unpushed
        call = begin_call(database, NOON + 2 * HOUR)
        assert unbuilt_pages(database, pushes=True).calls == [HookCall(NOON + 2 * HOUR + second, None)]
        end_call(database, call, 500)
        assert unbuilt_pages(database, pushes=True).changed == 3
        end_call(database, begin_call(database, NOON + 3 * HOUR), 204)
        ended = unbuilt_pages(database, pushes=True)
        assert (ended.changed, ended.since, ended.failures) == (0, None, ())


def test_only_the_newest_calls_are_kept_however_old_they_say_they_are(tmp_path: Path) -> None:
    with open_database(tmp_path / ".syncer", tmp_path) as database:
        for _ in range(CALLS_KEPT + 5):
            begin_call(database, NOON)
        assert len(unbuilt_pages(database, pushes=False).calls) == CALLS_KEPT


def test_an_odd_value_in_the_state_is_damage(tmp_path: Path) -> None:
    with open_database(tmp_path / ".syncer", tmp_path) as database:
        with database.transaction() as connection:
            connection.execute("INSERT INTO meta VALUES ('changed_since', 'yesterday')")
        with pytest.raises(Exception, match="what the build hook waits for is not valid") as raised:
            unbuilt_pages(database, pushes=False)
        assert isinstance(raised.value.__cause__, OddValue)


class NeverMoreOften(RuleBasedStateMachine):
    """Syncs, kills and restarts, with a clock that is set back: each call is noted by when it really was made."""

    def __init__(self) -> None:
        super().__init__()
        self.room = TemporaryDirectory()
        self.directory = Path(self.room.name)
        self.database = open_database(self.directory / ".syncer", self.directory)
        self.real = NOON
        self.ahead = timedelta(0)
        self.calls: list[datetime] = []
        self.last_change: datetime | None = None
        self.changed: set[str] = set()
        self.pages = 20
        note_site_pages(self.database, self.pages)

    def teardown(self) -> None:
        self.database.__exit__(None, None, None)
        self.room.cleanup()

    @initialize(
        when=st.sampled_from([0, 0.05, 0.3, 1]),
        every=st.sampled_from([HOUR, DAY]),
        limit=st.integers(1, 4),
        quiet=st.sampled_from([timedelta(0), 10 * MINUTE, HOUR]),
    )
    def configure(self, when: float, every: timedelta, limit: int, quiet: timedelta) -> None:
        self.said = BuildRules(when, every, limit, quiet)

    @property
    def now(self) -> datetime:
        return self.real + self.ahead

    @rule(seconds=st.sampled_from([0.3, 1, 59, 301, 600, 3600, 7200, 86_399.5, 86_400]))
    def wait(self, seconds: float) -> None:
        self.real += timedelta(seconds=seconds)

    @rule(by=st.sampled_from([1, 3600, 86_400, 30 * 86_400]))
    def set_clock_back(self, by: int) -> None:
        self.ahead -= timedelta(seconds=by)

    @rule(pages=st.sets(st.integers(0, 19), min_size=1))
    def change(self, pages: set[int]) -> None:
        paths = {f"{page}.md" for page in pages}
        with self.database.transaction() as connection:
            note_changed_pages(connection, paths, self.now)
        self.changed |= paths
        self.last_change = self.real

    @rule()
    def restart(self) -> None:
        self.database.__exit__(None, None, None)
        self.database = open_database(self.directory / ".syncer", self.directory)

    @rule(
        outcome=st.sampled_from([200, 200, 200, 404, 503, 0, "kill before", "kill after"]),
        at_once=st.booleans(),
        early=st.booleans(),
    )
    def look(self, outcome: int | str, at_once: bool, early: bool) -> None:
        set_back_times(self.database, self.now)
        waiting = unbuilt_pages(self.database, pushes=False)
        if not next_call(waiting, self.said, self.now, retry_at_once=at_once, early=early).is_due(self.now):
            return
        assert waiting.changed == len(self.changed) > 0
        number = begin_call(self.database, self.now)
        if outcome != "kill before":
            self.note_call()
        if isinstance(outcome, int):
            end_call(self.database, number, outcome)
        if outcome == 200:
            self.changed.clear()

    def note_call(self) -> None:
        """What the host sees: the moment is that of a clock that nobody moves."""
        assert self.last_change is not None
        assert self.real - self.last_change >= self.said.quiet, "not before it was quiet"
        recent = [call for call in self.calls if self.real - call < DAY]
        assert len(recent) < self.said.at_most_per_day, "not more often than said"
        self.calls.append(self.real)

    @invariant()
    def what_waits_is_called_for_in_the_end(self) -> None:
        waiting = unbuilt_pages(self.database, pushes=False)
        assert waiting.changed == len(self.changed)
        if waiting.changed:
            following = next_call(waiting, self.said, self.now)
            assert following.at is not None
            assert following.at - self.now <= DAY + max(self.said.quiet, self.said.at_least_every)


NeverMoreOften.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestNeverMoreOften = NeverMoreOften.TestCase
