"""Tells the figures: a plain table, the bars with their verdicts, and a plot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import median

from benchmarks.bars import MB, verdicts
from benchmarks.contests import FULL_SIZE, Contest
from benchmarks.measured import Measured
from benchmarks.rounds import Figures, Sizes

HEAD = f"{'what':<45}{'median s':>9}{'min - max':>17}{'cpu s':>8}{'pages/s':>10}{'us/page':>9}{'peak MB':>9}"

WIDTH, LEFT, LONGEST, ROW = 800, 300, 360, 24
"""Of the plot, in pixels: all of it, what stands before the bars, the longest bar, a line."""


def table(figures: Figures, sizes: Sizes, machine: str) -> str:
    """Return all figures as plain text."""
    lines = ["pages of about 2 KB; each run in a fresh process", machine, "", HEAD, "-" * len(HEAD)]
    for contest in figures.held:
        lines += [_heading(contest, figures, sizes), *_lines(contest, figures, sizes), ""]
    lines += [f"left out: {what}" for what in figures.left_out]
    lines += _verdicts(figures, judged=sizes.pages >= FULL_SIZE)
    return "\n".join(lines) + "\n"


def plot(figures: Figures, sizes: Sizes, machine: str) -> str:
    """Return the median times as horizontal bars, in SVG; each contest has a scale of its own."""
    rows: list[str] = []
    for contest in figures.held:
        heading = _heading(contest, figures, sizes)
        rows.append(f'<text x="10" y="{_baseline(len(rows))}" font-weight="bold">{heading}</text>')
        rows += _bars(contest, figures, len(rows))
    height = _baseline(len(rows))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif"'
        ' font-size="13" role="img">\n'
        "<title>Median seconds of the benchmarks</title>\n"
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>\n'
        f'<text x="10" y="18" font-size="11">{machine}</text>\n' + "\n".join(rows) + "\n</svg>\n"
    )


def _heading(contest: Contest, figures: Figures, sizes: Sizes) -> str:
    rounds = len(figures.runs[contest.entries[0].key])
    return f"{contest.says}: {contest.pages(sizes.pages):,} pages, rounds: {rounds}"


def _lines(contest: Contest, figures: Figures, sizes: Sizes) -> Iterator[str]:
    pages = contest.pages(sizes.pages)
    for entry in contest.entries:
        runs = figures.runs[entry.key]
        seconds = _median(runs, lambda run: run.seconds)
        digits = 2 if seconds >= 1 else 3
        spread = f"{min(run.seconds for run in runs):.{digits}f} - {max(run.seconds for run in runs):.{digits}f}"
        yield (
            f"  {entry.title:<43}{seconds:>9.{digits}f}{spread:>17}{_median(runs, lambda run: run.cpu):>8.2f}"
            f"{pages / seconds:>10,.0f}{seconds / pages * 1e6:>9.1f}{_memory(runs):>9}"
        )


def _memory(runs: Sequence[Measured]) -> str:
    peak = _median(runs, lambda run: run.peak)
    return f"{peak / MB:.0f}" if peak else "-"


def _verdicts(figures: Figures, *, judged: bool) -> Iterator[str]:
    for verdict in verdicts(figures.runs):
        bar, word = verdict.bar, "met" if verdict.met else "NOT MET"
        asked = f"{'at least' if bar.at_least else 'at most'} {bar.limit:g}{bar.unit}"
        told = word if judged else f"not judged below {FULL_SIZE:,} pages"
        yield f"{bar.says + ':':<45}{verdict.figure:>9.2f}{bar.unit}, {asked}: {told}"


def _bars(contest: Contest, figures: Figures, row: int) -> Iterator[str]:
    times = {entry: _median(figures.runs[entry.key], lambda run: run.seconds) for entry in contest.entries}
    for number, (entry, seconds) in enumerate(times.items(), row):
        length = LONGEST * seconds / max(times.values())
        colour = "#2a6f97" if entry.contender.startswith("our") else "#b8b8b8"
        y = _baseline(number)
        yield (
            f'<text x="{LEFT - 10}" y="{y}" text-anchor="end">{entry.title}</text>'
            f'<rect x="{LEFT}" y="{y - 13}" width="{length:.1f}" height="17" fill="{colour}"/>'
            f'<text x="{LEFT + length + 8:.1f}" y="{y}">{seconds:.{2 if seconds >= 1 else 3}f} s</text>'
        )


def _baseline(row: int) -> int:
    return 46 + ROW * row


def _median(runs: Sequence[Measured], figure: Callable[[Measured], float]) -> float:
    return median(figure(run) for run in runs)
