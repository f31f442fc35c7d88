"""Runs the contenders round by round, each in a fresh process, against a YouTube in yet another one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.contenders import Measured
from benchmarks.site import make_site

ROOT = Path(__file__).parent.parent
CLOCK = "2026-11-22T15:00:00Z"
"""The simulated YouTube's time stands still here, so that a second sync finds nothing to change."""

READERS = ("bare_loop", "our_scan", "frontmatter_load")

Runs = Mapping[str, list[Measured]]
"""What each contender took, round by round."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured."""

    pages: int
    rounds: int
    many: int
    """Pages of the sync whose peak memory is taken, once."""


def measure(directory: Path, sizes: Sizes, say: Callable[[str], object]) -> Runs:
    """Measure all contenders, below `directory`; raises RuntimeError when one of them did not do its whole work."""
    runs: defaultdict[str, list[Measured]] = defaultdict(list)
    say(f"makes {sizes.pages:,} pages in {directory}")
    pristine = directory / "pristine"
    make_site(pristine, sizes.pages)
    for number in range(1, sizes.rounds + 1):
        for name, measured in _round(directory / str(number), pristine, sizes.pages):
            say(f"round {number} of {sizes.rounds}: {name} {measured.seconds:.2f} s")
            runs[name].append(measured)
    say(f"makes {sizes.many:,} pages, for the memory of one sync")
    make_site(directory / "many", sizes.many)
    with _youtube() as endpoint:
        runs["memory"].append(_run("our_sync", directory / "many", endpoint, expected=sizes.many))
    return runs


def _round(directory: Path, pristine: Path, pages: int) -> Iterator[tuple[str, Measured]]:
    """Run each contender once: side by side, so that what else the machine does meets all of them."""
    for name in READERS:
        yield name, _run(name, pristine, expected=pages)
    with _youtube() as endpoint:
        site = _copy(pristine, directory / "ours")
        yield "first_sync", _run("our_sync", site, endpoint, expected=pages)
        yield "second_sync", _run("our_sync", site, endpoint, expected=0)
        site = _copy(pristine, directory / "theirs")
        yield "user_script", _run("user_script", site, endpoint, expected=pages)
    with _youtube("benchmarks.slow_youtube") as endpoint:
        for name in ("our_fetch", "bare_fetch"):
            yield name, _run(name, site, endpoint, expected=pages)


def _copy(pristine: Path, site: Path) -> Path:
    """Copy the site. Nothing is removed before the end: without a journal, ext4 is slow after many files were."""
    shutil.copytree(pristine, site)
    os.sync()  # or the disk would still be busy with the copy
    return site


@contextmanager
def _youtube(*module: str) -> Iterator[str]:
    """Run a simulator in a process of its own; give its address."""
    command = [sys.executable, "-m", *(module or ("syncer", "simulate", "--clock", CLOCK))]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as simulator:
        assert simulator.stdout is not None
        try:
            yield simulator.stdout.readline().strip()
        finally:
            simulator.terminate()


def _run(name: str, site: Path, *endpoint: str, expected: int) -> Measured:
    command = [sys.executable, "-m", "benchmarks.contenders", name, str(site), *endpoint]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    measured = Measured(**json.loads(done.stdout))
    if measured.pages != expected:
        raise RuntimeError(f"{name} handled {measured.pages} pages of {expected}: its time says nothing")
    return measured
