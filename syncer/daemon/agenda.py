"""Decides when the next sync begins and which videos it includes: a value, and a new value after each event.

It uses no clock, thread or randomness of its own: the time comes in as `now`, with a time zone, and randomness as a
`share`, a number from 0 to 1.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from syncer.decide.quota import PARKING_MARGIN, next_reset
from syncer.decide.schedule import Schedule, delayed, first_time, longest_interval, next_time, retry_after, set_back
from syncer.errors import ExitCode, Stopped, SyncerError
from syncer.status.report import SyncReport

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

PUNCTUAL_WITHIN = timedelta(seconds=10)
"""A sync that begins within this time of its due time was not delayed by a machine that slept."""


def phase_of(site: str) -> float:
    """Return where in each interval one of several sites syncs, from 0 to 1: the same for the same path of the site."""
    return int.from_bytes(blake2b(os.fsencode(site), digest_size=4).digest()) / 2**32


@dataclass(frozen=True, slots=True)
class QuotaRetry:
    """The videos that a sync left out because the quota was spent."""

    since: datetime
    """When that sync began; they were not read since."""
    at: datetime
    """When they are requested: soon after the quota resets, unless a sync runs earlier."""


@dataclass(frozen=True, slots=True)
class Agenda:
    """When the next sync begins, and what that depends on."""

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
    """When the last scheduled sync began, in whole seconds as the state has it."""
    failures: int = 0
    """How many syncs in a row failed: YouTube returned nothing, or an error prevented the sync."""
    quota_retry: QuotaRetry | None = None
    triggered: bool = False
    """Whether a triggered sync begins now, or is running."""
    phase: float | None = None
    """Where in each interval of `every` this one of several sites syncs, from 0 to 1; None: counted from its syncs."""

    @classmethod
    def at_start(
        cls, schedule: Schedule, last_sync: datetime | None, now: datetime, share: float, *, phase: float | None = None
    ) -> Agenda:
        """Return the agenda of a daemon that begins now, or of a site that is added now."""
        agenda = cls(schedule, now, longest_interval(schedule, now), now, last_sync, phase=phase)
        return _after_schedule(agenda, now, share)

    def has_times_of(self, other: Agenda) -> bool:
        """Whether both have the same schedule and count from the same time."""
        return (self.schedule, self.counted_from) == (other.schedule, other.counted_from)

    def next_start(self, now: datetime, share: float) -> datetime:
        """Return when the sync after one that begins now begins; that one catches up on all that were missed."""
        return delayed(self.schedule, next_time(self.schedule, self.counted_from, now), share)

    def unread_since(self, now: datetime) -> datetime | None:
        """Return the time since which a video must be unread to be included in a sync that begins now; None: all are.

        A sync that begins on time for the videos that the quota left out includes only these. One that is late, because
        the machine slept, includes all: it may have to catch up on a scheduled sync.
        """
        retry = self.quota_retry
        on_time = retry is not None and timedelta(0) <= now - retry.at < PUNCTUAL_WITHIN
        return retry.since if retry and on_time else None

    def after_report(
        self, report: SyncReport, now: datetime, share: float, *, triggered: bool, unread_since: datetime | None
    ) -> Agenda:
        """Return the agenda after a sync ended with this report; `triggered`: it was not a scheduled one."""
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
        """Return the agenda after a sync ended with this error. It is not repeated after a stop or a bug."""
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
        """Return the agenda after the config was reloaded. A failed sync is repeated at once: it may work now."""
        agenda = self
        if schedule != self.schedule:
            agenda = replace(self, schedule=schedule, interval=longest_interval(schedule, now))
            agenda = _after_schedule(agenda, now, share)
        return replace(agenda, failures=0, start=now) if self.failures else agenda

    def after_last_sync(self, last_sync: datetime | None, now: datetime, share: float) -> Agenda:
        """Return the agenda after the state was checked for when the last whole sync began; None: not known now.

        `every` counts from a sync that was triggered or that another process made, but not from a scheduled one, whose
        delays must not add up. The times of a `cron`, and of one of several sites, stay.
        """
        if self.triggered or last_sync is None or last_sync == self.last_sync:
            return self
        agenda = replace(self, last_sync=last_sync)
        if last_sync == self.own_sync or last_sync > now or self.schedule.cron or self.phase is not None:
            return agenda
        return _counting_from(agenda, next_time(self.schedule, last_sync, now), now, share)

    def after_trigger(self, now: datetime) -> Agenda:
        """Return the agenda while a triggered sync waits and none is running: it begins at once. It is moved once."""
        return self if self.triggered else replace(self, start=now, triggered=True)


def _after_failure(agenda: Agenda, now: datetime) -> Agenda:
    """Retry soon; the wait grows with each failure."""
    failures = agenda.failures + 1
    return replace(agenda, failures=failures, start=now + retry_after(failures, agenda.interval))


def _after_schedule(agenda: Agenda, now: datetime, share: float) -> Agenda:
    """Count the times of a schedule that is new to the site, and catch up at once on one that was missed.

    Several sites that were synced, or missed, together would be due together in each interval that counts from then. So
    each has times of its own, which no sync moves: the beginnings of intervals since 1970, later by its phase.
    """
    every, last = agenda.schedule.every, agenda.last_sync
    if agenda.phase is None or agenda.schedule.cron:
        return _counting_from(agenda, first_time(agenda.schedule, last, now), now, share)
    first = EPOCH + timedelta(seconds=int(agenda.phase * every.total_seconds()))
    newest = first + (now - first) // every * every
    due = newest + every if last and newest <= last <= now else now
    return replace(_counting_from(agenda, due, now, share), counted_from=newest)


def _counting_from(agenda: Agenda, due: datetime, now: datetime, share: float) -> Agenda:
    """Count from this time, unless a triggered sync is about to begin: then the scheduler counts on from that one."""
    start = due if due <= now else delayed(agenda.schedule, due, share)
    waits = agenda.triggered and agenda.start <= now
    return _with_quota_retry(replace(agenda, counted_from=due, start=agenda.start if waits else start), now)


def _with_quota_retry(agenda: Agenda, now: datetime) -> Agenda:
    """Begin earlier for the videos that the quota left out, if the next sync would run later."""
    retry = agenda.quota_retry
    return replace(agenda, start=retry.at) if retry and now < retry.at < agenda.start else agenda
