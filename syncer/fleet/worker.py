"""A daemon's part in a fleet: the name of its host, the sites that are its own, and the jobs of its queue.

It runs in a thread, and asks the server every ten seconds. If the server cannot be reached, the daemon goes on by
itself: what is due begins at once, and the ledger, which is on the same server, lets it request nothing.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from contextvars import Context
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import uuid4

from syncer import __version__
from syncer.control import Control, DaemonState
from syncer.errors import NameTaken, StateError, SyncerError
from syncer.fleet.queue import Queue, newest_migration
from syncer.fleet.site_report import answer_of, no_sync, report_of
from syncer.model import ServerAddress
from syncer.state.fleet import Fleet, SyncAnswer
from syncer.state.fleet_tables import BEAT_SECONDS, FleetTables, open_fleet
from syncer.status.fleet import FleetView, Outage
from syncer.wording import safe

RETRY_SECONDS: Final = 5.0
"""How long to wait before the server is tried again."""

OWNERS_SECONDS: Final = 10.0
"""How long the main thread waits to hear which sites are another host's."""

DEFER_SECONDS: Final = 5.0
"""How long a sync that is due waits for its job to be in the queue."""

WAIT_SECONDS: Final = 30.0
"""How long it waits for that job to be fetched, which takes no time if all is well."""

NEWS_SECONDS: Final = 1.0
"""How soon after a sync the others see how it went."""

DRAIN_SECONDS: Final = 0.5
"""How often a worker that drains looks whether all syncs have ended."""

FOLLOW_SECONDS: Final = 0.1
"""How often it is checked whether a triggered sync has ended."""

END_SECONDS: Final = 5.0
"""How long a queue that is lost gets to give up."""

GIVE_UP_SECONDS: Final = 10.0
"""How long a config must be away until the site is given up: a deploy may replace the configs one by one."""

CLEAN_SECONDS: Final = 24 * 3600.0
"""How often old jobs are deleted."""

log = logging.getLogger("syncer.daemon")


@dataclass(frozen=True, slots=True)
class WorkerEnvironment:
    """What the worker needs from the daemon. All is safe in any thread."""

    clock: Callable[[], datetime]
    sites: Callable[[], Mapping[str, Control]]
    """The sites of the daemon, by their names."""
    look_again: Callable[[], None]
    """Called when another host took a site, or one is free."""
    drained: Callable[[], None]
    """Called when the worker is to drain, and no sync runs any more."""


