"""Commands as users start them, timed as processes from start to end: syncer's, the script, and Python itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measured import Measured, Task, measuring
from benchmarks.ours import KEY, write_config
from benchmarks.site import up_to_date

ROOT = Path(__file__).parent.parent

SYNCER = str(Path(sys.executable).with_name("syncer"))
"""The command as it is installed beside this Python."""

ENVIRONMENT = {**os.environ, "YOUTUBE_API_KEY": KEY}

REST_SECONDS = 5
"""How long a daemon has been at rest when its memory is read."""


def sync_process(task: Task) -> Measured:
    """Run `syncer sync`."""
    measured = _run(SYNCER, "-c", str(write_config(task)), "sync")
    measured.pages = up_to_date(task.root)
    return measured


def script_process(task: Task) -> Measured:
    """Run the script that a user would write."""
    measured = _run(sys.executable, "-m", "benchmarks.script", task.site, task.endpoint)
    measured.pages = up_to_date(task.root)
    return measured


def status_process(task: Task) -> Measured:
    """Run `syncer status` on a site that was synced."""
    config = str(write_config(task))
    _run(SYNCER, "-c", config, "sync")
    return _run(SYNCER, "-c", config, "status")


def help_process(_task: Task) -> Measured:
    """Run `syncer --help`."""
    return _run(SYNCER, "--help")


def python_process(_task: Task) -> Measured:
    """Start Python, and nothing else."""
    return _run(sys.executable, "-c", "pass")


def daemon_at_rest(task: Task) -> Measured:
    """Run `syncer daemon` until its first sync is done; the memory is what it holds a few seconds later."""
    command = [SYNCER, "-c", str(write_config(task)), "--log-format", "json", "daemon"]
    start = time.perf_counter()
    with subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) as daemon:
        assert daemon.stderr is not None
        try:
            if not any(json.loads(line).get("event") == "synced" for line in daemon.stderr):
                raise SystemExit("the daemon ended before its first sync did")
            seconds = time.perf_counter() - start
            time.sleep(REST_SECONDS)
            resident = _resident(daemon.pid)
        finally:
            daemon.terminate()
    return Measured(up_to_date(task.root), seconds, peak=resident)


def _run(*command: str) -> Measured:
    """Run a command to its end. Its memory is not measured: the system counts the one that started it in."""
    with measuring() as measured:
        subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, check=True, capture_output=True)
    measured.peak = 0
    return measured


def _resident(process: int) -> int:
    """Return the memory that a process holds now, in bytes."""
    kilobytes: Sequence[str] = subprocess.run(
        ["ps", "-o", "rss=", "-p", str(process)], check=True, capture_output=True, text=True
    ).stdout.split()
    return int(kilobytes[0]) * 1024
