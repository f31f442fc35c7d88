"""Decides which of the jobs that are due run now: only so many sites sync at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from apscheduler.executors.base import BaseExecutor, run_job
from apscheduler.job import Job

JOIN_SECONDS = 0.5
"""Seconds between two checks whether a thread that is waited for has stalled."""


class _Turn(NamedTuple):
    job: Job
    run_times: Sequence[datetime]


class Turns(BaseExecutor):  # type: ignore[misc] # APScheduler has no types
    """Runs jobs in threads, in the order in which they became due, and never two of the same name together.

    A job's name is the one of its site. At most `at_once` jobs run together; one that is stalled, or waits for a lock,
    does not count, so jobs that hang never keep the others waiting. It counts again when it continues.
    """

    def __init__(
        self,
        at_once: int,
        *,
        is_stalled: Callable[[str], bool],
        is_working: Callable[[str], bool],
        queued: Callable[[str, datetime], None],
    ) -> None:
        """`is_stalled` gets a name and returns whether the job that runs under it has stalled; `is_working`: whether
        it neither has stalled nor waits.

        `queued` is called with the ID of a job and the time at which it became due, before it begins.
        """
        super().__init__()
        self._at_once = at_once
        self._is_stalled = is_stalled
        self._is_working = is_working
        self._queued = queued
        self._turns = threading.Lock()
        """Guards all below."""
        self._waiting: list[_Turn] = []
        self._running: dict[str, threading.Thread] = {}
        self._closed = False

    def begin_next(self) -> None:
        """Begin the jobs whose turn it is."""
        with self._turns:
            for turn in list(self._waiting):
                if sum(map(self._is_working, self._running)) >= self._at_once:
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
            while wait and thread.is_alive() and not self._is_stalled(name):
                thread.join(JOIN_SECONDS)

    def _do_submit_job(self, job: Job, run_times: Sequence[datetime]) -> None:
        self._queued(job.id, run_times[0])
        with self._turns:
            if not self._closed:
                self._waiting.append(_Turn(job, run_times))
        self.begin_next()

    def _run(self, job: Job, run_times: Sequence[datetime]) -> None:
        """Run one job, in its thread, and tell APScheduler; then its turn has ended."""
        try:
            events = run_job(job, job._jobstore_alias, run_times, self._logger.name)  # noqa: SLF001 - as its executors do
            self._run_job_success(job.id, events)
        finally:
            with self._turns:
                del self._running[job.name]
            self.begin_next()
