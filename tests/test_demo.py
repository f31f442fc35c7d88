"""The tour: it succeeds, shows what it should, and changes no file of the user."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from syncer.git.run import git
from tests.site import tree

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Tour:
    code: int
    out: str
    err: str
    home: Path
    """The user's directory, in which it was started."""
    directory: Path
    """The directory that it names at its end."""
    before: object


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tour]:
    """The tour, run without a key in a directory with a broken config and an unusual git config."""
    home, temporary = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("tmp")
    (home / "config").mkdir()
    (home / "config/syncer.yaml").write_text("nonsense: [", encoding="utf-8")
    (home / ".gitconfig").write_text(
        "[commit]\ngpgsign = true\n[core]\nautocrlf = true\nhooksPath = /nowhere\n", encoding="utf-8"
    )
    before = tree(home)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SYNCER", "YOUTUBE", "GIT_"))}
    done = subprocess.run(
        [sys.executable, "-m", "syncer", "demo"],
        cwd=home, env={**kept, "HOME": str(home), "TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    named = re.search(r"Everything is in (\S+)\. ", done.stdout)
    directory = Path(named[1]) if named else temporary
    yield Tour(done.returncode, done.stdout, done.stderr, home, directory, before)
    shutil.rmtree(directory)


def test_the_tour_succeeds_without_a_key(tour: Tour) -> None:
    assert (tour.code, tour.err) == (0, "")


def test_the_tour_changes_no_file_of_the_user(tour: Tour) -> None:
    assert tree(tour.home) == tour.before
    assert not tour.directory.is_relative_to(ROOT)


def test_the_tour_shows_changes_a_diff_the_log_and_a_history(tour: Tour) -> None:
    for part in (
        "$ git diff --stat",
        "$ git diff",
        "$ syncer log",
        "$ syncer history",
        '-viewcount: "',
        '+viewcount: "',
    ):
        assert part in tour.out
    assert len(re.findall(r"Changed \d+ counts on \d+ pages", tour.out)) == 2, "a sync, a day, a sync"
    assert "Changed 0 counts" not in tour.out


def test_the_tour_ends_with_the_next_steps(tour: Tour) -> None:
    end = tour.out[tour.out.index("Everything is in") :]
    for step in ("YOUTUBE_API_KEY", "syncer init", "syncer check", "syncer sync --dry-run"):
        assert step in end


def test_its_repository_is_valid_and_only_counts_differ(tour: Tour) -> None:
    git(tour.directory, "fsck", "--strict")
    assert len(git(tour.directory, "log", "--format=%s").splitlines()) == 2
    assert git(tour.directory, "status", "--porcelain", "--", ".syncer") == ""
    for difference in (git(tour.directory, "diff", "HEAD~1", "HEAD"), git(tour.directory, "diff")):
        lines = [line for line in difference.splitlines() if re.match(r"[+-](?![+-])", line)]
        assert lines != []
        assert [line for line in lines if not re.search(r"viewcount|likeCount", line)] == []


def test_the_users_git_config_does_not_change_the_line_ends_of_the_samples(tour: Tour) -> None:
    pages = sorted((tour.directory / "content").rglob("*.md"))
    crlf = {path.name for path in pages if b"\r\n" in path.read_bytes()}
    samples = {path.name for path in (ROOT / "content").rglob("*.md") if b"\r\n" in path.read_bytes()}
    assert crlf == samples != set()


def test_other_commands_work_on_what_the_tour_leaves(tour: Tour) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for command in (["status", "--json"], ["log", "--json"]):
        done = subprocess.run(
            [sys.executable, "-m", "syncer", *command],
            cwd=tour.directory, env=environment, capture_output=True, check=False, timeout=60,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, b"")
