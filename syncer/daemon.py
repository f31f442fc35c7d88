"""Syncs on the schedule until it is told to stop."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger

if TYPE_CHECKING:
    from syncer.config.sections import Schedule

TICK = 5.0
"""Seconds between two looks at the clock: what a suspended machine or a moved clock can delay a sync by."""

STEP_BACK = timedelta(minutes=1)
"""A clock set back by more than this moves the next sync; less is the clock being disciplined."""

JOB = "sync"

log = logging.getLogger(__name__)


def first_time(schedule: Schedule, last: datetime | None, now: datetime) -> datetime:
    """Return when the first sync is due, in UTC; `last` is when the last whole one began.

    With `every`: an interval after the last sync, or now where that is past. With `cron`: the next time that it
    names, or now where one was missed since the last sync. Without a last sync: now.
    """
    if last is None or last > now:
        return now
    return max(now, next_time(schedule, last))


def next_time(schedule: Schedule, after: datetime) -> datetime:
    """Return when a sync is due after one that began at `after`, in UTC, without jitter."""
    if schedule.cron is None:
        return after + schedule.every
    due = _cron_trigger(schedule).get_next_fire_time(after, after + timedelta(seconds=1))
    assert isinstance(due, datetime), "the config accepts only cron texts that come true"
    return due.astimezone(UTC)


def run_daemon(
    schedule: Schedule,
    sync: Callable[[], None],
    stopped: threading.Event,
    *,
    last: datetime | None,
    clock: Callable[[], datetime],
    rng: Random | None = None,
) -> None:
    """Call `sync` on the schedule until `stopped` is set; then wait for the one in progress.

    `sync` runs in a thread of its own, one at a time; it must watch `stopped` itself. An exception in it is logged and
    the next one comes in its time.
    """
    scheduler = BackgroundScheduler(
        timezone=UTC,
        executors={"default": ThreadPoolExecutor(1)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )
    trigger = _Jittered(schedule, rng or Random())
    start = first_time(schedule, last, clock())
    scheduler.add_job(_guarded(sync), trigger, id=JOB, next_run_time=start)
    scheduler.start()
    log.info("next sync at %s", start.isoformat(timespec="seconds"), extra={"event": "scheduled"})
    try:
        _tick(scheduler, trigger, stopped, clock)
    finally:
        scheduler.shutdown(wait=True)


class _Jittered(BaseTrigger):  # type: ignore[misc] # APScheduler has no types
    """The schedule with a random delay each time, none of which adds to the next: the times do not drift."""

    def __init__(self, schedule: Schedule, rng: Random) -> None:
        self._schedule = schedule
        self._rng = rng
        self._due: datetime | None = None

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """Return when the next sync begins: the time that the schedule names, and a delay of at most `jitter`."""
        due = next_time(self._schedule, self._due or previous or now)
        self._due = due if due > now else next_time(self._schedule, now)
        return self._due + self._schedule.jitter * self._rng.random()

    def forget(self) -> None:
        """Count from the sync that runs next: the clock was moved."""
        self._due = None


def _cron_trigger(schedule: Schedule) -> CronTrigger:
    assert schedule.cron is not None
    cron = schedule.cron
    return CronTrigger(
        minute=_listed(cron.minutes),
        hour=_listed(cron.hours),
        day=_listed(cron.days),
        month=_listed(cron.months),
        day_of_week=_listed(cron.weekdays),
        timezone=schedule.timezone,
    )


def _listed(values: tuple[int, ...] | tuple[str, ...]) -> str:
    return ",".join(map(str, values))


def _guarded(sync: Callable[[], None]) -> Callable[[], None]:
    def job() -> None:
        try:
            sync()
        except Exception:
            log.exception("this sync ended by a bug; the next one comes in its time", extra={"event": "sync-failed"})

    return job


def _tick(
    scheduler: BackgroundScheduler, trigger: _Jittered, stopped: threading.Event, clock: Callable[[], datetime]
) -> None:
    """Wake the scheduler every few seconds, so that it sees a clock that was moved or a machine that slept."""
    before = clock()
    while not stopped.wait(TICK):
        now = clock()
        if before - now > STEP_BACK:
            trigger.forget()
            _pull_in(scheduler, before - now)
        scheduler.wakeup()
        before = now


def _pull_in(scheduler: BackgroundScheduler, by: timedelta) -> None:
    job = scheduler.get_job(JOB)
    if job is not None and job.next_run_time is not None:
        log.warning("the clock was set back by %s; the next sync moves with it", by, extra={"event": "clock-back"})
        scheduler.modify_job(JOB, next_run_time=job.next_run_time - by)
