"""Repeats one request while that helps: full jitter, bounded attempts, bounded total time, as the server asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from tenacity import RetryCallState, Retrying, retry_if_result

from syncer.youtube.body import CheckedBody
from syncer.youtube.classify import Failure, FailureKind
from syncer.youtube.deadline import Deadline

FIRST_WAIT_SECONDS: Final = 1.0
"""What the first wait lasts at most; each later one may be twice as long."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How long to try one request."""

    attempts: int = 4
    """At least one."""
    longest_wait: float = 60.0
    """Seconds between two attempts, at most, whatever the server asks for."""
    deadline: float = 90.0
    """Seconds from the first attempt after which no other is made."""


@dataclass(frozen=True, slots=True)
class RetryResult:
    """What a request came to in the end, and after how many attempts."""

    result: CheckedBody | Failure
    attempts: int


def try_again(
    request: Callable[[], CheckedBody | Failure],
    retry: Retry,
    *,
    deadline: Deadline,
    sleep: Callable[[float], object],
    rng: Random,
    log_retry: Callable[[Failure, int, float], object],
) -> RetryResult:
    """Make the request until it ends in anything but `FailureKind.RETRY`, or at the limits of `retry` or `deadline`.

    What `request` raises passes through. `log_retry` is called before each wait, with the failure, the number of the
    attempt and the seconds to wait. `rng`: where jitter comes from.
    """

    def pause(seconds: float) -> None:
        sleep(seconds)

    def log(state: RetryCallState) -> None:
        log_retry(_failure(state), state.attempt_number, state.upcoming_sleep)

    retrying = Retrying(
        retry=retry_if_result(lambda result: isinstance(result, Failure) and result.kind is FailureKind.RETRY),
        wait=lambda state: _wait(state, retry, rng),
        stop=_stop_at(retry, deadline),
        sleep=pause,
        before_sleep=log,
        retry_error_callback=_result,
    )
    result = retrying(request)
    return RetryResult(result, retrying.statistics["attempt_number"])


def _wait(state: RetryCallState, retry: Retry, rng: Random) -> float:
    """Return full jitter, or what the server asked for where that is longer; never above the longest wait."""
    jitter = rng.uniform(0, FIRST_WAIT_SECONDS * 2 ** (state.attempt_number - 1))
    return min(retry.longest_wait, max(jitter, _failure(state).retry_after or 0))


def _stop_at(retry: Retry, deadline: Deadline) -> Callable[[RetryCallState], bool]:
    """Return the condition to stop by the deadline's timer: tenacity reads one of its own."""
    began = deadline.timer()

    def stop(state: RetryCallState) -> bool:
        spent = deadline.timer() - began + state.upcoming_sleep
        late = spent >= retry.deadline or state.upcoming_sleep >= deadline.left()
        return late or state.attempt_number >= retry.attempts

    return stop


def _failure(state: RetryCallState) -> Failure:
    result = _result(state)
    assert isinstance(result, Failure)
    return result


def _result(state: RetryCallState) -> CheckedBody | Failure:
    assert state.outcome is not None
    result: CheckedBody | Failure = state.outcome.result()
    return result
