"""A method that keeps failing is not requested, and all requests end within a time that depends on their number."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.youtube.answer import Outcome
from syncer.youtube.batches import MAX_FAILURES, Breaker
from syncer.youtube.deadline import Deadline, seconds_for

FAILED, ANSWERED = Outcome.FAILED, Outcome.ANSWERED
SILENT = sorted(set(Outcome) - {FAILED, ANSWERED})


def after(outcomes: Sequence[Outcome], *, failing: bool = False) -> Breaker:
    breaker = Breaker(failing=failing)
    for outcome in outcomes:
        breaker.note(outcome)
    return breaker


def test_it_opens_after_five_failures_in_a_row() -> None:
    assert MAX_FAILURES == 5
    assert [after([FAILED] * number).at_once(4) for number in range(7)] == [4, 4, 4, 4, 4, 0, 0]
    assert after([FAILED] * 5).is_open


def test_an_answer_in_between_restarts_the_count() -> None:
    assert after([FAILED] * 4 + [ANSWERED] + [FAILED] * 4).at_once(4) == 4


def test_where_the_sync_before_ended_so_one_request_is_a_probe_and_one_failure_is_enough() -> None:
    assert after([], failing=True).at_once(4) == 1
    assert after([FAILED], failing=True).at_once(4) == 0
    assert after([ANSWERED], failing=True).at_once(4) == 4
    assert after([ANSWERED, FAILED], failing=True).at_once(4) == 4


@pytest.mark.parametrize("outcome", SILENT)
def test_what_is_neither_an_answer_nor_a_failure_is_not_counted(outcome: Outcome) -> None:
    assert after([FAILED] * 4 + [outcome] + [FAILED]).is_open
    assert after([outcome], failing=True).at_once(4) == 1


@given(st.lists(st.sampled_from(list(Outcome))), st.booleans())
def test_the_next_sync_probes_if_this_one_ended_open_or_learned_nothing(outcomes: list[Outcome], was: bool) -> None:
    breaker = after(outcomes, failing=was)
    assert breaker.failing == (breaker.is_open or (was and ANSWERED not in outcomes))


class Time:
    now = 1000.0

    def timer(self) -> float:
        return self.now


def test_a_deadline_is_over_when_time_is_up_or_the_sync_is_cancelled() -> None:
    time, cancelled = Time(), [False]
    deadline = Deadline(10, cancelled=lambda: cancelled[0], timer=time.timer)
    assert deadline.left() == 10
    time.now += 9
    assert deadline.left() == 1
    cancelled[0] = True
    assert deadline.left() == 0
    cancelled[0] = False
    time.now += 2
    assert deadline.left() == 0


@pytest.mark.parametrize(
    ("videos", "connections", "seconds"),
    [(1, 4, 90 + 40), (200, 4, 90 + 40), (201, 4, 90 + 80), (1000, 4, 90 + 200), (1000, 1, 90 + 800)],
)
def test_a_fetch_may_take_one_unlucky_batch_and_two_slow_requests_a_round(
    videos: int, connections: int, seconds: float
) -> None:
    assert seconds_for(videos, connections=connections, timeout=20, deadline=90) == seconds
