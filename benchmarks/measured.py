"""What a contender is given, and what is measured of it."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Task:
    """What a contender is to work on."""

    contender: str
    site: str
    pages: int
    """How many the site has."""
    endpoint: str = ""
    """YouTube's address; empty where none is asked."""
    connections: int = 1
    cold: bool = False
    """True: the operating system is made to forget the files first, which only root may ask of it."""

    @property
    def root(self) -> Path:
        """The site's directory."""
        return Path(self.site)


@dataclass(slots=True)
class Measured:
    """What one run of a contender took."""

    pages: int = 0
    """Read, or changed by what changes pages: a run that did less than the whole work is no measurement.

    Pages that are to show new counts are read again after the time is taken, and counted if they show them.
    """
    seconds: float = 0.0
    cpu: float = 0.0
    """Seconds of processor time, of all threads and of the commands that were run."""
    peak: int = 0
    """Most memory that the process ever held, in bytes: interpreter and libraries included."""


@contextmanager
def measuring() -> Iterator[Measured]:
    """Time the block. It sees the same object that is filled in at its end."""
    measured = Measured()
    start, cpu = time.perf_counter(), _cpu()
    yield measured
    measured.seconds, measured.cpu = time.perf_counter() - start, _cpu() - cpu
    unit = 1 if sys.platform == "darwin" else 1024
    measured.peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _cpu() -> float:
    commands = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + commands.ru_utime + commands.ru_stime
