"""Decides which of the jobs that are due run now: only so many sites sync at once."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from apscheduler.executors.base import BaseExecutor, run_job
from apscheduler.job import Job

from syncer.daemon.site import DaemonSite

JOIN_SECONDS = 0.5
"""Seconds between two checks whether a thread that is waited for has stalled."""


class _Turn(NamedTuple):
    job: Job
    run_times: Sequence[datetime]


class Turns(BaseExecutor):  # type: ignore[misc] # APScheduler has no types
    """Runs jobs in threads, in the order in which they became due, and never two of the same name together.

    All jobs of a site have one name: the ID of the job that syncs it. At most `at_once` jobs run together; one that is
    stalled, or waits for a lock, does not count, so jobs that hang never keep the others waiting. It counts again when
    it continues.
    """

    def __init__(self, at_once: int, sites: Mapping[str, DaemonSite]) -> None:
        """Take the sites by the names of their jobs; they come and go. A call of a build hook has another ID."""
        super().__init__()
        self._at_once = at_once
        self._sites = sites
        self._turns = threading.Lock()
        """Guards all below."""
        self._waiting: list[_Turn] = []
        self._running: dict[str, threading.Thread] = {}
        self._closed = False

    def begin_next(self) -> None:
        """Begin the jobs whose turn it is."""
        with self._turns:
            for turn in list(self._waiting):
                if sum(self._sites[name].is_working for name in self._running) >= self._at_once:
                    return
                if turn.job.name not in self._running:
                    self._waiting.remove(turn)
                    thread = threading.Thread(target=self._run, args=turn, name="sync", daemon=True)
                    self._running[turn.job.name] = thread
                    thread.start()

    def withdraw(self, name: str) -> None:
        """Forget the jobs of this name that wait for their turn."""
        with self._turns:
            self._waiting = [turn for turn in self._waiting if turn.job.name != name]

    def is_running(self, name: str) -> bool:
        """Whether a job of this name is running."""
        with self._turns:
            return name in self._running

    def shutdown(self, wait: bool = True) -> None:  # noqa: FBT001, FBT002 - as APScheduler has it
        """Begin no more jobs. `wait`: wait for those that are running, unless they have stalled."""
        with self._turns:
            self._closed = True
            self._waiting = []
            running = dict(self._running)
        for name, thread in running.items():
            while wait and thread.is_alive() and not self._sites[name].is_stalled:
                thread.join(JOIN_SECONDS)

    def _do_submit_job(self, job: Job, run_times: Sequence[datetime]) -> None:
        if job.id in self._sites:
            self._sites[job.id].queued(run_times[0])
        with self._turns:
            if not self._closed:
                self._waiting.append(_Turn(job, run_times))
        self.begin_next()

    def _run(self, job: Job, run_times: Sequence[datetime]) -> None:
        """Run one job, in its thread, and notify APScheduler; then its turn has ended."""
        try:
            events = run_job(job, job._jobstore_alias, run_times, self._logger.name)  # noqa: SLF001 - as its executors do
            self._run_job_success(job.id, events)
        finally:
            with self._turns:
                del self._running[job.name]
            self.begin_next()
