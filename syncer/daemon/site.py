"""One site of the daemon: when it syncs, what it is doing, and how others reach it."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from syncer.control import DaemonState, LastSync, Stage, SyncProgress, Ticket
from syncer.daemon import daemon_log
from syncer.daemon.agenda import Agenda
from syncer.daemon.site_names import about
from syncer.daemon.tickets import Tickets, Trigger, trouble_of
from syncer.status.report import SyncReport, stored_json
from syncer.status.stored_reports import last_sync

if TYPE_CHECKING:
    from syncer.decide.schedule import Schedule

WATCHDOG_STALL_SECONDS = 300.0
"""After so long without progress in a sync, systemd's watchdog is no longer notified, and other sites need not wait.

One request may take `youtube.timeout`, and a lock is waited for in small steps.
"""

SET_BACK_MINIMUM = timedelta(minutes=1)
"""A clock set back by more than this moves the next sync; less is the clock being disciplined."""

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
    waiting: Callable[[], None]
    """Called whenever the sync waits: it does not hang."""


class BuildJob(NamedTuple):
    """How the build hook is called between syncs."""

    call: Callable[[], object]
    """Calls it if it is due; it checks by itself whether the daemon is being stopped."""
    is_due: Callable[[datetime], bool]
    """Whether to call it now, or to set back times in the state, as far as that says without its lock."""


@dataclass(frozen=True, slots=True)
class DaemonConfig:
    """What the daemon takes from a site's config; it may be replaced while the daemon runs."""

    schedule: Schedule
    sync: Callable[[SyncRequest], SyncReport]
    """Makes one sync; it checks by itself whether the daemon is being stopped."""
    build: BuildJob | None = None
    """Calls the build hook between syncs; None where there is none."""


class PastSyncs(NamedTuple):
    """What a site's state says of its syncs, whoever made them."""

    whole: datetime | None = None
    """When the last whole one began; None where there is none."""
    last: LastSync | None = None
    """How the last one that covers the site went; None where there is none, or no report of it."""
    gone: int = 0
    """How many videos YouTube left out in three syncs, at least a day apart."""


@dataclass(frozen=True, slots=True)
class SiteEnvironment:
    """What a site of the daemon needs from outside."""

    clock: Callable[[], datetime]
    wake: Callable[[], None]
    """Wakes the main thread; safe in any thread."""
    past_syncs: Callable[[], PastSyncs | None]
    """None where the state cannot be read now."""
    config_error: Callable[[], str | None]
    """Why the config that was last read is not in use; None where it is. Safe in any thread."""


@dataclass(frozen=True, slots=True)
class FinishedSync:
    """How a sync ended: what its thread passes to the main thread."""

    config: DaemonConfig
    """What it was made with."""
    trigger: Trigger | None
    """What triggered it; None: the schedule."""
    unread_since: datetime | None
    result: SyncReport | BaseException


class SeenState(NamedTuple):
    """What was read from a site's state while it was idle."""

    begun: int
    """How many of its syncs had begun by then."""
    at: datetime
    """The time after it was read: no sync in it is newer, unless a clock was wrong."""
    past: PastSyncs | None
    build: BuildJob | None
    """The call of the build hook that is due; None where none is."""


