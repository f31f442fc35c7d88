"""Random work of an author on commits of ours, and of others at the remote: no sync loses a word, or publishes one."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncer.model import ProblemKind
from syncer.simulator.server import Simulator
from syncer.simulator.world import World
from syncer.sync.options import Options
from tests.remotes import SharedSite, cloned, left_over, push_all, remote_of
from tests.repository import Repository, in_git
from tests.site import FORMS, Site, ids, pair

pytestmark = pytest.mark.storm

STORIES = 300 if "SYNCER_PROVE" in os.environ else 6

VIDEOS = ids(8, seed=97)
PAGES = [*(f"content/{number}.md" for number in range(len(FORMS))), "content/lists/two.md"]

WORD = re.compile(r"word-\d+")
OWN_COUNT = re.compile(r"\b77000\d+\b")
"""Counts that only the author writes: a sync may overwrite them on disk, but not what he has committed."""


@dataclass
class Story(SharedSite):
    """A repository whose author works with git, its remote, and the clone of somebody who pushes as well."""

    words: int = 0

    def word(self) -> str:
        self.words += 1
        return f"word-{self.words}"

    def write(self, number: int) -> None:
        """A new word in a page's body, or in the notes."""
        path = self.site.root / [*PAGES, "notes.txt"][number % (len(PAGES) + 1)]
        if path.exists():
            path.write_bytes(path.read_bytes() + f"\n{self.word()}\n".encode())

    def commit(self, *words: str) -> None:
        self.ours.git("commit", "--quiet", "--allow-empty", *words)


def write(story: Story, number: int) -> None:
    story.write(number)


def stage(story: Story, number: int) -> None:
    story.ours.git("add", "--all", *(["content"] if number % 2 else []))


def commit(story: Story, number: int) -> None:
    story.write(number)
    story.commit(*(["--all"] if number % 3 else []), "--message", f"Mine: {story.word()}")


def amend(story: Story, number: int) -> None:
    story.write(number)
    story.commit("--all", "--amend", "--no-edit")


def reword(story: Story, number: int) -> None:
    said = story.ours.git("log", "-1", "--format=%B")
    new = said.replace("\n", f" {story.word()}\n", 1) if number % 2 else f"{story.word()}\n\n{said}"
    story.commit("--amend", "--message", new)


def fix_up(story: Story, number: int) -> None:
    story.write(number)
    before = f"HEAD~{number % 2}"
    if story.ours.git("rev-parse", "--quiet", "--verify", f"{before}^", check=False):
        story.commit("--all", "--fixup", before)
        rebase(story, "--autosquash", "--interactive", f"HEAD~{number % 2 + 2}")


def copy_the_message(story: Story, number: int) -> None:
    story.write(number)
    story.commit("--all", "--reuse-message", "HEAD")


def squash(story: Story, _number: int) -> None:
    if story.ours.git("rev-parse", "--quiet", "--verify", "HEAD~2", check=False):
        newest = story.ours.head()
        story.ours.git("reset", "--quiet", "--soft", "HEAD~2")
        story.commit("--reuse-message", newest)


def write_own_count(story: Story, number: int) -> None:
    """By hand, into the newest commit."""
    path = story.site.root / PAGES[number % len(PAGES)]
    story.words += 1
    if path.exists():
        own = rb"\g<1>77000%d" % story.words
        path.write_bytes(re.sub(rb"(viewcount['\"]?\s*[:=]\s*['\"]?)\d+", own, path.read_bytes(), count=1))
        story.commit("--all", "--amend", "--no-edit")


def revert(story: Story, number: int) -> None:
    newest = story.ours.head()
    if story.ours.git("rev-parse", "--quiet", "--verify", "HEAD~1", check=False):
        story.ours.git("revert", "--no-edit", "HEAD", check=False)
        story.ours.git("revert", "--abort", check=False)
        if number % 2 and story.ours.head() != newest:
            story.commit("--amend", "--reuse-message", newest)


def merge(story: Story, number: int) -> None:
    """A side branch of one commit, brought in under the newest commit's message."""
    if story.ours.status() == []:
        said = story.ours.git("log", "-1", "--format=%B")
        story.ours.git("checkout", "--quiet", "--detach")
        story.write(number)
        story.commit("--all", "--message", story.word())
        side = story.ours.head()
        story.ours.git("checkout", "--quiet", "main")
        story.ours.git("merge", "--quiet", "--no-ff", "--message", said, side)


def rebase(story: Story, *words: str) -> None:
    story.ours.git("-c", "sequence.editor=true", "rebase", "--quiet", "--autostash", *words, check=False)
    story.ours.git("rebase", "--abort", check=False)


