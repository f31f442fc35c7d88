"""The daemon's socket is removed while it runs: the daemon replaces it, and nobody is told that no daemon runs."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from syncer.errors import ConfigError
from syncer.simulator.server import Simulator
from syncer.state.lock import daemon_address
from syncer.status_page.sockets import replace_removed
from tests.daemon_process import BUSY, Daemon
from tests.forks import run
from tests.shared_daemon import NEVER, OneOfMany, make_sites
from tests.site import KEY
from tests.waiting import until

WATCHFUL = f"{BUSY}from syncer.status_page import serve\nserve.LOOK_SECONDS = 0.05\n"
"""A daemon that looks at its socket twenty times a second."""


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory whose path is short enough for that of a socket."""
    with TemporaryDirectory(prefix="s") as name:
        yield Path(name)


@pytest.fixture
def blog(tmp_path: Path, youtube: Simulator) -> OneOfMany:
    return make_sites(tmp_path, youtube.url, "blog", schedule=NEVER)[0]


def says(blog: OneOfMany, *words: str) -> str:
    """Runs a command about the site; returns what it prints, on both streams."""
    ended = run("-m", "syncer", "-c", str(blog.config), *words, env={**os.environ, "YOUTUBE_API_KEY": KEY})
    return ended.stdout + ended.stderr


@pytest.mark.parametrize("several", [True, False], ids=["several", "one"])
def test_a_socket_whose_directory_is_removed_is_back_once_the_directory_is_and_meanwhile_the_daemon_is_seen(
    blog: OneOfMany, short: Path, several: bool
) -> None:
    runtime = short / "runtime"
    runtime.mkdir(mode=0o700)
    environment = {"XDG_RUNTIME_DIR": str(runtime)}
    config = blog.configs if several else blog.config
    with Daemon(blog, environment=environment, config=config, first=WATCHFUL) as daemon:
        daemon.until("Sync 2")
        shutil.rmtree(runtime)
        assert "No such file or directory" in daemon.until("The socket of this daemon was removed")
        assert "Next sync: " in says(blog, "status")
        assert "it is running" in says(blog, "check", "--offline")
        assert "its socket was removed; try again" in says(blog, "trigger")
        runtime.mkdir(mode=0o700)
        daemon.until("Made the socket again")
        assert "2 videos: " in says(blog, "trigger")
        address = daemon_address(blog.state)
        assert address
        address.socket.unlink()
        daemon.until("Made the socket again")
        assert sum("was removed, and" in line for line in daemon.lines) == 1, "it is logged once"
        open_files = len(os.listdir(f"/proc/{daemon.process.pid}/fd")) if os.path.isdir("/proc/self/fd") else 0
        for _ in range(3):
            address.socket.unlink()
            daemon.until("Made the socket again")
        if open_files:
            until(lambda: len(os.listdir(f"/proc/{daemon.process.pid}/fd")) <= open_files)
        assert "2 videos: " in says(blog, "trigger")


def test_a_socket_among_the_temporary_files_is_back_when_these_are_cleaned(blog: OneOfMany, short: Path) -> None:
    environment = {"XDG_RUNTIME_DIR": "", "TMPDIR": str(short)}
    with Daemon(blog, environment=environment, config=blog.configs, first=WATCHFUL) as daemon:
        daemon.until("Sync 2")
        private = short / f"syncer-{os.geteuid()}"
        shutil.rmtree(private)
        daemon.until("Made the socket again")
        assert private.stat().st_mode & 0o777 == 0o700
        assert "2 videos: " in says(blog, "trigger")


def test_no_socket_is_made_where_another_user_could_replace_it_nor_over_what_is_there(
    short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncer.status_page.sockets.gettempdir", lambda: str(short))
    directory = short / f"syncer-{os.geteuid()}"
    directory.mkdir(mode=0o700)
    directory.chmod(0o777)
    path = directory / "s.sock"
    with pytest.raises(ConfigError, match="other users can change its directory"):
        replace_removed(path)
    directory.chmod(0o700)
    made = replace_removed(path)
    assert made
    with made, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        assert replace_removed(path) is None
    path.unlink()
    path.write_text("mine")
    with pytest.raises(ConfigError, match="another file has this name"):
        replace_removed(path)
    assert path.read_text() == "mine"
