"""Syncs on the schedule and when it is triggered, and calls the build hook in between, until it is stopped."""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from apscheduler.events import EVENT_JOB_EXECUTED, EVENT_JOB_MAX_INSTANCES, JobExecutionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from syncer.control import DaemonState, Stage, SyncProgress, Ticket
from syncer.daemon import daemon_log
from syncer.daemon.agenda import Agenda
from syncer.daemon.systemd import Systemd
from syncer.daemon.tickets import Tickets, Trigger
from syncer.errors import ExitCode, SyncerError
from syncer.status.report import SyncReport, stored_json
from syncer.wording import utc

if TYPE_CHECKING:
    from syncer.decide.schedule import Schedule

CLOCK_CHECK_SECONDS = 5.0
"""Between two checks of the clock: how long a suspended machine or a moved clock can delay a sync."""

SET_BACK_MINIMUM = timedelta(minutes=1)
"""A clock set back by more than this moves the next sync; less is the clock being disciplined."""

WATCHDOG_STALL_SECONDS = 300.0
"""After so long without progress in a sync, systemd's watchdog is no longer notified.

One request may take `youtube.timeout`, and a lock is waited for in small steps.
"""

JOB, BUILD_JOB = "sync", "build"

BUILD_RETRY_SECONDS = 300.0
"""How long no call of the build hook is tried after one that could not be made: the state was locked, or unreadable."""


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """What one sync is to do, and where it reports how far it is."""

    triggered: bool
    """False: it is a scheduled one."""
    accept: bool
    unread_since: datetime | None
    """It is only about videos that were not read since then; None: about all."""
    progress: Callable[[Stage, int, int | None], None]
    alive: Callable[[], None]
    """Called whenever the sync waits, as a sign that it does not hang."""


class BuildJob(NamedTuple):
    """How the build hook is called between syncs."""

    call: Callable[[], object]
    """Calls it if it is due; it checks by itself whether the daemon is being stopped."""
    is_due: Callable[[datetime], bool]
    """Whether to call it now, or to set back times in the state, as far as that says without its lock."""


@dataclass(frozen=True, slots=True)
class DaemonConfig:
    """What the daemon takes from the config; it may be replaced while the daemon runs."""

    schedule: Schedule
    sync: Callable[[SyncRequest], SyncReport]
    """Makes one sync; it checks by itself whether the daemon is being stopped."""
    build: BuildJob | None = None
    """Calls the build hook between syncs; None where there is none."""


@dataclass(frozen=True, slots=True)
class DaemonEnvironment:
    """What the daemon needs from outside."""

    clock: Callable[[], datetime]
    wait: Callable[[float], object]
    """Waits for so many seconds, or until `wake`."""
    wake: Callable[[], None]
    """Safe in any thread."""
    stopped: Callable[[], bool]
    """Whether the daemon is being stopped."""
    last_sync: Callable[[], datetime | None]
    """When the last whole sync began, whoever made it; None where that is not known."""
    reload: Callable[[], DaemonConfig | None]
    """The new config, where it was read again since the last call."""
    config_error: Callable[[], str | None]
    """Why the config that was last read is not in use; None where it is. Safe in any thread."""
    systemd: Systemd


@dataclass(frozen=True, slots=True)
class FinishedSync:
    """How a sync ended: what its thread passes to the main thread."""

    trigger: Trigger | None
    """What triggered it; None: the schedule."""
    unread_since: datetime | None
    """As it was requested."""
    result: SyncReport | BaseException


