"""Watches the daemon from outside: what it takes of the machine, and what it answers a browser that asks on and on."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from random import Random
from statistics import median
from typing import NamedTuple

from tests.site import KEY

MEGABYTE = 1 << 20
BETWEEN = 0.5
"""Seconds between two looks."""


class Look(NamedTuple):
    """What a process takes at one moment."""

    memory: float
    """Megabytes that are resident."""
    descriptors: int
    threads: int
    zombies: frozenset[str]


def look(process: int) -> Look:
    """Raises OSError where there is no such process."""
    proc = Path("/proc", str(process))
    pages = int((proc / "statm").read_text("ascii").split()[1])
    tasks = list((proc / "task").iterdir())
    children = " ".join((task / "children").read_text("ascii") for task in tasks).split()
    return Look(
        pages * os.sysconf("SC_PAGE_SIZE") / MEGABYTE,
        len(list((proc / "fd").iterdir())),
        len(tasks),
        frozenset(child for child in children if _state(child) == "Z"),
    )


def cpu_seconds(process: int) -> float:
    """Seconds that the process has computed so far, to the nanosecond."""
    tasks = Path("/proc", str(process), "task").iterdir()
    return sum(int((task / "schedstat").read_text("ascii").split()[0]) for task in tasks) / 1e9


def growth(looks: Sequence[Look], first: int, last: int) -> tuple[float, int, int]:
    """How much more the process takes in the last looks than in as many that come after the first ones.

    Memory as a share; of descriptors and threads the fewest count, which are those between two syncs.
    """
    then, now = looks[first : first + last], looks[-last:]
    return (
        median(each.memory for each in now) / median(each.memory for each in then) - 1,
        min(each.descriptors for each in now) - min(each.descriptors for each in then),
        min(each.threads for each in now) - min(each.threads for each in then),
    )


@dataclass
class Watch:
    """Looks twice a second, and asks for a page as often, while `process` returns a daemon's number."""

    process: Callable[[], int | None]
    port: int
    random: Random
    addresses: Sequence[str]
    looks: list[Look] = field(default_factory=list)
    """Of the daemon that runs now."""
    answers: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @contextmanager
    def watching(self) -> Iterator[None]:
        over = threading.Event()
        with ThreadPoolExecutor(2) as pool:
            both = [pool.submit(_again, over, each) for each in (self._look, self._browse)]
            try:
                yield
            finally:
                over.set()
            for each in both:
                each.result()

    def _look(self) -> None:
        process = self.process()
        if process is None:
            self.looks = []
            return
        with suppress(OSError):
            now = look(process)
            if self.looks and now.zombies & self.looks[-1].zombies:
                self.wrong.append(f"a zombie: {now.zombies}")
            self.looks.append(now)

    def _browse(self) -> None:
        process = self.process()
        address = self.random.choice(self.addresses)
        if process is None:
            return
        try:
            status, body = self.ask("GET", address)
            foreign, _ = self.ask("GET", address, Host="evil.example")
            crossing, _ = self.ask("POST", "/triggers", Origin="https://evil.example")
        except (OSError, HTTPException) as error:
            if process == self.process() and look(process):
                self.wrong.append(f"{address}: {error}")
            return
        self.answers[status] += 1
        if status not in {200, 303} and (address, status) != ("/readyz", 503):
            self.wrong.append(f"{address}: {status} {body[:500]!r}")
        if KEY.encode() in body:
            self.wrong.append(f"{address} shows the key")
        if (foreign, crossing) != (421, 403):
            self.wrong.append(f"{address}: a foreign host gets {foreign}, another site's trigger {crossing}")

    def ask(self, method: str, address: str, **headers: str) -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, address, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def _again(over: threading.Event, step: Callable[[], None]) -> None:
    while not over.wait(BETWEEN):
        step()


def _state(process: str) -> str:
    try:
        return Path("/proc", process, "stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return ""
