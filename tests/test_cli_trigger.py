"""`syncer trigger` and the daemon that it speaks to."""

from __future__ import annotations

import signal
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import UnixStreamServer

import pytest

from syncer.simulator.faults import parse_fault
from syncer.simulator.server import Simulator
from syncer.simulator.world import World
from syncer.state.lock import DaemonLock
from tests.daemon_process import Daemon, fill
from tests.forks import PIPE, Fork
from tests.site import Run, Site, crlf, ids
from tests.terminal import on_a_terminal
from tests.waiting import TIMEOUT, until

NEVER = "every: 900h, jitter: 0s"


@pytest.fixture
def slow() -> Iterator[Simulator]:
    """A YouTube that takes its time."""
    with Simulator(World(), latency=0.5) as simulator:
        yield simulator


def test_it_makes_the_daemon_sync_and_ends_with_the_code_of_that_sync(site: Site, syncer: Run) -> None:
    first, second = ids(2)
    site.put("content/a.md", crlf(first, 1, 2))
    site.configure(schedule=NEVER)
    with Daemon(site) as daemon:
        daemon.until("Sync 2")
        page = site.put("content/b.md", crlf(second, 1, 2))
        ran = syncer("trigger")
        assert ran.code == 0, ran.err
        assert "2 pages, 2 videos: 1 requested, 1 returned. Changed 2 counts on 1 page." in ran.out
        assert page.read_bytes() != crlf(second, 1, 2)
        site.put("content/c.md", b"---\nvid_id: nonsense\nviewcount: 1\n---\n")
        ran = syncer("trigger")
        assert (ran.code, "1 problem: run `syncer status` to see it." in ran.out) == (1, True)
        assert syncer("trigger", "--no-wait").code == 0
        daemon.until("Sync 2")


def test_right_after_a_sync_it_says_that_the_videos_were_skipped_and_points_to_no_empty_log(
    site: Site, syncer: Run
) -> None:
    fill(site, 3)
    site.configure(schedule=NEVER)
    with Daemon(site) as daemon:
        daemon.until("Sync 2")
        ran = syncer("trigger")
    assert ran.code == 0
    assert ran.out == (
        "3 pages, 3 videos: none requested. Changed 0 counts on 0 pages.\n"
        "Skipped 3 videos checked less than 5 minutes ago or gone (`syncer sync --all` includes them).\n"
    )


def test_it_says_how_many_videos_were_left_out_for_lack_of_quota(site: Site, syncer: Run) -> None:
    fill(site, 120)
    site.configure(schedule=NEVER, quota="stats_units_per_day: 1, general_units_per_day: 1, reserve: 0")
    with Daemon(site) as daemon:
        daemon.until("Sync 2")
        ran = syncer("trigger")
    assert ran.code == 1
    assert "Left out 20 videos for lack of quota. The next syncs request them first.\n" in ran.out


def test_on_a_site_without_videos_it_says_that_none_was_requested(site: Site, syncer: Run) -> None:
    site.configure(schedule=NEVER)
    with Daemon(site) as daemon:
        daemon.until("Sync 2")
        ran = syncer("trigger")
    assert ran.out.startswith("0 pages, 0 videos: none requested. Changed 0 counts on 0 pages.\n")


def test_without_a_daemon_it_says_so_and_ends_with_2(site: Site, syncer: Run) -> None:
    fill(site, 1)
    ran = syncer("trigger")
    assert (ran.code, ran.out) == (2, "")
    assert (
        ran.err
        == "syncer: no daemon is running; start one with `syncer daemon`, or run `syncer sync`, which needs none\n"
    )
    with Daemon(site) as daemon:
        daemon.until("Sync 2")
        assert "\nNext sync: " in syncer("status").out
        daemon.send(signal.SIGKILL)
        daemon.ended()
    assert "no daemon is running" in syncer("trigger").err, "what kill -9 leaves is no daemon"
    assert "\nNo daemon is running; `syncer sync` updates the counts now.\n" in syncer("status").out


def test_a_sync_that_cannot_be_made_is_reported_with_its_code(site: Site, syncer: Run) -> None:
    fill(site, 1)
    site.configure(schedule=NEVER)
    with Daemon(site) as daemon:
        daemon.until("Sync 2")
        (site.root / "content").rename(site.root / "away")
        ran = syncer("trigger")
    assert ran.code == 2
    assert "content is not a directory" in ran.err