class FleetWorker:
    """The worker of a host. What the daemon calls is safe in any thread."""

    def __init__(self, place: ServerAddress, host: str) -> None:
        self._place = place
        self._host = host
        self._id = uuid4().hex
        self.view = FleetView(host)
        """What was last read of the fleet."""
        self._lock = threading.Condition()
        """Guards all below up to the sites that are left out."""
        self._paths: Mapping[str, str] = {}
        """The sites that the host may sync: their paths, by name."""
        self._are_all = False
        """Whether the host has no other sites."""
        self._replaced = 0.0
        """When that was said, by the clock of the loop."""
        self._owners: Mapping[str, str] = {}
        """The hosts of those that are another's."""
        self._asked = 0
        """How often the paths were replaced."""
        self._answered = 0
        """Up to which of these the owners are known, or cannot be known."""
        # what follows is replaced by one thread, and read by any
        self._left_out: Mapping[str, str] | None = None
        """Why sites are not synced here, by name; None: they are not open yet."""
        self._draining = False
        self._closing = False
        # what follows belongs to the thread
        self._queue: Queue | None = None
        """None: the server cannot be used now."""
        self._due: dict[str, Callable[[], None]] = {}
        """What begins the syncs whose jobs wait in the queue, by site."""
        self._begun: dict[str, asyncio.Event] = {}
        """Set when the sync of a site has ended that began by a job."""
        self._in_hand: set[str] = set()
        """The sites of the jobs that are in hand."""
        self._reported: Mapping[str, DaemonState | str] = {}
        """What was said of each site: how it is, or why it is left out."""
        self._failure: StateError | None = None
        """What is wrong with the queue, which only a new connection can repair."""
        self._deferring: set[asyncio.Task[None]] = set()
        self._next_clean = 0.0
        """When old jobs are deleted, by the clock of the loop."""
        self._loop = asyncio.new_event_loop()
        self._wake = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="fleet", daemon=True)

    def start(self, environment: WorkerEnvironment) -> None:
        """Begin; `close` ends it."""
        self._environment = environment
        self._thread.start()

    def close(self) -> None:
        """Leave the fleet, once no sync runs any more."""
        self._closing = True
        self._call(self._wake.set)
        self._thread.join(END_SECONDS + OWNERS_SECONDS)

    def owners(self, paths: Mapping[str, str], *, are_all: bool) -> Mapping[str, str]:
        """Return the hosts of the sites that are another host's, of these: their paths by name. The rest is claimed.

        None is another's if the server cannot be asked now. `are_all`: the host has no other sites.
        """
        with self._lock:
            if paths == self._paths and are_all == self._are_all:
                return self._owners
            self._paths, self._are_all, self._replaced = dict(paths), are_all, self._loop.time()
            self._asked += 1
            asked = self._asked
            self._call(self._wake.set)
            if not self._lock.wait_for(lambda: self._answered >= asked, OWNERS_SECONDS):
                self._answered = asked  # what is heard later is news
            return self._owners

    def note_left_out(self, reasons: Mapping[str, str]) -> None:
        """Let the other hosts know why sites are not synced here, by name."""
        self._left_out = dict(reasons)
        self._call(self._wake.set)

    def put(self, site: str, line_up: Callable[[], None]) -> None:
        """Let a sync that is due have its turn once its job is in hand; at once if there is no queue now."""
        self._call(self._put, site, line_up)

    def ended(self, site: str) -> None:
        """Take note that a sync of this site has ended."""
        self._call(self._end, site)

    @property
    def is_draining(self) -> bool:
        """Whether no more syncs are to begin, because the worker drains."""
        return self._draining

    def _call(self, call: Callable[..., object], *arguments: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: the daemon ends
            self._loop.call_soon_threadsafe(call, *arguments, context=Context())  # else logged as about that site

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        with closing(self._loop):
            self._loop.run_until_complete(self._stay())

    async def _stay(self) -> None:
        """Be a worker of the fleet until it is closed, whatever happens to the server and to the network."""
        while not self._closing:
            try:
                await self._join()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
                self._note_trouble(error)
            self._answer(self._asked, self._owners)
            for site in list(self._due):
                self._line_up(site)
            self._end_if_drained()
            if not self._closing:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), RETRY_SECONDS)
                self._wake.clear()

    async def _join(self) -> None:
        """Be a worker of the fleet until it is closed, or an error shows that it is no more."""
        tables = await asyncio.to_thread(open_fleet, self._place)
        with closing(tables):
            await asyncio.to_thread(tables.require_queue, newest_migration())
            if not await asyncio.to_thread(tables.take_host, self._host, self._id, __version__):
                self._leave_all()
                raise NameTaken(f"Another worker is called {self._host}. Give this one another name")
            self._reported, self._failure = {}, None
            async with Queue.opened(self._place, self._host) as queue:
                work: asyncio.Task[None] | None = None
                try:
                    async with asyncio.timeout(DEFER_SECONDS):
                        await queue.repeat_all()
                    await self._beat(tables)
                    work = asyncio.create_task(queue.work(self._sync))
                    self._queue = queue
                    log.info("In the fleet of %s as host %s", self._place, self._host, extra={"event": "fleet-joined"})
                    while not self._closing:
                        await self._pause(work)
                        await self._beat(tables)
                        async with asyncio.timeout(DEFER_SECONDS):
                            await queue.repeat_lost()
                        await self._clean(queue)
                except BaseException:
                    queue.cut()
                    raise
                finally:
                    self._queue = None
                    if work is not None:
                        work.cancel()
                        await asyncio.wait({work}, timeout=END_SECONDS)
            await asyncio.to_thread(tables.leave, self._host, self._id)

    async def _clean(self, queue: Queue) -> None:
        """Delete old jobs once a day."""
        if self._loop.time() >= self._next_clean:
            self._next_clean = self._loop.time() + CLEAN_SECONDS
            await queue.forget_old()

    async def _pause(self, work: asyncio.Task[None]) -> None:
        """Wait until the next beat. Raises why the work has ended, if it has."""
        wake = asyncio.create_task(self._wake.wait())
        pause = DRAIN_SECONDS if self._draining else BEAT_SECONDS
        await asyncio.wait({work, wake}, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
        wake.cancel()
        self._wake.clear()
        failure, self._failure = self._failure, None
        if failure:
            raise failure
        if work.done():
            work.result()
            raise StateError(f"The queue of {self._place} has ended")

    async def _beat(self, tables: FleetTables) -> None:
        """Say that this host is alive and how its sites are; hear which are another host's, and how the others are."""
        with self._lock:
            asked, paths = self._asked, self._paths
            only = self._are_all and self._loop.time() - self._replaced >= GIVE_UP_SECONDS
        now, sites = self._environment.clock(), self._environment.sites()
        running = {name: replace(control.state(), progress=None) for name, control in sites.items()}
        states: Mapping[str, DaemonState | str] = {**(self._left_out or {}), **running}
        news = [report_of(name, state, now) for name, state in states.items() if self._reported.get(name) != state]

        def ask() -> tuple[bool, Mapping[str, str], Fleet]:
            draining = tables.beat(self._host, self._id)
            if draining is None:
                raise StateError(f"The host {self._host} was removed, or another worker has its name")
            owners = tables.claim(self._host, paths, only=only)
            tables.report(self._host, news)
            return draining, owners, tables.look()

        draining, owners, fleet = await asyncio.to_thread(ask)
        self._reported = states
        self.view = FleetView(self._host, fleet, self._environment.clock())
        self._answer(asked, owners)
        if draining and not self._draining:
            log.info("Draining: no more syncs begin", extra={"event": "draining"})
        self._draining = draining
        self._end_if_drained()

    def _end_if_drained(self) -> None:
        states = [control.state() for control in self._environment.sites().values()]
        if self._draining and not any(state.running and not state.waits for state in states):
            self._environment.drained()

    def _answer(self, asked: int, owners: Mapping[str, str]) -> None:
        """Let the main thread know the owners."""
        with self._lock:
            waits, is_news = self._answered < self._asked, owners != self._owners
            self._owners, self._answered = owners, max(self._answered, asked)
            self._lock.notify_all()
        if is_news and not waits:
            self._environment.look_again()

    def _leave_all(self) -> None:
        """Sync none of the sites: another machine may be called as this one, and have copies of them."""
        with self._lock:
            asked, names = self._asked, list(self._paths)
        self._answer(asked, dict.fromkeys(names, f"another host called {self._host}"))

    def _note_trouble(self, error: Exception) -> None:
        """Log why the server cannot be used, if that is news."""
        is_slow = isinstance(error, TimeoutError)
        text = "The server does not answer" if is_slow else safe(str(error).strip()) or type(error).__name__
        before, is_bug = self.view.outage, not isinstance(error, SyncerError | OSError)
        since = before.since if before else self._environment.clock()
        syncs_continue = not isinstance(error, NameTaken) and (before is None or before.syncs_continue)
        outage = Outage(since, text, syncs_continue)
        if outage != before:
            log.warning("Out of the fleet: %s. %s", text, outage.effect, exc_info=is_bug, extra={"event": "fleet-lost"})
        self.view = replace(self.view, outage=outage)

    def _put(self, site: str, line_up: Callable[[], None]) -> None:
        self._due[site] = line_up
        if self._queue is None or site in self._in_hand:
            self._line_up(site)
            return
        task = asyncio.create_task(self._defer(self._queue, site))
        self._deferring.add(task)
        task.add_done_callback(self._deferring.discard)
        self._loop.call_later(WAIT_SECONDS, self._end_wait, site, line_up)

    async def _defer(self, queue: Queue, site: str) -> None:
        try:
            async with asyncio.timeout(DEFER_SECONDS):
                await queue.defer(site)
        except Exception as error:  # noqa: BLE001 - whatever it is, the sync does not wait for it
            self._line_up(site)
            why = safe(str(error)) or "it does not answer"
            self._rejoin(StateError(f"The queue of {self._place} takes no jobs: {why}"))

    def _end_wait(self, site: str, line_up: Callable[[], None]) -> None:
        """Let a sync begin whose job was not fetched, and join again: a job of its site was never noted as done."""
        if self._due.get(site) is line_up:
            self._line_up(site)
            self._rejoin(StateError(f"The queue of {self._place} hands out no jobs"))

    def _rejoin(self, failure: StateError) -> None:
        """Leave the queue, and join it again: what is wrong with the server, the next try says."""
        self._failure = failure
        self._wake.set()

    def _line_up(self, site: str) -> None:
        line_up = self._due.pop(site, None)
        if line_up:
            self._end(site)  # one that is still running, where the site was opened again
            self._begun[site] = asyncio.Event()
            line_up()

    def _end(self, site: str) -> None:
        if begun := self._begun.pop(site, None):
            begun.set()

    async def _sync(self, site: str, request: int | None) -> None:
        """Do a job: let the site sync, and return when that sync has ended. `request`: its number, if it is requested.

        A job that is not due any more has been done, without the queue, or by another job.
        """
        self._in_hand.add(site)
        try:
            self._line_up(site)
            if request is not None:
                await self._answer_request(site, request)
            elif begun := self._begun.get(site):
                await begun.wait()
        except Exception as error:
            if not isinstance(error, SyncerError):  # that is about the server, and logged as such
                log.exception("A bug in syncer ended the job of %s; please report it", safe(site))
            raise
        finally:
            self._in_hand.discard(site)
            self._loop.call_later(NEWS_SECONDS, self._wake.set)  # one beat for many sites

    async def _answer_request(self, site: str, job: int) -> None:
        """Let a site sync now, wait until it has, and say to who requested it how that went."""
        answer = await self._requested(site)

        def save() -> None:
            with closing(open_fleet(self._place)) as tables:
                tables.answer(job, answer)

        await asyncio.to_thread(save)

    async def _requested(self, site: str) -> SyncAnswer:
        """Return how a requested sync went, once it has ended, or why there is none."""
        while self._left_out is None:  # the sites are being opened
            await self._pause_request()
        control = self._environment.sites().get(site)
        if control is None:
            return no_sync(self._host, self._left_out.get(site, "its worker has no config for it"))
        ticket = None if self._draining else control.trigger(accept=False)
        while ticket and ticket.state != "done" and not (self._draining and ticket.state == "waiting"):
            if ticket.state == "waiting" and self._environment.sites().get(site) is not control:
                return no_sync(self._host, "its config has changed; try again")
            await self._pause_request()
            ticket = control.ticket(ticket.number)
        if ticket is None or ticket.state != "done":
            return no_sync(self._host, "its worker drains")
        return answer_of(self._host, ticket)

    async def _pause_request(self) -> None:
        """Wait between two looks at a requested sync; give up where the worker stops, so that the next one does it."""
        if self._closing:
            raise asyncio.CancelledError
        await asyncio.sleep(FOLLOW_SECONDS)
