"""Decides when the build hook is called, from the pages that changed, the calls before, and the rules of the config."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import takewhile
from typing import NamedTuple

DAY = timedelta(hours=24)

FIRST_RETRY = timedelta(minutes=5)
RETRY_GROWTH = 4
LONGEST_RETRY = timedelta(hours=6)
"""A call that failed is tried again after 5 minutes, 20, 80, and so on, at most 6 hours."""

LARGEST_SLACK = timedelta(hours=1)
SLACK_SHARE = 20
"""An hour, or a twentieth of `at_least_every` if that is less. A sync that comes as often as `at_least_every` can begin
a few seconds too early, and without slack the call would wait for the sync after it.
"""

FAILURES_BEFORE_PROBLEM = 3
"""Failed calls in a row that need attention. A call that the host refuses needs it at once: it will refuse the next."""


CLOCK_STEP = timedelta(minutes=1)
"""A time that is later by less passes soon: clocks are corrected by seconds, and times are stored rounded up."""


class WaitsFor(StrEnum):
    """What a call waits for."""

    CHANGE = "change"
    """A page that changes."""
    PUSH = "push"
    """A push of the changes: the build would not see them."""
    SHARE = "share"
    """More changed pages (`when`), or the end of `at_least_every`."""
    QUIET = "quiet"
    """Some time without a change (`quiet`)."""
    LIMIT = "limit"
    """A day in which fewer calls were made (`at_most_per_day`)."""
    RETRY = "retry"
    """Some time after a call that failed."""


@dataclass(frozen=True, slots=True)
class BuildRules:
    """When a build is worth it, as the config's `deploy` says it."""

    when: float
    """The share of the pages, from 0 to 1, of which so many must have changed."""
    at_least_every: timedelta
    """After so long, one changed page is enough."""
    at_most_per_day: int
    """The most calls in any 24 hours, failed ones included."""
    quiet: timedelta
    """A call waits until no page has changed for this time."""


class HookCall(NamedTuple):
    """A call that was made, or was about to be made when the process ended."""

    at: datetime
    """When it was noted, before it was made."""
    status: int | None
    """The HTTP status that was returned; 0 if there was no response, None if the process was stopped before."""

    @property
    def succeeded(self) -> bool:
        """Whether the host accepted it."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def was_refused(self) -> bool:
        """Whether the host will refuse the next call as well: most likely, the address is wrong."""
        return self.status is not None and 300 <= self.status < 500 and self.status not in {408, 425, 429}


@dataclass(frozen=True, slots=True)
class Unbuilt:
    """The pages that changed since the last call that succeeded, and the calls so far."""

    changed: int
    """How many pages changed; one that changed twice counts once."""
    pages: int
    """How many pages with videos the site has; 0 if no whole sync has counted them yet."""
    since: datetime | None
    """When the first of these changes was made; None where there is none."""
    last_change: datetime | None
    unpushed: bool
    """Whether there are changes that are not pushed, although the config says that syncs push."""
    calls: Sequence[HookCall]
    """Oldest first, in the order in which they were made."""

    @property
    def failures(self) -> Sequence[HookCall]:
        """The calls since the last that succeeded, newest first."""
        return tuple(takewhile(lambda call: not call.succeeded, reversed(self.calls)))

    @property
    def last_success(self) -> datetime | None:
        """When the last call that succeeded was made."""
        return next((call.at for call in reversed(self.calls) if call.succeeded), None)

    @property
    def needs_attention(self) -> bool:
        """Whether calls fail in a way that time alone does not repair."""
        failures = self.failures
        return len(failures) >= FAILURES_BEFORE_PROBLEM or any(call.was_refused for call in failures[:1])

    def is_ahead_of(self, now: datetime) -> bool:
        """Whether a time was noted before the clock was set back: the waits end only once it is set back, too."""
        noted = (self.since, self.last_change, *(call.at for call in self.calls))
        return any(at > now + CLOCK_STEP for at in noted if at)

    def recent_calls(self, now: datetime) -> int:
        """Return how many calls were made in the 24 hours before `now`."""
        return sum(now - call.at < DAY for call in self.calls)


class NextCall(NamedTuple):
    """When the next call is made, if nothing changes until then."""

    at: datetime | None
    """It may be in the past: then the call is due. None: it waits for an event, not for a time."""
    waits_for: WaitsFor

    def is_due(self, now: datetime) -> bool:
        """Whether to call now."""
        return self.at is not None and self.at <= now


def next_call(
    unbuilt: Unbuilt, rules: BuildRules, now: datetime, *, retry_at_once: bool = False, early: bool = False
) -> NextCall:
    """Return when the hook is called next, and what that waits for.

    A time in the future was noted before the clock was set back; it counts as `now`, so that no call comes earlier
    than the rules say. `retry_at_once`: do not wait after a call that failed. `early`: `at_least_every` has passed
    where only the slack is left of it, because it can be long until somebody looks again.
    """
    if not unbuilt.changed or unbuilt.since is None or unbuilt.last_change is None:
        return NextCall(None, WaitsFor.CHANGE)
    if unbuilt.unpushed:
        return NextCall(None, WaitsFor.PUSH)
    last_change, since = min(unbuilt.last_change, now), min(unbuilt.last_success or unbuilt.since, now)
    calls = [min(call.at, now) for call in unbuilt.calls]
    bounds = [(last_change + rules.quiet, WaitsFor.QUIET)]
    end_of_wait = since + rules.at_least_every
    slack = min(rules.at_least_every / SLACK_SHARE, LARGEST_SLACK) if early else timedelta(0)
    if now < end_of_wait - slack and not _is_worth_it(unbuilt, rules.when):
        bounds.append((end_of_wait, WaitsFor.SHARE))
    if len(calls) >= rules.at_most_per_day:
        bounds.append((calls[-rules.at_most_per_day] + DAY, WaitsFor.LIMIT))
    if unbuilt.failures and not retry_at_once:
        bounds.append((calls[-1] + retry_after(len(unbuilt.failures)), WaitsFor.RETRY))
    return NextCall(*max(bounds))


def retry_after(failures: int) -> timedelta:
    """Return how long to wait after so many failed calls in a row."""
    wait = FIRST_RETRY
    for _ in range(failures - 1):
        wait = min(RETRY_GROWTH * wait, LONGEST_RETRY)
    return wait


def _is_worth_it(unbuilt: Unbuilt, when: float) -> bool:
    """Whether enough pages changed. Where nobody has counted the pages, only a share of 0 is reached."""
    if not unbuilt.pages:
        return not when
    return unbuilt.changed / unbuilt.pages >= when  # not `when * pages`: 0.07 * 100 is more than 7
