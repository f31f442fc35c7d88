"""What the plan reaches in the long run: the forecast is what a simulation of the plan finds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import sqrt
from random import Random
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.decide.forecast import DAY, Drifts, Forecast, forecast
from syncer.decide.plan import LastRead, plan
from syncer.model import BATCH_SIZE, VideoId
from tests.examples import examples

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
WITHIN = timedelta(days=25)
HOUR = timedelta(hours=1)

rates = st.lists(st.floats(0, 5), max_size=300)
intervals = st.integers(1, 60 * 24 * 3).map(lambda minutes: timedelta(minutes=minutes))


def foreseen(drifts: list[float], *, units: float, every: timedelta = HOUR, within: timedelta = WITHIN) -> Forecast:
    return forecast(Drifts(drifts), units=units, every=every, refresh_within=within)


def test_units_that_suffice_read_every_video_in_every_sync() -> None:
    found = foreseen([0.01] * 1000, units=480)
    assert (found.units_for_all, found.units_spent) == (480, 480)
    assert found.suffices
    assert found.keeps_up
    assert found.period(0.01) == found.period(0) == HOUR
    assert found.mean_error == pytest.approx(0.01 / 24 / 2, rel=0.02)


@pytest.mark.parametrize(
    ("videos", "hours", "needed", "spent"),
    [(38, 6, 4, 4), (50, 6, 4, 4), (51, 6, 8, 8), (38, 24, 1, 1), (38, 24 * 7, 1, 1 / 7), (38, 24 * 365, 1, 1 / 365)],
)
def test_each_sync_takes_whole_units(videos: int, hours: int, needed: float, spent: float) -> None:
    found = foreseen([0.01] * videos, units=100, every=hours * HOUR)
    assert (found.units_for_all, found.units_spent) == pytest.approx((needed, spent))
    assert foreseen([0.01] * videos, units=needed, every=hours * HOUR).suffices
    assert not foreseen([0.01] * videos, units=needed * 0.99, every=hours * HOUR).suffices


def test_a_video_that_changes_a_hundred_times_as_fast_is_read_ten_times_as_often() -> None:
    found = foreseen([0.0001] * 5000 + [0.01] * 5000, units=100, every=timedelta(minutes=5))
    assert not found.suffices
    assert found.keeps_up
    assert found.period(0.0001) / found.period(0.01) == pytest.approx(10, rel=0.05)
    assert found.units_spent == pytest.approx(100, rel=0.05)
    assert found.error(0.01) == pytest.approx(10 * found.error(0.0001), rel=0.05)


def test_what_never_changes_is_read_within_the_limit() -> None:
    found = foreseen([0.0] * 900 + [0.01] * 100, units=2)
    assert found.period(0) == WITHIN
    assert found.keeps_up


def test_a_site_that_outgrew_its_quota_is_read_in_turn() -> None:
    found = foreseen([0.01] * 10_000, units=1)
    assert not found.keeps_up
    assert found.longest == found.period(1e-5) == timedelta(days=200)
    assert found.units_spent == pytest.approx(1)


def test_without_units_or_videos() -> None:
    assert foreseen([0.01], units=0).mean_error == 1
    assert not foreseen([0.01], units=0).keeps_up
    assert foreseen([], units=0).suffices
    assert foreseen([], units=0).mean_error == 0


@examples(60)
@given(rates, st.floats(0, 300), intervals)
def test_more_units_never_make_it_worse_and_are_never_overspent(
    drifts: list[float], units: float, every: timedelta
) -> None:
    poor, rich = foreseen(drifts, units=units, every=every), foreseen(drifts, units=units * 1.5, every=every)
    assert rich.mean_error <= poor.mean_error * (1 + 1e-9)
    assert poor.units_spent <= max(units, 0) * (1 + 1e-9)
    assert rich.longest <= poor.longest
    for drift in drifts:
        assert every <= poor.period(drift) <= max(poor.longest, every)


def test_it_is_near_the_optimum_that_knows_no_syncs() -> None:
    rng = Random(1)
    drifts = [rng.lognormvariate(-6, 1.0) for _ in range(5000)]
    found = foreseen(drifts, units=30, every=timedelta(minutes=5))
    per_day = 30 * BATCH_SIZE
    assert found.mean_error == pytest.approx(sum(map(sqrt, drifts)) ** 2 / per_day / 2 / len(drifts), rel=0.02)


def test_the_plan_does_what_the_forecast_says() -> None:
    rng = Random(2)
    drifts = {VideoId(f"{n:011}"): rng.lognormvariate(-6, 1.5) for n in range(1500)}
    every, units = timedelta(hours=4), 12  # two batches of 50 a sync: 1,500 videos would need thirty
    read_at = {video: int((NOON - rng.random() * 3 * DAY).timestamp()) for video in drifts}
    errors = list[float]()
    for number in range(120):
        now = NOON + number * every
        known = [LastRead(v, at, 0, drift=drifts[v]) for v, at in sorted(read_at.items(), key=lambda item: item[1])]
        made = plan(drifts, known, now, units=2, share=2, overdue=now + every - WITHIN)
        read_at |= dict.fromkeys(made.videos, int(now.timestamp()))
        if number >= 60:
            middle = (now + every / 2).timestamp()
            errors.append(mean(drifts[v] * (middle - at) / 86_400 for v, at in read_at.items()))
    found = foreseen([*drifts.values()], units=units, every=every)
    assert mean(errors) == pytest.approx(found.mean_error, rel=0.03)
