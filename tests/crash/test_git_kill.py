"""A sync that is killed, or refused, at any step in git: the next one commits and pushes, and nobody's work is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncer.simulator.server import Simulator
from syncer.simulator.world import World
from tests.crash.git_scene import NEW, GitScene
from tests.remotes import cloned, left_over, push_all, remote_of
from tests.repository import in_git
from tests.site import Site, counts, ids, plain

pytestmark = pytest.mark.storm

VIDEOS = ids(4)
WORK = ["MM content/3.md", "MM notes.txt", "?? untracked.txt"]
"""What git says of the author's work."""
SAMPLE = 4


class Scene(GitScene):
    """A site with staged, unstaged and untracked work in it, whose remote has got new commits; it can be put back."""

    def assert_recovered(self) -> None:
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
        (other.top / "new.txt").write_bytes(NEW)
        push_all(other)
        for text in (b"staged", b"unstaged"):
            page = site_root / "content/3.md"
            page.write_bytes(page.read_bytes() + text + b"\n")
            site.put("notes.txt", b"staged\n")
            if text == b"staged":
                ours.git("add", "notes.txt", "content/3.md")
        site.put("notes.txt", b"staged and more\n")
        site.put("untracked.txt", b"mine\n")
        made = Scene(site, ours, remote, room, youtube)
        made.save()
        yield made


@pytest.mark.parametrize("how", ["kill", "ENOSPC"])
def test_a_sync_that_ends_at_any_step_in_git_is_made_good_by_the_next_one(scene: Scene, how: str) -> None:
    scene.assert_recovers_at_any_step(how, SAMPLE)


def test_a_file_that_a_killed_move_wrote_half_is_written_whole_by_the_next_sync(scene: Scene) -> None:
    scene.assert_repairs_a_torn_file(-1)
