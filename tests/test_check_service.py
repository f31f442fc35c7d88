"""`syncer check` in a systemd service: do the unit's user, sandbox and credential fit?"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.site import KEY, Run, Site, crlf, ids

READ_ONLY = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift; export SYSTEMD_EXEC_PID=$$; exec "$@"'


@pytest.fixture
def unit(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, syncer: Run) -> Site:
    """The environment of a systemd service with a credential: its process ID, and a directory."""
    site.put("content/a.md", crlf(ids(1)[0], 1, 2))
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "youtube-api-key").write_text(KEY, encoding="ascii")
    monkeypatch.setenv("SYSTEMD_EXEC_PID", str(os.getpid()))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    monkeypatch.delenv("YOUTUBE_API_KEY")
    return site


def services(syncer: Run) -> list[tuple[str, str]]:
    document = syncer("check", "--offline", "--json").document
    return [(entry["level"], entry["message"]) for entry in document["checks"] if entry["name"] == "service"]


def test_one_line_says_that_the_unit_fits(unit: Site, syncer: Run) -> None:
    assert services(syncer) == [("ok", "the unit's user, sandbox and credential are right")]


def test_a_shell_that_a_service_started_is_not_checked_as_a_service(
    unit: Site, syncer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYSTEMD_EXEC_PID", "1")
    assert services(syncer) == []


def test_a_key_in_the_environment_is_a_warning_and_no_key_an_error(
    unit: Site, syncer: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "credentials/youtube-api-key").rename(tmp_path / "credentials/other")
    ((level, message),) = services(syncer)
    assert (level, message) == (
        "error",
        "The unit has no API key. Add `LoadCredential=youtube-api-key:PATH` to it.",
    )
    monkeypatch.setenv("YOUTUBE_API_KEY", KEY)
    ((level, message),) = services(syncer)
    assert (level, "every user can read" in message) == ("warning", True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_pages_of_another_user_are_a_warning(unit: Site, syncer: Run) -> None:
    os.chown(unit.root / "content", 12345, -1)
    assert ("warning", True) in [(level, "belongs to user 12345" in message) for level, message in services(syncer)]


def can_mount() -> bool:
    unshare = shutil.which("unshare")
    return bool(unshare) and subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_mount(), reason="needs the right to mount")
def test_a_read_only_directory_of_pages_is_an_error_that_names_readwritepaths(unit: Site) -> None:
    """The pages on a read-only mount, as `ProtectSystem=strict` makes it."""
    pages = unit.root / "content"
    syncer = [sys.executable, "-m", "syncer", "-c", str(unit.config), "check", "--offline", "--json"]
    command = ["unshare", "-m", "sh", "-c", READ_ONLY, "sh", str(pages), *syncer]
    ran = subprocess.run(command, capture_output=True, check=False)
    found = [entry["message"] for entry in json.loads(ran.stdout)["checks"] if entry["name"] == "service"]
    assert f"The service cannot write {pages}. Add it to `ReadWritePaths=` in the unit." in found


@pytest.mark.skipif(not can_mount(), reason="needs the right to mount")
def test_a_ledger_in_a_read_only_directory_is_an_error_that_names_readwritepaths(unit: Site, tmp_path: Path) -> None:
    place = tmp_path / "quota"
    place.mkdir()
    unit.configure(quota=f"ledger: {place}/quota.sqlite3")
    syncer = [sys.executable, "-m", "syncer", "-c", str(unit.config), "check", "--offline", "--json"]
    command = ["unshare", "-m", "sh", "-c", READ_ONLY, "sh", str(place), *syncer]
    ran = subprocess.run(command, capture_output=True, check=False)
    (found,) = (entry["message"] for entry in json.loads(ran.stdout)["checks"] if entry["name"] == "ledger")
    assert f"In a unit of systemd, add {place} to `ReadWritePaths=`" in found
    assert "permissions" not in found


def test_the_address_of_the_build_hook_in_the_environment_is_a_warning(
    unit: Site, syncer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit.configure(deploy="hook_env: HOOK")
    monkeypatch.setenv("HOOK", "https://example.org/hook-5f3a9c0e")
    ((level, message),) = services(syncer)
    assert (level, "Use `LoadCredential=deploy-hook:PATH` instead" in message) == ("warning", True)
