"""The short form of the drill: the same, with fewer pages, and too short to see what a daemon takes in the long run."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.drill.lives import Plan, drill

pytestmark = pytest.mark.storm

PLAN = Plan(seed=5, pages=100, lives=(3, 1, 6), quiet=1)


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("git"), reason="needs Linux's /proc, and git")
def test_whatever_happens_to_a_daemon_every_promise_holds(tmp_path: Path) -> None:
    said: list[str] = []
    report = drill(PLAN, tmp_path, said.append)
    assert report.wrong == [], "\n".join(said)
