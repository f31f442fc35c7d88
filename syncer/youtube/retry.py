"""Repeats one request while that helps: full jitter, bounded tries, bounded total time, the server's wish heard."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Final

from tenacity import RetryCallState, Retrying, retry_if_result

from syncer.youtube.answer import Checked
from syncer.youtube.classify import Failure, Kind

FIRST_WAIT: Final = 1.0
"""Seconds that the first wait lasts at most; each later one may be twice as long."""

_log = logging.getLogger("syncer.youtube")


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
    method: str,
    clock: Callable[[], datetime],
    sleep: Callable[[float], object],
    rng: Random,
) -> Tried:
    """Make the request until it ends in anything but `Kind.RETRY`, or the limits of `retry` are reached.

    What `request` raises passes through. Each repetition is logged, with the name of the `method`.
    """

    def pause(seconds: float) -> None:
        sleep(seconds)

    retrying = Retrying(
        retry=retry_if_result(lambda result: isinstance(result, Failure) and result.kind is Kind.RETRY),
        wait=lambda state: _wait(state, retry, rng),
        stop=_stop_at(retry, clock),
        sleep=pause,
        before_sleep=lambda state: _tell(state, method),
        retry_error_callback=_result,
    )
    result = retrying(request)
    return Tried(result, retrying.statistics["attempt_number"])


def _wait(state: RetryCallState, retry: Retry, rng: Random) -> float:
    """Full jitter, or what the server asked for where that is longer; never above the longest wait."""
    jitter = rng.uniform(0, FIRST_WAIT * 2 ** (state.attempt_number - 1))
    return min(retry.longest_wait, max(jitter, _failure(state).retry_after or 0))


def _stop_at(retry: Retry, clock: Callable[[], datetime]) -> Callable[[RetryCallState], bool]:
    """Return the stop condition by our clock: tenacity reads one of its own."""
    began = clock()

    def stop(state: RetryCallState) -> bool:
        spent = (clock() - began).total_seconds() + state.upcoming_sleep
        return state.attempt_number >= retry.attempts or spent >= retry.deadline

    return stop


def _tell(state: RetryCallState, method: str) -> None:
    failure, attempt, wait = _failure(state), state.attempt_number, round(state.upcoming_sleep, 3)
    facts = {"method": method, "attempt": attempt, "wait_s": wait, "why": failure.message}
    _log.info("%s: try %d failed, next in %.1f s: %s", method, attempt, wait, failure.message, extra=facts)


def _failure(state: RetryCallState) -> Failure:
    result = _result(state)
    assert isinstance(result, Failure)
    return result


def _result(state: RetryCallState) -> Checked | Failure:
    assert state.outcome is not None
    result: Checked | Failure = state.outcome.result()
    return result
