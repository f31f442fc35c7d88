"""Two hundred small sites in one daemon: what that costs."""

from __future__ import annotations

import json
import os
import signal
import time
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from syncer.simulator.server import Simulator
from tests.daemon_process import Daemon
from tests.examples import PROVING
from tests.shared_daemon import OneOfMany, daemon_of, make_sites
from tests.test_daemon_sites import status
from tests.waiting import until

SITES = 200
IDLE_MB = 120
START_SECONDS = 5
BUSY = 4
"""How many times longer a busy machine may take."""

pytestmark = pytest.mark.skipif(not PROVING, reason="takes a minute; ./dev prove runs it")


@pytest.fixture
def sites(tmp_path: Path, youtube: Simulator) -> list[OneOfMany]:
    return make_sites(tmp_path, youtube.url, *(f"site-{number:03}" for number in range(SITES)), schedule="every: 6h")


def megabytes(daemon: Daemon) -> int:
    text = Path(f"/proc/{daemon.process.pid}/statm").read_text(encoding="ascii")
    return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux has /proc")
def test_two_hundred_sites_start_soon_take_little_memory_and_are_spread_over_the_interval(
    sites: list[OneOfMany],
) -> None:
    first = sites[0]
    with daemon_of(first, first="", forked=False) as daemon:
        until(lambda: sum(": Sync 2" in line for line in daemon.lines) == SITES, 0.1)
        assert megabytes(daemon) < IDLE_MB
        begun = sorted(datetime.fromisoformat(str(each["daemon"]["next_sync"])) for each in states(first))
        parts = [at - begun[0] for at in begun]
        assert parts[-1] > timedelta(hours=5)
        assert max(later - earlier for earlier, later in pairwise(parts)) < timedelta(minutes=30)
        daemon.send(signal.SIGTERM)
        assert daemon.ended()[0] == 0
    began = time.monotonic()
    with daemon_of(first, first="", forked=False) as daemon:
        daemon.until("Status page at")
        assert time.monotonic() - began < START_SECONDS * BUSY
        until(lambda: sum("Next sync at" in line for line in daemon.lines) == SITES, 0.1)
        assert megabytes(daemon) < IDLE_MB
        assert len(os.listdir(f"/proc/{daemon.process.pid}/fd")) < SITES + 40
        assert len(os.listdir(f"/proc/{daemon.process.pid}/task")) < 10
        assert not any(": Sync 2" in line for line in daemon.lines), "nothing is due"
        assert json.dumps(status(first)["left_out"]) == "[]"
        daemon.send(signal.SIGTERM)
        assert daemon.ended()[0] == 0


def states(site: OneOfMany) -> list[dict[str, dict[str, object]]]:
    return list(status(site)["sites"].values())  # type: ignore[arg-type]