class Daemon:
    """Runs syncs one at a time in a thread of its own, and shows others what it is doing.

    The main thread checks everything every few seconds, or when it is woken. Only the main thread changes the agenda
    and touches the scheduler: while APScheduler shuts down, it holds its locks and waits for the sync, so the sync must
    never wait for them. The thread of a sync passes on a `FinishedSync` and nothing else.
    """

    def __init__(self, config: DaemonConfig, environment: DaemonEnvironment, rng: Random | None = None) -> None:
        self._environment = environment
        self._rng = rng or Random()
        self._started = environment.clock()
        self._tickets = Tickets()
        self._log = daemon_log.SyncResultLog()
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._finished: queue.SimpleQueue[FinishedSync] = queue.SimpleQueue()
        self._lock = threading.Lock()
        """Guards all below: several threads read it, or write it."""
        self._config = config
        self._agenda = Agenda.at_start(config.schedule, environment.last_sync(), self._started, self._rng.random())
        self._unfinished = 0
        """How many syncs have begun whose end is not in the agenda; two for a moment, where one follows another."""
        self._progress: SyncProgress | None = None
        self._trouble: str | None = None
        self._sign_of_life = time.monotonic()
        self._next_build = 0.0
        """When a call of the build hook may be tried again, by the monotonic clock."""

    def state(self) -> DaemonState:
        """Return what the daemon is doing now."""
        with self._lock:
            agenda, running = self._agenda, self._unfinished > 0 or self._agenda.triggered
            return DaemonState(
                running,
                self._progress,
                agenda.start,
                self._started,
                agenda.interval,
                self._trouble,
                self._environment.config_error(),
            )

    def trigger(self, accept: bool) -> Ticket:  # noqa: FBT001 - as `Control` has it
        """Return the ticket of the sync that answers this trigger."""
        ticket = self._tickets.draw(accept=accept)
        self._environment.wake()
        return ticket

    def ticket(self, number: int) -> Ticket | None:
        """Return the ticket of this number; None where there is none, or it is too old."""
        return self._tickets.find(number)

    def run(self) -> None:
        """Sync until the daemon is stopped; then wait for the running sync.

        Whatever a sync raises is logged, and the next one runs as scheduled. Where the clock jumps forward or the
        machine slept, one sync catches up at the next check.
        """
        environment = self._environment
        with self._lock:
            agenda = self._agenda
        logging.getLogger("apscheduler").setLevel(logging.ERROR)  # the rest is logged by daemon_log
        self._scheduler.add_listener(lambda _event: daemon_log.log_left_out(), EVENT_JOB_MAX_INSTANCES)
        self._scheduler.add_listener(self._hand_over, EVENT_JOB_EXECUTED)
        self._scheduler.add_job(self._sync, _Times(agenda, self._rng), id=JOB, next_run_time=agenda.start)
        self._scheduler.start()
        daemon_log.log_next(agenda.start)
        environment.systemd.ready(_status(self.state()))
        before = environment.clock()
        environment.wait(CLOCK_CHECK_SECONDS)
        while not environment.stopped():
            now = environment.clock()
            agenda = self._look(agenda, now, before - now)
            self._look_for_build(now)
            before = now
            environment.wait(CLOCK_CHECK_SECONDS)
        environment.systemd.stopping()
        self._scheduler.shutdown(wait=True)
        self._after_finished(agenda, environment.clock())

    def _look(self, agenda: Agenda, now: datetime, back: timedelta) -> Agenda:
        """Return the agenda after all that happened since the last check, and move the scheduler's job accordingly."""
        planned = agenda = replace(agenda, start=self._scheduler.get_job(JOB).next_run_time)
        if back > SET_BACK_MINIMUM:
            agenda = agenda.after_set_back(now, back)
            daemon_log.log_set_back(back, agenda.start)
        agenda = self._after_finished(agenda, now)
        earlier = agenda
        config = self._environment.reload()
        if config:
            agenda = agenda.after_config(config.schedule, now, self._rng.random())
        with self._lock:
            self._config = config or self._config
            running = self._unfinished > 0
            if not (running or agenda.triggered):
                self._sign_of_life = time.monotonic()
        if not running:  # else the last sync may be the running one or another process's
            agenda = agenda.after_last_sync(self._environment.last_sync(), now, self._rng.random())
        if not agenda.has_times_of(earlier):
            daemon_log.log_next(agenda.start)
        if not running and self._tickets.waits:
            agenda = agenda.after_trigger(now)
        if agenda.start != planned.start or not agenda.has_times_of(planned):
            self._scheduler.modify_job(JOB, next_run_time=agenda.start, trigger=_Times(agenda, self._rng))
        self._scheduler.wakeup()
        with self._lock:
            self._agenda = agenda
            well = time.monotonic() - self._sign_of_life < WATCHDOG_STALL_SECONDS
        if config:
            self._environment.systemd.ready(_status(self.state()))
        if well:
            self._environment.systemd.alive(_status(self.state()))
        return agenda

    def _look_for_build(self, now: datetime) -> None:
        """Have the build hook called, after the syncs that wait, if that is due and none is running."""
        with self._lock:
            build, idle = self._config.build, not self._unfinished and time.monotonic() >= self._next_build
        if build and idle and build.is_due(now):
            with self._lock:
                self._next_build = float("inf")  # until it has ended
            self._scheduler.add_job(self._build, args=(build,), id=BUILD_JOB)

    def _after_finished(self, agenda: Agenda, now: datetime) -> Agenda:
        """Return the agenda after the syncs that ended since the last check; log each, and close its ticket."""
        while not self._finished.empty():
            finished = self._finished.get()
            result, triggered = finished.result, finished.trigger is not None
            if isinstance(result, SyncReport):
                share, since = self._rng.random(), finished.unread_since
                agenda = agenda.after_report(result, now, share, triggered=triggered, unread_since=since)
                self._log.log_report(result, agenda.start)
                trouble, document = None, json.loads(stored_json(result))
            else:
                agenda = agenda.after_error(result, now)
                daemon_log.log_error(result, agenda.start)
                trouble, document = _trouble_of(result)
            if finished.trigger:
                self._tickets.close(finished.trigger, json.dumps(document, ensure_ascii=False), trouble)
            with self._lock:
                self._agenda, self._trouble = agenda, trouble
                self._unfinished -= 1
                if not self._unfinished:
                    self._progress = None
        return agenda

    def _sync(self) -> FinishedSync:
        """Make one sync, in the thread of syncs. It never raises."""
        trigger = self._tickets.take()
        with self._lock:
            config, agenda, is_up_to_date = self._config, self._agenda, not self._unfinished
            self._unfinished += 1
            self._progress, self._sign_of_life = None, time.monotonic()
        since = None if trigger or not is_up_to_date else agenda.unread_since(self._environment.clock())
        request = SyncRequest(bool(trigger), bool(trigger and trigger.accept), since, self._advance, self._alive)
        try:
            return FinishedSync(trigger, since, config.sync(request))
        except BaseException as error:  # noqa: BLE001 - whatever it is, the next sync runs
            return FinishedSync(trigger, since, error)

    def _build(self, build: BuildJob) -> None:
        """Call the build hook if it is due, in the thread of syncs. It never raises."""
        next_try = time.monotonic() + BUILD_RETRY_SECONDS
        try:
            build.call()
            next_try = 0.0
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is tried again later
            daemon_log.log_not_built(error)
        with self._lock:
            self._next_build = next_try

    def _advance(self, stage: Stage, done: int, of: int | None) -> None:
        with self._lock:
            self._progress, self._sign_of_life = SyncProgress(stage, done, of), time.monotonic()

    def _alive(self) -> None:
        with self._lock:
            self._sign_of_life = time.monotonic()

    def _hand_over(self, event: JobExecutionEvent) -> None:
        """Pass on what `_sync` returned, and wake the main thread, now that APScheduler would accept the next sync."""
        if event.job_id == JOB:
            self._finished.put(event.retval)
        self._environment.wake()


class _Times(BaseTrigger):  # type: ignore[misc] # APScheduler has no types
    """The agenda's times, as APScheduler requests them in its thread, more than once for each sync."""

    def __init__(self, agenda: Agenda, rng: Random) -> None:
        self._agenda = agenda
        self._rng = Random(rng.random())  # of its own: the other draws do not depend on how often APScheduler calls

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        return self._agenda.next_start(now, self._rng.random())


def _trouble_of(error: BaseException) -> tuple[str, dict[str, object]]:
    """Return why there was no sync, in a sentence, and the JSON document for whoever triggered it."""
    if isinstance(error, SyncerError):
        kind, message, code = error.kind, str(error), error.exit_code
    else:
        message = f"a bug in syncer ({type(error).__name__}); the daemon's log has the traceback"
        kind, code = "bug", ExitCode.BUG
    return message, {"error": {"kind": kind, "message": message}, "exit": code}


def _status(state: DaemonState) -> str:
    """Return the state in a line, as `systemctl status` shows it."""
    waits = f"Next sync at {utc(state.next_sync)}" if state.next_sync else "Idle"
    refused = "; the new config is invalid, so the old one is still in use (see the log)" if state.config_error else ""
    return f"{'Syncing' if state.running else waits}{refused}"
