"""A request is repeated while that can help, and no longer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

import pytest

from syncer.youtube.body import CheckedBody
from syncer.youtube.classify import Failure, FailureKind
from syncer.youtube.client import Retry, RetryResult, try_again
from syncer.youtube.deadline import Deadline

GOOD = CheckedBody({})
BUSY = Failure(FailureKind.RETRY, "Busy.")


@dataclass
class Time:
    """A timer that moves only when somebody sleeps, or when a request takes its time."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)
    told: list[tuple[Failure, int, float]] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def tried(
    results: Sequence[CheckedBody | Failure],
    time: Time,
    *,
    retry: Retry | None = None,
    each: float = 0,
    seed: int = 1,
    deadline: Deadline | None = None,
) -> RetryResult:
    rest: Iterator[CheckedBody | Failure] = iter(results)

    def request() -> CheckedBody | Failure:
        time.now += each
        return next(rest)

    return try_again(
        request,
        retry or Retry(),
        deadline=deadline or Deadline(timer=lambda: time.now),
        sleep=time.sleep,
        rng=Random(seed),
        log_retry=lambda *what: time.told.append(what),
    )


@pytest.mark.parametrize("kind", [kind for kind in FailureKind if kind is not FailureKind.RETRY])
def test_what_does_not_pass_is_not_repeated(kind: FailureKind) -> None:
    time = Time()
    failure = Failure(kind, "No.", retry_after=5)
    assert tried([failure], time) == RetryResult(failure, 1)
    assert time.slept == []


def test_what_passes_is_repeated_until_it_has_passed() -> None:
    time = Time()
    assert tried([BUSY, BUSY, GOOD], time) == RetryResult(GOOD, 3)
    assert len(time.slept) == 2


def test_the_tries_are_bounded() -> None:
    time = Time()
    assert tried([BUSY] * 4 + [GOOD], time) == RetryResult(BUSY, 4)
    assert len(time.slept) == 3
    assert tried([BUSY, GOOD], time, retry=Retry(attempts=1)) == RetryResult(BUSY, 1)


def test_waits_are_drawn_from_all_of_a_window_that_doubles() -> None:
    slept: list[list[float]] = []
    for seed in range(200):
        time = Time()
        tried([BUSY] * 6, time, retry=Retry(attempts=6, longest_wait=5, deadline=1000), seed=seed)
        slept.append(time.slept)
    for waits, top in zip(zip(*slept, strict=True), [1, 2, 4, 5, 5], strict=True):
        assert min(waits) < top * 0.1
        assert top * 0.9 < max(waits) <= top


def test_the_servers_wish_is_heard_up_to_the_longest_wait() -> None:
    time = Time()
    wishes = [Failure(FailureKind.RETRY, "Busy.", retry_after=seconds) for seconds in (30, 0, 3600)]
    tried([*wishes, GOOD], time, retry=Retry(attempts=4, longest_wait=60, deadline=1000))
    assert time.slept[0] == 30
    assert 0 < time.slept[1] <= 2
    assert time.slept[2] == 60


def test_no_wait_leads_past_the_deadline() -> None:
    time = Time()
    slow = Failure(FailureKind.RETRY, "Busy.", retry_after=40)
    assert tried([slow] * 4, time, retry=Retry(deadline=90), each=1) == RetryResult(slow, 3)
    assert time.slept == [40, 40]


def test_requests_that_take_long_use_up_the_time_too() -> None:
    time = Time()
    assert tried([BUSY] * 4, time, retry=Retry(deadline=90), each=89.9) == RetryResult(BUSY, 1)
    assert time.slept == []


def test_what_the_request_raises_passes_through() -> None:
    time = Time()
    with pytest.raises(StopIteration):
        tried([BUSY], time)


def test_no_wait_leads_past_the_deadline_of_all_requests() -> None:
    time = Time()
    slow = Failure(FailureKind.RETRY, "Busy.", retry_after=10)
    assert tried([slow] * 4, time, deadline=Deadline(25, timer=lambda: time.now)) == RetryResult(slow, 3)
    assert time.slept == [10, 10]


def test_nothing_is_repeated_after_cancelling() -> None:
    time = Time()
    assert tried([BUSY, GOOD], time, deadline=Deadline(cancelled=lambda: True)) == RetryResult(BUSY, 1)


def test_each_retry_is_logged_before_its_wait() -> None:
    time = Time()
    tried([BUSY, BUSY, GOOD], time)
    assert time.told == [(BUSY, place, wait) for place, wait in enumerate(time.slept, 1)]
