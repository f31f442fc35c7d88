"""What can be tested of the Containerfile without a container."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.daemon_process import Daemon, fill
from tests.site import KEY, Run, Site

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "Containerfile").read_text(encoding="utf-8")


def test_its_health_check_fails_where_no_daemon_runs(site: Site) -> None:
    (command,) = re.findall(r"^HEALTHCHECK .*CMD (\[.*\])$", TEXT, re.MULTILINE)
    fill(site, 1)
    with Daemon(site) as daemon:
        port = daemon.until("Status page at").strip().rstrip("/").rpartition(":")[2]
        program, *rest = json.loads(command.replace(":8787/", f":{port}/"))
        assert program == "python"
        assert subprocess.run([sys.executable, *rest], capture_output=True, check=False).returncode == 0
    assert subprocess.run([sys.executable, *rest], capture_output=True, check=False).returncode != 0


def test_it_runs_as_an_ordinary_user_and_stops_with_the_signal_that_the_daemon_expects() -> None:
    last = TEXT.rpartition("FROM ")[2]
    assert re.search(r"^USER [1-9]", last, re.MULTILINE)
    assert "STOPSIGNAL SIGTERM" in last
    assert "VOLUME /state" in last
    assert "KEY" not in last


def test_a_secret_that_others_can_read_is_to_be_mounted_otherwise(
    site: Site, syncer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing in the container can change its mode."""
    fill(site, 1)
    secret = site.put("secrets/youtube-api-key", KEY.encode())
    secret.chmod(0o444)
    site.configure(youtube=f"api_key_file: {secret}")
    monkeypatch.setattr("syncer.check.setup.CONTAINER_SECRETS", str(secret.parent))
    (finding,) = [each for each in syncer("check", "--offline", "--json").document["checks"] if each["name"] == "key"]
    advice = "Mount the secret with `uid=$(id -u),mode=0400`"
    assert finding == {"name": "key", "level": "warning", "message": f"Other users can read {secret}. {advice}."}
    page = (ROOT / "docs" / "how-to" / "run-in-a-container.md").read_text(encoding="utf-8")
    assert '--secret "youtube-api-key,uid=$(id -u),mode=0400"' in page
    secret.chmod(0o400)
    assert syncer("check", "--offline", "--json").document["exit"] == 0


def test_the_docs_build_with_podman_so_as_to_keep_the_health_check() -> None:
    page = (ROOT / "docs" / "how-to" / "run-in-a-container.md").read_text(encoding="utf-8")
    assert "podman build --format docker " in page
    assert re.findall(r"^podman build (?!--format docker)", page, re.MULTILINE) == []


def test_the_files_that_it_copies_exist() -> None:
    left_out = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    needed = {
        "pyproject.toml",
        "requirements.lock",
        "requirements-fleet.lock",
        "README.md",
        "syncer",
        "content",
        "config",
    }
    assert not needed & set(left_out)
    assert all((ROOT / name).exists() for name in needed)
