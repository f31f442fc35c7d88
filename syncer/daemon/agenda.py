"""Decides when the next sync begins and what it is about: a value, and for each thing that happens the value after it.

It knows no clock, no thread and no chance: the time comes in as `now`, with a time zone, and chance as a `share`, a
random number from 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from syncer.decide.quota import PARKING_MARGIN, next_reset
from syncer.decide.schedule import Schedule, delayed, first_time, longest_interval, next_time, retry_after, set_back
from syncer.errors import ExitCode, Stopped, SyncerError
from syncer.status.report import SyncReport

PUNCTUAL_WITHIN = timedelta(seconds=10)
"""A sync that begins so soon after its time was not delayed by a machine that slept."""


@dataclass(frozen=True, slots=True)
class QuotaRetry:
    """The videos that a sync left out because the quota was spent."""

    since: datetime
    """When that sync began; they were not read since."""
    at: datetime
    """When they are requested: soon after the quota resets, unless a sync comes before."""


@dataclass(frozen=True, slots=True)
class Agenda:
    """When the next sync begins, and what of the past decides that."""

    schedule: Schedule
    counted_from: datetime
    """The due time from which the intervals of `schedule.every` are counted."""
    interval: timedelta
    """The longest time between two scheduled syncs."""
    start: datetime
    """When the next sync begins."""
    last_sync: datetime | None
    """When the last whole sync began, whoever made it; None where there was none."""
    own_sync: datetime | None = None
    """When the last sync began that the schedule asked for, in whole seconds as the state has it."""
    failures: int = 0
    """How many syncs in a row failed: nothing was answered, or an error came in the way."""
    quota_retry: QuotaRetry | None = None
    triggered: bool = False
    """Whether a sync that somebody triggered begins now, or is running."""

    @classmethod
    def at_start(cls, schedule: Schedule, last_sync: datetime | None, now: datetime, share: float) -> Agenda:
        """Return the agenda of a daemon that begins now."""
        due = first_time(schedule, last_sync, now)
        agenda = cls(schedule, due, longest_interval(schedule, now), due, last_sync)
        return _counting_from(agenda, due, now, share)

    def has_times_of(self, other: Agenda) -> bool:
        """Whether both have the same schedule and count from the same time."""
        return (self.schedule, self.counted_from) == (other.schedule, other.counted_from)

    def next_start(self, now: datetime, share: float) -> datetime:
        """Return when the sync after one that begins now begins. That one makes up for all that were missed."""
        return delayed(self.schedule, next_time(self.schedule, self.counted_from, now), share)

    def unread_since(self, now: datetime) -> datetime | None:
        """Return since when the videos were not read that a scheduled sync which begins now is about; None: about all.

        It is about those that the quota left out, if it begins on time for them. Where it is late, because the machine
        slept, it may have to make up for a scheduled one.
        """
        retry = self.quota_retry
        on_time = retry is not None and timedelta(0) <= now - retry.at < PUNCTUAL_WITHIN
        return retry.since if retry and on_time else None

    def after_report(
        self, report: SyncReport, now: datetime, share: float, *, triggered: bool, unread_since: datetime | None
    ) -> Agenda:
        """Return the agenda after a sync ended with this report; `triggered`: the schedule did not ask for it."""
        retry = None
        if report.over_quota:
            retry = QuotaRetry(
                unread_since or report.started, next_reset(report.finished) + PARKING_MARGIN + share * PARKING_MARGIN
            )
        own_sync = self.own_sync if triggered else report.started.replace(microsecond=0)
        agenda = replace(self, own_sync=own_sync, quota_retry=retry, triggered=False)
        if report.exit == ExitCode.NOTHING_ANSWERED:
            agenda = _after_failure(agenda, now)
        elif report.exit != ExitCode.INTERRUPTED:
            agenda = replace(agenda, failures=0)
        return _with_quota_retry(agenda, now)

    def after_error(self, error: BaseException, now: datetime) -> Agenda:
        """Return the agenda after a sync ended with this error. One that was stopped, or has a bug, is not repeated."""
        agenda = replace(self, triggered=False)
        if isinstance(error, Stopped) or not isinstance(error, SyncerError):
            return agenda
        return _after_failure(agenda, now)

    def after_set_back(self, now: datetime, by: timedelta) -> Agenda:
        """Return the agenda after the clock was set back to now."""
        waits = self.triggered and self.start <= now + by
        start = now if waits else set_back(self.schedule, self.start, now, by)
        return replace(self, counted_from=self.counted_from - by, start=start)

    def after_config(self, schedule: Schedule, now: datetime, share: float) -> Agenda:
        """Return the agenda after the config was read again. A failed sync is tried again at once: it may work now."""
        agenda = self
        if schedule != self.schedule:
            agenda = replace(self, schedule=schedule, interval=longest_interval(schedule, now))
            agenda = _counting_from(agenda, first_time(schedule, self.last_sync, now), now, share)
        return replace(agenda, failures=0, start=now) if self.failures else agenda

    def after_last_sync(self, last_sync: datetime | None, now: datetime, share: float) -> Agenda:
        """Return the agenda after a look into the state at when the last whole sync began; None: not known just now.

        An `every` counts from a sync that was triggered or that another process made, but not from a scheduled one,
        whose delay must not add up. Times that a `cron` names stay.
        """
        if self.triggered or last_sync is None or last_sync == self.last_sync:
            return self
        agenda = replace(self, last_sync=last_sync)
        if last_sync == self.own_sync or last_sync > now or self.schedule.cron:
            return agenda
        return _counting_from(agenda, next_time(self.schedule, last_sync, now), now, share)

    def after_trigger(self, now: datetime) -> Agenda:
        """Return the agenda while a triggered sync waits and none is running. It is moved once, and begins at once."""
        return self if self.triggered else replace(self, start=now, triggered=True)


def _after_failure(agenda: Agenda, now: datetime) -> Agenda:
    """Try again soon. The distance grows, so that a long outage is no storm of tries."""
    failures = agenda.failures + 1
    return replace(agenda, failures=failures, start=now + retry_after(failures, agenda.interval))


def _counting_from(agenda: Agenda, due: datetime, now: datetime, share: float) -> Agenda:
    """Count from this time, unless a triggered sync is about to begin: the scheduler moves on from that one."""
    start = due if due <= now else delayed(agenda.schedule, due, share)
    waits = agenda.triggered and agenda.start <= now
    return _with_quota_retry(replace(agenda, counted_from=due, start=agenda.start if waits else start), now)


def _with_quota_retry(agenda: Agenda, now: datetime) -> Agenda:
    """Begin earlier for what the quota left out, if the next sync would come later."""
    retry = agenda.quota_retry
    return replace(agenda, start=retry.at) if retry and now < retry.at < agenda.start else agenda