def test_it_names_the_brake_that_held_and_accept_accepts_what_it_holds(
    site: Site, syncer: Run, youtube: Simulator
) -> None:
    fill(site, 6)
    site.configure(schedule=NEVER)
    site.sync(datetime.now(UTC) - timedelta(hours=2))
    youtube.faults = [parse_fault("falling")]
    assert site.sync(datetime.now(UTC) - timedelta(hours=1)).brake
    with Daemon(site) as daemon:
        daemon.until("Next sync")
        ran = syncer("trigger")
        assert ran.code == 1
        assert "The safety brake stopped this sync: 12 of 12 counts fell (limit 50%). Nothing was written." in ran.out
        assert "If YouTube is right, run `syncer trigger --accept`." in ran.out
        assert (
            "It holds the readings of 6 videos. If YouTube is right, run `syncer sync --accept`. If not, wait: the next"
            " sync requests the same videos again.\n"
        ) in syncer("status").out, "the command that `sync` names"
        document = syncer("status", "--json").document
        assert document["held_by_brake"] == 6
        assert "The safety brake holds readings of 6 videos." in document["attention"]
        accepted = syncer("trigger", "--accept")
        assert accepted.code == 0
        assert "none requested" in accepted.out
        assert "\nAccepted 6 readings that were held.\n" in accepted.out
    assert syncer("status", "--json").document["held_by_brake"] == 0


def test_on_a_terminal_it_shows_how_far_the_sync_is(site: Site, slow: Simulator) -> None:
    site = Site(site.root, slow.url)
    site.configure(schedule=NEVER, youtube="connections: 1")
    fill(site, 1)
    with Daemon(site) as daemon:
        daemon.until("Sync 2")
        fill(site, 200)
        shown = on_a_terminal(site, "trigger")
    assert b"Requesting counts" in shown
    assert b"199 requested, 199 returned" in shown


@contextmanager
def waiting_for_a_long_sync(site: Site, slow: Simulator) -> Iterator[tuple[Daemon, Fork]]:
    """Give a daemon in the middle of a sync, and the trigger that waits for it."""
    site = Site(site.root, slow.url)
    site.configure(schedule=NEVER, youtube="connections: 1")
    fill(site, 1)
    with Daemon(site) as daemon:
        daemon.until("Sync 2")
        fill(site, 200)
        asked = slow.requests
        waiting = Fork("-m", "syncer", "-c", str(site.config), "trigger", stderr=PIPE)
        until(lambda: slow.requests > asked)
        yield daemon, waiting


def test_ctrl_c_ends_the_waiting_and_not_the_sync(site: Site, slow: Simulator) -> None:
    with waiting_for_a_long_sync(site, slow) as (daemon, waiting):
        waiting.send_signal(signal.SIGINT)
        _, said = waiting.communicate(timeout=TIMEOUT)
        assert waiting.returncode == 130
        assert "the daemon continues the sync" in said
        assert "199 requested, 199 returned" in daemon.until("Sync 2")


def test_a_daemon_that_ends_meanwhile_is_reported(site: Site, slow: Simulator) -> None:
    with waiting_for_a_long_sync(site, slow) as (daemon, waiting):
        daemon.send(signal.SIGKILL)
        _, said = waiting.communicate(timeout=TIMEOUT)
    assert waiting.returncode == 130
    assert "the daemon stopped before the sync ended" in said


def test_the_socket_is_for_owner_and_group_only_and_where_the_service_manager_wants_it(
    site: Site, syncer: Run, tmp_path: Path
) -> None:
    fill(site, 1)
    runtime = tmp_path / "run"
    runtime.mkdir()
    with Daemon(site, environment={"RUNTIME_DIRECTORY": str(runtime)}) as daemon:
        daemon.until("Sync 2")
        (socket,) = runtime.iterdir()
        assert stat.S_IMODE(socket.stat().st_mode) == 0o660
        assert syncer("trigger").code == 0, "found, though nobody tells this command the directory"
        daemon.send(signal.SIGTERM)
        assert daemon.ended()[0] == 0
    assert list(runtime.iterdir()) == []


def test_a_path_too_long_for_a_socket_is_one_clear_error(site: Site, tmp_path: Path) -> None:
    fill(site, 1)
    with Daemon(site, environment={"RUNTIME_DIRECTORY": str(tmp_path / ("long" * 30))}) as daemon:
        assert daemon.ended()[0] == 2
    assert "the path is too long for a Unix socket" in daemon.lines[-1]


class Nonsense(BaseHTTPRequestHandler):
    """Answers what is no answer of a daemon."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.wfile.write(b"nonsense\r\n\r\n")


def test_what_is_no_daemon_is_reported_without_a_traceback(site: Site, syncer: Run) -> None:
    site.state.mkdir()
    path = site.state / "other.sock"
    lock = DaemonLock(site.state)
    lock.name_socket(path)
    assert "its socket was removed" in syncer("trigger").err, "it holds its lock"
    with UnixStreamServer(str(path), Nonsense) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        ran = syncer("trigger")
        thread.join()
    lock.close()
    assert ran.code == 2
    assert "its response is not HTTP" in ran.err
