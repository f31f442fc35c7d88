"""A sync that is killed, or refused, at any step in git while it pulls what others pushed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from syncer.git.clone import clone
from syncer.simulator.server import Simulator
from syncer.simulator.world import World
from tests.crash.git_scene import NEW, GitScene
from tests.remotes import bare_at, cloned, left_over, push_all
from tests.repository import Repository
from tests.site import Site, counts, ids, plain

pytestmark = pytest.mark.storm

VIDEOS = ids(4)
SAMPLE = 3


@dataclass
class Clone(GitScene):
    """A clone in which only syncer works, with a commit that it could not push; others rewrote the remote's branch."""

    theirs: str = ""
    """The newest commit of the others."""

    def assert_recovered(self) -> None:
        ended = self.run().stdout.splitlines()[-1]
        assert ended == "ended 0 ()"
        assert self.ours.git("fsck", "--strict", "--no-dangling", "--no-progress") == ""
        assert self.ours.status() == ["?? untracked.txt"]
        assert left_over(self.ours) == []
        for number, video in enumerate(VIDEOS):
            added = b"theirs\n" if number < 2 else b""
            assert self.ours.show(f"content/{number}.md") == plain(video, *counts(self.youtube, video)) + added
        assert (self.site.root / "new.txt").read_bytes() == NEW
        assert not (self.site.root / "removed.txt").exists()
        assert self.ours.head() == self.remote.git("rev-parse", "main").strip()
        assert self.ours.git("rev-list", f"{self.theirs}..main").split(), "the counts are on top of what others pushed"
        assert self.ours.git("log", "--format=%s", "main", "--", "removed.txt") == ""


@pytest.fixture(scope="module", params=["rewritten", "own commit", "left uncommitted"])
def made(request: pytest.FixtureRequest, memory: Path) -> Iterator[Clone]:
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
        (other.top / "new.txt").write_bytes(NEW)
        made.theirs = other.commit_all()
        other.git("push", "--quiet", "--force", "origin", "main")
        site.put("untracked.txt", b"mine\n")
        made.save()
        yield made


@pytest.mark.parametrize("how", ["kill", "ENOSPC"])
def test_a_sync_that_ends_at_any_step_of_its_pull_is_made_good_by_the_next_one(made: Clone, how: str) -> None:
    made.assert_recovers_at_any_step(how, SAMPLE)


def test_a_file_that_a_killed_pull_wrote_half_is_written_whole_by_the_next_sync(made: Clone) -> None:
    made.assert_repairs_a_torn_file(0)
