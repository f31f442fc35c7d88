"""A worker of a fleet costs little: memory and queries while it idles, and what a job adds to a sync."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncer.simulator.server import Simulator
from tests.examples import PROVING
from tests.fleet.figures import LOGGED, measure
from tests.postgres import running_postgres

IDLE_MB = 80
IDLE_QUERIES = 250
"""In a minute."""
JOB_QUERIES = 110
"""Two thirds are those of the sync, which looks at the ledger on the server in any case."""
JOB_SECONDS = 0.05

pytestmark = pytest.mark.storm


@pytest.mark.skipif(not PROVING, reason="takes half a minute; ./dev prove runs it")
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux has /proc")
def test_a_worker_takes_little_memory_and_asks_the_server_little(tmp_path: Path, youtube: Simulator) -> None:
    pytest.importorskip("procrastinate", reason="a fleet needs procrastinate: pip install -r requirements-fleet.lock")
    with running_postgres(LOGGED) as server:
        figures = measure(tmp_path, server, youtube)
    assert figures.idle_mb < IDLE_MB, figures.lines()
    assert sum(figures.idle_queries.values()) < IDLE_QUERIES, figures.lines()
    assert sum(figures.job_queries.values()) < JOB_QUERIES, figures.lines()
    assert min(figures.job_seconds) < JOB_SECONDS, figures.lines()
