"""`./dev budgets`: simulates what requests, commits and builds buy; `--write` writes the tables and the plot."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from benchmarks.budgets.laws import LAWS, Law
from benchmarks.budgets.plot import Lines, plot
from benchmarks.budgets.requests import KNOWING, POLICIES, SYNCS_A_DAY, Size, errors_by_day, least_error
from benchmarks.budgets.sharing import DIVISIONS, SHARED_UNITS, shared_errors, sharing_table
from benchmarks.budgets.writes import NAMED, Year, years

ROOT = Path(__file__).parents[2]
RESULTS, PLOT = ROOT / "benchmarks" / "BUDGETS.md", ROOT / "docs" / "images" / "plan.svg"

FULL = Size(videos=100_000, units_a_day=400, days=120)
LARGE = Size(videos=1_000_000, units_a_day=19_600, days=40)
PAGES = 1_000

STEADY_BAR, LARGE_BAR = 1.10, 1.15
"""On steady laws, our mean error is at most so many times the least possible one."""

WORDS = {True: "met", False: "NOT MET"}

RESULT = """\
# Results of the simulations

`./dev budgets --write` writes this page. [What is simulated](README.md#what-requests-commits-and-builds-buy).

```text
{requests}
{writes}
{sharing}```
"""

Errors = Mapping[tuple[str, str], Sequence[float]]
"""By law and policy, the mean error of each day."""


def main() -> int:
    """Run the simulations. Returns 1 where a bar is not met."""
    options = _parser().parse_args()
    size = Size(options.videos, max(SYNCS_A_DAY, options.videos // 250), options.days)
    runs = [(law, policy, size) for law in LAWS for policy in POLICIES if policy != KNOWING or law.steady]
    runs += [(law, "syncer", LARGE) for law in LAWS[:1] if options.large]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        waiting = {(law.name, policy, run): pool.submit(errors_by_day, law, policy, run) for law, policy, run in runs}
        writing = pool.submit(years, options.pages)
        shared = {
            (name, units): pool.submit(shared_errors, name, units, options.days)
            for name in DIVISIONS
            for units in SHARED_UNITS
        }
        least = {law.name: least_error(law, size, size.days / 2) for law in LAWS if law.steady}
        found: dict[tuple[str, str, Size], Sequence[float]] = {}
        for key, run in waiting.items():
            found[key] = run.result()
            print(f"{key[0]}, {key[1]}: {_mean(found[key]):.5f}", file=sys.stderr, flush=True)
        written = writing.result()
        shared_by = {key: run.result() for key, run in shared.items()}
    errors = {(law, policy): days for (law, policy, run), days in found.items() if run == size}
    met, lines = judge(errors, least, size)
    if options.large:
        ratio = _mean(found[LAWS[0].name, "syncer", LARGE]) / least_error(LAWS[0], LARGE, LARGE.days / 2)
        met = met and ratio <= LARGE_BAR
        lines.append(f"{LARGE.videos:,} videos, {LARGE.units_a_day:,} units a day, {LARGE.days} days, {LAWS[0].name}:")
        lines.append(f"  {ratio:.3f} x the least possible, at most {LARGE_BAR}: {WORDS[ratio <= LARGE_BAR]}")
    requests, writes = "\n".join(lines) + "\n", "\n".join(writes_table(written, options.pages)) + "\n"
    sharing = "\n".join(sharing_table(shared_by)) + "\n"
    print(f"{requests}\n{writes}\n{sharing}", end="")
    if options.write:
        RESULTS.write_text(RESULT.format(requests=requests, writes=writes, sharing=sharing), encoding="utf-8")
        shown = {law.name: lines_of(law, errors) for law in LAWS}
        title = f"Mean relative error by day: {size.videos:,} videos, a fifth of them requested each day"
        PLOT.write_text(plot(shown, least, title), encoding="utf-8")
    return 0 if met else 1


def lines_of(law: Law, errors: Errors) -> Lines:
    """Return what the plot shows of a law."""
    return {policy: errors[law.name, policy] for policy in POLICIES if policy != KNOWING}


def judge(errors: Errors, least: Mapping[str, float], size: Size) -> tuple[bool, list[str]]:
    """Return whether all bars are met, and the table of the errors with each."""
    head = f"{'mean relative error, in percent':<33}" + "".join(f"{law.name:>11}" for law in LAWS)
    lines = [
        f"{size.videos:,} videos, {size.units_a_day:,} units a day, {size.days} days; drifts are learned meanwhile",
        head,
        "-" * len(head),
    ]
    for policy in POLICIES:
        cells = (
            f"{100 * _mean(errors[law.name, policy]):>11.3f}" if (law.name, policy) in errors else f"{'-':>11}"
            for law in LAWS
        )
        lines.append(f"{policy:<33}" + "".join(cells))
    lines.append(
        f"{'least possible, drifts known':<33}"
        + "".join(f"{100 * least[law.name]:>11.3f}" if law.steady else f"{'-':>11}" for law in LAWS)
    )
    lines.append("")
    met = True
    for law in LAWS:
        ours = _mean(errors[law.name, "syncer"])
        others = min(_mean(errors[law.name, policy]) for policy in POLICIES if policy not in {"syncer", KNOWING})
        verdicts = [f"{ours / others:.2f} x the best of the others, below 1: {WORDS[ours < others]}"]
        met = met and ours < others
        if law.steady:
            ratio = ours / least[law.name]
            met = met and ratio <= STEADY_BAR
            verdicts.append(f"{ratio:.3f} x the least possible, at most {STEADY_BAR}: {WORDS[ratio <= STEADY_BAR]}")
        lines += [f"{law.name}: {law.says}", *(f"  {verdict}" for verdict in verdicts)]
    return met, lines


def writes_table(written: Mapping[str, Year], pages: int) -> Iterator[str]:
    """Yield the lines of the table of settings."""
    head = f"{'setting':<68}{'commits':>8}{'writes':>10}{'a page':>8}{'builds':>8}{'error':>8}{'live':>8}"
    yield f"a year of {pages:,} pages, a sync every 6 hours; errors in percent: of the pages, and of the site as built"
    yield head
    yield "-" * len(head)
    for says, year in written.items():
        yield (
            f"{says:<68}{year.commits:>8,}{year.writes:>10,}{year.writes / pages:>8.1f}{year.builds:>8,}"
            f"{100 * year.stale:>8.3f}{100 * year.stale_live:>8.3f}"
        )
    named = written[NAMED]
    yield f"at most 30 commits and 60 builds a year: {NAMED}: {named.commits} commits, {named.builds} builds"


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./dev budgets", description=__doc__)
    parser.add_argument(
        "--videos", type=int, default=FULL.videos, metavar="N", help="videos of the site (default: 100,000)"
    )
    parser.add_argument("--days", type=int, default=FULL.days, metavar="N", help="days of requesting (default: 120)")
    parser.add_argument("--pages", type=int, default=PAGES, metavar="N", help="pages that are written (default: 1,000)")
    parser.add_argument("--large", action="store_true", help="also a site of a million videos (ten minutes more)")
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name} and {PLOT.name}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
