"""Decides which of the jobs that are due run now: only so many sites sync at once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple, Protocol

from apscheduler.executors.base import BaseExecutor, run_job
from apscheduler.job import Job

from syncer.daemon.site import DaemonSite

JOIN_SECONDS = 0.5
"""Seconds between two checks whether a thread that is waited for has stalled."""


log = logging.getLogger("syncer.daemon")


class SyncQueue(Protocol):
    """Where scheduled syncs wait before their turn. Every method is safe in any thread and returns at once."""

    def put(self, site: str, line_up: Callable[[], None]) -> None:
        """Take the sync of a site that is due, and call `line_up` when it may have its turn, or soon."""
        ...

    def ended(self, site: str) -> None:
        """Take note that a sync of this site has ended, or never begins."""
        ...

    @property
    def is_draining(self) -> bool:
        """Whether no more syncs are to begin."""
        ...


class _Turn(NamedTuple):
    job: Job
    run_times: Sequence[datetime]
    site: str | None
    """The name of the site that is synced; None: it has none, or it is the turn of a build hook."""


class Turns(BaseExecutor):  # type: ignore[misc] # APScheduler has no types
    """Runs jobs in threads, in the order in which they became due, and never two of the same name together.

    All jobs of a site have one name: the ID of the job that syncs it. At most `at_once` jobs run together; one that is
    stalled, or waits for a lock, does not count, so jobs that hang never keep the others waiting. It counts again when
    it continues.
    """

    def __init__(self, at_once: int, sites: Mapping[str, DaemonSite], queue: SyncQueue | None = None) -> None:
        """Take the sites by the names of their jobs; they come and go. A call of a build hook has another ID."""
        super().__init__()
        self._queue = queue
        self._at_once = at_once
        self._sites = sites
        self._turns = threading.Lock()
        """Guards all below."""
        self._waiting: list[_Turn] = []
        self._running: dict[str, threading.Thread] = {}
        self._withdrawn: set[str] = set()
        """The names of jobs that never run again."""
        self._closed = False

    def begin_next(self) -> None:
        """Begin the jobs whose turn it is."""
        if self._queue and self._queue.is_draining:
            return
        with self._turns:
            for turn in list(self._waiting):
                if sum(self._sites[name].is_working for name in self._running) >= self._at_once:
                    return
                if turn.job.name not in self._running:
                    thread = threading.Thread(target=self._run, args=(turn,), name="sync", daemon=True)
                    try:
                        thread.start()
                    except RuntimeError as error:  # the system has no thread left now
                        said = "Cannot begin a sync: %s. Retrying in a few seconds"
                        log.warning(said, error, extra={"event": "sync-delayed"})
                        return
                    self._waiting.remove(turn)
                    self._running[turn.job.name] = thread

    def withdraw(self, name: str) -> None:
        """Forget the jobs of this name that wait for their turn, now and later."""
        with self._turns:
            self._withdrawn.add(name)
            withdrawn = [turn for turn in self._waiting if turn.job.name == name]
            self._waiting = [turn for turn in self._waiting if turn.job.name != name]
        for turn in withdrawn:
            self._end(turn)

    def is_running(self, name: str) -> bool:
        """Whether a job of this name is running."""
        with self._turns:
            return name in self._running

    def shutdown(self, wait: bool = True) -> None:  # noqa: FBT001, FBT002 - as APScheduler has it
        """Begin no more jobs. `wait`: wait for those that are running, unless they have stalled."""
        with self._turns:
            self._closed = True
            left, self._waiting = self._waiting, []
            running = dict(self._running)
        for turn in left:
            self._end(turn)
        for name, thread in running.items():
            while wait and thread.is_alive() and not self._sites[name].is_stalled:
                thread.join(JOIN_SECONDS)

    def _do_submit_job(self, job: Job, run_times: Sequence[datetime]) -> None:
        site = self._sites.get(job.id)
        turn = _Turn(job, run_times, site.name if site else None)
        if site:
            site.queued(run_times[0])
        if self._queue and site and site.name and not site.agenda.triggered:
            self._queue.put(site.name, partial(self._line_up, turn))
        else:
            self._line_up(turn)

    def _line_up(self, turn: _Turn) -> None:
        with self._turns:
            is_withdrawn = self._closed or turn.job.name in self._withdrawn
            if not is_withdrawn:
                self._waiting.append(turn)
        if is_withdrawn:
            self._end(turn)
        self.begin_next()

    def _end(self, turn: _Turn) -> None:
        """Let the queue know that a turn is over."""
        if self._queue and turn.site:
            self._queue.ended(turn.site)

    def _run(self, turn: _Turn) -> None:
        """Run one job, in its thread, and notify APScheduler; then its turn has ended."""
        job = turn.job
        try:
            events = run_job(job, job._jobstore_alias, turn.run_times, self._logger.name)  # noqa: SLF001 - as its executors do
            self._run_job_success(job.id, events)
        finally:
            with self._turns:
                del self._running[job.name]
            self._end(turn)
            self.begin_next()
