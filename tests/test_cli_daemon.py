"""`syncer daemon` as a process: signals, restarts, locks and its log."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from syncer.simulator.server import Simulator
from syncer.simulator.world import World
from syncer.state.database import open_to_read
from syncer.state.syncs import last_syncs, last_whole_sync
from tests.canned_youtube import STALL, Canned, error, message
from tests.daemon_process import Daemon, fill
from tests.site import KEY, NOON, Site, crlf, ids, plain
from tests.waiting import until

ESTABLISHED = "01"
"""A connection's state in Linux's /proc/net/tcp."""

BATCH = 50
AT_ONCE = 20.0
"""Seconds that a stop may take on a busy machine, and fewer than any wait that it cuts short; it takes hundredths."""


def written(site: Site) -> int:
    return sum(crlf(page.stem, 1, 2) != page.read_bytes() for page in site.root.glob("content/*.md"))


def exits(site: Site) -> list[int]:
    """The exit codes of the syncs that ended, newest first."""
    database = open_to_read(site.state, os.path.realpath(site.root))
    assert database
    with database:
        return [json.loads(sync.report)["exit"] for sync in last_syncs(database, 99)]


@pytest.fixture
def slow() -> Iterator[Simulator]:
    """A YouTube that takes its time."""
    with Simulator(World(), latency=0.3) as simulator:
        yield simulator


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_between_two_syncs_it_ends_immediately_with_0(site: Site, number: int) -> None:
    fill(site, 3)
    with Daemon(site) as daemon:
        daemon.until("Sync 2")
        daemon.send(number)
        code, seconds = daemon.ended()
    assert code == 0
    assert seconds < AT_ONCE
    assert written(site) == 3
    assert daemon.lines[-1] == "INFO Stopped"
    assert not any("Traceback" in line for line in daemon.lines)


def test_stopped_during_a_sync_it_ends_after_the_current_batch_with_0_and_the_next_start_continues(
    site: Site, slow: Simulator
) -> None:
    site = Site(site.root, slow.url)
    site.configure(youtube="connections: 1")
    fill(site, 8 * BATCH)
    with Daemon(site) as daemon:
        until(lambda: slow.requests >= 2)
        daemon.send(signal.SIGTERM)
        code, seconds = daemon.ended()
        asked = slow.requests
    assert code == 0
    assert seconds < AT_ONCE
    assert 2 <= asked < 6
    assert exits(site) == [130]
    assert " was stopped:" in daemon.lines[-2]
    assert written(site) == 0, "what was read is kept in the state, for the next sync"
    with Daemon(site) as daemon:
        daemon.until("Sync 2")
    assert exits(site) == [0, 130], "a sync that was stopped does not count for the schedule"
    assert slow.requests == 8, "what was read before is not asked about again"
    assert written(site) == 8 * BATCH


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_while_a_request_hangs_it_ends_the_request(site: Site, number: int) -> None:
    fill(site, 3)
    with Canned([STALL]) as silent:
        site = Site(site.root, silent.url)
        site.configure(youtube="timeout: 60s")
        with Daemon(site) as daemon:
            until(lambda: silent.connections_made > 0)
            daemon.send(number)
            code, seconds = daemon.ended()
    assert code == 0
    assert seconds < AT_ONCE
    assert " was stopped:" in daemon.lines[-2]


PATIENT = "import syncer.youtube.deadline as deadline\ndeadline.GRACE_SECONDS = 60.0"
"""Else a busy machine may send the second signal when the first one has done its work."""


@pytest.mark.parametrize("numbers", [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGINT)])
def test_stopped_twice_it_ends_immediately(site: Site, numbers: tuple[int, int]) -> None:
    fill(site, 3)
    with Canned([STALL]) as silent:
        site = Site(site.root, silent.url)
        site.configure(youtube="timeout: 60s")
        with Daemon(site, first=PATIENT) as daemon:
            until(lambda: silent.connections_made > 0)
            daemon.send(numbers[0])
            with pytest.raises(subprocess.TimeoutExpired):
                daemon.process.wait(0.1)
            daemon.send(numbers[1])
            code, seconds = daemon.ended()
    assert code == 130
    assert seconds < AT_ONCE
    assert daemon.lines[-1].startswith("WARNING Stopped immediately")


def test_stopped_while_it_waits_for_the_next_attempt_it_ends_the_wait(site: Site) -> None:
    fill(site, 3)
    busy = message(503, error(503), "Retry-After: 50")
    with Canned([busy]) as failing:
        site = Site(site.root, failing.url)
        site.configure(youtube="retry: {attempts: 3, longest_wait: 60s, deadline: 600s}")
        with Daemon(site, "-vv") as daemon:
            daemon.until("attempt 1 failed")
            daemon.send(signal.SIGTERM)
            code, seconds = daemon.ended()
    assert code == 0
    assert seconds < AT_ONCE


def test_after_kill_9_it_counts_from_the_last_sync_and_holds_no_lock(site: Site, youtube: Simulator) -> None:
    fill(site, 3)
    site.configure(schedule="every: 6h, jitter: 0s")
    with Daemon(site) as daemon:
        first = daemon.until("Sync 2").split()[2]
        daemon.send(signal.SIGKILL)
        daemon.ended()
    asked = youtube.requests
    with Daemon(site) as daemon:
        due = daemon.until("Next sync at").partition(" at ")[2].strip()
        daemon.send(signal.SIGTERM)
        assert daemon.ended()[0] == 0
    began = time.strptime(first[:16], "%Y%m%dT%H%M%SZ")
    assert time.mktime(time.strptime(due, "%Y-%m-%d %H:%M:%S UTC")) - time.mktime(began) == 6 * 3600
    assert youtube.requests == asked


def test_after_the_clock_was_set_back_the_schedule_counts_from_the_last_sync_made(site: Site) -> None:
    fill(site, 1)
    for at in (NOON + timedelta(days=400), NOON):
        assert site.sync(at).exit == 0
    database = open_to_read(site.state, os.path.realpath(site.root))
    assert database
    with database:
        assert last_whole_sync(database) == NOON


def test_after_kill_9_in_mid_sync_the_next_start_syncs_at_once(site: Site, slow: Simulator) -> None:
    site = Site(site.root, slow.url)
    site.configure(youtube="connections: 1")
    fill(site, 4 * BATCH)
    with Daemon(site) as daemon:
        until(lambda: slow.requests >= 2)
        daemon.send(signal.SIGKILL)
        daemon.ended()
    with Daemon(site) as daemon:
        daemon.until("Sync 2")
    assert written(site) == 4 * BATCH


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux's /proc")
def test_between_two_syncs_it_holds_its_own_lock_no_database_and_no_connection(site: Site) -> None:
    fill(site, 3)
    with Daemon(site) as daemon:
        daemon.until("Sync 2")
        until(lambda: all(is_idle(site, daemon.process.pid) for _ in range(50)), pause=0.1)


def is_idle(site: Site, pid: int) -> bool:
    """Whether it holds its own lock, no database and no connection; every few seconds it reads the state."""
    held = set[str]()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            held.add(os.readlink(descriptor))
    rows = Path(f"/proc/{pid}/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    connected = {f"socket:[{row.split()[9]}]" for row in rows if row.split()[3] == ESTABLISHED}
    ours = {target for target in held if target.startswith(str(site.root))}
    return ours == {str(site.state / "daemon.lock")} and not connected & held


def test_it_syncs_repeatedly_and_logs_each_problem_once(site: Site) -> None:
    fill(site, 3)
    site.put("content/odd.md", plain(ids(4)[3], "1.2M", 2))
    site.configure(schedule="every: 1s, jitter: 0s")
    with Daemon(site) as daemon:
        for _ in range(3):
            daemon.until("Sync 2")
        daemon.send(signal.SIGTERM)
        daemon.ended()
    assert sum("content/odd.md" in line for line in daemon.lines) == 1
    assert {line.split()[0] for line in daemon.lines} == {"INFO", "WARNING"}
    assert not any("apscheduler" in line.lower() or "Running job" in line for line in daemon.lines)


def test_what_vanishes_is_one_line_in_each_sync_and_all_is_well_when_it_comes_back(site: Site) -> None:
    fill(site, 3)
    site.configure(schedule="every: 1s, jitter: 0s")
    away = site.root / "unmounted"
    (site.root / "content").rename(away)
    with Daemon(site, "--log-format", "json") as daemon:
        line = json.loads(daemon.until("Sync failed"))
        away.rename(site.root / "content")
        daemon.until('"event": "synced"')
    assert (line["event"], line["kind"], line["level"]) == ("sync-failed", "usage", "error")
    assert "content is not a directory" in line["message"]
    assert written(site) == 3
    assert all(json.loads(line)["event"] for line in daemon.lines)
    assert KEY not in "".join(daemon.lines)
