"""Counts in pages that git was told not to look at: they are on disk, and sync and review say that they wait."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from syncer.model import Problem, ProblemKind
from syncer.simulator.server import Simulator
from tests.remotes import cloned, left_over, push_all, remote_of
from tests.repository import Repository, in_git
from tests.site import NOON, Run, Site, counts, ids, plain

VIDEOS = ids(4, seed=95)
PAGES = [f"content/{number}.md" for number in range(4)]
FLAGS = ("skip-worktree", "assume-unchanged")


@pytest.fixture
def repository(site: Site) -> Repository:
    site.configure(git="commit: true")
    for page, video in zip(PAGES, VIDEOS, strict=True):
        site.put(page, plain(video, 1, 2))
    site.put("notes.txt", b"a note\n")
    return in_git(site)


@pytest.mark.parametrize("flag", FLAGS)
def test_a_page_that_git_ignores_is_written_and_reported(
    site: Site, repository: Repository, youtube: Simulator, syncer: Run, flag: str
) -> None:
    repository.git("update-index", f"--{flag}", *PAGES[:2])
    said = (
        f"the counts of 2 pages ({PAGES[0]}, ...) cannot be committed because git ignores changes there ({flag});"
        f" run `git update-index --no-{flag} PATH`, and the next sync commits them"
    )
    for _ in range(2):  # as long as it is so
        report = site.sync()
        assert report.problems == (Problem(ProblemKind.NOT_COMMITTED, "git", said),)
        assert report.exit == 1
        for page, video in zip(PAGES, VIDEOS, strict=True):
            assert (site.root / page).read_bytes() == plain(video, *counts(youtube, video))
    assert repository.show(PAGES[0]) == plain(VIDEOS[0], 1, 2)
    assert repository.show(PAGES[2]) == plain(VIDEOS[2], *counts(youtube, VIDEOS[2]))
    ran = syncer("review", "--json")
    [shown] = ran.document["problems"]
    assert (shown["kind"], shown["message"], ran.code, ran.document["exit"]) == ("not-committed", said, 1, 1)
    assert said in syncer("review").out
    letter = "S" if flag == "skip-worktree" else "h"
    flags = repository.git("ls-files", "-v", "content").splitlines()
    assert flags == [f"{letter if page in PAGES[:2] else 'H'} {page}" for page in PAGES]
    repository.git("update-index", f"--no-{flag}", *PAGES[:2])
    report = site.sync(NOON + timedelta(minutes=1))
    assert (report.exit, report.problems) == (0, ())
    assert repository.show(PAGES[0]) == plain(VIDEOS[0], *counts(youtube, VIDEOS[0]))
    assert syncer("review", "--json").code == 0


def test_both_flags_are_reported_and_files_without_new_counts_are_not(
    site: Site, repository: Repository, youtube: Simulator
) -> None:
    site.put(PAGES[3], plain(VIDEOS[3], *counts(youtube, VIDEOS[3])))
    repository.commit_all()
    for flag in FLAGS:
        repository.git("update-index", f"--{flag}", PAGES[0], "notes.txt", PAGES[3])
    site.put("notes.txt", b"another note\n")
    [problem] = site.sync().problems
    assert problem.message.startswith(f"the counts of 1 page ({PAGES[0]}) cannot be committed")


def test_the_authors_own_counts_in_such_a_page_are_not_reported(
    site: Site, repository: Repository, youtube: Simulator, syncer: Run
) -> None:
    for page, video in zip(PAGES, VIDEOS, strict=True):
        site.put(page, plain(video, *counts(youtube, video)))
    repository.commit_all()
    repository.git("update-index", "--skip-worktree", PAGES[0])
    site.put(PAGES[0], plain(VIDEOS[0], *counts(youtube, VIDEOS[0])) + b"More.\n")
    assert site.sync().problems == ()
    assert syncer("review", "--json").document["problems"] == []


def test_review_of_other_pages_says_nothing_of_it(site: Site, repository: Repository, syncer: Run) -> None:
    repository.git("update-index", "--skip-worktree", PAGES[0])
    site.configure(git="commit: false")
    site.sync()
    assert syncer("review", "--json", "--keep", PAGES[1]).document["problems"] == []
    ran = syncer("review", "--json", "--keep", PAGES[0])
    assert (ran.code, ran.document["kept"], len(ran.document["problems"])) == (1, None, 1)


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("theirs", ["another page", "the same page"])
def test_what_others_push_does_not_overwrite_files_that_git_ignores(
    site: Site, repository: Repository, tmp_path: Path, flag: str, theirs: str
) -> None:
    site.configure(git="commit: true, push: true")
    other = cloned(remote_of(repository, tmp_path), tmp_path / "other")
    repository.git("update-index", f"--{flag}", PAGES[0])
    mine = site.put(PAGES[0], (site.root / PAGES[0]).read_bytes() + b"Mine alone.\n")
    page = other.top / PAGES[0 if theirs == "the same page" else 1]
    page.write_bytes(page.read_bytes() + b"Theirs.\n")
    push_all(other)
    site.sync()
    assert mine.read_bytes().endswith(b"\nMine alone.\n")
    letter = "S" if flag == "skip-worktree" else "h"
    assert repository.git("ls-files", "-v", PAGES[0]) == f"{letter} {PAGES[0]}\n"
    assert left_over(repository) == []


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_stays_where_the_disk_has_what_others_pushed(
    site: Site, repository: Repository, tmp_path: Path, flag: str
) -> None:
    site.configure(git="commit: true, push: true")
    other = cloned(remote_of(repository, tmp_path), tmp_path / "other")
    repository.git("update-index", f"--{flag}", "notes.txt")
    (other.top / "notes.txt").write_bytes(b"theirs\n")
    push_all(other)
    site.put("notes.txt", b"theirs\n")
    site.sync()
    letter = "S" if flag == "skip-worktree" else "h"
    assert repository.git("ls-files", "-v", "notes.txt") == f"{letter} notes.txt\n"
    assert (site.root / "notes.txt").read_bytes() == b"theirs\n"
    assert left_over(repository) == []