def pull(story: Story, _number: int) -> None:
    story.ours.git("fetch", "--quiet", check=False)
    rebase(story, "origin/main")


def push(story: Story, _number: int) -> None:
    """The author's own push: all that he has committed is public."""
    story.ours.git("push", "--quiet", "origin", "main", check=False)


def others_push(story: Story, number: int) -> None:
    story.other.git("fetch", "--quiet")
    story.other.git("reset", "--quiet", "--hard", "origin/main")
    path = story.other.top / [*PAGES, "theirs.txt"][number % (len(PAGES) + 1)]
    path.write_bytes((path.read_bytes() if path.exists() else b"") + f"\nother {number}\n".encode())
    push_all(story.other)


def forget(story: Story, number: int) -> None:
    if number == 0:
        shutil.rmtree(story.site.state, ignore_errors=True)
    elif number < 3 and (story.site.state / "diff.jsonl").exists():
        (story.site.state / "diff.jsonl").write_bytes(b"")


def sync(story: Story, number: int) -> None:
    """Makes a sync, and looks where all words are."""
    story.grow()
    before, public = words_in(story), words_at(story.remote, "--all")
    with nullcontext() if number % 3 else story.without_remote():
        options = Options(paths=(PAGES[0],)) if number == 1 and (story.site.root / PAGES[0]).exists() else None
        report = story.sync(options)
    kinds = {problem.kind for problem in report.problems}
    assert kinds <= {ProblemKind.NOT_PUSHED, ProblemKind.NOT_COMMITTED, ProblemKind.STATE_LOST}, report.problems
    after = words_in(story)
    assert {place: before[place] - after[place] for place in before} == {place: set() for place in before}
    assert words_at(story.remote, "--all") == public, "published what its author had not"


def words_in(story: Story) -> dict[str, set[str]]:
    """The author's words by where they are: in the branch, in the index, on disk."""
    index = story.ours.git("grep", "--cached", "-h", "word-", check=False)
    files = [path for path in story.site.root.rglob("*") if path.is_file() and ".git" not in path.parts]
    disk = " ".join(path.read_text("utf-8", "replace") for path in files if ".syncer" not in path.parts)
    return {
        "branch": words_at(story.ours, "HEAD"),
        "index": set(WORD.findall(index)),
        "disk": set(WORD.findall(disk)),
    }


def words_at(repository: Repository, reference: str) -> set[str]:
    """The words in all commits, messages too."""
    shown = repository.git("log", "-m", "--patch", "--text", "--format=%B", reference)
    return {*WORD.findall(shown), *OWN_COUNT.findall(shown)}


WORK = (
    write, stage, commit, amend, reword, fix_up, copy_the_message, squash, write_own_count, revert, merge, pull, push,
    others_push, forget,
)  # fmt: skip


@pytest.fixture(scope="module")
def begun() -> Iterator[Path]:
    """A site, its remote and the clone, to begin each story with a copy."""
    with TemporaryDirectory(prefix="syncer-story-") as room:
        site = Site(Path(room, "site"), "http://127.0.0.1:9")
        for number, make in enumerate(FORMS):
            site.put(PAGES[number], make(VIDEOS[number], 1, 2))
        site.put(PAGES[-1], pair((VIDEOS[5], 1, 2), (VIDEOS[6], 3, 4)))
        site.put("notes.txt", b"notes\n")
        site.put(".gitignore", b".syncer/\nconfig/\n")
        remote = remote_of(in_git(site), Path(room))
        cloned(remote, Path(room, "other"))
        yield Path(room)


steps = st.tuples(st.sampled_from((*WORK, amend, fix_up, others_push, *[sync] * 7)), st.integers(0, 9))


@given(story=st.lists(steps, min_size=4, max_size=14))
@settings(
    max_examples=STORIES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_no_sync_loses_or_publishes_a_word_of_the_authors(
    begun: Path, story: list[tuple[Callable[[Story, int], None], int]]
) -> None:
    with TemporaryDirectory(prefix="syncer-story-") as directory, Simulator(World()) as youtube:
        room = Path(directory, "room")
        shutil.copytree(begun, room, symlinks=True)
        site = Site(room / "site", youtube.url)
        site.configure(git="commit: true, push: true")
        ours, remote, other = (Repository(room / name) for name in ("site", "remote.git", "other"))
        for clone in (ours, other):
            clone.git("remote", "set-url", "origin", str(remote.top))
        told = Story(site, ours, remote, other, youtube)
        for act, number in ((sync, 0), *story, (sync, 2)):
            act(told, number)
        assert ours.git("fsck", "--strict", "--no-dangling") == ""
        assert left_over(ours) == []
