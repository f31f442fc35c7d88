"""The tour: sample pages in a new git repository, a local YouTube, and two syncs a day apart."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from syncer.config.parse import parse_config
from syncer.config.sections import Config
from syncer.git.run import git
from syncer.model import Change
from syncer.simulator.clock import Clock
from syncer.simulator.server import Simulator
from syncer.simulator.world import World
from syncer.status.report import SyncReport
from syncer.sync.make import make_sync
from syncer.sync.options import Environment, Listener, Options

PACKAGE = Path(__file__).parent
ENDPOINT = "https://youtube.googleapis.com/"
LINES_OF_DIFF = 14
GIT_CONFIG = {
    "user.name": "syncer demo",
    "user.email": "demo@localhost",
    "core.autocrlf": "false",
    "core.hooksPath": "/dev/null",
    "commit.gpgsign": "false",
}
"""Makes the new repository independent of the user's git config."""


@dataclass(frozen=True, slots=True)
class Step:
    """What the tour does next, in words."""

    text: str


@dataclass(frozen=True, slots=True)
class Output:
    """A git command and its output."""

    command: str
    text: str


@dataclass(frozen=True, slots=True)
class Synced:
    """A sync of the tour, and what it changed."""

    report: SyncReport
    changes: Sequence[Change]


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of the tour: where its files are, and the config to read the log and the history with."""

    directory: Path
    config: Config


Event = Step | Output | Synced | Finished


def demo(sleep: Callable[[float], object]) -> Iterator[Event]:
    """Run the tour and yield what happens. All its files are in a new directory below the system's temporary directory.

    Raises GitError and OSError.
    """
    start = datetime.now(UTC).replace(microsecond=0)
    directory = Path(tempfile.mkdtemp(prefix="syncer-demo-"))
    with Simulator(World.load(PACKAGE / "demo_world.toml", start=start), Clock(start)) as youtube:
        yield Step(
            f"Copied the sample pages to a new git repository: {directory}\nStarted a local YouTube: {youtube.url}"
        )
        config = _set_up(directory, youtube.url)
        yield Step("First sync: write YouTube's current counts into the pages.")
        yield _sync(config, youtube.clock, sleep)
        yield Output("git diff --stat", git(directory, "diff", "--stat"))
        diff = git(directory, "diff", "--unified=1", "--", *_first_changed(directory))
        yield Output("git diff (the first lines)", "\n".join(diff.splitlines()[:LINES_OF_DIFF]))
        git(directory, "commit", "--quiet", "--all", "--message", "Update YouTube counts")
        youtube.clock.advance(timedelta(days=1))
        yield Step("One day later on the simulated clock. Second sync: write what has changed.")
        yield _sync(config, youtube.clock, sleep)
        yield Finished(directory, config)


def _set_up(directory: Path, url: str) -> Config:
    samples = PACKAGE / "samples" if (PACKAGE / "samples").is_dir() else PACKAGE.parent
    shutil.copytree(samples / "content", directory / "content")
    text = (samples / "config" / "syncer.yaml").read_text(encoding="utf-8").replace(ENDPOINT, url)
    path = directory / "config" / "syncer.yaml"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    git(directory, "init", "--quiet")
    for name, value in GIT_CONFIG.items():
        git(directory, "config", name, value)
    git(directory, "add", "--all")
    git(directory, "commit", "--quiet", "--message", "Add the sample pages")
    return parse_config(text, path)


def _sync(config: Config, clock: Clock, sleep: Callable[[float], object]) -> Synced:
    changes: list[Change] = []
    environment = Environment(key="demo", clock=clock.now, sleep=sleep)
    return Synced(make_sync(config, Options(), environment, Listener(changed=changes.extend)), changes)


def _first_changed(directory: Path) -> list[str]:
    return git(directory, "diff", "--name-only", "-z").split("\0")[:1]
