"""A sync that is killed, or refused, at any step in git while it takes over what others pushed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest

from syncer.git.clone import clone
from syncer.simulator.server import Simulator
from syncer.simulator.world import World
from tests.crash.points import PROVING
from tests.forks import run
from tests.remotes import bare_at, cloned, left_over, push_all
from tests.repository import Repository
from tests.site import Site, counts, ids, plain

pytestmark = pytest.mark.storm

VIDEOS = ids(4)
SAMPLE = 3


@dataclass
class Clone:
    """A clone in which only syncer works, with a commit that it could not push; others rewrote the remote's branch."""

    site: Site
    ours: Repository
    remote: Repository
    room: Path
    youtube: Simulator

    def save(self) -> None:
        for name in ("site", "remote.git"):
            shutil.copytree(self.room / name, self.room / "saved" / name, symlinks=True)

    def restore(self) -> None:
        for name in ("site", "remote.git"):
            shutil.rmtree(self.room / name)
            shutil.copytree(self.room / "saved" / name, self.room / name, symlinks=True)

    def run(self, at: int = 0, when: str = "", how: str = "") -> subprocess.CompletedProcess[str]:
        return run("-m", "tests.crash.git_calls", str(self.site.config), str(at), when, how)

    def assert_recovered(self, theirs: str) -> None:
        """Make a sync that nothing disturbs; afterwards all must be as if nothing had happened."""
        ended = self.run().stdout.splitlines()[-1]
        assert ended == "ended 0 ()"
        assert self.ours.git("fsck", "--strict", "--no-dangling", "--no-progress") == ""
        assert self.ours.status() == ["?? untracked.txt"]
        assert left_over(self.ours) == []
        for number, video in enumerate(VIDEOS):
            added = b"theirs\n" if number < 2 else b""
            assert self.ours.show(f"content/{number}.md") == plain(video, *counts(self.youtube, video)) + added
        assert (self.site.root / "new.txt").read_bytes() == b"new\n" * 50_000
        assert not (self.site.root / "removed.txt").exists()
        assert self.ours.head() == self.remote.git("rev-parse", "main").strip()
        assert self.ours.git("rev-list", f"{theirs}..main").split(), "the counts are on top of what others pushed"
        assert self.ours.git("log", "--format=%s", "main", "--", "removed.txt") == ""


@pytest.fixture(scope="module", params=["rewritten", "own commit", "left uncommitted"])
def made(request: pytest.FixtureRequest, memory: Path) -> Iterator[tuple[Clone, str]]:
    """Such a clone, and the newest commit of the others."""
    with TemporaryDirectory(dir=memory) as directory, Simulator(World()) as youtube:
        room = Path(directory)
        site = Site(room / "site", youtube.url)
        remote = bare_at(room / "remote.git")
        git = f"commit: true, push: true, remote: 'file://{remote.top}', author: 'Counts <counts@example.org>'"
        (site.root / "content/lists").mkdir(parents=True)
        for number, video in enumerate(VIDEOS):
            site.put(f"content/{number}.md", plain(video, 1, 2))
        site.configure(git=git)
        other = cloned(remote, room / "other")
        other.git("switch", "--quiet", "--create", "main")
        shutil.copytree(site.root, other.top, dirs_exist_ok=True)
        push_all(other)
        if request.param == "rewritten":
            (other.top / "removed.txt").write_bytes(b"removed soon\n")
            push_all(other)
        shutil.rmtree(site.root)
        clone(f"file://{remote.top}", site.root, lambda: False)
        (site.root / "content/lists").mkdir()
        made = Clone(site, Repository(site.root), remote, room, youtube)
        config = site.config.read_text(encoding="utf-8")
        if request.param == "left uncommitted":
            site.configure()
            assert made.run().stdout.splitlines()[-1] == "ended 0 ()"
            site.config.write_text(config, encoding="utf-8")
        else:
            away = remote.top.with_name("away")
            remote.top.rename(away)
            assert "ended 1 " in made.run().stdout
            away.rename(remote.top)
        if request.param == "rewritten":
            other.git("reset", "--quiet", "--hard", "HEAD~1")
        for number in range(2):
            page = other.top / f"content/{number}.md"
            page.write_bytes(page.read_bytes() + b"theirs\n")
        (other.top / "new.txt").write_bytes(b"new\n" * 50_000)
        theirs = other.commit_all()
        other.git("push", "--quiet", "--force", "origin", "main")
        site.put("untracked.txt", b"mine\n")
        made.save()
        yield made, theirs


@pytest.mark.parametrize("how", ["kill", "ENOSPC"])
def test_a_sync_that_ends_at_any_step_of_its_take_over_is_made_good_by_the_next_one(
    made: tuple[Clone, str], how: str
) -> None:
    scene, theirs = made
    scene.restore()
    steps = scene.run().stdout.splitlines()[:-1]
    moments = ("before", "at", "after") if how == "kill" else ("before",)
    points = [(number, when) for number in range(1, len(steps) + 1) for when in moments]
    for at, when in points if PROVING else Random(len(how)).sample(points, SAMPLE):
        scene.restore()
        ended = scene.run(at, when, how)
        assert how == "kill" or ("Traceback" not in ended.stderr and "ended " in ended.stdout), (
            f"{when} {steps[at - 1]}"
        )
        try:
            scene.assert_recovered(theirs)
        except AssertionError as error:
            raise AssertionError(f"{how} {when} step {at}, {steps[at - 1]}: {error}") from error


def test_a_file_that_a_killed_take_over_wrote_half_is_written_whole_by_the_next_sync(made: tuple[Clone, str]) -> None:
    scene, theirs = made
    scene.restore()
    steps = scene.run().stdout.splitlines()
    moves = [number for number, step in enumerate(steps, 1) if " read-tree -m -u " in step and "--dry-run" not in step]
    scene.restore()
    scene.run(moves[0], "after", "kill")
    new = scene.site.root / "new.txt"
    new.write_bytes(new.read_bytes()[:1000])
    scene.assert_recovered(theirs)
