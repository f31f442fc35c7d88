"""The drill itself: the lives of a daemon, each with an end by kill -9, but the last two."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from random import Random
from typing import NamedTuple

from syncer.simulator.server import Simulator
from syncer.simulator.world import World
from tests.daemon_process import Daemon
from tests.drill.events import Events
from tests.drill.ground import Ground
from tests.drill.impatient import FRESH_SECONDS
from tests.drill.promises import broken_promises
from tests.drill.watch import BETWEEN, Watch, cpu_seconds, growth, look
from tests.ports import free_port
from tests.site import Site
from tests.terminal import environment
from tests.waiting import TIMEOUT

ADDRESSES = (
    "/", "/videos", "/videos?search=a", "/videos?state=missing", "/problems", "/style.css", "/metrics", "/healthz",
    "/readyz", "/api/v1/status", "/api/v1/quota", "/api/v1/syncs", "/api/v1/videos?state=unconfirmed&limit=1000",
)  # fmt: skip

PROGRAM = "tests.drill.impatient"

PAUSE = 0.15
"""Seconds between two events."""

LONGEST_WAIT, WRITING = 3.0, 0.03
"""Seconds that the daemon gets to begin to write, and about as many as that takes."""

MINUTE, LAST_PART = int(60 / BETWEEN), int(25 / BETWEEN)
"""Looks in a minute, and at the end of a life."""


@dataclass(frozen=True)
class Plan:
    """How long a drill is."""

    seed: int
    pages: int
    lives: Sequence[float]
    """Seconds; all but the last end by kill -9."""
    quiet: float
    """Seconds without anything to do, at the end."""


class Figure(NamedTuple):
    """Something measured, and what it must be below."""

    name: str
    value: float
    bar: float
    unit: str


@dataclass
class DrillReport:
    """What happened in a drill, and what was measured."""

    wrong: list[str] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)
    happened: Counter[str] = field(default_factory=Counter)


def drill(plan: Plan, directory: Path, show: Callable[[str], None]) -> DrillReport:
    """Let a daemon live as planned, with a site made in `directory`, and look at what is true then."""
    with Simulator(World(), stats_units_per_day=10**6, general_units_per_day=10**6, pause=0.2) as youtube:
        random = Random(plan.seed)
        ground = Ground(Site(directory / "site", youtube.url), youtube, random, free_port())
        ground.prepare(plan.pages)
        return _Drill(plan, ground, show).run()


class _Drill:
    def __init__(self, plan: Plan, ground: Ground, show: Callable[[str], None]) -> None:
        self._plan = plan
        self._ground = ground
        self._began = time.monotonic()
        self._print = show
        self._events = Events(ground)
        self._report = DrillReport(happened=self._events.happened)
        self._up: int | None = None
        videos = tuple(f"/videos/{video}" for video in ground.videos[:3])
        also_well = {("/readyz", 503), *((address, 404) for address in videos)}
        self._watch = Watch(lambda: self._up, ground.port, Random(plan.seed), ADDRESSES + videos, also_well)

    def run(self) -> DrillReport:
        *lives, last = self._plan.lives
        with self._watch.watching():
            for seconds in lives:
                with self._daemon():
                    self._live(seconds)
                    self._wait_for_new_files()
                self._show("kill -9")
            with self._daemon() as daemon:
                self._live(last)
                self._become_calm(daemon)
        self._report.wrong += broken_promises(self._ground, self._report.log, self._events.happened) + self._watch.wrong
        self._rest()
        self._report.answers = self._watch.answers
        return self._report

    @contextmanager
    def _daemon(self, every: str = "2s") -> Iterator[Daemon]:
        """Start one, and kill it at the end of the block if it is still there."""
        self._ground.configure(every)
        began = time.monotonic()
        with Daemon(self._ground.site, "--log-format", "json", environment=environment(), program=PROGRAM) as daemon:
            while not self._answers():
                assert daemon.process.poll() is None, daemon.lines
                assert time.monotonic() < began + TIMEOUT
            self._started = time.monotonic() - began
            self._show(f"a daemon runs, and answered after {self._started:.1f} s")
            self._events.send = daemon.send
            self._up = daemon.process.pid
            yield daemon
            self._up = None
        self._report.log += daemon.lines

    def _answers(self) -> bool:
        with suppress(OSError, HTTPException):
            return self._watch.ask("GET", "/healthz")[0] == 200
        return False

    def _live(self, seconds: float) -> None:
        end, pause = time.monotonic() + seconds, threading.Event()
        while time.monotonic() < end:
            self._show(self._events.happen())
            pause.wait(self._ground.random.uniform(0, 2 * PAUSE))
        if len(self._watch.looks) >= MINUTE + 2 * LAST_PART:
            memory, descriptors, threads = growth(self._watch.looks, MINUTE, LAST_PART)
            self._measure("memory after a minute to the end", 100 * memory, 10, "%")
            self._measure("descriptors after a minute to the end", descriptors, 1, "more")
            self._measure("threads after a minute to the end", threads, 1, "more")

    def _wait_for_new_files(self) -> None:
        """Wait until the daemon writes, if it soon does: to be killed then is the worst."""
        end, pause = time.monotonic() + LONGEST_WAIT, threading.Event()
        while not self._ground.has_new_files() and time.monotonic() < end:
            pause.wait(0.001)
        pause.wait(self._ground.random.uniform(0, WRITING))

    def _become_calm(self, daemon: Daemon) -> None:
        """End the bad weather and trigger syncs: a count that fell sharply waits for a second reading."""
        self._events.settle()
        self._ground.calm()
        daemon.send(signal.SIGHUP)
        self._show("all is well")
        codes = [self._trigger() for _ in range(3)]
        if codes[-1] != 0:
            self._report.wrong.append(f"when all was well syncs ended with {codes}")
        self._stop(daemon)

    def _rest(self) -> None:
        """Let a daemon sync once and then do nothing."""
        with self._daemon("900h") as daemon:
            self._measure("start to the first answer", self._started, 2, "s")
            self._trigger()
            for address in ADDRESSES:
                self._watch.ask("GET", address)
            before = cpu_seconds(daemon.process.pid)
            threading.Event().wait(self._plan.quiet)
            spent = cpu_seconds(daemon.process.pid) - before
            self._measure("memory when idle", look(daemon.process.pid).memory, 75, "MB")
            self._measure("CPU when idle", 100 * spent / self._plan.quiet, 0.1, "%")
            self._measure("stop when idle", self._stop(daemon), 2, "s")

    def _trigger(self) -> int:
        """Make a sync that asks about everything; return the exit code."""
        threading.Event().wait(1.5 * FRESH_SECONDS)
        command = [sys.executable, "-m", "syncer", "-c", str(self._ground.site.config), "trigger"]
        return subprocess.run(command, env=environment(), capture_output=True, check=False, timeout=90).returncode

    def _stop(self, daemon: Daemon) -> float:
        """Tell it to stop; return the seconds that it took."""
        self._up = None
        daemon.send(signal.SIGTERM)
        code, seconds = daemon.ended()
        if code != 0:
            self._report.wrong.append(f"told to stop, it ended with {code}")
        return seconds

    def _measure(self, name: str, value: float, bar: float, unit: str) -> None:
        self._report.figures.append(Figure(name, value, bar, unit))

    def _show(self, what: str) -> None:
        if what:
            self._print(f"{time.monotonic() - self._began:6.1f} s  {what}")
