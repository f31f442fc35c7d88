"""The simulator's time and units: the clock does not run by itself, and quota days are those of California."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.simulator.clock import Clock
from syncer.simulator.server import Simulator
from syncer.simulator.units import PACIFIC, Ledger, minute, pacific_day
from syncer.simulator.world import World
from tests.asking import LIST, STATS, statistics
from tests.examples import examples

ID = "q3mB7nTz-1k"
NOON = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
MOMENTS = st.integers(0, 6 * 365 * 86_400).map(
    lambda seconds: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


def test_the_clock_does_not_run_until_it_is_moved() -> None:
    clock = Clock(NOON)
    assert clock.now() == clock.now() == NOON
    clock.advance(timedelta(hours=6))
    assert clock.now() == NOON + timedelta(hours=6)
    clock.set(NOON)
    assert clock.now() == NOON


def test_clock_with_a_speed_runs_faster_than_real_time() -> None:
    clock = Clock(NOON, speed=1e9)
    first = clock.now()
    assert clock.now() > first > NOON


def test_clock_speaks_utc_whatever_zone_it_was_given() -> None:
    assert Clock(NOON.astimezone(PACIFIC)).now().tzinfo is UTC


@pytest.mark.parametrize("speed", [0, 1])
def test_the_clock_refuses_a_time_without_a_zone(speed: float) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        Clock(NOON.replace(tzinfo=None), speed)


def test_the_clock_refuses_a_negative_speed() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        Clock(NOON, speed=-1)


@pytest.mark.parametrize(
    ("moment", "midnight"),
    [
        ("2026-11-22T07:59:59", "2026-11-21T08:00:00"),  # winter: UTC-8
        ("2026-11-22T08:00:00", "2026-11-22T08:00:00"),
        ("2026-07-01T06:59:59", "2026-06-30T07:00:00"),  # summer: UTC-7
        ("2026-07-01T07:00:00", "2026-07-01T07:00:00"),
        ("2026-03-09T06:59:59", "2026-03-08T08:00:00"),  # the day of 23 hours
        ("2026-03-09T07:00:00", "2026-03-09T07:00:00"),
        ("2026-11-02T07:59:59", "2026-11-01T07:00:00"),  # the day of 25 hours
        ("2026-11-02T08:00:00", "2026-11-02T08:00:00"),
    ],
)
def test_quota_day_begins_at_midnight_in_california(moment: str, midnight: str) -> None:
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    assert pacific_day(at) == datetime.fromisoformat(midnight).replace(tzinfo=UTC)


@pytest.mark.parametrize(("day", "hours"), [("2026-03-08", 23), ("2026-11-01", 25), ("2026-11-22", 24)])
def test_units_reset_after_a_local_day_of_any_length(day: str, hours: int) -> None:
    start = datetime.fromisoformat(day).replace(tzinfo=PACIFIC).astimezone(UTC)
    ledger = Ledger(1)
    assert ledger.take(start)
    last = start + timedelta(hours=hours) - timedelta(seconds=1)
    assert not ledger.take(last)
    assert ledger.take(last + timedelta(seconds=1))


@given(MOMENTS)
@examples(200)
def test_every_moment_lies_in_exactly_one_quota_day(at: datetime) -> None:
    start = pacific_day(at)
    local = start.astimezone(PACIFIC)
    assert (local.hour, local.minute, local.second) == (0, 0, 0)
    assert local.date() == at.astimezone(PACIFIC).date()
    assert start <= at < start + timedelta(hours=25)
    assert pacific_day(start) == start
    assert pacific_day(start - timedelta(microseconds=1)) != start


@given(st.lists(st.integers(0, 90), max_size=40), st.integers(0, 5))
@examples(100)
def test_no_window_gives_out_more_than_its_limit(waits: list[int], limit: int) -> None:
    ledger = Ledger(limit, minute)
    at, given_out = NOON, dict[datetime, int]()
    for wait in waits:
        at += timedelta(seconds=wait)
        if ledger.take(at):
            given_out[minute(at)] = given_out.get(minute(at), 0) + 1
        else:
            assert given_out.get(minute(at), 0) == limit
        assert ledger.taken(at) == given_out.get(minute(at), 0)
    assert all(count <= limit for count in given_out.values())


@pytest.mark.parametrize(
    ("day", "hours"),
    [("2026-03-08", 23), ("2026-11-01", 25), ("2026-11-22", 24), ("2027-03-14", 23), ("2027-11-07", 25)],
)
@pytest.mark.parametrize(("path", "spent"), [(STATS, 429), (LIST, 403)])
def test_midnight_pacific_can_be_walked_through_on_any_day(day: str, hours: int, path: str, spent: int) -> None:
    start = datetime.fromisoformat(day).replace(tzinfo=PACIFIC).astimezone(UTC)
    clock = Clock(start)
    with Simulator(World(), clock, stats_units_per_day=1, general_units_per_day=1) as simulator:
        statuses = []
        for hour in range(hours + 2):
            clock.set(start + timedelta(hours=hour))
            statuses.append(statistics(simulator, path, ID).status)
    assert statuses == [200, *[spent] * (hours - 1), 200, spent]
