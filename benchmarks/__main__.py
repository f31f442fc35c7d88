"""`./dev bench`: measures, prints one table with its bars, and writes it down when asked."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from benchmarks.machine import machine
from benchmarks.rounds import Sizes, measure
from benchmarks.table import FULL_SIZE, MANY, bars, plot, table

HERE = Path(__file__).parent
QUICK = FULL_SIZE // 10

RESULTS = """\
# Results

`./dev bench --write` made this page. What is compared is described in [README.md](README.md).

```text
{table}```

![The same as a plot](results.svg)
"""


def main() -> int:
    """Run the benchmarks. Returns 1 where a bar is judged and not met."""
    options = _parser().parse_args()
    pages = options.pages or (QUICK if options.quick else FULL_SIZE)
    sizes = Sizes(pages, options.rounds or (1 if options.quick else 5), pages * MANY)
    with tempfile.TemporaryDirectory(prefix="syncer-bench-") as directory:
        before = os.getloadavg()[0]
        runs = measure(Path(directory), sizes, lambda text: print(text, file=sys.stderr, flush=True))
        named = f"{machine(Path(directory))}; load {before:.1f} before and {os.getloadavg()[0]:.1f} after"
    text = table(runs, sizes, named)
    print(text, end="")
    if options.write:
        results = RESULTS.format(table=text)
        (options.write / "RESULTS.md").write_text(results, encoding="utf-8")
        (options.write / "results.svg").write_text(plot(runs, sizes, named), encoding="utf-8")
    return 0 if pages < FULL_SIZE or all(bar.met for bar in bars(runs)) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./dev bench", description="Sites are made in a temporary directory; TMPDIR says where."
    )
    parser.add_argument("--pages", type=int, metavar="N", help=f"pages of the site (default: {FULL_SIZE})")
    parser.add_argument("--rounds", type=int, metavar="N", help="how often each is measured (default: 5)")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} pages and one round: a look, no measurement")
    write = "write RESULTS.md and results.svg there (default: benchmarks/)"
    parser.add_argument("--write", type=Path, nargs="?", const=HERE, metavar="DIR", help=write)
    return parser


if __name__ == "__main__":
    sys.exit(main())
