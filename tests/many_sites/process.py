"""The daemon of many sites as a process, and what its log says of each sync, with the time."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tests.forks import PIPE, Fork
from tests.many_sites.promises import Life, SyncTime

STALL_SECONDS = 3.0
"""After so long without progress, a sync keeps no other waiting any more; in the program it is five minutes."""

IMPATIENT = f"""
import pkgutil, importlib, syncer.daemon, syncer.decide.plan
syncer.decide.plan.FRESH_SECONDS = 1
for module in pkgutil.iter_modules(syncer.daemon.__path__, "syncer.daemon."):
    module = importlib.import_module(module.name)
    if hasattr(module, "WATCHDOG_STALL_SECONDS"):
        module.WATCHDOG_STALL_SECONDS = {STALL_SECONDS}
from syncer.__main__ import main
raise SystemExit(main())
"""
"""The program as it is, but that readings are fresh for a second, and that a hang is one after three seconds."""


class Line(NamedTuple):
    """A line of the log."""

    at: float
    """By the monotonic clock."""
    text: str


class SitesDaemon:
    """`syncer -c sites.d daemon`, or another command that syncs several sites, from `with` until its end."""

    def __init__(
        self, configs: Path, command: Sequence[str] = ("daemon",), program: str = IMPATIENT, skew: float = 0
    ) -> None:
        """`program`: the code to run; `skew`: how many seconds its clock is ahead."""
        self.lines: list[Line] = []
        words = ["-c", program, "-c", str(configs), "--log-format", "json", *command, "--sites-at-once", "2"]
        environment = {name: value for name, value in os.environ.items() if name != "YOUTUBE_API_KEY"}
        self.process = Fork(*words, stderr=PIPE, env=environment)
        self._began = time.monotonic()
        self._offset = time.time() + skew - self._began
        self._reader = threading.Thread(target=self._read, name="daemon's log")
        self._reader.start()

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def kill(self) -> Life:
        """Kill it; return its life."""
        self.process.kill()
        self.process.wait()
        return self._life(time.monotonic())

    def stop(self) -> tuple[Life, int, float]:
        """Tell it to stop; return its life until then, its exit code, and how many seconds it took."""
        told = time.monotonic()
        self.send(signal.SIGTERM)
        code = self.process.wait()
        took = time.monotonic() - told
        return self._life(told), code, took

    def is_started(self) -> bool:
        """Whether it serves its page, as it does once it has opened all sites. Fails where it has ended."""
        assert self.process.poll() is None, "the daemon ended: " + "\n".join(line.text for line in self.lines)
        return any('"event": "serving"' in line.text for line in self.lines)

    def configs_read(self, since: float) -> dict[str, float]:
        """Return when the config of each site was read last, of those that were read since then."""
        said = [
            (line.at, json.loads(line.text)) for line in list(self.lines) if line.at >= since and line.text[:1] == "{"
        ]
        return {each["site"]: at for at, each in said if each["event"] in {"config-read", "started"}}

    def syncs(self) -> list[SyncTime]:
        """Return the syncs that have ended so far."""
        syncs = []
        for line in list(self.lines):
            if '"event": "synced"' in line.text:
                said = json.loads(line.text)
                began = datetime.strptime(said["sync"].partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
                syncs.append(SyncTime(said["site"], began.timestamp() - self._offset, line.at, said["exit"]))
        return syncs

    def _life(self, ended: float) -> Life:
        self._reader.join()
        started = [line.at for line in self.lines if '"event": "serving"' in line.text]
        return Life(started[0] if started else ended, ended, self.syncs())

    def _read(self) -> None:
        assert self.process.stderr
        with self.process.stderr as pipe:
            for text in pipe:
                self.lines.append(Line(time.monotonic(), text.rstrip("\n")))


@contextmanager
def daemon_of(configs: Path) -> Iterator[SitesDaemon]:
    """Start one; it is killed at the end of the block if it still runs."""
    daemon = SitesDaemon(configs)
    try:
        yield daemon
    finally:
        daemon.kill()


def odd_lines(lines: list[Line]) -> Iterator[str]:
    """Yield the lines of a log that tell of a bug, or are no JSON."""
    for line in lines:
        try:
            said = json.loads(line.text)
        except ValueError:
            yield f"the log says {line.text!r}"
            continue
        if "traceback" in said or "event" not in said:
            yield f"the log says {line.text}"
