"""Syncs on the schedule and when it is triggered, until it is told to stop."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED, EVENT_JOB_MAX_INSTANCES
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from syncer.control import DaemonState, SyncProgress, Ticket
from syncer.daemon import daemon_log
from syncer.daemon.systemd import Systemd
from syncer.daemon.tickets import Taken, Tickets
from syncer.daemon.times import Times
from syncer.decide.quota import LATE, next_reset
from syncer.decide.schedule import first_time, longest_interval, next_time, retry_after
from syncer.errors import ExitCode, Stopped, SyncerError
from syncer.status.report import SyncReport, report_json
from syncer.wording import utc

if TYPE_CHECKING:
    from syncer.decide.schedule import Schedule

TICK = 5.0
"""Seconds between two looks at the clock: what a suspended machine or a moved clock can delay a sync by."""

STEP_BACK = timedelta(minutes=1)
"""A clock set back by more than this moves the next sync; less is the clock being disciplined."""

PUNCTUAL = timedelta(seconds=2 * TICK)
"""A sync that begins so soon after its time was not slept over."""

STALL = 300.0
"""Seconds without a sign of life from a sync after which the watchdog is no longer told that all is well.

One request may take `youtube.timeout`, and a lock is waited for in small steps.
"""

JOB = "sync"


@dataclass(frozen=True, slots=True)
class Order:
    """What one sync is asked to do, and whom it tells how far it is."""

    triggered: bool
    """False: the schedule asks."""
    accept: bool
    unread_since: datetime | None
    """It is only about videos that were not read since then; None: about all."""
    progress: Callable[[str, int, int | None], None]
    alive: Callable[[], None]
    """To be called whenever the sync waits: it does not hang."""


@dataclass(frozen=True, slots=True)
class Rest:
    """The videos that a sync left out because the quota was spent."""

    since: datetime
    """When that sync began; they were not read since."""
    at: datetime
    """When they are asked about: soon after the quota is there again, if no sync comes before."""


@dataclass(frozen=True, slots=True)
class Work:
    """What the config makes of the daemon; another one may take its place while it runs."""

    schedule: Schedule
    sync: Callable[[Order], SyncReport]
    """Makes one sync; it must watch for being told to stop itself."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the daemon needs of the world around it."""

    clock: Callable[[], datetime]
    wait: Callable[[float], bool]
    """Waits for so many seconds, or until `wake`; returns whether it is time to stop."""
    wake: Callable[[], None]
    """Safe in any thread."""
    last: Callable[[], datetime | None]
    """When the last whole sync began, whoever made it; None where nobody knows."""
    reread: Callable[[], Work | None] = lambda: None
    """The new work, where the config was read again since the last call."""
    systemd: Systemd = field(default_factory=lambda: Systemd(None))


