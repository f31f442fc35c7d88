"""`./dev bench`: measures, prints one table with the limits, and writes it to a file with `--write`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path
from types import FrameType
from typing import NoReturn

from benchmarks.bars import verdicts
from benchmarks.contests import FULL_SIZE, NAMES
from benchmarks.disk import journalled
from benchmarks.machine import machine
from benchmarks.rounds import Sizes, measure
from benchmarks.table import plot, table

HERE = Path(__file__).parent
QUICK = 1_000

RESULTS = """\
# Results

`./dev bench --write` writes this page. [README.md](README.md) describes what is compared.

```text
{table}```

![The same as a plot](results.svg)
"""


def main() -> int:
    """Run the benchmarks. Returns 1 where an entry failed, or a bar is judged and not met."""
    options = _parser().parse_args()
    pages = options.pages or (QUICK if options.quick else FULL_SIZE)
    sizes = Sizes(pages, options.rounds or (1 if options.quick else None))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    with (
        tempfile.TemporaryDirectory(prefix="syncer-bench-") as directory,
        journalled(Path(directory)) if options.journal else nullcontext(Path(directory)) as place,
    ):
        before = os.getloadavg()[0]
        figures = measure(place, sizes, options.only or NAMES, lambda text: print(text, file=sys.stderr, flush=True))
        named = f"{machine(place)}; load {before:.1f} before and {os.getloadavg()[0]:.1f} after"
    text = table(figures, sizes, named)
    print(text, end="")
    if options.write:
        results = RESULTS.format(table=text)
        options.write.mkdir(parents=True, exist_ok=True)
        (options.write / "RESULTS.md").write_text(results, encoding="utf-8")
        (options.write / "results.svg").write_text(plot(figures, sizes, named), encoding="utf-8")
    judged = pages >= FULL_SIZE and not all(verdict.met for verdict in verdicts(figures.runs))
    return 1 if figures.failed or judged else 0


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    """End like any other exit, so that sites and mounts are cleared away."""
    sys.exit(128 + number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./dev bench",
        description="Measure syncer beside other ways to do the same. Sites are created below TMPDIR.",
    )
    pages = f"pages of the site; some contests use a tenth, a fifth or ten times as many (default: {FULL_SIZE})"
    parser.add_argument("--pages", type=int, metavar="N", help=pages)
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds of each contest, at most")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} pages and one round: only a rough look")
    parser.add_argument(
        "--only", nargs="+", choices=NAMES, metavar="NAME", help=f"run only these contests: {', '.join(NAMES)}"
    )
    journal = "measure on an ext4 file system with a journal, loop-mounted meanwhile (Linux, root)"
    parser.add_argument("--journal", action="store_true", help=journal)
    write = "write RESULTS.md and results.svg to DIR (default: benchmarks/)"
    parser.add_argument("--write", type=Path, nargs="?", const=HERE, metavar="DIR", help=write)
    return parser


if __name__ == "__main__":
    sys.exit(main())
