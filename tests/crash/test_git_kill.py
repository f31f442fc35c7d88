"""A sync that is killed, or refused, at any step in git: the next one commits and pushes, and nobody's work is lost."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from syncer.simulator.server import Simulator
from syncer.simulator.world import World
from tests.crash.points import PROVING
from tests.forks import run
from tests.remotes import cloned, left_over, push_all, remote_of
from tests.repository import Repository, in_git
from tests.site import Site, counts, ids, plain

pytestmark = pytest.mark.storm

VIDEOS = ids(4)
WORK = ["MM content/3.md", "MM notes.txt", "?? untracked.txt"]
"""What git says of the author's work."""
SAMPLE = 4


@dataclass
class Scene:
    """A site with staged, unstaged and untracked work in it, whose remote has got new commits; it can be put back."""

    site: Site
    ours: Repository
    remote: Repository
    room: Path
    youtube: Simulator

    def restore(self) -> None:
        for name in ("site", "remote.git"):
            shutil.rmtree(self.room / name)
            shutil.copytree(self.room / "saved" / name, self.room / name, symlinks=True)

    def run(self, at: int = 0, when: str = "", how: str = "") -> subprocess.CompletedProcess[str]:
        return run("-m", "tests.crash.git_calls", str(self.site.config), str(at), when, how)

    def assert_recovered(self) -> None:
        """Make a sync that nothing disturbs; afterwards all must be as if nothing had happened."""
        ended = self.run().stdout.splitlines()[-1]
        assert ended == "ended 0 ()"
        assert self.ours.git("fsck", "--strict", "--no-dangling", "--no-progress") == ""
        assert self.ours.status() == WORK
        assert self.ours.show("notes.txt", "") == b"staged\n"
        assert (self.site.root / "notes.txt").read_bytes() == b"staged and more\n"
        for number, video in enumerate(VIDEOS):
            theirs = b"theirs\n" if number < 2 else b""
            assert self.ours.show(f"content/{number}.md") == plain(video, *counts(self.youtube, video)) + theirs
        last = plain(VIDEOS[3], *counts(self.youtube, VIDEOS[3])) + b"staged\n"
        assert self.ours.show("content/3.md", "") == last
        assert (self.site.root / "content/3.md").read_bytes() == last + b"unstaged\n"
        assert left_over(self.ours) == []
        assert self.ours.head() == self.remote.git("rev-parse", "main").strip()
        assert self.ours.git("rev-list", "--count", "HEAD") == "3\n"


@pytest.fixture(scope="module")
def scene(memory: Path) -> Iterator[Scene]:
    room = memory / "git"
    site_root = room / "site"
    (site_root / "content/lists").mkdir(parents=True)
    with Simulator(World()) as youtube:
        site = Site(site_root, youtube.url)
        site.configure(git="commit: true, push: true")
        for number, video in enumerate(VIDEOS):
            site.put(f"content/{number}.md", plain(video, 1, 2))
        site.put("notes.txt", b"a note\n")
        ours = in_git(site)
        remote = remote_of(ours, room)
        other = cloned(remote, room / "other")
        for number in range(2):
            page = other.top / f"content/{number}.md"
            page.write_bytes(page.read_bytes() + b"theirs\n")
        (other.top / "new.txt").write_bytes(b"new\n" * 50_000)
        push_all(other)
        for text in (b"staged", b"unstaged"):
            page = site_root / "content/3.md"
            page.write_bytes(page.read_bytes() + text + b"\n")
            site.put("notes.txt", b"staged\n")
            if text == b"staged":
                ours.git("add", "notes.txt", "content/3.md")
        site.put("notes.txt", b"staged and more\n")
        site.put("untracked.txt", b"mine\n")
        for name in ("site", "remote.git"):
            shutil.copytree(room / name, room / "saved" / name, symlinks=True)
        yield Scene(site, ours, remote, room, youtube)


@pytest.mark.parametrize("how", ["kill", "ENOSPC"])
def test_a_sync_that_ends_at_any_step_in_git_is_made_good_by_the_next_one(scene: Scene, how: str) -> None:
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
            scene.assert_recovered()
        except AssertionError as error:
            raise AssertionError(f"{how} {when} step {at}, {steps[at - 1]}: {error}") from error


def test_a_file_that_a_killed_move_wrote_half_is_written_whole_by_the_next_sync(scene: Scene) -> None:
    scene.restore()
    steps = scene.run().stdout.splitlines()
    moves = [number for number, step in enumerate(steps, 1) if " read-tree -m -u " in step]
    scene.restore()
    scene.run(moves[-1], "after", "kill")
    new = scene.site.root / "new.txt"
    new.write_bytes(new.read_bytes()[:1000])
    scene.assert_recovered()
    assert new.read_bytes() == b"new\n" * 50_000
