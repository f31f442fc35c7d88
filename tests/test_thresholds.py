"""Which counts that differ are written now, and which are held back, why and until when: the rules alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.decide.thresholds import HeldBack, Reason, Round, displayed, judge_change, round_opens
from syncer.model import LARGEST_COUNT, Change, Count, Threshold, VideoId, Why, WritePolicy

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
MOST_HOURS_BETWEEN_SYNCS = timedelta(hours=72)
counts = st.integers(0, 10**7) | st.integers(0, LARGEST_COUNT)


def policy(
    least: Threshold | None = None, *, display: bool = False, at_least: int = 0, at_most: int = 0
) -> WritePolicy:
    thresholds = {Count.VIEWS: least} if least else {}
    return WritePolicy(thresholds, display, at_least * DAY or None, at_most * DAY or None)


def change(old: int | None, new: int, count: Count = Count.VIEWS, why: Why = Why.CHANGED) -> Change:
    before = None if old is None else str(old)
    return Change("a.md", VideoId("a" * 11), "views", count, before, str(new), NOW, why)


@pytest.mark.parametrize(
    ("least", "old", "new", "written"),
    [
        (Threshold(25), 100, 125, False),
        (Threshold(25), 100, 126, True),
        (Threshold(25), 126, 100, True),
        (Threshold(share=100), 10_000, 10_100, False),
        (Threshold(share=100), 10_000, 10_101, True),
        (Threshold(share=100), 10_000, 9_899, True),
        (Threshold(share=50), 1_000, 1_005, False),
        (Threshold(share=100), 0, 1, True),
        (Threshold(25), None, 3, True),
    ],
)
def test_a_count_is_written_when_it_differs_by_more_than_min_change(
    least: Threshold, old: int | None, new: int, written: bool
) -> None:
    wanted = change(old, new)
    judged = judge_change(wanted, policy(least), None, NOW, None)
    assert judged == (wanted if written else HeldBack(Reason.MIN_CHANGE, None))


def test_a_count_without_a_threshold_of_its_own_is_always_written() -> None:
    likes = change(100, 101, Count.LIKES)
    assert judge_change(likes, policy(Threshold(25)), None, NOW, None) == likes


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (999, 999),
        (1_000, 1_000),
        (4_299, 4_200),
        (9_999, 9_900),
        (10_999, 10_000),
        (133_017, 133_000),
        (999_999, 999_000),
        (1_254_867, 1_200_000),
        (51_389_232, 51_000_000),
        (17_300_000_000, 17_000_000_000),
    ],
)
def test_the_short_form_is_rounded_down_as_youtube_does_it(number: int, shown: int) -> None:
    assert displayed(number) == shown


@given(counts, counts)
def test_the_short_form_never_rises_above_the_number_and_keeps_the_order(one: int, other: int) -> None:
    assert displayed(one) <= one < displayed(one) * 1.1 + 1
    assert displayed(displayed(one)) == displayed(one)
    assert (displayed(one) <= displayed(other)) or one > other


def test_with_rounding_a_count_is_written_when_its_short_form_changes() -> None:
    shown = policy(display=True)
    assert judge_change(change(1_210_000, 1_299_999), shown, None, NOW, None) == HeldBack(Reason.ROUNDING, None)
    assert isinstance(judge_change(change(1_299_999, 1_300_000), shown, None, NOW, None), Change)


def test_both_thresholds_must_be_passed() -> None:
    both = policy(Threshold(25), display=True)
    assert judge_change(change(1_299_990, 1_300_001), both, None, NOW, None) == HeldBack(Reason.MIN_CHANGE, None)
    assert judge_change(change(1_210_000, 1_299_999), both, None, NOW, None) == HeldBack(Reason.ROUNDING, None)


def test_a_small_difference_is_written_as_a_heartbeat_once_the_last_write_is_long_ago() -> None:
    monthly, small = policy(Threshold(25), at_least=28), change(100, 101)
    heartbeat = small._replace(why=Why.HEARTBEAT)
    day_1 = NOW - 27 * DAY
    assert judge_change(small, monthly, day_1, NOW, None) == HeldBack(Reason.MIN_CHANGE, NOW + DAY)
    assert judge_change(small, monthly, day_1, NOW + DAY, None) == heartbeat
    assert judge_change(small, monthly, None, NOW, None) == heartbeat, "when it was written is not known"
    assert judge_change(small, monthly, NOW + DAY, NOW, None) == heartbeat, "the clock was wrong"
    assert judge_change(change(100, 200), monthly, day_1, NOW + DAY, None) == change(100, 200)


def test_until_the_round_opens_everything_is_held_back() -> None:
    rare, opens = policy(at_most=12), NOW + 3 * DAY
    for each in (change(1, 10**6), change(None, 5, why=Why.INSERTED)):
        assert judge_change(each, rare, None, NOW, opens) == HeldBack(Reason.AT_MOST_EVERY, opens)
        assert judge_change(each, rare, None, NOW, None) == each


def test_what_would_be_late_in_the_next_round_is_written_in_this_one() -> None:
    both, small = policy(Threshold(25), at_least=28, at_most=12), change(100, 101)
    assert judge_change(small, both, NOW - 15 * DAY, NOW, None) == HeldBack(Reason.MIN_CHANGE, NOW + 13 * DAY)
    assert judge_change(small, both, NOW - 16 * DAY, NOW, None) == small._replace(why=Why.HEARTBEAT)
    opens = NOW + 2 * DAY
    assert judge_change(small, both, NOW - 14 * DAY, NOW, opens) == HeldBack(Reason.AT_MOST_EVERY, opens)


def test_a_round_opens_when_the_last_one_is_long_enough_ago() -> None:
    last = Round(NOW, complete=True, written=NOW)
    assert round_opens(None, last, NOW, whole=True) is None
    assert round_opens(12 * DAY, None, NOW, whole=True) is None
    assert round_opens(12 * DAY, last, NOW + 11 * DAY, whole=True) == NOW + 12 * DAY
    assert round_opens(12 * DAY, last, NOW + 12 * DAY, whole=True) is None


def test_a_round_that_was_cut_short_is_continued() -> None:
    last = Round(NOW, complete=False, written=NOW)
    assert round_opens(12 * DAY, last, NOW + 2 * DAY, whole=True) is None
    assert round_opens(12 * DAY, last, NOW + DAY / 2, whole=False) is None
    assert round_opens(12 * DAY, last, NOW + 2 * DAY, whole=False) == NOW + 12 * DAY, "no sync of all pages came"


def test_a_clock_that_was_set_back_does_not_hold_pages_back_for_longer_than_two_rounds() -> None:
    last = Round(NOW, complete=True, written=NOW)
    assert round_opens(12 * DAY, last, NOW - DAY, whole=True) == NOW + 12 * DAY
    assert round_opens(12 * DAY, last, NOW - 13 * DAY, whole=True) is None


policies = st.builds(
    policy,
    st.none() | st.builds(Threshold, st.integers(0, 300), st.sampled_from([0, 50, 100, 1000])),
    display=st.booleans(),
    at_least=st.sampled_from([0, 30]),
    at_most=st.sampled_from([0, 7, 12]),
)


@given(policies, st.lists(st.tuples(st.integers(0, 72), st.integers(-400, 3000)), max_size=60), st.integers(0, 10**6))
def test_no_policy_lets_a_count_be_wrong_for_longer_than_it_says_nor_writes_it_back(
    rule: WritePolicy, steps: list[tuple[int, int]], start: int
) -> None:
    """Syncs at any times, of a count that moves as it likes: what is written is always the newest reading."""
    now, last, written, wrong_since = NOW, None, None, None
    page = real = start
    for hours, difference in steps:
        now, real = now + timedelta(hours=hours), max(0, real + difference)
        opens = round_opens(rule.at_most_every, last, now, whole=True)
        if real == page:
            wrong_since = None
            continue
        wrong_since = wrong_since or now
        judged = judge_change(change(page, real), rule, written, now, opens)
        if isinstance(judged, Change):
            assert not (rule.at_most_every and last) or now - last.began >= rule.at_most_every
            page, written, wrong_since, last = int(judged.new), now, None, Round(now, complete=True, written=now)
            assert page == real, "no older reading"
        else:
            assert judged.until is None or judged.until > now
            late = now - wrong_since - MOST_HOURS_BETWEEN_SYNCS
            if rule.at_least_every:
                assert late < rule.at_least_every
            elif rule.at_most_every and not (rule.min_change or rule.display):
                assert late < rule.at_most_every
