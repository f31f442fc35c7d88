"""A site and its remote, on which a sync is killed or refused at any step in git, and put back for the next one."""

from __future__ import annotations

import shutil
import subprocess
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from random import Random

from syncer.simulator.server import Simulator
from tests.crash.points import PROVING
from tests.forks import run
from tests.repository import Repository
from tests.site import Site

NEW = b"new\n" * 50_000
"""What others pushed as `new.txt`: large enough that git writes it in parts."""


@dataclass
class GitScene(ABC):
    """What is in `site` and in `remote.git` of a room."""

    site: Site
    ours: Repository
    remote: Repository
    room: Path
    youtube: Simulator

    @abstractmethod
    def assert_recovered(self) -> None:
        """Makes a sync that nothing disturbs; afterwards all must be as if nothing had happened."""

    def save(self) -> None:
        for name in ("site", "remote.git"):
            shutil.copytree(self.room / name, self.room / "saved" / name, symlinks=True)

    def restore(self) -> None:
        for name in ("site", "remote.git"):
            shutil.rmtree(self.room / name)
            shutil.copytree(self.room / "saved" / name, self.room / name, symlinks=True)

    def run(self, at: int = 0, when: str = "", how: str = "") -> subprocess.CompletedProcess[str]:
        return run("-m", "tests.crash.git_calls", str(self.site.config), str(at), when, how)

    def assert_recovers_at_any_step(self, how: str, sample: int) -> None:
        """Ends a sync before, at or after each of its steps, or so many of these; the next one must be as usual."""
        self.restore()
        steps = self.run().stdout.splitlines()[:-1]
        moments = ("before", "at", "after") if how == "kill" else ("before",)
        points = [(number, when) for number in range(1, len(steps) + 1) for when in moments]
        for at, when in points if PROVING else Random(len(how)).sample(points, sample):
            self.restore()
            ended = self.run(at, when, how)
            assert how == "kill" or ("Traceback" not in ended.stderr and "ended " in ended.stdout), (
                f"{when} {steps[at - 1]}"
            )
            try:
                self.assert_recovered()
            except AssertionError as error:
                raise AssertionError(f"{how} {when} step {at}, {steps[at - 1]}: {error}") from error

    def assert_repairs_a_torn_file(self, move: int) -> None:
        """Ends a sync after one of its moves of the tree, the first or the last, of which a file was written half."""
        self.restore()
        steps = self.run().stdout.splitlines()
        moves = [
            number for number, step in enumerate(steps, 1) if " read-tree -m -u " in step and "--dry-run" not in step
        ]
        self.restore()
        self.run(moves[move], "after", "kill")
        torn = self.site.root / "new.txt"
        torn.write_bytes(torn.read_bytes()[:1000])
        self.assert_recovered()
        assert torn.read_bytes() == NEW
