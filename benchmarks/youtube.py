"""A YouTube in a process of its own: `python -m benchmarks.youtube SECONDS`. Prints its address."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from syncer.simulator.clock import Clock
from syncer.simulator.server import Simulator
from syncer.simulator.world import START, World

ROOT = Path(__file__).parent.parent

LATENCY = 0.05
"""Seconds from a request to its answer, where answers take as long as real ones."""

UNITS = 1_000_000_000
"""Enough for any site."""


@contextmanager
def youtube(latency: float) -> Iterator[str]:
    """Run a YouTube that answers after so many seconds, and whose time stands still; give its address."""
    command = [sys.executable, "-m", "benchmarks.youtube", str(latency)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as simulator:
        assert simulator.stdout is not None
        try:
            yield simulator.stdout.readline().strip()
        finally:
            simulator.terminate()


def _serve(latency: float) -> None:
    with Simulator(
        World(), Clock(START), latency=latency, stats_units_per_day=UNITS, general_units_per_day=UNITS
    ) as simulator:
        print(simulator.url, flush=True)
        simulator.serve_forever()


if __name__ == "__main__":
    _serve(float(sys.argv[1]))
