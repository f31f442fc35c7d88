"""Runs the contests round by round, each entry in a fresh process, against a YouTube in yet another one."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.contenders import run
from benchmarks.contests import CONTESTS, Contest, Entry
from benchmarks.disk import shortage
from benchmarks.measured import Measured, Task
from benchmarks.pages import DROP_CACHES
from benchmarks.site import make_site
from benchmarks.youtube import youtube


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured."""

    pages: int
    rounds: int | None
    """Most rounds of a contest, if not as many as it has of its own."""


@dataclass(slots=True)
class Figures:
    """All that was measured."""

    runs: defaultdict[str, list[Measured]] = field(default_factory=lambda: defaultdict(list))
    """By the key of the entry, round by round."""
    held: list[Contest] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """What could not be measured here, and why."""
    failed: bool = False
    """A contest is left out because an entry did not do its whole work."""


def measure(directory: Path, sizes: Sizes, names: Collection[str], say: Callable[[str], object]) -> Figures:
    """Hold the named contests below `directory`. One in which an entry did not do its whole work is left out.

    Sites stay to the end: without a journal, ext4 is slow after many files were removed.
    """
    figures, sites = Figures(), _Sites(directory)
    for contest in CONTESTS:
        if contest.name in names:
            _hold(contest, sizes, figures, sites, say)
    return figures


def _hold(contest: Contest, sizes: Sizes, figures: Figures, sites: _Sites, say: Callable[[str], object]) -> None:
    pages, rounds = contest.pages(sizes.pages), min(contest.rounds, sizes.rounds or contest.rounds)
    called = f"{contest.says}, {pages:,} pages"
    lacking = _lacking(contest, sites.directory, pages * (len(contest.turns) * rounds if contest.writes else 1))
    if lacking:
        figures.left_out.append(f"{called}: {lacking}")
        return
    runs: defaultdict[str, list[Measured]] = defaultdict(list)
    try:
        for number in range(rounds):
            say(f"{called}, round {number + 1} of {rounds}")
            for entry, measured in _round(contest, number, pages, sites):
                say(f"  {entry.title}: {measured.seconds:.2f} s")
                runs[entry.key].append(measured)
    except (RuntimeError, OSError) as error:
        say(f"  {error}")
        figures.left_out.append(f"{called}: {error}")
        figures.failed = True
        return
    figures.held.append(contest)
    figures.runs.update(runs)


def _lacking(contest: Contest, directory: Path, pages: int) -> str | None:
    if any(entry.cold for entry in contest.entries) and not os.access(DROP_CACHES, os.W_OK):
        return "only root on Linux can empty the page cache"
    return shortage(directory, pages)


def _round(contest: Contest, number: int, pages: int, sites: _Sites) -> Iterator[tuple[Entry, Measured]]:
    """Run each entry once: side by side, so that what else the machine does meets all of them."""
    with nullcontext("") if contest.latency is None else youtube(contest.latency) as endpoint:
        for turn in _order(contest.turns, number):
            site = str(sites.new(pages, old=turn[0].old) if contest.writes else sites.shared(pages))
            for entry in turn:
                task = Task(entry.contender, site, pages, endpoint, entry.connections, entry.cold)
                yield entry, run(task, expected=pages if entry.changes else 0)


def _order(turns: Sequence[tuple[Entry, ...]], number: int) -> Sequence[tuple[Entry, ...]]:
    """Return the turns, every other time the last one first: whoever comes later finds another disk and cache."""
    return turns[::-1] if number % 2 else turns


class _Sites:
    """The sites below a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._made = 0
        self._shared: dict[int, Path] = {}

    def new(self, pages: int, *, old: bool) -> Path:
        self._made += 1
        site = self.directory / str(self._made)
        make_site(site, pages, old=old)
        os.sync()  # or the disk would still be busy with it
        return site

    def shared(self, pages: int) -> Path:
        """Return a site for entries that only read."""
        if pages not in self._shared:
            self._shared[pages] = self.new(pages, old=False)
        return self._shared[pages]
