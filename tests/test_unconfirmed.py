"""What is unconfirmed, when a sync is braked, and across which days counts are not compared."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.decide.unconfirmed import FEWEST_VIDEOS, Brake, Comparison, comparable, judge, sharp_drops, view_meaning
from syncer.model import Count, VideoId

counts = st.dictionaries(st.sampled_from(Count), st.integers(0, 2**63 - 1))


def video(number: int) -> VideoId:
    return VideoId(f"{number:011}")


@pytest.mark.parametrize(
    ("before", "now", "drops"),
    [
        (100, 0, True),
        (1, 0, True),
        (0, 0, False),
        (100, 9, True),
        (100, 10, False),
        (100, 99, False),
        (100, 100, False),
        (100, 5000, False),
        (0, 5, False),
        (2**63 - 1, 1, True),
    ],
)
def test_a_count_that_falls_to_zero_or_below_a_tenth_is_unconfirmed(before: int, now: int, drops: bool) -> None:
    assert (sharp_drops({Count.VIEWS: before}, {Count.VIEWS: now}) == {Count.VIEWS}) is drops


@given(counts, counts)
def test_only_a_count_that_fell_and_was_known_before_is_unconfirmed(
    before: dict[Count, int], now: dict[Count, int]
) -> None:
    assert all(now[count] < before[count] for count in sharp_drops(before, now))


def braked(*, missing: int = 0, of: int = 0, fallen: int = 0, compared: int = 0, limit: float = 0.5) -> Brake | None:
    before = {Count.VIEWS: 10}
    seen = [Comparison(video(number), {}, {}, True, number >= missing, frozenset()) for number in range(of)]
    for number in range(compared):
        now = {Count.VIEWS: 9 if number < fallen else 10}
        seen.append(Comparison(video(number), before, now, False, True, frozenset()))
    return judge(seen, missing=limit, falling=limit).brake


@pytest.mark.parametrize(
    ("struck", "of", "brakes"),
    [
        (0, 0, False),
        (1, 1, False),
        (2, 2, False),
        (3, 5, False),
        (4, 5, False),
        (5, 5, True),
        (5, 9, True),
        (5, 10, False),
        (25, 50, False),
        (26, 50, True),
        (50, 50, True),
    ],
)
def test_a_brake_takes_more_than_the_share_and_at_least_five_videos(struck: int, of: int, brakes: bool) -> None:
    assert braked(missing=struck, of=of) == (Brake("missing", struck, of) if brakes else None)
    assert braked(fallen=struck, compared=of) == (Brake("falling", struck, of) if brakes else None)


def test_a_brake_at_100_percent_never_holds_and_at_0_percent_at_five_videos() -> None:
    assert braked(missing=50, of=50, limit=1.0) is None
    assert braked(missing=FEWEST_VIDEOS - 1, of=5000, limit=0.0) is None
    assert braked(missing=FEWEST_VIDEOS, of=5000, limit=0.0) is not None


def test_five_counts_of_two_videos_are_no_reason_to_brake() -> None:
    before, now = dict.fromkeys(Count, 10), dict.fromkeys(Count, 9)
    seen = [Comparison(video(number), before, now, True, True, frozenset()) for number in range(2)]
    assert judge(seen, missing=0.5, falling=0.5).brake is None


@pytest.mark.parametrize(
    ("at", "since"),
    [
        (datetime(2025, 3, 30, 23, 59, tzinfo=UTC), None),
        (datetime(2025, 3, 31, tzinfo=UTC), date(2025, 3, 31)),
        (datetime(2026, 8, 23, 23, 59, tzinfo=UTC), date(2025, 3, 31)),
        (datetime(2026, 8, 24, tzinfo=UTC), date(2026, 8, 24)),
        (datetime(2026, 11, 22, tzinfo=UTC), date(2026, 8, 24)),
    ],
)
def test_what_a_view_means_is_known_by_its_day(at: datetime, since: date | None) -> None:
    assert view_meaning(at) == since


def test_views_are_not_compared_across_the_day_on_which_their_meaning_changed() -> None:
    before, after = datetime(2026, 8, 23, tzinfo=UTC), datetime(2026, 8, 24, tzinfo=UTC)
    both = frozenset({Count.VIEWS, Count.LIKES})
    assert comparable(both, before, after) == {Count.LIKES}
    assert comparable(both, after, after) == both
    assert comparable(both, None, after) == both, "what a page says has no time"
