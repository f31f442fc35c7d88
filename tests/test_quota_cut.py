"""A day that YouTube calls spent long before the ledger does is told as what it may be: a quota that was cut."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.config.parse import parse_config
from syncer.daemon.notify import needs_of
from syncer.decide.quota import is_early, next_reset
from syncer.model import ProblemKind, VideoId
from syncer.simulator.faults import parse_fault
from syncer.simulator.server import Simulator
from syncer.status.report import SyncReport
from syncer.sync.make import make_sync
from syncer.sync.options import Environment, Listener, Options
from tests.site import KEY, NOON, QUICK, Run, Site, ids
from tests.test_brake import put_pages
from tests.waiting import until

RESET = next_reset(NOON) + timedelta(minutes=11)
EVERYTHING = Options(everything=True)
ONE_AT_A_TIME = f"{QUICK}, connections: 1"


def sync(site: Site, youtube: Simulator, at: datetime, *faults: str) -> SyncReport:
    """Makes a sync of everything; the faults count its requests from 1."""
    youtube.clock.set(max(at, youtube.clock.now()))
    youtube.faults = [parse_fault(text) for text in faults]
    return site.sync(at, EVERYTHING)


def told(report: SyncReport) -> list[str]:
    """Returns of which methods the quota may be cut."""
    return [problem.subject for problem in report.problems if problem.kind is ProblemKind.QUOTA_CUT]


@pytest.mark.parametrize("fault", ["day-limit", "day-limit-plain", "day-limit-legacy", "quota-exceeded"])
def test_a_day_that_ends_far_too_early_is_reported_with_exit_1_while_the_other_method_takes_over(
    site: Site, youtube: Simulator, fault: str
) -> None:
    put_pages(site, ids(3))
    report = sync(site, youtube, NOON, f"{fault}@stats")
    assert (told(report), report.answered, report.over_quota, report.exit) == (["videos.batchGetStats"], 3, 0, 1)
    (problem,) = report.problems
    for words in ("after 1 of 10,000 units", "cut your project's quota", "mail", "quota.stats_units_per_day"):
        assert words in problem.message


def test_it_is_reported_by_every_sync_of_the_day_in_the_same_words_and_no_more_when_youtube_gives_more(
    site: Site, youtube: Simulator
) -> None:
    put_pages(site, ids(120))
    first = sync(site, youtube, NOON, "day-limit@stats:3-")
    later = sync(site, youtube, NOON + timedelta(hours=1))
    fresh = site.sync(NOON + timedelta(hours=1, seconds=1))
    assert (first.problems, first.exit) == (later.problems, later.exit) == (fresh.problems, fresh.exit)
    assert told(first) == ["videos.batchGetStats"]
    assert needs_of(first).keys() == {"quota-cut videos.batchGetStats"}
    well = sync(site, youtube, RESET)
    assert (told(well), well.exit) == ([], 0)
    assert told(sync(site, youtube, RESET + timedelta(hours=1))) == []


def test_while_each_day_ends_as_early_it_is_reported_without_a_pause(site: Site, youtube: Simulator) -> None:
    """Else people would be told each day anew that all is well, and that it is not."""
    put_pages(site, ids(60))
    site.configure(youtube=ONE_AT_A_TIME)
    assert told(sync(site, youtube, NOON, "day-limit@stats:2-"))
    few = Options(videos=frozenset(VideoId(video) for video in ids(1)))
    youtube.faults = []
    assert told(site.sync(RESET, few)), "one unit of the new day says nothing yet"
    assert told(sync(site, youtube, RESET + timedelta(hours=1), "day-limit@stats:1-"))


@pytest.mark.parametrize(("limit", "early"), [(6, False), (7, True)])
def test_half_of_the_units_is_not_too_early_and_those_of_both_methods_count(
    site: Site, youtube: Simulator, limit: int, early: bool
) -> None:
    """So that one common bucket is survived, and is no cut one."""
    site.configure(
        youtube=ONE_AT_A_TIME,
        quota=f"stats_units_per_day: {limit}, general_units_per_day: {limit}, reserve: 0",
    )
    put_pages(site, ids(200))
    report = sync(site, youtube, NOON, "day-limit@stats:3-", "quota-exceeded@general:1-")
    assert (report.answered, report.over_quota) == (100, 100)
    assert bool(told(report)) is early
    youtube.faults = []
    assert sync(site, youtube, RESET).over_quota == 0


def test_what_the_other_method_spends_before_the_sync_learns_of_the_end_does_not_count(
    site: Site, youtube: Simulator
) -> None:
    """The sync saves the first response until the other method has taken over."""
    site.configure(youtube=ONE_AT_A_TIME, quota="stats_units_per_day: 7, general_units_per_day: 7, reserve: 0")
    put_pages(site, ids(200))
    youtube.faults = [parse_fault("day-limit@stats:3-")]

    def wait(stage: str, *_: object) -> None:
        if stage == "ask":
            until(lambda: youtube.units["general"] > 0)

    config = parse_config(site.config.read_text(encoding="utf-8"), site.config)
    environment = Environment(key=KEY, clock=lambda: NOON, sleep=lambda _: None)
    report = make_sync(config, EVERYTHING, environment, Listener(progress=wait))
    assert (report.answered, told(report)) == (200, ["videos.batchGetStats"])


def test_a_day_that_the_ledger_knows_to_be_spent_is_no_problem(site: Site, youtube: Simulator, syncer: Run) -> None:
    site.configure(quota="stats_units_per_day: 1, general_units_per_day: 1, reserve: 0")
    put_pages(site, ids(101))
    report = sync(site, youtube, NOON)
    assert (report.problems, report.over_quota, report.exit) == ((), 1, 1)


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_a_day_is_early_below_half_of_its_units(used: int, limit: int) -> None:
    assert is_early(used, limit) == (used < limit / 2)
