"""Syncs on the schedule until it is told to stop, and logs how each sync went."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from apscheduler.events import EVENT_JOB_MAX_INSTANCES
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from syncer.errors import Stopped, SyncerError
from syncer.model import Problem, SyncReport
from syncer.schedule import delayed, first_time, next_time, set_back
from syncer.sync.report import INTERRUPTED, NOTHING_ANSWERED
from syncer.wording import counted, utc

if TYPE_CHECKING:
    from syncer.config.sections import Schedule

TICK = 5.0
"""Seconds between two looks at the clock: what a suspended machine or a moved clock can delay a sync by."""

STEP_BACK = timedelta(minutes=1)
"""A clock set back by more than this moves the next sync; less is the clock being disciplined."""

JOB = "sync"

log = logging.getLogger(__name__)


def run_daemon(
    schedule: Schedule,
    sync: Callable[[], SyncReport],
    *,
    last: datetime | None,
    clock: Callable[[], datetime],
    wait: Callable[[float], bool],
    rng: Random | None = None,
) -> None:
    """Call `sync` on the schedule until it is time to stop; then wait for the one in progress.

    `last` is when the last whole sync began. `wait` takes seconds, and returns True as soon as the daemon is told to
    stop; `sync` must watch for that itself. It runs in a thread of its own, one at a time. Whatever it raises is
    logged, and the next sync comes in its time. Where the clock jumps forward or the machine slept, a sync that was
    missed begins within a tick, once.
    """
    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # the rest is told here, in our words
    scheduler = BackgroundScheduler(
        timezone=UTC,
        executors={"default": ThreadPoolExecutor(1)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )
    scheduler.add_listener(_tell_left_out, EVENT_JOB_MAX_INSTANCES)
    now = clock()
    due = first_time(schedule, last, now)
    trigger = _Trigger(schedule, due, rng or Random())
    start = due if due <= now else trigger.delayed(due)
    scheduler.add_job(_job(sync), trigger, id=JOB, next_run_time=start)
    scheduler.start()
    log.info("the next sync begins at %s", utc(start), extra={"event": "scheduled"})
    _tick(scheduler, clock, wait)
    scheduler.shutdown(wait=True)


class _Trigger(BaseTrigger):  # type: ignore[misc] # APScheduler has no types
    """The schedule with a random delay each time, which the times after it do not inherit: they do not drift.

    APScheduler asks more than once for each sync, so an answer depends on the arguments alone, and on chance.
    """

    def __init__(self, schedule: Schedule, counted_from: datetime, rng: Random) -> None:
        self._schedule = schedule
        self._counted_from = counted_from
        self._rng = rng

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        """Return when the next sync begins. What was missed until now is made up for by the sync that begins now."""
        return self.delayed(next_time(self._schedule, self._counted_from, now))

    def delayed(self, due: datetime) -> datetime:
        """Return the due time with its jitter."""
        return delayed(self._schedule, due, self._rng.random())

    def set_back(self, start: datetime, now: datetime, by: timedelta) -> tuple[_Trigger, datetime]:
        """Return the trigger for a clock that was set back, and when the sync that was to begin at `start` begins."""
        moved = _Trigger(self._schedule, self._counted_from - by, self._rng)
        return moved, set_back(self._schedule, start, now, by)


def _tick(scheduler: BackgroundScheduler, clock: Callable[[], datetime], wait: Callable[[float], bool]) -> None:
    """Wake the scheduler every few seconds, so that it sees a clock that was moved or a machine that slept.

    It waits by the monotonic clock, which stands still in the sleep of a machine and knows no jump.
    """
    before = clock()
    while not wait(TICK):
        now = clock()
        if before - now > STEP_BACK:
            _set_back(scheduler, now, before - now)
        scheduler.wakeup()
        before = now


def _set_back(scheduler: BackgroundScheduler, now: datetime, by: timedelta) -> None:
    job = scheduler.get_job(JOB)
    trigger, start = job.trigger.set_back(job.next_run_time, now, by)
    scheduler.modify_job(JOB, trigger=trigger, next_run_time=start)
    log.warning(
        "the clock was set back by %s; the next sync begins at %s", by, utc(start), extra={"event": "clock-set-back"}
    )


def _job(sync: Callable[[], SyncReport]) -> Callable[[], None]:
    """Return what the scheduler runs: it never raises, and tells a problem when it is new, not in every sync."""
    told: set[Problem] = set()

    def job() -> None:
        nonlocal told
        try:
            report = sync()
        except Stopped as error:
            log.info("no sync: %s", error, extra={"event": "sync-stopped"})
        except SyncerError as error:
            log.error("no sync: %s", error, extra={"event": "sync-failed", "kind": error.kind})  # noqa: TRY400 - no bug, no traceback
        except (Exception, SystemExit):
            log.exception("this sync ended by a bug; the next one comes in its time", extra={"event": "sync-failed"})
        else:
            _tell(report, told)
            told = set(report.problems)

    return job


def _tell(report: SyncReport, told: Collection[Problem]) -> None:
    log.log(
        logging.ERROR if report.exit == NOTHING_ANSWERED else logging.INFO,
        "sync %s%s: %s changed on %s, %d of %s answered, %d over quota, %s",
        report.sync,
        " was stopped" if report.exit == INTERRUPTED else "",
        counted(report.changed_counts, "count"),
        counted(report.changed_pages, "page"),
        report.answered,
        counted(report.asked, "video"),
        report.over_quota,
        counted(len(report.problems), "problem"),
        extra={"event": "synced", "sync": report.sync, "exit": report.exit},
    )
    if report.brake:
        log.warning(
            "a brake holds what YouTube said: %d of %d %s; nothing was written, `syncer sync --accept` lets it through",
            report.brake.struck,
            report.brake.of,
            "videos are suddenly missing" if report.brake.reason == "missing" else "counts fell",
            extra={"event": "braked", "sync": report.sync, "reason": report.brake.reason},
        )
    for problem in dict.fromkeys(report.problems):
        if problem not in told:
            line = f":{problem.line}" if problem.line else ""
            facts = {"event": "problem", "kind": problem.kind.value}
            log.warning("%s%s: %s", problem.subject, line, problem.message, extra=facts)


def _tell_left_out(_event: object) -> None:
    log.warning("a sync was due, but the one before goes on still", extra={"event": "sync-left-out"})
