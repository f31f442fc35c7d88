"""How fast the counts of a video change: what its readings teach, in Python and in the state's SQL alike."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from benchmarks.budgets.learning import Drift, Movement, observe
from syncer.decide.drift import DAY_SECONDS, PRIOR
from syncer.decide.unconfirmed import VIEWS_CHANGED_MEANING, comparable
from syncer.model import Count, Reading, VideoId
from syncer.state.database import Database, open_copy
from syncer.state.judging import accept_pending
from syncer.state.syncs import begin_sync
from syncer.state.videos import last_read, save_readings

VIDEO = VideoId("5HjkiQJx-CY")
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
ALL = frozenset(Count)

CHANGED_DAY = datetime(2026, 8, 23, tzinfo=UTC)
"""The day before a view changed its meaning."""

numbers = st.none() | st.integers(0, 50) | st.integers(0, 2**40)
counts_of = st.none() | st.tuples(numbers, numbers, numbers).map(
    lambda each: {count: number for count, number in zip(Count, each, strict=True) if number is not None}
)
spans = st.integers(-100, 100) | st.integers(0, 40 * 86_400)
starts = st.sampled_from([NOON, *(datetime(d.year, d.month, d.day, tzinfo=UTC) - DAY for d in VIEWS_CHANGED_MEANING)])


def reading(days: float, views: int, **others: int) -> Reading:
    return Reading(VIDEO, NOON + days * DAY, {Count.VIEWS: views, **{Count(name): n for name, n in others.items()}})


def movement_between(before: Reading, now: Reading, counts: frozenset[Count]) -> Movement | None:
    """Return what two readings show; None if nothing, because the second is not later, or they share no count.

    Only those of `counts` are compared that both readings have, and that mean the same in both.
    """
    days = (int(now.at.timestamp()) - int(before.at.timestamp())) / DAY_SECONDS
    old, new = before.statistics or {}, now.statistics or {}
    both = old.keys() & new.keys() & comparable(counts, before.at, now.at)
    if not both or days <= 0:
        return None
    larger = {count: max(old[count], new[count], 1) for count in both}
    relative = sum(abs(new[count] - old[count]) / larger[count] for count in both) / len(both)
    return Movement(relative, sum(1 / number for number in larger.values()) / len(both), days)


def learned(readings: Sequence[Reading], counts: frozenset[Count] = frozenset({Count.VIEWS})) -> Drift:
    """The drift after these readings, each accepted; one without counts leaves the accepted one as it is."""
    drift: Drift | None = None
    before: Reading | None = None
    for now in readings:
        seen = movement_between(before, now, counts) if before and now.statistics is not None else None
        drift = observe(drift, seen) if seen else drift
        before = now if now.statistics is not None else before
    return drift or NOTHING


def steady(rate: float, per_day: float, days: int, views: int = 1_000_000) -> list[Reading]:
    """Readings of a video that grows by the same number of views each day."""
    return [reading(n / per_day, round(views * (1 + rate * n / per_day))) for n in range(int(days * per_day) + 1)]


NOTHING = Drift(PRIOR, 0)


def stored(database: Database) -> tuple[float | None, int | None]:
    with database.read() as connection:
        drift, observed = connection.execute("SELECT drift, observed FROM videos").fetchone()
        return drift, observed


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@example(NOON, [(30 * 86_400, {Count.VIEWS: 5})] * 7, {Count.VIEWS})  # longer than the longest memory
@example(CHANGED_DAY, [(0, {Count.VIEWS: 5}), (2 * 86_400, {Count.VIEWS: 9})], {Count.VIEWS})
@given(
    starts, st.lists(st.tuples(spans, counts_of), min_size=1, max_size=8), st.sets(st.sampled_from(Count), min_size=1)
)
def test_the_state_learns_what_the_formula_says(
    tmp_path: Path, start: datetime, history: list[tuple[int, dict[Count, int] | None]], mapped: set[Count]
) -> None:
    at, readings = start, list[Reading]()
    with open_copy(tmp_path, "/site") as database:
        for number, (span, counts) in enumerate(history):
            at += timedelta(seconds=span)
            readings.append(Reading(VIDEO, at, counts))
            save_readings(database, begin_sync(database, f"{number}", start), readings[-1:])
            accept_pending(database, frozenset(mapped))
        drift, observed = stored(database)
        (last,) = last_read(database)
    expected = learned(readings, frozenset(mapped))
    if expected is NOTHING:
        assert (drift, observed, last.drift) == (None, None, PRIOR)
    else:
        assert drift == last.drift == pytest.approx(expected.rate, rel=1e-9)
        assert observed == pytest.approx(expected.observed, abs=2)


@pytest.mark.parametrize("rate", [0.0005, 0.005, 0.05])
@pytest.mark.parametrize("per_day", [0.1, 1, 24])
def test_how_often_a_video_is_read_does_not_change_what_is_learned(rate: float, per_day: float) -> None:
    drift = learned(steady(rate, per_day, 60))
    assert drift.rate == pytest.approx(rate / (1 + rate * 60), rel=0.25), "of the counts as they are now"


def test_a_count_that_stands_still_and_catches_up_grew_as_before() -> None:
    rate = 0.01
    moving = steady(rate, 24, 30)
    frozen = [
        one._replace(statistics=moving[480].statistics) if 480 <= n < 528 else one for n, one in enumerate(moving)
    ]
    before, after = learned(moving), learned(frozen)
    assert after.rate == pytest.approx(before.rate, rel=0.3)


def test_one_fall_makes_a_video_urgent_for_days_and_not_for_weeks() -> None:
    fallen = [
        one if n < 240 else reading(n / 24, (one.statistics or {})[Count.VIEWS] // 2)
        for n, one in enumerate(steady(0.001, 24, 30))
    ]
    at_once, later = learned(fallen[:241]), learned(fallen)
    assert at_once.rate < 0.01, "a fall of 50% in an hour is not a drift of 1,200% a day"
    assert later.rate == pytest.approx(0.001, rel=0.3)


def test_a_small_count_is_watched_for_longer_than_a_large_one() -> None:
    small = learned([reading(days, 20 + days // 30) for days in range(90)])
    large = learned([reading(days, 20_000_000) for days in range(10)])
    assert small.rate == pytest.approx(1 / 30 / 22, rel=0.5), "a view in a month"
    assert large.rate < PRIOR / 100, "ten days without a view of twenty million"


def test_a_video_that_begins_to_move_is_noticed_at_once() -> None:
    still = [reading(days, 100_000) for days in range(30)]
    moving = [reading(30 + hours / 24, 100_000 + 500 * hours) for hours in range(24)]
    quiet, woken = learned(still), learned([*still, *moving])
    assert woken.rate > 20 * quiet.rate
    assert woken.rate == pytest.approx(0.12, rel=0.6)


@given(st.floats(0, 100), st.integers(0, 90 * 86_400), st.floats(0, 1), st.floats(1e-12, 1), st.floats(1e-5, 400))
def test_a_drift_is_a_mean_of_what_was_seen(
    rate: float, observed: int, relative: float, step: float, days: float
) -> None:
    drift = observe(Drift(rate, observed), Movement(relative, step, days))
    assert 0 <= drift.rate <= max(rate, relative / days)
    assert drift.observed >= 0


def test_hidden_counts_and_counts_with_another_meaning_teach_nothing() -> None:
    hidden = Reading(VIDEO, NOON + DAY, {})
    assert movement_between(reading(0, 10), hidden, ALL) is None
    assert movement_between(reading(0, 10, likeCount=10), reading(1, 20), ALL) == Movement(0.5, 1 / 20, 1.0)
    day = VIEWS_CHANGED_MEANING[-1]
    change = datetime(day.year, day.month, day.day, tzinfo=UTC)
    before, after = (
        one._replace(at=change + (n - 0.5) * DAY) for n, one in enumerate([reading(0, 10), reading(0, 99)])
    )
    assert movement_between(before, after, ALL) is None
    assert movement_between(after, before, ALL) is None, "the clock was set back"
