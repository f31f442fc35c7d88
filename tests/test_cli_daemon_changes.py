"""What changes under a running `syncer daemon`: its config, pages and state, and other commands."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from syncer.simulator.server import Simulator
from tests.daemon_process import Daemon, fill, start_another
from tests.examples import storms_but
from tests.site import KEY, Run, Site, crlf, ids
from tests.waiting import TIMEOUT, until

NEVER = "every: 900h, jitter: 0s"
SECOND = "every: 1s, jitter: 0s"


def test_a_hangup_makes_it_read_the_config_again_and_nothing_is_restarted(site: Site, youtube: Simulator) -> None:
    fill(site, 3)
    site.configure(schedule=NEVER)
    with Daemon(site) as daemon:
        daemon.until("Sync 2")
        site.configure(schedule=SECOND)
        site.put("content/later.md", crlf(ids(4)[3], 1, 2))
        daemon.send(signal.SIGHUP)
        daemon.until("Config reloaded")
        daemon.until("Sync 2")
        assert daemon.process.poll() is None
    assert (site.root / "content/later.md").read_bytes() != crlf(ids(4)[3], 1, 2)


def test_new_collections_are_synced_from_then_on(site: Site) -> None:
    fill(site, 3)
    site.configure(schedule=SECOND)
    posts = site.put("posts/a.md", crlf(ids(4)[3], 1, 2))
    with Daemon(site) as daemon:
        daemon.until("Sync 2")
        fields = "fields: {video_id: vid_id, counts: {viewCount: viewcount}}"
        site.configure(schedule=SECOND, collections=f"  - {{directory: posts, {fields}}}\n")
        daemon.send(signal.SIGHUP)
        daemon.until("Config reloaded")
        daemon.until("Sync 2")
        until(lambda: posts.read_bytes() != crlf(ids(4)[3], 1, 2))


@pytest.mark.parametrize("text", storms_but({None}, ["collections: [", "schedule: {every: never}\n", None]))
def test_an_invalid_config_is_logged_and_the_old_one_stays_in_use(site: Site, text: str | None) -> None:
    fill(site, 3)
    site.configure(schedule=SECOND)
    with Daemon(site) as daemon:
        daemon.until("Sync 2")
        if text is None:
            site.config.unlink()
        else:
            site.config.write_text(text, encoding="utf-8")
        daemon.send(signal.SIGHUP)
        assert daemon.until("Config not reloaded").startswith("ERROR ")
        daemon.until("Sync 2")


def test_a_change_that_needs_a_restart_is_logged_and_has_no_effect(site: Site) -> None:
    fill(site, 3)
    site.configure(schedule=SECOND)
    with Daemon(site) as daemon:
        daemon.until("Sync 2")
        site.configure(schedule=SECOND, state="directory: elsewhere")
        daemon.send(signal.SIGHUP)
        assert "A change of `state` takes effect when the daemon is restarted" in daemon.until("WARNING")
        daemon.until("Config reloaded")
        daemon.until("Sync 2")
        site.config.write_text(f"site: {site.root.parent}\n{site.config.read_text('utf-8')}", encoding="utf-8")
        daemon.send(signal.SIGHUP)
        assert "restart the daemon to sync another site" in daemon.until("ERROR")
    assert not (site.root / "elsewhere").exists()


def test_fifty_hangups_at_once_do_no_harm(site: Site) -> None:
    fill(site, 3)
    site.configure(schedule=SECOND)
    with Daemon(site) as daemon:
        daemon.until("Sync 2")
        for _ in range(50):
            daemon.send(signal.SIGHUP)
        daemon.until("Config reloaded")
        daemon.until("Sync 2")
        daemon.send(signal.SIGTERM)
        assert daemon.ended()[0] == 0


def test_a_second_daemon_of_the_same_state_does_not_start_and_other_commands_run_beside_it(
    site: Site, syncer: Run
) -> None:
    fill(site, 3)
    site.configure(schedule=NEVER)
    with Daemon(site) as daemon:
        daemon.until("Sync 2")
        second = start_another(site)
        assert second.returncode == 4
        assert second.stderr.splitlines()[-1] == (
            f"syncer: Another daemon (process {daemon.process.pid}) already uses the state in {site.state};"
            " stop it first"
        )
        for command in (["sync", "--all"], ["status"], ["log"], ["check", "--offline"], ["purge"]):
            assert syncer(*command).code == 0
        daemon.send(signal.SIGKILL)
        daemon.ended()
    with Daemon(site) as daemon:
        daemon.until("Next sync at")


@pytest.mark.storm  # it looks into the state every five seconds
def test_it_counts_from_a_sync_that_was_made_by_hand(site: Site, syncer: Run) -> None:
    fill(site, 3)
    site.configure(schedule="every: 6h, jitter: 0s")
    with Daemon(site) as daemon:
        second = daemon.until("Sync 2").split()[2][:16]
        until(lambda: f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}" > second)
        assert syncer("sync", "--all").code == 0
        assert syncer("sync", "--dry-run").code == 0
        assert syncer("sync", "content").code == 0
        told = daemon.until("Next sync at").partition(" at ")[2]
        due = syncer("status", "--json").document["next_sync"]
    assert f"{told.strip()[:10]}T{told.strip()[11:19]}Z" == due


def test_an_empty_directory_where_pages_were_is_an_error_and_no_sync(site: Site, youtube: Simulator) -> None:
    fill(site, 6)
    site.configure(schedule=SECOND)
    with Daemon(site, "--log-format", "json") as daemon:
        daemon.until('"event": "synced"')
        away = site.root / "unmounted"
        (site.root / "content").rename(away)
        (site.root / "content/lists").mkdir(parents=True)
        line = json.loads(daemon.until("Sync failed"))
        asked = youtube.requests
        shutil.rmtree(site.root / "content")
        away.rename(site.root / "content")
        daemon.until('"event": "synced"')
    assert line["kind"] == "content-gone"
    assert "where earlier syncs found 6 videos: is the disk mounted?" in line["message"]
    assert youtube.requests <= asked + 1


def test_a_state_that_is_removed_is_recreated_and_no_second_daemon_can_start(site: Site) -> None:
    fill(site, 3)
    site.configure(schedule=SECOND)
    with Daemon(site) as daemon:
        daemon.until("Sync 2")
        site.state.rename(site.root / "removed")  # at once: a sync may begin at any time
        until((site.state / "state.sqlite3").exists)
        until((site.state / "daemon.lock").exists)
        second = start_another(site)
        assert second.returncode == 4


def test_a_config_and_pages_that_vanish_together_are_a_line_a_try_and_all_is_well_when_they_are_back(
    site: Site,
) -> None:
    fill(site, 6)
    site.configure(schedule=SECOND)
    away = site.root.with_name("away")
    with Daemon(site) as daemon:
        daemon.until("Sync 2")
        site.root.rename(away)
        daemon.until("Sync failed")
        daemon.send(signal.SIGHUP)
        daemon.until("Config not reloaded")
        shutil.rmtree(site.root, ignore_errors=True)
        away.rename(site.root)
        daemon.until("Sync 2")
    assert not any("Traceback" in line for line in daemon.lines)


def test_each_mistake_of_a_config_that_is_not_reloaded_is_a_line_of_the_log(site: Site) -> None:
    fill(site, 3)
    site.configure(schedule=NEVER)
    with Daemon(site, "--log-format", "json") as daemon:
        daemon.until("Sync 2")
        site.config.write_text(f"{site.config.read_text('utf-8')}evry: 6h\nnonsense: 1\n", encoding="utf-8")
        daemon.send(signal.SIGHUP)
        lines = [json.loads(daemon.until("Config not reloaded")) for _ in range(2)]
    assert {line["event"] for line in lines} == {"config-refused"}
    assert "evry: unknown key" in lines[0]["message"]
    assert "nonsense: unknown key" in lines[1]["message"]
    assert not any("\n" in line["message"] for line in lines)


@contextmanager
def under_the_journal(site: Site, log: Path, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `syncer daemon` with this file as the journal; `JOURNAL_STREAM` names it by device and inode."""
    with log.open("wb") as stream:
        found = os.fstat(stream.fileno())
        journal = {"YOUTUBE_API_KEY": KEY, "JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        command = [sys.executable, "-m", "syncer", "-c", str(site.config), "daemon"]
        with subprocess.Popen(command, stderr=stream, env={**os.environ, **journal, **variables}) as process:
            yield process


@pytest.mark.parametrize("cause", ["two mistakes", "no key", "a port in use", "another daemon"])
def test_under_the_journal_each_line_of_an_error_at_the_start_is_an_error(
    site: Site, tmp_path: Path, cause: str
) -> None:
    fill(site, 3)
    site.configure(schedule=NEVER)
    log, key = tmp_path / "log", "" if cause == "no key" else KEY
    with ExitStack() as others:
        if cause == "two mistakes":
            site.config.write_text(f"{site.config.read_text('utf-8')}evry: 6h\nnonsense: 1\n", encoding="utf-8")
        elif cause == "another daemon":
            others.enter_context(Daemon(site)).until("Sync 2")
        elif cause == "a port in use":
            taken = others.enter_context(socket.create_server(("127.0.0.1", 0)))
            site.configure(schedule=NEVER, status_page=f"listen: '127.0.0.1:{taken.getsockname()[1]}'")
        with under_the_journal(site, log, YOUTUBE_API_KEY=key) as process:
            assert process.wait(TIMEOUT) in (2, 4)
    errors = [line for line in log.read_text("utf-8").splitlines() if not line.startswith("<6>INFO ")]
    assert len(errors) == (2 if cause == "two mistakes" else 1)
    assert errors[0].startswith("<3>syncer: ")
    assert all(line.startswith("<3>") for line in errors)


def test_under_the_journal_each_line_has_its_priority(site: Site, tmp_path: Path) -> None:
    fill(site, 3)
    site.put("content/odd.md", b"---\nvid_id: nonsense\nviewcount: 1\n---\n")
    log = tmp_path / "log"
    with under_the_journal(site, log) as process:
        until(lambda: b"nonsense" in log.read_bytes())
        process.terminate()
    lines = log.read_text("utf-8").splitlines()
    assert {line[:3] for line in lines} == {"<4>", "<6>"}
    assert next(line for line in lines if "odd.md" in line).startswith("<4>WARNING content/odd.md")


def test_people_see_no_priority_even_where_a_service_started_their_shell(site: Site) -> None:
    fill(site, 1)
    with Daemon(site, environment={"JOURNAL_STREAM": "8:12345"}) as daemon:
        daemon.until("Sync 2")
    assert daemon.lines[0].startswith("INFO ")