class Daemon:
    """Runs syncs one at a time in a thread of its own, and tells others how it is.

    The main thread looks at everything every few seconds, or when it is woken. Only it touches the scheduler: while
    APScheduler shuts down it holds its locks and waits for the sync, which must never wait for them.
    """

    def __init__(self, work: Work, world: Surroundings, rng: Random | None = None) -> None:
        self._work = work
        self._world = world
        self._rng = rng or Random()
        self._started = world.clock()
        self._interval = longest_interval(work.schedule, self._started)
        self._tickets = Tickets()
        self._teller = daemon_log.Teller()
        self._scheduler = _scheduler()
        self._next: datetime | None = None
        self._busy = False
        self._progress: SyncProgress | None = None
        self._sign_of_life = time.monotonic()
        self._failures = 0
        self._trouble: str | None = None
        self._retry_at: datetime | None = None
        self._rest: Rest | None = None
        self._rest_is_new = False
        self._last = world.last()
        self._ours: datetime | None = None

    def live(self) -> DaemonState:
        """Return what the daemon is doing now."""
        return DaemonState(self._busy, self._progress, self._next, self._started, self._interval, self._trouble)

    def trigger(self, accept: bool) -> Ticket:  # noqa: FBT001 - as `Control` has it
        """Return the ticket of the sync that answers this trigger."""
        ticket = self._tickets.draw(accept=accept)
        self._world.wake()
        return ticket

    def ticket(self, number: int) -> Ticket | None:
        """Return the ticket of this number; None where there is none, or it is too old."""
        return self._tickets.find(number)

    def run(self) -> None:
        """Sync until it is time to stop; then wait for the sync in progress.

        Whatever a sync raises is logged, and the next one comes in its time. Where the clock jumps forward or the
        machine slept, a sync that was missed begins within a tick, once.
        """
        now = self._world.clock()
        due = first_time(self._work.schedule, self._last, now)
        times = Times(self._work.schedule, due, self._rng)
        start = due if due <= now else times.delayed(due)
        self._scheduler.add_listener(self._ended, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR)
        self._scheduler.add_job(self._sync, times, id=JOB, next_run_time=start)
        self._next = start
        self._scheduler.start()
        daemon_log.tell_next(start)
        self._world.systemd.ready(self._status())
        before = now
        while not self._world.wait(TICK):
            now = self._world.clock()
            self._look(now, before - now)
            before = now
        self._world.systemd.stopping()
        self._scheduler.shutdown(wait=True)

    def _look(self, now: datetime, back: timedelta) -> None:
        """See what happened since the last look, and move the next sync where that asks for it."""
        if back > STEP_BACK:
            self._set_back(now, back)
        self._follow_config(now)
        self._follow_last(now)
        if self._retry_at:
            self._move(self._retry_at)
            self._retry_at = None
        if self._tickets.waits and not self._busy:
            self._busy = True  # from now on: what is triggered before the thread has begun must not begin another
            self._alive()
            self._move(now)
        if self._rest_is_new:
            self._rest_is_new = False
            self._plan_rest(now)
        self._scheduler.wakeup()
        self._next = self._scheduler.get_job(JOB).next_run_time
        if not self._busy or time.monotonic() - self._sign_of_life < STALL:
            self._world.systemd.alive(self._status())

    def _set_back(self, now: datetime, by: timedelta) -> None:
        job = self._scheduler.get_job(JOB)
        times, start = job.trigger.set_back(job.next_run_time, now, by)
        self._move(start, times)
        daemon_log.tell_set_back(by, start)

    def _follow_config(self, now: datetime) -> None:
        """Take the new config for all that begins from now on."""
        work = self._world.reread()
        if work is None:
            return
        rescheduled = work.schedule != self._work.schedule
        self._work = work
        if rescheduled:
            self._interval = longest_interval(work.schedule, now)
            self._count_from(first_time(work.schedule, self._last, now), now)
        if self._failures:
            self._failures = 0
            self._move(now)  # what was wrong may be right now
        self._world.systemd.ready(self._status())

    def _follow_last(self, now: datetime) -> None:
        """Count from a sync that was triggered, or that another command made. Our own scheduled ones move nothing."""
        last = None if self._busy else self._world.last()  # while one goes on, nobody can say whose it is
        if last is None or last == self._last:
            return
        self._last = last
        if last != self._ours and last <= now and self._work.schedule.cron is None:
            self._count_from(next_time(self._work.schedule, last, now), now)

    def _count_from(self, due: datetime, now: datetime) -> None:
        times = Times(self._work.schedule, due, self._rng)
        start = due if due <= now else times.delayed(due)
        self._move(start, times)
        daemon_log.tell_next(start)
        self._plan_rest(now)

    def _plan_rest(self, now: datetime) -> None:
        """Let the rest not wait for a sync that is due much later."""
        rest = self._rest
        if rest and now < rest.at < self._scheduler.get_job(JOB).next_run_time:
            self._move(rest.at)

    def _move(self, start: datetime, times: Times | None = None) -> None:
        changes = {"trigger": times} if times else {}
        self._scheduler.modify_job(JOB, next_run_time=start, **changes)

    def _sync(self) -> None:
        """Make one sync, in the thread of syncs. It never raises."""
        self._busy = True
        self._alive()
        taken = self._tickets.take()
        triggered, accept = taken is not None, taken is not None and taken.accept
        order = Order(triggered, accept, None if triggered else self._rest_now(), self._advance, self._alive)
        try:
            report = self._work.sync(order)
        except Stopped as error:
            daemon_log.tell_stopped(error)
            self._close(taken, error)
        except SyncerError as error:
            daemon_log.tell_error(error, self._fail())
            self._close(taken, error)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is, the next sync comes
            daemon_log.tell_bug(error)
            self._close(taken, error)
        else:
            self._note(report, taken, order)

    def _rest_now(self) -> datetime | None:
        """Return since when the videos of the rest were not read, if the sync that begins now is about them alone.

        Where it comes late, because the machine slept, it is about all: it may have to make up for a scheduled one.
        """
        rest = self._rest
        if rest is None or not timedelta(0) <= self._world.clock() - rest.at < PUNCTUAL:
            return None
        return rest.since

    def _note(self, report: SyncReport, taken: Taken | None, order: Order) -> None:
        self._trouble = None
        since = order.unread_since or report.started
        at = next_reset(report.finished) + LATE + self._rng.random() * LATE
        self._rest = Rest(since, at) if report.over_quota else None
        self._rest_is_new = True
        if taken is None:
            self._ours = report.started.replace(microsecond=0)  # as the state has it
        if report.exit == ExitCode.NOTHING_ANSWERED:
            self._teller.tell_report(report, self._fail())
        else:
            if report.exit != ExitCode.INTERRUPTED:
                self._failures = 0
            self._teller.tell_report(report, None)
        if taken:
            self._tickets.close(taken, json.dumps(report_json(report), ensure_ascii=False), None)

    def _fail(self) -> datetime:
        """Return when the next try is: the distance grows, so that a long outage is no storm of tries."""
        self._failures += 1
        now = self._world.clock()
        self._retry_at = now + retry_after(self._failures, self._interval)
        return self._retry_at

    def _close(self, taken: Taken | None, error: BaseException) -> None:
        """Note what came in the way of a sync, for all who look and for those who triggered it."""
        ours = isinstance(error, SyncerError)
        kind, code = (error.kind, error.exit_code) if isinstance(error, SyncerError) else ("bug", ExitCode.BUG)
        message = str(error) if ours else f"a bug: {type(error).__name__}; the log of the daemon has the traceback"
        self._trouble = message
        if taken:
            document = {"error": {"kind": kind, "message": message}, "exit": code}
            self._tickets.close(taken, json.dumps(document), message)

    def _ended(self, _event: object) -> None:
        """APScheduler would take the next sync now: look who waits."""
        self._progress = None
        self._busy = False
        self._world.wake()

    def _advance(self, stage: str, done: int, of: int | None) -> None:
        self._progress = SyncProgress(stage, done, of)
        self._alive()

    def _alive(self) -> None:
        self._sign_of_life = time.monotonic()

    def _status(self) -> str:
        return "a sync goes on" if self._busy or not self._next else f"the next sync begins at {utc(self._next)}"


def _scheduler() -> BackgroundScheduler:
    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # the rest is told in our words
    scheduler = BackgroundScheduler(
        timezone=UTC,
        executors={"default": ThreadPoolExecutor(1)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )
    scheduler.add_listener(lambda _event: daemon_log.tell_left_out(), EVENT_JOB_MAX_INSTANCES)
    return scheduler
