"""A storm over many sites: some rounds, each from the same start, with events that its seed draws."""

from __future__ import annotations

import json
import math
import signal
import threading
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from tests.many_sites.events import Cast, Events
from tests.many_sites.ground import Ground
from tests.many_sites.judges import look, spent_units, wait_for_requests, wrong_lines, wrong_on_disk, wrong_units
from tests.many_sites.process import Line, SitesDaemon, daemon_of
from tests.many_sites.promises import Life, SyncTime, late_syncs
from tests.waiting import until

STOP_SECONDS = 20.0
SETTLING_SECONDS = 120.0
"""For how long a busy machine may be waited for, as long as the daemon works."""
_PAUSE = threading.Event()


@dataclass(frozen=True)
class Plan:
    """How large a storm is."""

    sites: int
    pages: int
    every: int
    """Seconds between the syncs of a site."""
    events: int
    """In a life of the daemon."""
    lives: int
    """In a round; all but the last end by SIGKILL."""


@dataclass
class RoundReport:
    """What happened in a round, and what was wrong."""

    seed: int
    wrong: list[str] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    log: list[Line] = field(default_factory=list)
    zero: float = field(default_factory=time.monotonic)
    """When it began, by the clock of the log's lines."""
    syncs: int = 0


class Storm:
    """Rounds over the same sites, which are made once."""

    def __init__(self, plan: Plan, ground: Ground, *, disks: bool) -> None:
        self._plan = plan
        self._ground = ground
        self.disks = disks

    def round(self, seed: int, only: Collection[str] = ()) -> RoundReport:
        """Let a storm pass, with all events or some, and return what was wrong then."""
        random = Random(seed)
        cast = self._cast(random)
        began = time.monotonic()
        with self._ground.restored(cast.disks):
            events = Events(self._ground, random, cast, only)
            this = _Round(self._plan, self._ground, random, cast, events, seed)
            this.report.seconds["copy"] = time.monotonic() - began
            try:
                this.run()
            except AssertionError as error:
                this.report.wrong.append(str(error))
        this.report.seconds["all"] = time.monotonic() - began
        return this.report

    def _cast(self, random: Random) -> Cast:
        names = [site.name for site in self._ground.first]
        victims = random.sample(names, len(names) // 2)
        disks = victims[: max(1, len(victims) // 10)] if self.disks else []
        absent = victims[-max(1, len(victims) // 10) :]
        ledger = random.choice([None, "one", "two"])
        tight = [site.name for site in self._ground.first if ledger and site.quota.ledger == ledger]
        return Cast(victims, disks, absent, tight)


class _Round:
    def __init__(self, plan: Plan, ground: Ground, random: Random, cast: Cast, events: Events, seed: int) -> None:
        self.report = RoundReport(seed)
        self._plan = plan
        self._ground = ground
        self._random = random
        self._cast = cast
        self._events = events
        self._lives: list[Life] = []
        share = min((ground.sites[name].quota.share or 100 for name in cast.tight), default=100)
        self._limit = max(2, len(cast.tight) // 2) * random.choice([1, 2, 3]) * 100 // share
        self._reserve = random.choice([0, 1])

    def run(self) -> None:
        """Let all lives of the daemon pass, and judge what is on disk then."""
        self._begin()
        for _ in range(self._plan.lives - 1):
            with daemon_of(self._ground.folders[0]) as daemon:
                self._pass(daemon)
                self._wait_for_signs(self._random.randrange(100))
                self._say("SIGKILL")
                self._end(daemon, daemon.kill())
                self._events.leave_one_config_each()
        with daemon_of(self._ground.folders[0]) as daemon:
            self._pass(daemon)
            clearing, cleared = time.monotonic(), self._clear(daemon)
            self._wait_until_settled(daemon, clearing, cleared)
            self.report.seconds["calm"] = time.monotonic() - cleared
            life, code, took = daemon.stop()
            self._end(daemon, life)
        if code != 0 or took > STOP_SECONDS:
            self._wrong([f"told to stop, the daemon ended with {code} after {took:.1f} seconds"])
        began = time.monotonic()
        self._judge_times(cleared)
        self._wrong(wrong_on_disk(self._ground))
        self.report.seconds["judge"] = time.monotonic() - began

    def _begin(self) -> None:
        """Take away the configs of those that come later, and give one ledger few units."""
        for name in self._cast.tight:
            site = self._ground.sites[name]
            self._ground.quotas[name] = replace(site.quota, units=self._limit, reserve=self._reserve)
            self._ground.configure(site)
        for name in self._cast.absent:
            self._ground.config_file(self._ground.sites[name]).unlink()

    def _pass(self, daemon: SitesDaemon) -> None:
        """Let things happen, each after some signs that the daemon works."""
        until(daemon.is_started)
        self._say("the daemon has started")
        self._events.send = daemon.send
        for _ in range(self._plan.events):
            self._say(self._events.happen())
            self._wait_for_signs(5)
            self._look("/")

    def _look(self, address: str) -> bytes:
        body, wrong = look(self._ground, self._ground.port, address)
        self._wrong(f"{sentence} at {time.monotonic() - self.report.zero:.2f} s" for sentence in wrong)
        return body

    def _wait_for_signs(self, number: int) -> None:
        """Wait for so many requests, or a while."""
        wait_for_requests(self._ground, number)

    def _clear(self, daemon: SitesDaemon) -> float:
        """End all trouble; return when that was."""
        self._judge_units()
        self._events.clear()
        daemon.send(signal.SIGHUP)
        self._say("all is well")
        return time.monotonic()

    def _wait_until_settled(self, daemon: SitesDaemon, clearing: float, cleared: float) -> None:
        """Wait until each site has had a good sync that could see all that is right now.

        It must not be the first one with its state: that one leaves a count that dropped sharply to the next.
        One that begins in the first interval may take counts that another site requested before. A ledger has more
        units only once all of its sites have synced with the new limit, which the daemon may have read while the
        trouble was being cleared.
        """
        sites = self._ground.sites

        def is_settled(name: str, good: Sequence[SyncTime], since: float) -> bool:
            lost = cleared if sites[name].log_lost else 0
            own = [sync for sync in good if sync.site == name and sync.began >= lost]
            return len(own) > 1 and own[-1].began >= since

        def unsettled() -> set[str]:
            good = [sync for sync in daemon.syncs() if sync.exit == 0]
            read = daemon.configs_read(clearing)
            firsts = {s.site: s.ended for s in reversed(good) if s.began >= max(cleared, read.get(s.site, math.inf))}
            waiting = [name for name in self._cast.tight if name not in firsts]
            since = max([cleared + self._ground.interval + 1, *(firsts.get(name, 0) for name in self._cast.tight)])
            return set(waiting) or {name for name in sites if not is_settled(name, good, since)}

        end = cleared + SETTLING_SECONDS
        while (left := unsettled()) and time.monotonic() < end and daemon.process.poll() is None:
            _PAUSE.wait(0.05)
        self._say("all is settled")
        status = json.loads(self._look("/api/v1/status") or b"{}")
        if status.get("sites", {}).keys() != sites.keys() or status.get("left_out"):
            self._wrong(
                [f"after all trouble the status has {sorted(status.get('sites', ()))} and {status.get('left_out')}"]
            )
        if left:
            self._wrong([f"not settled {SETTLING_SECONDS:g} seconds after all trouble ended: {sorted(left)}"])
            said = (line for line in daemon.lines if any(f'"site": "{name}"' in line.text for name in left))
            self.report.story += [f"{line.at - self.report.zero:6.2f} s  {line.text}" for line in said]

    def _end(self, daemon: SitesDaemon, life: Life) -> None:
        self._lives.append(life)
        self._wrong(wrong_lines(self._ground, daemon.lines))
        self.report.log += daemon.lines
        self.report.syncs += len(life.syncs)

    def _judge_units(self) -> None:
        """No ledger gave more than its limit, and no site had more than its share."""
        sites = [self._ground.sites[name] for name in self._cast.tight]
        if sites:
            self._say(f"units of {self._limit}: {spent_units(self._ground, sites)}")
            self._wrong(wrong_units(self._ground, sites, self._limit))

    def _judge_times(self, cleared: float) -> None:
        """Those that nothing happened to were always on time; and after the trouble all are."""
        signs = [seen.at for seen in self._ground.youtube.accounts.requests]
        signs = sorted(signs + [sync.ended for life in self._lives for sync in life.syncs])
        interval = self._ground.interval
        last_life = self._lives[-1]
        calm = replace(last_life, began=cleared, syncs=[s for s in last_life.syncs if s.began >= cleared])
        for name in self._ground.sites:
            if name in self._events.troubled:
                begun = [sync.began for sync in last_life.syncs if sync.site == name and sync.began < cleared]
                self._wrong(late_syncs(calm, name, interval, max(begun, default=None), signs))
                continue
            before = None
            for life in self._lives:
                self._wrong(late_syncs(life, name, interval, before, signs))
                before = max((sync.began for sync in life.syncs if sync.site == name), default=before)

    def _say(self, what: str) -> None:
        self.report.story.append(f"{time.monotonic() - self.report.zero:6.2f} s  {what}")

    def _wrong(self, sentences: Iterable[str]) -> None:
        self.report.wrong += sentences
