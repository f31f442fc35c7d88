"""A sync that is requested from another host: who waits for it hears how that very sync went, or why there is none."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from syncer.simulator.server import Simulator
from tests.daemon_process import Daemon
from tests.hosts import AFTER_A_KILL, Fleet, slowly
from tests.postgres import PostgreSQL
from tests.shared_daemon import NEVER, synced
from tests.site import crlf, ids
from tests.waiting import until

pytestmark = pytest.mark.storm

ANSWERS = "SELECT exit_code FROM syncer.answers"


@pytest.fixture
def fleet(tmp_path: Path, youtube: Simulator, postgres: PostgreSQL) -> Fleet:
    return Fleet(tmp_path, youtube, postgres.new_fleet())


@contextmanager
def busy(fleet: Fleet, gate: Path) -> Iterator[tuple[Daemon, Future[CompletedProcess[str]], ThreadPoolExecutor]]:
    """A worker that syncs one site at a time, and a requested sync of `blog` that ends when the file is there."""
    blog, shop = fleet.site("a", "blog", schedule=NEVER), fleet.site("a", "shop", schedule=NEVER)
    gate.touch()
    worker = fleet.worker("a", first=slowly(gate), options=["--sites-at-once", "1"])
    with worker, ThreadPoolExecutor(3) as threads:
        until(lambda: sorted(fleet.jobs("succeeded")) == ["blog", "shop"])
        gate.unlink()
        gate.with_name("waits").unlink()
        try:
            for site in (blog, shop):
                site.put(f"content/{ids(1)[0]}.md", crlf(ids(1)[0], 5, 6))
            begun = threads.submit(fleet.command, "a", "sync", "blog")
            until(lambda: fleet.rows("SELECT site FROM syncer.fleet_sites WHERE running") == [("blog",)])
            until(gate.with_name("waits").exists)
            yield worker, begun, threads
        finally:
            gate.touch()


def test_a_requested_sync_that_waits_for_its_turn_does_not_keep_a_drain_waiting(fleet: Fleet, tmp_path: Path) -> None:
    with busy(fleet, tmp_path / "gate") as (worker, begun, threads):
        waits = threads.submit(fleet.command, "a", "sync", "shop")
        until(lambda: sorted(fleet.jobs("doing")) == ["blog", "shop"])
        drained = threads.submit(fleet.command, "a", "drain", "--host", "a")
        done = waits.result()
        assert (done.returncode, done.stdout) == (2, "shop: no sync on a: its worker drains\n"), done.stderr
        done = fleet.command("a", "sync", "shop")
        assert (done.returncode, "whose worker drains" in done.stderr) == (2, True), done.stderr
        (tmp_path / "gate").touch()
        assert begun.result().stdout == "blog: 2 counts changed on a, 0 problems.\n"
        assert drained.result().stdout == "The worker of a has stopped.\n"
        assert worker.ended()[0] == 0


def test_a_requested_sync_of_a_site_that_is_removed_before_its_turn_is_not_waited_for(
    fleet: Fleet, tmp_path: Path
) -> None:
    with busy(fleet, tmp_path / "gate") as (_, _, threads):
        waits = threads.submit(fleet.command, "a", "sync", "shop")
        until(lambda: sorted(fleet.jobs("doing")) == ["blog", "shop"])
        (fleet.directory / "a/sites.d/shop.yaml").unlink()
        done = waits.result()
        assert (done.returncode, done.stdout) == (2, "shop: no sync on a: its config has changed; try again\n")


def test_a_requested_sync_begins_when_its_worker_is_back(fleet: Fleet, tmp_path: Path) -> None:
    with busy(fleet, tmp_path / "gate") as (worker, begun, threads):
        waits = threads.submit(fleet.command, "a", "sync", "shop")
        until(lambda: sorted(fleet.jobs("doing")) == ["blog", "shop"])
        worker.send(signal.SIGTERM)
        (tmp_path / "gate").touch()
        done = waits.result()
        assert (done.returncode, "the sync begins once it runs again" in done.stderr) == (130, True), done
        begun.result()
        worker.ended()
    assert "shop" in fleet.jobs("todo")
    with fleet.worker("a"):
        until(lambda: fleet.jobs("todo") == fleet.jobs("doing") == [])
        assert (0,) in fleet.rows(ANSWERS)


def test_a_request_that_a_killed_worker_left_is_answered_by_a_sync(fleet: Fleet) -> None:
    fleet.site("a", "blog", schedule=NEVER)
    with fleet.worker("a") as worker:
        synced(worker, "blog")
        worker.send(signal.SIGSTOP)
        assert fleet.command("a", "sync", "blog", "--no-wait").returncode == 0
        worker.send(signal.SIGKILL)
        worker.ended()
    with fleet.worker("a", first=AFTER_A_KILL):
        until(lambda: fleet.rows(ANSWERS) == [(0,)])


def test_whoever_waits_for_a_sync_outlasts_a_restart_of_the_server(
    fleet: Fleet, postgres: PostgreSQL, tmp_path: Path
) -> None:
    with busy(fleet, tmp_path / "gate") as (worker, begun, _):
        postgres.stop()
        worker.until("Out of the fleet")
        postgres.start()
        worker.until("In the fleet of")
        (tmp_path / "gate").touch()
        done = begun.result()
        assert (done.returncode, "changed on a" in done.stdout) == (0, True), done
