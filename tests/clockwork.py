"""A daemon's loop in a thread, with APScheduler as it is and a clock that can be moved."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from random import Random
from types import TracebackType
from typing import Self

import pytest
from apscheduler.events import EVENT_JOB_EXECUTED, EVENT_JOB_SUBMITTED, SchedulerEvent
from apscheduler.schedulers.background import BackgroundScheduler

from syncer.config.sections import Schedule
from syncer.control import Control
from syncer.daemon import loop
from syncer.daemon.site import DaemonConfig, DaemonSite, PastSyncs, SiteEnvironment, SyncRequest
from syncer.daemon.systemd import Systemd
from syncer.model import Problem
from syncer.status.report import SyncReport
from tests.waiting import TIMEOUT, until

START = datetime(2026, 6, 1, 4, 0, tzinfo=UTC)


class Clock:
    """The wall clock of the daemon and of APScheduler: real time, plus what it was moved by.

    With a larger `slower`, its seconds take so many real ones: the minutes of a busy machine do not add up in a year.
    """

    def __init__(self) -> None:
        self.slower = 1
        self.looks = 0
        self.submitted = 0
        self.ended = 0
        self._began = datetime.now(UTC)
        self._moved = timedelta(0)

    def now(self, zone: tzinfo | None = None) -> datetime:
        if zone is not None:  # as APScheduler calls it, twice in each round
            self.looks += 1
        return START + (datetime.now(UTC) - self._began) / self.slower + self._moved

    def move(self, by: timedelta) -> None:
        self._moved += by

    def scheduler(self, **options: object) -> BackgroundScheduler:
        """APScheduler's, and it tells us what it does."""
        made = BackgroundScheduler(**options)
        made.add_listener(self._note, EVENT_JOB_SUBMITTED | EVENT_JOB_EXECUTED)
        return made

    def _note(self, event: SchedulerEvent) -> None:
        self.submitted += event.code == EVENT_JOB_SUBMITTED
        self.ended += event.code == EVENT_JOB_EXECUTED


class Daemon:
    """A daemon in a thread, whose syncs are noted with their time and do what they are told to."""

    def __init__(
        self, clock: Clock, *, last: datetime | None = None, notify: str | None = None, **schedule: str
    ) -> None:
        self.clock = clock
        self.syncs: queue.Queue[datetime] = queue.Queue()
        self.doing: Callable[[], SyncReport] = report
        self.stopped = threading.Event()
        self._schedule = Schedule.model_validate({"jitter": "0s", **schedule}).as_model()
        self.last = last
        self.bug: Exception | None = None
        """What is raised instead of reading the state."""
        self._notify = notify
        self.new_schedule: dict[str, str] = {}
        self.begun = 0
        self._looks = threading.Lock()
        """Held while the daemon looks at its site: no clock moves between what it reads and what it makes of it."""
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        until(lambda: self.clock.looks > 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopped.set()
        self._thread.join(TIMEOUT)
        assert not self._thread.is_alive()

    def next(self) -> datetime:
        """Waits for the next sync and returns when it began, without the seconds."""
        return self.syncs.get(timeout=TIMEOUT).replace(second=0, microsecond=0)

    def settle(self) -> int:
        """Waits until the scheduler went some rounds; returns how many syncs began since the last `next`."""
        looks = self.clock.looks
        until(lambda: self.clock.looks >= looks + 6 and self.clock.submitted == self.begun)
        return self.syncs.qsize()

    def idle(self) -> None:
        """Waits until the scheduler knows that each sync which began has ended, and the daemon what came of it."""
        until(lambda: self.clock.ended == self.begun and not self.site.state().running)

    def move(self, by: timedelta) -> None:
        with self._looks:
            self.clock.move(by)

    @property
    def control(self) -> Control:
        return self.site

    def _run(self) -> None:
        environment = loop.DaemonEnvironment(
            clock=self.clock.now,
            wait=self._wait,
            wake=lambda: None,
            stopped=self.stopped.is_set,
            changes=self._changes,
            ended=lambda _site: None,
            stop=lambda: None,
            systemd=Systemd(self._notify),
        )
        of_site = SiteEnvironment(self.clock.now, lambda: None, self._past, lambda: None)
        self.site = DaemonSite(DaemonConfig(self._schedule, self._sync), of_site, Random(1))
        with self._looks:
            loop.Daemon([self.site], environment, Random(1), at_once=1).run()

    def _wait(self) -> None:
        self._looks.release()
        self.stopped.wait(0.0005)
        self._looks.acquire()

    def _past(self) -> PastSyncs:
        if self.bug:
            raise self.bug
        return PastSyncs(self.last)

    def _changes(self) -> loop.SiteChanges:
        config, self.new_schedule = self.new_schedule, {}
        if not config:
            return loop.SiteChanges()
        schedule = Schedule.model_validate({"jitter": "0s", **config}).as_model()
        return loop.SiteChanges(configs={self.site: DaemonConfig(schedule, self._sync)}, reloaded=True)

    def _sync(self, request: SyncRequest) -> SyncReport:
        self.request = request
        self.begun += 1
        self.syncs.put(self.clock.now())
        return self.doing()


def report(problems: Sequence[Problem] = (), code: int = 0) -> SyncReport:
    return SyncReport(
        sync="20260601T040000Z-0a1b",
        started=START,
        finished=START,
        dry_run=False,
        pages=3,
        videos=3,
        asked=3,
        answered=3,
        units={},
        changed_pages=2,
        changed_counts=4,
        missing=(),
        hidden=(),
        unconfirmed=(),
        fresh=0,
        over_quota=0,
        brake=None,
        problems=tuple(problems),
        exit=code,
    )


def messages(caplog: pytest.LogCaptureFixture, event: str) -> list[str]:
    return [record.getMessage() for record in caplog.records if getattr(record, "event", None) == event]
