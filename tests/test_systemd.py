"""The daemon under systemd: its notifications, the units in the package, and what `systemd-analyze` says of them."""

from __future__ import annotations

import logging
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import pytest

from syncer.daemon import site as daemon_site
from syncer.daemon.systemd import Systemd
from tests.clockwork import START, Clock
from tests.clockwork import Daemon as InThread
from tests.daemon_process import Daemon, fill
from tests.site import Site
from tests.test_daemon_triggers import Gate
from tests.waiting import TIMEOUT, until

UNITS = Path(__file__).parent.parent / "config" / "systemd"
SERVICES = sorted(UNITS.glob("*.service"))
WORST = 20
"""Tenths: the exposure that `systemd-analyze security` may find."""

ANALYZE = shutil.which("systemd-analyze")
needs_analyze = pytest.mark.skipif(ANALYZE is None, reason="needs systemd-analyze (apt install systemd)")


class Listener:
    """The socket on which systemd would listen."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(TIMEOUT)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def until(self, first: str) -> dict[str, str]:
        """Waits for a message that begins with this assignment, and returns all of it."""
        while True:
            lines = self._socket.recv(4096).decode().split("\n")
            if lines[0] == first:
                return dict(line.split("=", 1) for line in lines)

    def hears(self, first: str, seconds: float) -> bool:
        """Whether the next message begins with this assignment, and comes within so long."""
        self._socket.settimeout(seconds)
        try:
            return self._socket.recv(4096).startswith(f"{first}\n".encode())
        except TimeoutError:
            return False
        finally:
            self._socket.settimeout(TIMEOUT)

    def until_silent(self, seconds: float) -> None:
        """Waits until nothing was said for so long."""
        self._socket.settimeout(seconds)
        end = time.monotonic() + TIMEOUT
        with suppress(TimeoutError):
            while time.monotonic() < end:
                self._socket.recv(4096)
            pytest.fail("it is not silent")
        self._socket.settimeout(TIMEOUT)


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Listener]:
    with Listener(str(tmp_path / "notify") if request.param == "path" else f"@syncer-test-{tmp_path}") as made:
        yield made


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux")
def test_systemd_is_notified_of_start_reload_watchdog_and_stop(site: Site, listener: Listener) -> None:
    fill(site, 3)
    with Daemon(site, environment={"NOTIFY_SOCKET": listener.address}) as daemon:
        listener.until("READY=1")
        daemon.until("Sync 2")
        until(lambda: "Next sync at" in listener.until("WATCHDOG=1")["STATUS"])
        daemon.send(signal.SIGHUP)
        assert int(listener.until("RELOADING=1")["MONOTONIC_USEC"]) > 0
        listener.until("READY=1")
        site.config.write_text("collections: [", encoding="utf-8")
        daemon.send(signal.SIGHUP)
        listener.until("RELOADING=1")
        assert "Config not reloaded" in listener.until("READY=1")["STATUS"]
        assert "the new config is invalid" in listener.until("WATCHDOG=1")["STATUS"]
        daemon.send(signal.SIGTERM)
        listener.until("STOPPING=1")
        assert daemon.ended()[0] == 0


def test_the_watchdog_is_fed_only_while_a_sync_makes_progress(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(daemon_site, "WATCHDOG_STALL_SECONDS", 0.2)
    gate = Gate()
    path = str(tmp_path / "notify")
    with Listener(path) as listener, InThread(clock, last=START, every="6h", notify=path) as daemon:
        listener.until("WATCHDOG=1")
        daemon.doing = gate.sync
        daemon.control.trigger(False)
        gate.wait()
        listener.until_silent(0.3)

        def is_fed() -> bool:
            daemon.request.waiting()  # again, if a busy machine was asleep for as long as a stall
            return listener.hears("WATCHDOG=1", 0.1)

        until(is_fed)
        gate.release()
        daemon.idle()
        listener.until("WATCHDOG=1")


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: str(unit.name))
@needs_analyze
def test_a_service_is_locked_in(unit: Path) -> None:
    """It may write the site, and reach the network."""
    command = [str(ANALYZE), "security", "--offline=true", "--no-pager", f"--threshold={WORST}", str(unit)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout.splitlines()[-1]


@needs_analyze
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    units = []
    for unit in UNITS.iterdir():
        here = unit.read_text(encoding="utf-8").replace("/opt/syncer/bin/syncer", "/bin/true")
        units.append(tmp_path / unit.name)
        units[-1].write_text(here, encoding="utf-8")
    ran = subprocess.run([str(ANALYZE), "verify", *units], capture_output=True, text=True, timeout=60, check=False)
    ours = [line for line in ran.stderr.splitlines() if "syncer" in line]
    assert ours == []


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: str(unit.name))
def test_a_service_writes_only_where_it_must_and_has_no_key(unit: Path) -> None:
    text = unit.read_text(encoding="utf-8")
    (where,) = re.findall(r"^WorkingDirectory=(.*)$", text, re.MULTILINE)
    assert re.findall(r"^ReadWritePaths=(.*)$", text, re.MULTILINE) == [where]
    assert re.findall(r"^LoadCredential=(.*)$", text, re.MULTILINE) == ["youtube-api-key:/etc/syncer/youtube-api-key"]
    assert "Environment" not in text


def test_a_notify_socket_that_is_not_read_does_not_delay_the_daemon(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unread:
        unread.bind(str(tmp_path / "notify"))
        systemd = Systemd(str(tmp_path / "notify"))
        for _ in range(1000):  # many more than a socket holds
            systemd.alive("idle")
        assert unread.recv(100) == b"WATCHDOG=1\nSTATUS=idle"
    assert {record.message for record in caplog.records} == {"The notify socket is full: WATCHDOG=1 was not sent"}
