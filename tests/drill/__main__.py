"""`./dev drill`: prints what happens, then what was measured and what is wrong."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random, SystemRandom

from tests.drill.lives import DrillReport, Plan, drill

QUIET = 20.0
SHORTEST = 120.0
"""Seconds of a life in which memory can be compared after its first minute."""


def main() -> int:
    """Run the drill. Returns 1 where a promise was broken or a bar missed."""
    options = _parser().parse_args()
    plan = Plan(options.seed, options.pages, _lives(options.minutes * 60, Random(options.seed)), QUIET)
    print(f"seed {plan.seed}, {plan.pages} pages, {options.minutes:g} minutes", flush=True)
    with tempfile.TemporaryDirectory(prefix="syncer-drill-") as directory:
        report = drill(plan, Path(directory), lambda line: print(line, flush=True))
    missed = _show(report)
    return 1 if report.wrong or missed else 0


def _lives(seconds: float, random: Random) -> Sequence[float]:
    """Three long lives, and some that end soon after they began."""
    short = [random.uniform(0.1, 5) for _ in range(6)]
    long = (seconds - sum(short)) / 3
    return [long, *short[:3], long, *short[3:], long]


def _show(report: DrillReport) -> bool:
    """Print the report, and return whether a bar was missed."""
    print("\nThe log, by event:")
    events = [json.loads(line) for line in report.log]
    for event, number in Counter(line["event"] for line in events).most_common():
        print(f"{number:6}  {event:16} {next(line['message'] for line in events if line['event'] == event)[:90]}")
    print("\nThe page answered:", ", ".join(f"{code}: {times} times" for code, times in sorted(report.answers.items())))
    print("\nMeasured:")
    for name, value, bar, unit in report.figures:
        print(f"  {name:40} {value:8.2f} {unit:5} {'' if value < bar else f'NOT below {bar} {unit}'}")
    for sentence in report.wrong[:50]:
        print(f"WRONG: {sentence[:1000]}")
    print("\nEvery promise holds." if not report.wrong else f"\n{len(report.wrong)} things are wrong.")
    return any(figure.value >= figure.bar for figure in report.figures)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./dev drill", description="Needs Linux and git.")
    parser.add_argument("--minutes", type=float, default=9, metavar="N", help="how long things happen (default: 9)")
    parser.add_argument("--pages", type=int, default=2000, metavar="N", help="pages of the site (default: 2000)")
    seed = "what happens when; else another one each time"
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**6), metavar="N", help=seed)
    return parser


if __name__ == "__main__":
    sys.exit(main())
