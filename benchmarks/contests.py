"""What is run against what, on how many pages, and how often: a list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.youtube import LATENCY

FULL_SIZE = 100_000
"""Pages from which on the bars are judged: below, fixed costs rule."""

CONNECTIONS = 8

FEW = 12
"""Pages of a site on which the time is that of starting, not of the pages."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A contender as it runs in one contest."""

    key: str
    """Its name among the figures; the bars use it."""
    title: str
    contender: str
    connections: int = 1
    cold: bool = False
    changes: bool = True
    """False: it is to change no page."""
    old: bool = False
    """True, for the first entry of a turn: the counts on its site are old, and new ones have more digits."""


@dataclass(frozen=True, slots=True)
class Contest:
    """Entries that run side by side, in the same round and on the same pages."""

    name: str
    says: str
    rounds: int
    turns: tuple[tuple[Entry, ...], ...]
    """Entries of one turn run one after the other on the same site; turns are independent, and swap their order."""
    share: float = 1.0
    """Its pages, of those that the benchmarks are run with."""
    exactly: int | None = None
    """Its pages, however many the benchmarks are run with."""
    latency: float | None = None
    """Seconds until YouTube answers. None: nothing is asked."""
    writes: bool = False
    """Whether pages are changed, so that each turn needs a site of its own."""

    @property
    def entries(self) -> list[Entry]:
        """All entries, in the order of the first round."""
        return [entry for turn in self.turns for entry in turn]

    def pages(self, of: int) -> int:
        """Return how many pages it is about when the benchmarks are run with `of`."""
        return self.exactly or max(1, int(of * self.share))


def _size(key: str, share: float) -> Contest:
    turns = ((Entry(key, "our sync, every count changes", "our_sync", connections=4),),)
    return Contest("size", "whole sync, answers at once", 1, turns, share=share, latency=0, writes=True)


CONTESTS: Sequence[Contest] = (
    Contest(
        "scan",
        "scan, files in the page cache",
        5,
        (
            (Entry("bare_loop", "bare loop: walk, open, fstat, read, close", "bare_loop"),),
            (Entry("our_scan", "our scan, all pages kept", "our_scan"),),
        ),
    ),
    Contest(
        "scan",
        "python-frontmatter, files in the page cache",
        2,
        ((Entry("frontmatter_load", "python-frontmatter: load, all kept", "frontmatter_load"),),),
    ),
    Contest(
        "cold",
        "scan, page cache emptied",
        2,
        (
            (Entry("cold_loop", "bare loop, cold", "bare_loop", cold=True),),
            (Entry("cold_scan", "our scan, cold", "our_scan", cold=True),),
        ),
    ),
    Contest(
        "rewrite",
        "rewrite of every page, counts at hand",
        2,
        (
            (Entry("bare_rewrite", "bare scheme: temps, syncfs, rename", "bare_rewrite"),),
            (Entry("overwrite", "truncate and write, not durable", "overwrite"),),
            (Entry("our_rewrite", "our rewrite, durable: lengths kept", "our_rewrite"),),
            (Entry("our_swap", "our rewrite, durable: lengths changed", "our_rewrite", old=True),),
            (Entry("frontmatter_rewrite", "python-frontmatter: load, dump, not durable", "frontmatter_rewrite"),),
        ),
        writes=True,
    ),
    Contest(
        "sync",
        "whole sync, 50 ms answers",
        2,
        (
            (
                Entry("our_sync", "our sync, 8 connections, durable", "our_sync", CONNECTIONS),
                Entry("no_change", "our sync again, nothing changes", "our_sync", CONNECTIONS, changes=False),
                Entry("scan_then", "our scan of the same pages", "our_scan"),
                Entry("bare_then", "bare scheme, the same pages", "bare_rewrite"),
            ),
            (Entry("first_sync", "our first sync, most lengths change", "our_sync", CONNECTIONS, old=True),),
            (Entry("script_8", "the user's script, 8 connections", "user_script", CONNECTIONS),),
        ),
        latency=LATENCY,
        writes=True,
    ),
    Contest(
        "sync",
        "the script alone, 50 ms answers",
        1,
        ((Entry("script_1", "the user's script, 1 connection", "user_script"),),),
        latency=LATENCY,
        writes=True,
    ),
    Contest(
        "plain",
        "whole sync, answers at once",
        5,
        (
            (
                Entry("plain_sync", "our sync, every count changes, durable", "our_sync", connections=4),
                Entry("plain_again", "our sync again, nothing changes", "our_sync", connections=4, changes=False),
            ),
            (Entry("plain_script", "the user's script, not durable", "user_script"),),
        ),
        share=0.2,
        latency=0,
        writes=True,
    ),
    Contest(
        "commit",
        "commit of new counts in every page",
        3,
        (
            (Entry("our_commit", "our commit: counts and nothing else", "our_commit"),),
            (Entry("git_commit", "git add and git commit", "git_commit"),),
        ),
        share=0.2,
        writes=True,
    ),
    Contest(
        "fetch",
        "asking alone, 50 ms answers, 8 connections",
        5,
        (
            (Entry("our_fetch", "our fetch", "our_fetch", CONNECTIONS),),
            (Entry("bare_fetch", "http.client and json, the same", "bare_fetch", CONNECTIONS),),
        ),
        share=0.2,
        latency=LATENCY,
    ),
    Contest(
        "small",
        "one process from start to end, answers at once",
        15,
        (
            (Entry("small_sync", "syncer sync, durable", "sync_process"),),
            (Entry("small_script", "the user's script, not durable", "script_process"),),
        ),
        exactly=FEW,
        latency=0,
        writes=True,
    ),
    Contest(
        "start",
        "one process from start to end, nothing to sync",
        15,
        (
            (
                Entry("our_status", "syncer status, after a sync", "status_process", changes=False),
                Entry("our_help", "syncer --help", "help_process", changes=False),
                Entry("bare_python", "python -c pass", "python_process", changes=False),
            ),
        ),
        exactly=FEW,
        latency=0,
        writes=True,
    ),
    Contest(
        "daemon",
        "memory of a daemon at rest, after its first sync",
        1,
        ((Entry("our_daemon", "syncer daemon: start, sync, memory it keeps", "daemon_at_rest"),),),
        share=0.1,
        latency=0,
        writes=True,
    ),
    _size("size_tenth", 0.1),
    _size("size_one", 1),
    _size("size_ten", 10),
)

NAMES = list(dict.fromkeys(contest.name for contest in CONTESTS))
