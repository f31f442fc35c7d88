"""People who commit and push all the time while syncs run: nobody loses anything by it, neither here nor elsewhere."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random

import pytest

from syncer.commit.message import TRAILER
from syncer.model import ProblemKind
from tests.crash.points import PROVING
from tests.remotes import left_over
from tests.repository import Repository
from tests.snapshot import SINGLE, File, zeroed
from tests.test_git_push import PAGES, Pair, pair, pushed

pytestmark = pytest.mark.storm

__all__ = ["pair"]

RACE = 60 if PROVING else 4
"""Seconds."""

EDITED, STAGED, UNSTAGED = PAGES

DRAFTS = 5
"""Files that the author stages between two commits."""

LONGEST_PAUSE = 0.05
"""Seconds before each of them: nobody could commit beside somebody who pauses for thought never."""

NOTE = b"A paragraph that waits.\n"


@pytest.fixture(autouse=True)
def _waiting_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a process that the other thread starts has our lock, shortly."""
    monkeypatch.setattr("tests.site._never", time.sleep)


@contextmanager
def all_the_time(act: Callable[[], object]) -> Iterator[None]:
    """Do something again and again in a thread, until the block ends. Fails where that failed."""
    stop, failed = threading.Event(), list[Exception]()

    def work() -> None:
        try:
            while not stop.is_set():
                act()
        except Exception as error:  # noqa: BLE001 - it is told below
            failed.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        stop.set()
        worker.join()
    assert failed == []


def test_an_author_who_commits_and_pushes_all_the_time_loses_nothing(pair: Pair) -> None:
    pushes = 0

    def push() -> None:
        nonlocal pushes
        append(pair.other, EDITED, b"%d\n" % pushes)
        pair.other.commit_all()
        while is_ahead(pair.other):
            pair.other.git("pull", "--quiet", "--rebase")
            pair.other.git("push", "--quiet", check=False)  # a sync may have come first
        pushes += 1

    with all_the_time(push):
        sync_for_a_while(pair)
    pair.grow()
    pushed(pair.sync())
    assert pair.tip() == pair.ours.head()
    assert pair.ours.status() == []
    assert pair.ours.show(EDITED) == pair.expected(0) + b"".join(b"%d\n" % number for number in range(pushes))
    assert pair.ours.show(STAGED) == pair.expected(1)
    assert pair.ours.git("rev-list", "--merges", "HEAD") == "", "the history is a line"


def test_an_author_who_stages_and_commits_in_the_same_clone_all_the_time_loses_nothing(pair: Pair) -> None:
    pair.site.configure(git="commit: true")
    append(pair.ours, STAGED, NOTE)
    pair.ours.git("add", STAGED)
    append(pair.ours, UNSTAGED, NOTE)
    before = pair.ours.status()
    commits, random, pause = 0, Random(7), threading.Event()

    def commit() -> None:
        nonlocal commits
        append(pair.ours, EDITED, b"%d\n" % commits)
        for number in range(DRAFTS):
            pause.wait(random.uniform(0, LONGEST_PAUSE))
            name = f"draft-{commits}-{number}.txt"
            pair.site.put(name, b"A draft.\n")
            until_done(pair.ours, "add", "--verbose", name)
        until_done(pair.ours, "commit", "--message", f"Work {commits}", "--", EDITED)
        commits += 1

    with all_the_time(commit):
        sync_for_a_while(pair)
    pair.grow()
    pushed(pair.sync())
    marks = b"".join(b"%d\n" % number for number in range(commits))
    assert pair.ours.show(EDITED) == pair.expected(0) + marks
    drafts = [f"A  draft-{commit}-{number}.txt" for commit in range(commits) for number in range(DRAFTS)]
    assert sorted(pair.ours.status()) == sorted(before + drafts)
    assert pair.ours.show(STAGED, at="") == pair.expected(1) + NOTE
    assert (pair.ours.top / UNSTAGED).read_bytes() == pair.expected(2) + NOTE
    subjects = pair.ours.git("log", "--format=%s", "--reverse").splitlines()
    assert [subject for subject in subjects if subject.startswith("Work")] == [f"Work {n}" for n in range(commits)]
    assert pair.ours.git("rev-list", "--merges", "HEAD") == "", "the history is a line"
    require_only_counts_in_ours(pair.ours)
    assert pair.ours.git("fsck", "--strict", "--no-dangling") == ""
    assert left_over(pair.ours) == []


def sync_for_a_while(pair: Pair) -> None:
    """Make one sync after the other; all that may go wrong is that somebody else is always faster."""
    end = time.monotonic() + RACE
    while time.monotonic() < end:
        assert {problem.kind for problem in pair.sync().problems} <= {
            ProblemKind.NOT_COMMITTED, ProblemKind.NOT_PUSHED, ProblemKind.EDITED_MEANWHILE
        }  # fmt: skip
        pair.grow()


def append(repository: Repository, path: str, line: bytes) -> None:
    """Edits a page as a careful editor does: a new file takes the old one's place, if that is still what was read."""
    page, new = repository.top / path, repository.top / f"{path}.new"
    while True:
        seen = page.stat().st_ino
        new.write_bytes(page.read_bytes() + line)
        if page.stat().st_ino == seen:
            os.replace(new, page)
            return


def is_ahead(clone: Repository) -> bool:
    """Whether the remote lacks commits of a clone."""
    clone.git("fetch", "--quiet")
    return clone.git("rev-list", "origin/main..HEAD") != ""


def until_done(repository: Repository, *words: str) -> None:
    """Has git do something, again while a sync has the index locked for a moment: then it says nothing."""
    deadline = time.monotonic() + 10
    while repository.git(*words, check=False) == "":
        assert time.monotonic() < deadline, words


def require_only_counts_in_ours(repository: Repository) -> None:
    """Fails where a commit of ours changed anything but counts."""
    ours = repository.git("log", f"--grep=^{TRAILER}: ", "--format=%H").split()
    assert ours
    for commit in ours:
        for path in repository.git("diff-tree", "-r", "--name-only", "--no-commit-id", commit).splitlines():
            old, new = (File("", repository.show(path, at)) for at in (f"{commit}^", commit))
            assert zeroed(path, old, SINGLE) == zeroed(path, new, SINGLE)