class DaemonSite:
    """Syncs one site, one sync at a time, each in a thread; shows others what it is doing.

    Only the main thread changes the agenda. The thread of a sync passes on a `FinishedSync` and nothing else.
    """

    def __init__(
        self,
        config: DaemonConfig,
        environment: SiteEnvironment,
        rng: Random,
        *,
        name: str | None = None,
        phase: float | None = None,
    ) -> None:
        """Read its state. `name` is how the log names it, None where there is only one; `phase`: see `Agenda`."""
        self.name = name
        self.job = uuid4().hex
        """The ID of its job: never used again, because APScheduler counts what runs by that."""
        self._environment = environment
        self._rng = rng
        self._started = environment.clock()
        self._tickets = Tickets()
        self._log = daemon_log.SyncResultLog()
        self._finished: queue.SimpleQueue[FinishedSync] = queue.SimpleQueue()
        past = environment.past_syncs() or PastSyncs()
        self._lock = threading.Lock()
        """Guards all below: several threads read it, or write it."""
        self._config = config
        self._agenda = Agenda.at_start(config.schedule, past.whole, self._started, rng.random(), phase=phase)
        self._last = past.last
        self._gone = past.gone
        self._due: datetime | None = None
        """When the sync became due that waits for its turn; None: none waits."""
        self._begun = 0
        """How many syncs have begun."""
        self._unfinished = 0
        """How many of those are not in the agenda yet; two for a moment, where one follows another."""
        self._progress: SyncProgress | None = None
        self._trouble: str | None = None
        self._no_progress_since = time.monotonic()
        self._logged_stall = False
        self._waits = False
        """Whether the running sync waits for its state's lock: nothing is loaded then, and nothing is done."""
        self._logged_left_out = False
        """Whether it was logged that a sync is not on time, since the last one that ended."""
        self._next_build = 0.0
        """When a call of the build hook may be tried again, by the monotonic clock."""
        self._building_since: float | None = None
        """Since when the build hook is being called, by the monotonic clock; None: it is not."""
        self._seen: SeenState | None = None
        self._reading_since: float | None = None
        """Since when its state is being read, by the monotonic clock; None: it is not."""

    def state(self) -> DaemonState:
        """Return what the daemon is doing for this site now."""
        with self._lock:
            agenda, is_running = self._agenda, self._unfinished > 0
            return DaemonState(
                is_running or agenda.triggered,
                self._progress,
                self._due or agenda.start,
                self._started,
                agenda.interval,
                self._trouble,
                self._environment.config_error(),
                self._last,
                self._is_stalled(),
                agenda.last_sync,
                self._gone,
                agenda.triggered and not is_running,
            )

    def trigger(self, accept: bool) -> Ticket:  # noqa: FBT001 - as `Control` has it
        """Return the ticket of the sync that answers this trigger."""
        ticket = self._tickets.draw(accept=accept)
        self._environment.wake()
        return ticket

    def ticket(self, number: int) -> Ticket | None:
        """Return the ticket of this number; None where there is none, or it is too old."""
        return self._tickets.find(number)

    @property
    def agenda(self) -> Agenda:
        """The agenda as it is now."""
        with self._lock:
            return self._agenda

    @property
    def is_stalled(self) -> bool:
        """Whether the running sync, or a look at the state, has made no progress for too long."""
        with self._lock:
            return self._is_stalled()

    @property
    def is_working(self) -> bool:
        """Whether the running sync, or call of the build hook, neither waits for the state's lock nor has stalled."""
        with self._lock:
            return not ((self._waits and self._unfinished) or self._is_stalled())

    @property
    def is_well(self) -> bool:
        """Whether systemd's watchdog may be notified: a sync that was triggered has begun, and none has stalled."""
        with self._lock:
            return time.monotonic() - self._no_progress_since < WATCHDOG_STALL_SECONDS and not self._is_stalled()

    @property
    def is_readable(self) -> bool:
        """Whether its state may be read in passing: no sync is running, and no other look has got stuck."""
        with self._lock:
            return not self._unfinished and self._reading_since is None

    def read_state(self, now: datetime) -> None:
        """Read its state, if no sync is running; not in the main thread, because its disk may hang. It never raises."""
        with self._lock:
            begun, build, self._reading_since = self._begun, self._config.build, time.monotonic()
            may_build = build and self._reading_since >= self._next_build
        seen = None
        with about(self.name):
            try:
                past, at = self._environment.past_syncs(), self._environment.clock()
                seen = SeenState(begun, at, past, build if build and may_build and build.is_due(now) else None)
            except Exception as error:  # noqa: BLE001 - a bug about one site ends the syncs of no other
                daemon_log.log_not_read(error)
        with self._lock:
            self._reading_since, self._seen = None, seen
            if not seen:
                self._next_build = max(self._next_build, time.monotonic() + BUILD_RETRY_SECONDS)

    def look(self, start: datetime, config: DaemonConfig | None, now: datetime, back: timedelta) -> Agenda:
        """Return the agenda after all that happened since the last look.

        `start` is when the scheduler begins the next sync, `config` a new config, `back` how far the clock was set
        back.
        """
        with self._lock:
            agenda = replace(self._agenda, start=start)
        if back > SET_BACK_MINIMUM:
            agenda = agenda.after_set_back(now, back)
            daemon_log.log_set_back(back, agenda.start)
        agenda = self._after_finished(agenda, now)
        earlier = agenda
        if config:
            agenda = agenda.after_config(config.schedule, now, self._rng.random())
        with self._lock:
            self._config = config or self._config
            running, queued = self._unfinished > 0, self._due is not None
            seen = self._seen if self._seen and self._seen.begun == self._begun else None
            if queued or not (running or agenda.triggered):
                self._no_progress_since = time.monotonic()
            stalls, self._logged_stall = self._is_stalled() and not self._logged_stall, self._is_stalled()
            if seen and seen.past and not running:
                self._last, self._gone = seen.past.last, seen.past.gone
        if stalls:
            daemon_log.log_stalled(WATCHDOG_STALL_SECONDS)
        if seen and seen.past and not running:  # else the last sync may be the running one or another process's
            agenda = agenda.after_last_sync(seen.past.whole, max(now, seen.at), self._rng.random())
        if not agenda.has_times_of(earlier):
            daemon_log.log_next(agenda.start)
        if not (running or queued) and self._tickets.waits:
            agenda = agenda.after_trigger(now)
        return agenda

    def note(self, agenda: Agenda) -> None:
        """Take the agenda that the scheduler has taken."""
        with self._lock:
            self._agenda = agenda

    def due_build(self) -> BuildJob | None:
        """Return the call of the build hook that is due now, and count it as begun; None where none is."""
        with self._lock:
            if self._unfinished or not self._seen or not self._seen.build or time.monotonic() < self._next_build:
                return None
            build, self._seen = self._seen.build, self._seen._replace(build=None)
            self._next_build = float("inf")  # until it has ended
        return build

    def settle(self, now: datetime) -> None:
        """Take what came of the syncs that have ended; the scheduler begins no more of them."""
        self.note(self._after_finished(self.agenda, now))

    def queued(self, due: datetime) -> None:
        """Note that a sync waits for its turn."""
        with self._lock:
            self._due = due

    def log_left_out(self) -> None:
        """Log that a sync was due while another one was running or waiting; once, until one has ended."""
        with self._lock:
            waits, is_news, self._logged_left_out = self._due is not None, not self._logged_left_out, True
        if is_news:
            with about(self.name):
                daemon_log.log_left_out(waits=waits)

    def hand_over(self, finished: FinishedSync) -> None:
        """Take what `sync` returned, for the main thread."""
        self._finished.put(finished)

    def sync(self) -> FinishedSync:
        """Make one sync, in a thread of its own. It never raises."""
        trigger = self._tickets.take()
        with self._lock:
            config, agenda, is_up_to_date = self._config, self._agenda, not self._unfinished
            self._begun += 1
            self._unfinished += 1
            self._due = None
            self._progress, self._no_progress_since, self._waits = None, time.monotonic(), False
        since = None if trigger or not is_up_to_date else agenda.unread_since(self._environment.clock())
        request = SyncRequest(bool(trigger), bool(trigger and trigger.accept), since, self._advance, self._note_wait)
        with about(self.name):
            try:
                return FinishedSync(config, trigger, since, config.sync(request))
            except BaseException as error:  # noqa: BLE001 - whatever it is, the next sync runs
                return FinishedSync(config, trigger, since, error)

    def build(self, build: BuildJob) -> None:
        """Call the build hook if it is due, in a thread of its own. It never raises."""
        next_try = time.monotonic() + BUILD_RETRY_SECONDS
        with self._lock:
            self._building_since = time.monotonic()
        with about(self.name):
            try:
                build.call()
                next_try = 0.0
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is tried again later
                daemon_log.log_not_built(error)
        with self._lock:
            self._next_build, self._building_since = next_try, None

    def _after_finished(self, agenda: Agenda, now: datetime) -> Agenda:
        """Return the agenda after the syncs that ended since the last check; log each, and close its ticket."""
        while not self._finished.empty():
            finished = self._finished.get()
            result, last = finished.result, self._last
            agenda = self._after(agenda, finished, now)
            if isinstance(result, SyncReport):
                self._log.log_report(result, agenda.start)
                trouble, document = None, json.loads(stored_json(result))
                last = last_sync(document)
            else:
                daemon_log.log_error(result, agenda.start)
                trouble, document = trouble_of(result)
            if finished.trigger:
                self._tickets.close(finished.trigger, json.dumps(document, ensure_ascii=False), trouble)
            with self._lock:
                self._agenda, self._trouble, self._last = agenda, trouble, last
                self._logged_left_out = False
                self._unfinished -= 1
                if not self._unfinished:
                    self._progress = None
        return agenda

    def _after(self, agenda: Agenda, finished: FinishedSync, now: datetime) -> Agenda:
        """Return the agenda after this sync. One that failed with a config that was replaced meanwhile is repeated."""
        result, triggered, since = finished.result, finished.trigger is not None, finished.unread_since
        if isinstance(result, SyncReport):
            share = self._rng.random()
            agenda = agenda.after_report(result, now, share, triggered=triggered, unread_since=since)
        else:
            agenda = agenda.after_error(result, now)
        return agenda if finished.config is self._config else agenda.after_config(agenda.schedule, now, share=0)

    def _advance(self, stage: Stage, done: int, of: int | None) -> None:
        with self._lock:
            self._progress, self._waits = SyncProgress(stage, done, of), False
            self._no_progress_since = time.monotonic()

    def _note_wait(self) -> None:
        """Note a wait. The first progress follows the lock, so one before that is for the lock: others may begin."""
        with self._lock:
            self._no_progress_since = time.monotonic()
            begins, self._waits = self._progress is None and not self._waits, self._progress is None
        if begins:
            self._environment.wake()

    def _is_stalled(self) -> bool:
        times = (self._no_progress_since if self._unfinished else None, self._building_since, self._reading_since)
        return any(since is not None and time.monotonic() - since >= WATCHDOG_STALL_SECONDS for since in times)
