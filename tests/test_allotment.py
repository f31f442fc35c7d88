"""How the units of a shared ledger are divided: whole units, all of them, needs first, and one level for the rest."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.decide.allotment import Claim, allot, table_of, units_of
from syncer.decide.quota import next_reset
from syncer.model import BATCH_SIZE
from tests.examples import examples

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOON = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
"""Noon in California."""


def claim(
    site: str, rates: list[float], *, every: timedelta = 6 * HOUR, needed: int = 0, made: datetime = NOON
) -> Claim:
    return Claim(
        site,
        table_of(rates),
        every=every,
        refresh_within=25 * DAY,
        needed=needed,
        made=made,
        next_at=made + every,
    )


drifts = st.lists(st.floats(1e-9, 0.5), min_size=1, max_size=400)
claims_of_sites = st.lists(
    st.builds(
        lambda rates, hours, needed, age: (rates, hours * HOUR, needed, age * HOUR),
        drifts,
        st.integers(1, 400),
        st.integers(0, 30),
        st.integers(0, 30),
    ),
    max_size=12,
).map(
    lambda rows: [
        claim(f"site-{number}", rates, every=every, needed=needed, made=NOON - age)
        for number, (rates, every, needed, age) in enumerate(rows)
    ]
)


@examples(200)
@given(claims_of_sites, st.integers(0, 3_000), st.integers(0, 60))
def test_the_parts_are_whole_and_together_all_units(claims: list[Claim], units: int, days: int) -> None:
    at = NOON + days * DAY
    parts = allot(units, claims, at)
    assert set(parts) == {each.site for each in claims if each.counts_at(at)}
    assert all(part >= 0 for part in parts.values())
    assert sum(parts.values()) == (units if parts else 0)


@examples(200)
@given(claims_of_sites, st.integers(0, 3_000))
def test_each_site_has_what_it_needs_before_another_has_more(claims: list[Claim], units: int) -> None:
    parts = allot(units, claims, NOON)
    active = [each for each in claims if each.counts_at(NOON)]
    least = {each.site: max(each.needed_at(NOON), each.units_at(0)) for each in active}
    for each in active:
        if sum(least.values()) <= units:
            assert parts[each.site] > least[each.site] - 1
        else:
            assert abs(parts[each.site] - units * least[each.site] / sum(least.values())) < 1, "all lack the same part"


@examples(100)
@given(claims_of_sites, st.integers(1, 3_000))
def test_beyond_the_needs_no_site_gets_more_than_it_can_use_while_another_can_use_more(
    claims: list[Claim], units: int
) -> None:
    parts = allot(units, claims, NOON)
    active = [each for each in claims if each.counts_at(NOON)]
    most = {each.site: max(each.needed_at(NOON), each.units_at(math.inf)) for each in active}
    if sum(most.values()) > units:
        assert all(parts[each.site] < most[each.site] + 1 for each in active)


@examples(100)
@given(claims_of_sites, st.integers(1, 3_000), st.integers(0, 400))
def test_no_site_may_use_more_than_is_left_and_together_they_use_all(
    claims: list[Claim], units: int, spent: int
) -> None:
    active = [each for each in claims if each.counts_at(NOON)]
    used = Counter({each.site: min(spent, units) // len(active) for each in active})
    left = units - used.total()
    for each in active:
        mine = units_of(each.site, left, used, claims, NOON)
        assert 0 <= mine <= left
        used[each.site] += mine
        left -= mine
    assert not active or left == 0


@examples(60)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=8), st.integers(1, 5))
def test_over_many_days_parts_of_a_unit_come_to_what_they_are(batches: list[int], units: int) -> None:
    claims = [claim(f"{number}", [0.01] * (50 * size)) for number, size in enumerate(batches)]
    given = Counter[str]()
    for day in range(200):
        renewed = [replace(each, made=NOON + day * DAY, next_at=NOON + (day + 1) * DAY) for each in claims]
        given.update(allot(units, renewed, NOON + day * DAY))
    for each, size in zip(claims, batches, strict=True):
        assert abs(given[each.site] - 200 * units * size / sum(batches)) <= 4, "equal drifts: in proportion to videos"


def test_a_site_that_changes_four_times_as_fast_is_read_twice_as_often() -> None:
    parts = allot(300, [claim("slow", [2**-12] * 10_000), claim("fast", [2**-10] * 10_000)], NOON)
    assert parts == {"slow": 100, "fast": 200}


def test_a_small_site_is_worth_what_its_one_request_is() -> None:
    """A request of 50 videos is worth ten times one of 5 with the same drift, and is made some three times as often."""
    assert sum(table_of([0.01] * 5).values()) == BATCH_SIZE
    few, full = claim("few", [2**-8] * 5, every=HOUR), claim("full", [2**-8] * 5_000, every=HOUR)
    parts = allot(1_000, [few, full], NOON)
    assert parts["full"] / parts["few"] == pytest.approx(100 * math.sqrt(10), rel=0.25)


def test_a_site_that_syncs_once_a_week_gets_its_units_on_that_day_and_leaves_them_to_others_on_the_others() -> None:
    weekly = claim("weekly", [0.01] * 5_000, every=7 * DAY, made=NOON - 7 * DAY)
    daily = claim("daily", [0.01] * 5_000, every=6 * HOUR)
    assert allot(100, [weekly, daily], NOON)["weekly"] > 80
    weekly = replace(weekly, made=NOON, next_at=NOON + 7 * DAY)
    daily = claim("daily", [0.01] * 5_000, made=NOON + DAY)
    assert allot(100, [weekly, daily], NOON + DAY) == {"daily": 100}


def test_a_claim_that_nobody_renews_ends_after_two_intervals_or_a_week() -> None:
    hourly = claim("hourly", [0.01] * 100, every=HOUR)
    assert hourly.counts_at(NOON + 2 * HOUR)
    assert not hourly.counts_at(NOON + 2 * HOUR + timedelta(seconds=1))
    monthly = claim("monthly", [0.01] * 100, every=30 * DAY)
    assert monthly.counts_at(NOON)
    assert not monthly.counts_at(NOON + 30 * DAY), "its own sync renews it"


def test_a_claim_of_a_clock_that_ran_ahead_does_not_count() -> None:
    assert not claim("ahead", [0.01] * 100, made=NOON + 300 * DAY).counts_at(NOON)


def test_what_other_sites_cannot_spend_today_is_free() -> None:
    done = replace(claim("done", [0.01] * 5_000, every=DAY, made=NOON - 2 * HOUR))
    assert done.next_at > next_reset(NOON)
    coming = replace(claim("coming", [0.01] * 5_000, every=DAY, made=NOON - 20 * HOUR))
    mine = claim("mine", [0.01] * 5_000, every=DAY)
    claims, spent = [done, coming, mine], {"done": 10}
    parts = allot(300, claims, NOON)
    assert parts == {"done": 100, "coming": 100, "mine": 100}
    assert units_of("mine", 290, spent, claims, NOON) == 190, "all but what is left of the part of `coming`"


def test_a_site_whose_sync_is_running_still_has_its_part() -> None:
    running = claim("running", [0.01] * 5_000, every=DAY, made=NOON - HOUR / 2)
    mine = claim("mine", [0.01] * 5_000, every=DAY)
    assert units_of("mine", 200, {}, [running, mine], NOON) == 100


def test_what_a_site_needs_today_is_forgotten_tomorrow() -> None:
    new, old = claim("new", [0.005] * 1_000, needed=20), claim("old", [0.005] * 1_000)
    assert allot(22, [new, old], NOON)["new"] >= 20
    assert allot(22, [new, old], NOON + 12 * HOUR)["new"] == 11, "it is midnight in California"
