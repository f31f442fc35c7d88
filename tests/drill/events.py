"""What happens in a drill: each event has its chance, and says what it was."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from syncer.simulator.faults import KINDS, parse_fault
from syncer.simulator.known_errors import LIMITS
from syncer.simulator.world import VideoState
from tests.drill.ground import Ground
from tests.site import KEY
from tests.terminal import environment

FOR_A_DAY = {name for name in LIMITS if name.startswith(("day-", "quota-"))}
"""They end all asking until midnight Pacific."""

SLOW = {"stall", "stall-middle", "drip", "endless", "slow-headers"}
FAULTS = sorted(KINDS.keys() - FOR_A_DAY - SLOW)

HIDING = (
    VideoState.PRIVATE,
    VideoState.DELETED,
    VideoState.LIKES_HIDDEN,
    VideoState.COUNTS_HIDDEN,
    VideoState.NO_STATISTICS,
)

BROKEN_CONFIG = "collections: ["
ONE_UNIT = "stats_units_per_day: 1, general_units_per_day: 1, reserve: 0"


class Events:
    """Lets things happen to a site whose daemon runs."""

    def __init__(self, ground: Ground) -> None:
        self.send: Callable[[int], None]
        """Sends a signal to the daemon that runs."""
        self.happened: Counter[str] = Counter()
        self._ground = ground
        self._random = ground.random
        self._beside: list[subprocess.Popen[str]] = []
        self._chances: dict[Callable[[], str], int] = {
            self.edit: 40,
            self.write_counts: 15,
            self.begin_page: 4,
            self.delete: 2,
            self.err: 4,
            self.mend: 5,
            self.bad_weather: 6,
            self.slow_weather: 1,
            self.good_weather: 5,
            self.hide_videos: 3,
            self.hang_up: 4,
            self.break_config: 2,
            self.spend_quota: 1,
            self.trigger: 3,
            self.sync_beside: 1,
        }

    def happen(self) -> str:
        """Let time pass and something happen. Returns what it was; nothing where that is not worth a word."""
        self._ground.youtube.clock.advance(timedelta(seconds=self._random.randrange(60)))
        (event,) = self._random.choices(list(self._chances), list(self._chances.values()))
        self.happened[event.__name__] += 1
        return event()

    def settle(self) -> None:
        """Wait until the commands beside the daemon have ended. Fails where one did as none should."""
        while self._beside:
            process = self._beside.pop()
            said, _ = process.communicate(timeout=90)
            assert process.returncode in {0, 1, 2, 3, 4, 130}, said
            assert KEY not in said, said

    # the author

    def edit(self) -> str:
        for path in self._pages(5):
            self._ground.edit(path, b"And another line.\r\n")
        return ""

    def write_counts(self) -> str:
        for path in self._pages(2):
            self._ground.set_counts(path, str(self._random.randrange(10**7)), str(self._random.randrange(10**5)))
        return ""

    def begin_page(self) -> str:
        self._ground.add([self._random.choice(self._ground.videos)], self._random.randrange(10**6, 10**9))
        return ""

    def delete(self) -> str:
        (path,) = self._pages(1)
        if path not in self._ground.kept:
            self._ground.delete(path)
        return ""

    def err(self) -> str:
        self._ground.err(*self._pages(1))
        return ""

    def mend(self) -> str:
        for path in sorted(self._ground.broken)[:1]:
            self._ground.save(path)
        return ""

    def _pages(self, number: int) -> list[str]:
        return self._random.sample(sorted(self._ground.sheets), number)

    # YouTube

    def bad_weather(self) -> str:
        share = self._random.choice(["", ":10%", ":50%"])
        return self._weather([f"{name}{share}" for name in self._random.sample(FAULTS, self._random.choice([1, 2]))])

    def slow_weather(self) -> str:
        return self._weather([f"{self._random.choice(sorted(SLOW))}:3%"])

    def good_weather(self) -> str:
        return self._weather([])

    def _weather(self, faults: list[str]) -> str:
        self._ground.youtube.faults = [parse_fault(fault) for fault in faults]
        return f"weather: {', '.join(faults) or 'good'}"

    def hide_videos(self) -> str:
        state, share = self._random.choice(HIDING), self._random.choice([0, 0.02, 0.6])
        some = self._random.sample(self._ground.videos, int(share * len(self._ground.videos)))
        self._ground.hide(some, state)
        return f"YouTube: {len(some)} videos are {state}"

    # the one who runs it

    def hang_up(self) -> str:
        every = self._random.choice(["1s", "2s", "3s"])
        self._ground.configure(every)
        self.send(signal.SIGHUP)
        return f"SIGHUP: a sync every {every}"

    def break_config(self) -> str:
        self._ground.site.config.write_text(BROKEN_CONFIG, encoding="utf-8")
        self.send(signal.SIGHUP)
        return "SIGHUP: a broken config"

    def spend_quota(self) -> str:
        self._ground.configure(quota=ONE_UNIT)
        self.send(signal.SIGHUP)
        return "SIGHUP: a quota that is spent"

    def trigger(self) -> str:
        return self._run("trigger", *self._random.choice([(), (), ("--accept",), ("--no-wait",)]))

    def sync_beside(self) -> str:
        return self._run("sync", "--all", "--json")

    def _run(self, *words: str) -> str:
        command = [sys.executable, "-m", "syncer", "-c", str(self._ground.site.config), *words]
        self._beside.append(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment())
        )
        return f"$ syncer {' '.join(words)}"
