"""Repeats one request while that helps: full jitter, bounded tries, bounded total time, the server's wish heard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from tenacity import RetryCallState, Retrying, retry_if_result

from syncer.youtube.answer import Checked
from syncer.youtube.classify import Failure, Kind
from syncer.youtube.deadline import Patience

FIRST_WAIT: Final = 1.0
"""Seconds that the first wait lasts at most; each later one may be twice as long."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How long to try one request."""

    attempts: int = 4
    """At least one."""
    longest_wait: float = 60.0
    """Seconds between two tries, at most, whatever the server asks for."""
    deadline: float = 90.0
    """Seconds from the first try after which no other is made."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a request in the end."""

    result: Checked | Failure
    attempts: int


def try_again(
    request: Callable[[], Checked | Failure],
    retry: Retry,
    *,
    patience: Patience,
    sleep: Callable[[float], object],
    rng: Random,
    tell: Callable[[Failure, int, float], object],
) -> Tried:
    """Make the request until it ends in anything but `Kind.RETRY`, or the limits of `retry` or `patience` are reached.

    What `request` raises passes through. `tell` is called before each wait, with the failure, the number of the try
    and the seconds to wait.
    """

    def pause(seconds: float) -> None:
        sleep(seconds)

    def tell_of(state: RetryCallState) -> None:
        tell(_failure(state), state.attempt_number, state.upcoming_sleep)

    retrying = Retrying(
        retry=retry_if_result(lambda result: isinstance(result, Failure) and result.kind is Kind.RETRY),
        wait=lambda state: _wait(state, retry, rng),
        stop=_stop_at(retry, patience),
        sleep=pause,
        before_sleep=tell_of,
        retry_error_callback=_result,
    )
    result = retrying(request)
    return Tried(result, retrying.statistics["attempt_number"])


def _wait(state: RetryCallState, retry: Retry, rng: Random) -> float:
    """Full jitter, or what the server asked for where that is longer; never above the longest wait."""
    jitter = rng.uniform(0, FIRST_WAIT * 2 ** (state.attempt_number - 1))
    return min(retry.longest_wait, max(jitter, _failure(state).retry_after or 0))


def _stop_at(retry: Retry, patience: Patience) -> Callable[[RetryCallState], bool]:
    """Return the stop condition by our timer: tenacity reads one of its own."""
    began = patience.timer()

    def stop(state: RetryCallState) -> bool:
        spent = patience.timer() - began + state.upcoming_sleep
        late = spent >= retry.deadline or state.upcoming_sleep >= patience.left()
        return late or state.attempt_number >= retry.attempts

    return stop


def _failure(state: RetryCallState) -> Failure:
    result = _result(state)
    assert isinstance(result, Failure)
    return result


def _result(state: RetryCallState) -> Checked | Failure:
    assert state.outcome is not None
    result: Checked | Failure = state.outcome.result()
    return result
