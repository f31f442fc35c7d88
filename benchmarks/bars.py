"""What must hold, as a list, and the verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.contests import CONNECTIONS
from benchmarks.measured import Measured
from benchmarks.youtube import LATENCY
from syncer.model import BATCH_SIZE

MB = 1_000_000

Runs = Mapping[str, Sequence[Measured]]
"""What each entry took, round by round."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure, and what it has to be."""

    says: str
    figure: Callable[..., float]
    """Takes what the entries took in one round."""
    entries: tuple[str, ...]
    limit: float
    unit: str = " x"
    at_least: bool = False
    """True: the figure is to be no lower than the limit, else no higher."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A bar beside the median of its figure over the rounds."""

    bar: Bar
    figure: float

    @property
    def met(self) -> bool:
        """Whether the bar holds."""
        return self.figure >= self.bar.limit if self.bar.at_least else self.figure <= self.bar.limit


def verdicts(runs: Runs) -> Iterator[Verdict]:
    """Yield a verdict on each bar whose entries all ran, by the rounds that all of them have."""
    for bar in BARS:
        if all(entry in runs for entry in bar.entries):
            rounds = zip(*(runs[entry] for entry in bar.entries), strict=False)
            yield Verdict(bar, median(bar.figure(*runs) for runs in rounds))


def _times(one: Measured, other: Measured) -> float:
    return one.seconds / other.seconds


def _cpu(one: Measured, other: Measured) -> float:
    return one.cpu / other.cpu


def _beyond(one: Measured, other: Measured) -> float:
    return (one.seconds - other.seconds) * 1000


def _peak(run: Measured) -> float:
    return run.peak / MB


def _ideal(videos: int) -> float:
    """Return the seconds that the answers alone take, one straight after the other on every connection."""
    return videos / BATCH_SIZE / CONNECTIONS * LATENCY


def _over_ideal(fetch: Measured) -> float:
    return fetch.seconds / _ideal(fetch.pages)


def _over_scan_and_ideal(sync: Measured, scan: Measured) -> float:
    return sync.seconds / (scan.seconds + _ideal(scan.pages))


def _over_slower(sync: Measured, scan: Measured, rewrite: Measured) -> float:
    """Compare with what no sync can beat that asks and writes at the same time: the slower of the two."""
    return sync.seconds / max(_ideal(sync.pages), scan.seconds + rewrite.seconds)


BARS: Sequence[Bar] = (
    Bar("scan, against the bare loop", _times, ("our_scan", "bare_loop"), 2),
    Bar("scan, cold, against the bare loop, cold", _times, ("cold_scan", "cold_loop"), 1.5),
    Bar("rewrite, lengths kept, against bare scheme", _times, ("our_rewrite", "bare_rewrite"), 0.5),
    Bar("rewrite, lengths changed, against the same", _times, ("our_swap", "bare_rewrite"), 1.8),
    Bar("rewrite, against truncate and write", _times, ("our_rewrite", "overwrite"), 1),
    Bar("python-frontmatter's, against our rewrite", _times, ("frontmatter_rewrite", "our_rewrite"), 6, at_least=True),
    Bar("script with 8 connections, against sync", _times, ("script_8", "our_sync"), 2.5, at_least=True),
    Bar("script with 1 connection, against sync", _times, ("script_1", "our_sync"), 8, at_least=True),
    Bar("sync, against ideal fetch or scan and write", _over_slower, ("our_sync", "scan_then", "bare_then"), 1.3),
    Bar("no change, against scan and ideal fetch", _over_scan_and_ideal, ("no_change", "scan_then"), 1.15),
    Bar("sync, answers at once, against the script", _times, ("plain_sync", "plain_script"), 1),
    Bar("commit, against git add and git commit", _times, ("our_commit", "git_commit"), 1.5),
    Bar("fetch, against answers without a pause", _over_ideal, ("our_fetch",), 1.3),
    Bar("cpu of the fetch, against http.client", _cpu, ("our_fetch", "bare_fetch"), 4),
    Bar("12 pages, against the script on the same", _times, ("small_sync", "small_script"), 1),
    Bar("syncer --help, beyond python -c pass", _beyond, ("our_help", "bare_python"), 60, " ms"),
    Bar("syncer status, beyond python -c pass", _beyond, ("our_status", "bare_python"), 180, " ms"),
    Bar("memory of a daemon at rest", _peak, ("our_daemon",), 72, " MB"),
    Bar("peak memory, a tenth of the pages", _peak, ("size_tenth",), 85, " MB"),
    Bar("peak memory, all pages", _peak, ("size_one",), 130, " MB"),
    Bar("peak memory, ten times the pages", _peak, ("size_ten",), 350, " MB"),
    Bar("time of all pages, against a tenth", _times, ("size_one", "size_tenth"), 10.5),
    Bar("time of ten times, against all pages", _times, ("size_ten", "size_one"), 10.5),
)
