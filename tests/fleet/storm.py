"""A storm over a fleet: some rounds, each from the same start, with events that its seed draws."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Collection, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from random import Random

from tests.fleet.events import SKEWS, FleetEvents
from tests.fleet.ground import HOSTS, FleetGround
from tests.fleet.workers import Workers
from tests.many_sites.events import Cast
from tests.many_sites.judges import look, spent_units, wait_for_requests, wrong_on_disk, wrong_units
from tests.many_sites.promises import late_syncs
from tests.many_sites.storm import RoundReport

SETTLING_SECONDS = 120.0
"""For how long a busy machine may be waited for."""
_PAUSE = threading.Event()


@dataclass(frozen=True)
class Plan:
    """How large a storm is."""

    sites: int
    pages: int
    every: int
    """Seconds between the syncs of a site."""
    events: int


class FleetStorm:
    """Rounds over the same sites, which are made once."""

    def __init__(self, plan: Plan, ground: FleetGround) -> None:
        self._plan = plan
        self._ground = ground

    def round(self, seed: int, only: Collection[str] = ()) -> RoundReport:
        """Let a storm pass, with all events or some, and return what was wrong then."""
        random, began = Random(seed), time.monotonic()
        names = [site.name for site in self._ground.first]
        victims = random.sample(names, len(names) // 2)
        cast = Cast(victims, [], [], names if random.random() < 0.5 else [])
        with self._ground.restored():
            this = _Round(self._plan, self._ground, random, cast, only, seed)
            this.report.seconds["copy"] = time.monotonic() - began
            try:
                this.run()
            except (AssertionError, subprocess.TimeoutExpired) as error:
                this.report.wrong.append(str(error))
        this.report.seconds["all"] = time.monotonic() - began
        return this.report


class _Round:
    def __init__(
        self, plan: Plan, ground: FleetGround, random: Random, cast: Cast, only: Collection[str], seed: int
    ) -> None:
        self.report = RoundReport(seed)
        self._plan, self._ground, self._random, self._cast = plan, ground, random, cast
        self._workers = Workers(ground)
        self._events = FleetEvents(ground, random, cast, self._workers.of, self._supervise, only)
        self._limit = max(2, len(cast.tight) // 2) * random.choice([1, 2, 3])
        self._reserve = random.choice([0, 1])

    def run(self) -> None:
        """Let the storm pass, wait until all is settled, and judge what is on disk then."""
        for name in self._cast.tight:
            site = self._ground.sites[name]
            self._ground.quotas[name] = replace(site.quota, units=self._limit, reserve=self._reserve)
            self._ground.configure(site)
        with ExitStack() as stack:
            stack.callback(self._workers.kill)
            self._workers.start(self._random.choices(SKEWS, k=len(HOSTS)))
            self._say("all workers have started")
            self._storm()
            cleared = self._clear()
            self._wait_until_settled(cleared)
            ended = time.monotonic()
            self.report.seconds["calm"] = ended - cleared
            self._wrong(self._workers.stop())
        self.report.log = [line for worker in self._workers for line in worker.lines()]
        self.report.syncs = len(self._workers.syncs())
        self._judge_times(cleared, ended)
        self._wrong(wrong_on_disk(self._ground))

    def _storm(self) -> None:
        for _ in range(self._plan.events):
            self._say(self._events.happen())
            wait_for_requests(self._ground, 5)
            self._supervise()
            for worker in self._workers:
                if worker.is_serving and worker.host not in self._events.drained:
                    _, wrong = look(self._ground, self._ground.ports[worker.host], "/")
                    if worker.is_serving:
                        self._wrong(wrong)

    def _clear(self) -> float:
        """End all trouble; return when that was."""
        sites = [self._ground.sites[name] for name in self._cast.tight]
        self._say("the weather clears")
        self._events.clear()
        if sites:
            self._say(f"units of {self._limit}: {spent_units(self._ground, sites)}")
            self._wrong(wrong_units(self._ground, sites, self._limit))
        self._say("all is well")
        return time.monotonic()

    def _supervise(self) -> None:
        """Start again the workers that have ended, as systemd does."""
        for worker in self._workers:
            code = worker.look()
            if code is None:
                continue
            self._say(f"{worker.host}: the worker has ended with {code}")
            if code == 0 and worker.host not in self._events.drained:
                self._wrong([f"the worker of {worker.host} has ended by itself"])
            self._events.drained.discard(worker.host)
            worker.start()

    def _wait_until_settled(self, cleared: float) -> None:
        """Wait until each site has had two good syncs, the last of which could see all that is right now."""
        end = cleared + SETTLING_SECONDS
        while (left := set(self._workers.unsettled(cleared, self._cast.tight))) and time.monotonic() < end:
            self._supervise()
            _PAUSE.wait(0.05)
        self._say("all is settled")
        if left:
            self._wrong([f"not settled {SETTLING_SECONDS:g} seconds after all trouble ended: {sorted(left)}"])
            lines = sorted(line for worker in self._workers for line in worker.lines())
            said = (line for line in lines if any(f'"site": "{name}"' in line.text for name in left))
            self.report.story += [f"{line.at - self.report.zero:6.2f} s  {line.text}" for line in said]

    def _judge_times(self, cleared: float, ended: float) -> None:
        """Each site is synced within two intervals after all trouble."""
        seen = [request.at for request in self._ground.youtube.accounts.requests]
        seen += [sync.ended for sync in self._workers.syncs()]
        for worker in self._workers:
            life = worker.life(cleared, ended)
            for name in filter(worker.owns, self._ground.sites):
                self._wrong(late_syncs(life, name, 2 * self._ground.interval, cleared, sorted(seen)))

    def _say(self, what: str) -> None:
        self.report.story.append(f"{time.monotonic() - self.report.zero:6.2f} s  {what}")

    def _wrong(self, sentences: Iterable[str]) -> None:
        self.report.wrong += sentences


def story_of(report: RoundReport) -> str:
    """Return what a reader of a failure wants to see."""
    return "\n".join([f"seed {report.seed}", *report.story, *report.wrong[:50]])
