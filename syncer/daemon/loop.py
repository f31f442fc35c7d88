"""Runs the syncs of all sites on their schedules, and when they are triggered, until the daemon is stopped."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import wait
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random

from apscheduler.events import EVENT_JOB_EXECUTED, EVENT_JOB_MAX_INSTANCES, JobExecutionEvent, JobSubmissionEvent
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from syncer.daemon import daemon_log
from syncer.daemon.agenda import Agenda
from syncer.daemon.site import DaemonConfig, DaemonSite, FinishedSync
from syncer.daemon.site_names import about
from syncer.daemon.systemd import Systemd
from syncer.daemon.turns import SyncQueue, Turns
from syncer.state.disk_calls import call_aside
from syncer.wording import counted, utc

READ_TIMEOUT = 1.0
"""Seconds that one look at the state of a site may take. After that, the other sites no longer wait for it."""


@dataclass(slots=True)
class SiteChanges:
    """What became of the sites since the last check."""

    added: list[DaemonSite] = field(default_factory=list)
    removed: list[DaemonSite] = field(default_factory=list)
    """Each ends the sync that it is running."""
    configs: dict[DaemonSite, DaemonConfig] = field(default_factory=dict)
    """The sites with a new config."""
    reloaded: bool = False
    """Whether systemd waits to hear that the configs were read again."""


@dataclass(frozen=True, slots=True)
class DaemonEnvironment:
    """What the daemon needs from outside."""

    clock: Callable[[], datetime]
    wait: Callable[[], object]
    """Waits for the next look at all sites: a few seconds, or until `wake`. So long, a moved clock can delay a sync."""
    wake: Callable[[], None]
    """Safe in any thread."""
    stopped: Callable[[], bool]
    """Whether the daemon is being stopped."""
    changes: Callable[[], SiteChanges]
    """What became of the sites since the last call."""
    ended: Callable[[DaemonSite], None]
    """Called once a removed site does nothing any more."""
    stop: Callable[[], None]
    """Ends the syncs of all sites at their next safe points."""
    systemd: Systemd


class Daemon:
    """Runs the syncs of its sites in threads, a few at a time.

    The main thread checks everything every few seconds, or when it is woken. Only the main thread touches the
    scheduler: while APScheduler shuts down, it holds its locks and waits for the syncs, so a sync must never wait for
    them. The main thread touches no disk of a site.
    """

    def __init__(
        self,
        sites: Sequence[DaemonSite],
        environment: DaemonEnvironment,
        rng: Random,
        *,
        at_once: int,
        sync_queue: SyncQueue | None = None,
    ) -> None:
        """Take the sites at the start, how many of them may sync at once, and the queue of scheduled syncs, if any."""
        self._environment = environment
        self._rng = rng
        self._sites: dict[str, DaemonSite] = {}
        """By the IDs of their jobs; a removed one until nothing runs for it any more."""
        self._removed: set[DaemonSite] = set()
        self._turns = Turns(at_once, self._sites, sync_queue)
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": self._turns},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._at_start = sites

    def run(self) -> bool:
        """Sync until the daemon is stopped; then wait for the running syncs. Return whether all have ended.

        One that has stalled is not waited for: the next sync completes it.
        Whatever a sync raises is logged, and the next one runs as scheduled. Where the clock jumps forward or the
        machine slept, one sync catches up at the next check.
        """
        environment = self._environment
        logging.getLogger("apscheduler").setLevel(logging.ERROR)  # the rest is logged by daemon_log
        self._scheduler.add_listener(self._log_left_out, EVENT_JOB_MAX_INSTANCES)
        self._scheduler.add_listener(self._hand_over, EVENT_JOB_EXECUTED)
        for site in self._at_start:
            self._add(site)
        self._scheduler.start()
        environment.systemd.ready(_status(self._current))
        before = environment.clock()
        environment.wait()
        while not environment.stopped():
            now = environment.clock()
            self._look(now, before - now)
            before = now
            environment.wait()
        environment.systemd.stopping()
        environment.stop()
        self._scheduler.shutdown(wait=True)
        for site in self._sites.values():
            with about(site.name):
                site.settle(environment.clock())
        return not any(map(self._turns.is_running, self._sites))

    @property
    def _current(self) -> list[DaemonSite]:
        return [site for site in self._sites.values() if site not in self._removed]

    def _look(self, now: datetime, back: timedelta) -> None:
        """Take in all that happened since the last check, and move the scheduler's jobs accordingly."""
        changes = self._environment.changes()
        for site in changes.removed:
            self._removed.add(site)
            self._scheduler.remove_job(site.job)
            self._turns.withdraw(site.job)
        for site in self._current:
            with about(site.name):
                self._look_at(site, changes.configs.get(site), now, back)
        for site in changes.added:
            self._add(site)
        self._end_removed(now)
        self._scheduler.wakeup()
        self._turns.begin_next()
        current, systemd = self._current, self._environment.systemd
        if changes.reloaded:
            systemd.ready(_status(current))
        if not current or any(site.is_well for site in current):
            systemd.alive(_status(current))

    def _look_at(self, site: DaemonSite, config: DaemonConfig | None, now: datetime, back: timedelta) -> None:
        if site.is_readable:
            wait([call_aside(partial(site.read_state, now))], READ_TIMEOUT)
        start, before = self._scheduler.get_job(site.job).next_run_time, site.agenda
        agenda = site.look(start, config, now, back)
        if agenda.start != start or not agenda.has_times_of(before):
            self._scheduler.modify_job(site.job, next_run_time=agenda.start, trigger=_Times(agenda, self._rng))
        site.note(agenda)
        if build := site.due_build():
            self._scheduler.add_job(site.build, args=(build,), name=site.job)

    def _add(self, site: DaemonSite) -> None:
        job, agenda = site.job, site.agenda
        self._sites[job] = site
        self._scheduler.add_job(site.sync, _Times(agenda, self._rng), id=job, name=job, next_run_time=agenda.start)
        with about(site.name):
            daemon_log.log_next(agenda.start)

    def _end_removed(self, now: datetime) -> None:
        """Let go of the removed sites for which nothing runs any more."""
        for site in list(self._removed):
            has_ended = not self._turns.is_running(site.job)
            with about(site.name):
                site.settle(now)
            if has_ended:
                self._removed.remove(site)
                del self._sites[site.job]
                self._environment.ended(site)

    def _log_left_out(self, event: JobSubmissionEvent) -> None:
        self._sites[event.job_id].log_left_out()

    def _hand_over(self, event: JobExecutionEvent) -> None:
        """Pass on what `sync` returned, and wake the main thread, now that APScheduler would accept the next sync."""
        if isinstance(event.retval, FinishedSync):
            self._sites[event.job_id].hand_over(event.retval)
        self._environment.wake()


class _Times(BaseTrigger):  # type: ignore[misc] # APScheduler has no types
    """The agenda's times, as APScheduler requests them in its thread, more than once for each sync."""

    def __init__(self, agenda: Agenda, rng: Random) -> None:
        self._agenda = agenda
        self._rng = Random(rng.random())  # of its own: the other draws do not depend on how often APScheduler calls

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        return self._agenda.next_start(now, self._rng.random())


def _status(sites: Iterable[DaemonSite]) -> str:
    """Return what the daemon is doing in a line, as `systemctl status` shows it."""
    states = [site.state() for site in sites]
    running, starts = sum(state.running for state in states), [state.next_sync for state in states if state.next_sync]
    waits = f"Next sync at {utc(min(starts))}" if starts else "Idle"
    if len(states) != 1:
        stalled = sum(state.stalled for state in states)
        notes = [f"{stalled} stalled"] if stalled else []
        syncs = f"Syncing {running} of {counted(len(states), 'site')}" if running else counted(len(states), "site")
        return "; ".join([syncs, waits, *notes])
    refused = "; the new config is invalid, so the old one is still in use (see the log)"
    return f"{'Syncing' if running else waits}{refused if states[0].config_error else ''}"
