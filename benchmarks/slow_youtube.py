"""A YouTube whose answers take as long as real ones: `python -m benchmarks.slow_youtube`. Prints its address."""

from __future__ import annotations

from syncer.simulator.clock import Clock
from syncer.simulator.server import Simulator
from syncer.simulator.world import START, World

LATENCY = 0.05
"""Seconds from a request to its answer."""

if __name__ == "__main__":
    with Simulator(World(), Clock(START), latency=LATENCY) as simulator:
        print(simulator.url, flush=True)
        simulator.serve_forever()
