"""Tells the figures: a plain table, the bars with their verdicts, and a plot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.asking import CONNECTIONS
from benchmarks.contenders import Measured
from benchmarks.rounds import Runs, Sizes
from benchmarks.slow_youtube import LATENCY
from syncer.model import BATCH_SIZE

FULL_SIZE = 20_000
"""Pages from which on the bars are judged: below, fixed costs rule."""

MANY = 5
"""The memory of a sync is taken at so many times the pages."""

MB = 1_000_000

TITLES = {
    "bare_loop": "bare loop: walk, open, fstat, read, close",
    "our_scan": "our scan, all pages kept",
    "frontmatter_load": "python-frontmatter: load, all kept",
    "first_sync": "our sync, every count changes, durable",
    "second_sync": "our sync again, nothing changes",
    "user_script": "the user's script, not durable",
    "our_fetch": "our fetch alone, 50 ms answers, 8 at once",
    "bare_fetch": "http.client and json, the same",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """What must hold."""

    says: str
    figure: float
    at_most: float
    unit: str

    @property
    def met(self) -> bool:
        """Whether it holds."""
        return self.figure <= self.at_most


def bars(runs: Runs) -> list[Bar]:
    """Return the bars with their figures: ratios are medians of those of each round."""
    return [
        Bar("scan, against the bare loop", _ratio(runs, "our_scan", "bare_loop"), 4, " x"),
        Bar("first sync, against the user's script", _ratio(runs, "first_sync", "user_script"), 1, " x"),
        Bar("fetch, against answers without a pause", _over_ideal(runs["our_fetch"]), 1.3, " x"),
        Bar("cpu of the fetch, against http.client", _cpu_ratio(runs, "our_fetch", "bare_fetch"), 4, " x"),
        Bar("peak memory of the large sync", runs["memory"][0].peak / MB, 250, " MB"),
    ]


def table(runs: Runs, sizes: Sizes, machine: str) -> str:
    """Return all figures as plain text."""
    head = f"{'what':<42}{'median s':>9}{'min - max':>16}{'cpu s':>8}{'pages/s':>10}{'us/page':>9}{'peak MB':>9}"
    large = runs["memory"][0]
    lines = [
        f"{sizes.pages:,} pages of about 2 KB in the page cache, rounds: {sizes.rounds}, each run in a fresh process",
        machine,
        "",
        head,
        "-" * len(head),
        *(_line(title, runs[name], sizes.pages) for name, title in TITLES.items()),
        _line(f"our sync of {sizes.many:,} pages, once", [large], sizes.many),
        "",
        *_verdicts(bars(runs), judged=sizes.pages >= FULL_SIZE),
    ]
    return "\n".join(lines) + "\n"


def plot(runs: Runs, sizes: Sizes, machine: str) -> str:
    """Return the median times as horizontal bars, in SVG."""
    times = {title: _median(runs[name], lambda run: run.seconds) for name, title in TITLES.items()}
    longest = max(times.values())
    rows = "".join(
        f'<text x="290" y="{y}" text-anchor="end">{title}</text>'
        f'<rect x="300" y="{y - 13}" width="{360 * seconds / longest:.1f}" height="17" fill="{_colour(title)}"/>'
        f'<text x="{308 + 360 * seconds / longest:.1f}" y="{y}">{seconds:.2f} s</text>\n'
        for y, (title, seconds) in zip(range(62, 1000, 26), times.items(), strict=False)
    )
    height = 62 + 26 * len(times)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 730 {height}" font-family="sans-serif" font-size="13"'
        ' role="img">\n'
        f"<title>Seconds for {sizes.pages:,} pages, median of {sizes.rounds}</title>\n"
        f'<rect width="730" height="{height}" fill="white"/>\n'
        f'<text x="10" y="20" font-weight="bold">Seconds for {sizes.pages:,} pages, median of {sizes.rounds}</text>\n'
        f'<text x="10" y="38" font-size="11">{machine}</text>\n'
        f"{rows}</svg>\n"
    )


def _line(title: str, runs: Sequence[Measured], pages: int) -> str:
    seconds = _median(runs, lambda run: run.seconds)
    spread = f"{min(run.seconds for run in runs):.2f} - {max(run.seconds for run in runs):.2f}"
    return (
        f"{title:<42}{seconds:>9.2f}{spread:>16}{_median(runs, lambda run: run.cpu):>8.2f}{pages / seconds:>10,.0f}"
        f"{seconds / pages * 1e6:>9.1f}{_median(runs, lambda run: run.peak) / MB:>9.0f}"
    )


def _verdicts(bars: Sequence[Bar], *, judged: bool) -> Iterator[str]:
    for bar in bars:
        verdict = ("met" if bar.met else "NOT MET") if judged else f"not judged below {FULL_SIZE:,} pages"
        yield f"{bar.says + ':':<42}{bar.figure:>7.2f}{bar.unit}, at most {bar.at_most:g}{bar.unit}: {verdict}"


def _ratio(runs: Runs, ours: str, theirs: str) -> float:
    return median(one.seconds / other.seconds for one, other in zip(runs[ours], runs[theirs], strict=True))


def _cpu_ratio(runs: Runs, ours: str, theirs: str) -> float:
    return median(one.cpu / other.cpu for one, other in zip(runs[ours], runs[theirs], strict=True))


def _over_ideal(fetches: Sequence[Measured]) -> float:
    """Return how much longer a fetch took than its answers would, one straight after the other."""
    return median(run.seconds / (run.pages / BATCH_SIZE / CONNECTIONS * LATENCY) for run in fetches)


def _median(runs: Sequence[Measured], figure: Callable[[Measured], float]) -> float:
    return median(figure(run) for run in runs)


def _colour(title: str) -> str:
    return "#2a6f97" if title.startswith("our") else "#b8b8b8"
