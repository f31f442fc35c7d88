"""The container file, as far as it can be tried without a container."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.daemon_process import Daemon, fill
from tests.site import Site

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "Containerfile").read_text(encoding="utf-8")


def test_its_health_check_says_whether_a_daemon_runs(site: Site) -> None:
    (command,) = re.findall(r"^HEALTHCHECK .*CMD (\[.*\])$", TEXT, re.MULTILINE)
    fill(site, 1)
    with Daemon(site) as daemon:
        port = daemon.until("Status page at").strip().rstrip("/").rpartition(":")[2]
        program, *rest = json.loads(command.replace(":8787/", f":{port}/"))
        assert program == "python"
        assert subprocess.run([sys.executable, *rest], capture_output=True, check=False).returncode == 0
    assert subprocess.run([sys.executable, *rest], capture_output=True, check=False).returncode != 0


def test_it_runs_as_nobody_special_and_stops_as_the_daemon_wants_it() -> None:
    last = TEXT.rpartition("FROM ")[2]
    assert re.search(r"^USER [1-9]", last, re.MULTILINE)
    assert "STOPSIGNAL SIGTERM" in last
    assert "VOLUME /state" in last
    assert "KEY" not in last


def test_what_it_copies_is_there() -> None:
    left_out = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    needed = {"pyproject.toml", "requirements.lock", "README.md", "syncer", "content", "config"}
    assert not needed & set(left_out)
    assert all((ROOT / name).exists() for name in needed)
