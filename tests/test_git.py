"""The git command as syncer runs it: deaf to other repositories' settings, and clear when it fails."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from syncer.errors import GitError
from syncer.git.run import git, has_git, inside_work_tree


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one file, in a directory with an odd name."""
    place = tmp_path / "a site, ünd so"
    place.mkdir()
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=place, check=True)
    (place / "page.md").write_text("text")
    return place


def test_the_output_is_what_git_says(repository: Path) -> None:
    assert git(repository, "branch", "--show-current") == "main\n"
    assert git(repository, "ls-files", "-z", "--others") == "page.md\0"


def test_a_failure_names_the_command_and_quotes_git(repository: Path) -> None:
    with pytest.raises(GitError, match=r"^git log failed: fatal: .*main"):
        git(repository, "log")


def test_an_argument_is_never_a_shells_word(repository: Path) -> None:
    with pytest.raises(GitError, match="git add failed"):
        git(repository, "add", "--", "$(touch made) ; touch made")
    assert not (repository / "made").exists()


def test_variables_of_another_repository_are_not_heard(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    subprocess.run(["git", "init", "-q", str(other)], check=True)
    for name, value in {
        "GIT_DIR": str(other / ".git"),
        "GIT_WORK_TREE": str(other),
        "GIT_INDEX_FILE": str(other / "index"),
        "GIT_PREFIX": "x/",
    }.items():
        monkeypatch.setenv(name, value)

    assert git(repository, "rev-parse", "--show-toplevel").strip() == os.path.realpath(repository)
    git(repository, "add", "page.md")
    assert not (other / "index").exists()


def test_gits_messages_are_english_and_it_never_asks(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("LANGUAGE", "de")
    git(repository, "config", "alias.env", "!env")

    said = git(repository, "env").splitlines()

    assert "LC_ALL=C" in said
    assert "GIT_TERMINAL_PROMPT=0" in said


def test_a_pager_and_waiting_input_stop_nothing(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGER", "false")

    assert git(repository, "hash-object", "--stdin") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\n"
    assert "page.md" in git(repository, "status", "--porcelain")


def test_a_directory_is_inside_a_work_tree_or_not(repository: Path, tmp_path: Path) -> None:
    (repository / "content").mkdir()

    assert inside_work_tree(repository)
    assert inside_work_tree(repository / "content")
    assert not inside_work_tree(repository / ".git")
    assert not inside_work_tree(tmp_path)


def test_a_missing_directory_is_not_taken_for_missing_git(tmp_path: Path) -> None:
    with pytest.raises(GitError, match=r"git cannot run in .*/gone: No such file or directory"):
        git(tmp_path / "gone", "status")
    assert not inside_work_tree(tmp_path / "gone")


def test_where_there_is_no_git_the_error_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert not has_git()
    with pytest.raises(GitError, match="the `git` command was not found; install git"):
        git(tmp_path, "status")
    with pytest.raises(GitError, match="the `git` command was not found; install git"):
        inside_work_tree(tmp_path)


def test_the_state_directory_ignores_itself(repository: Path) -> None:
    from syncer.state.directory import prepare_directory

    prepare_directory(repository / ".syncer")

    assert git(repository, "status", "--porcelain") == "?? page.md\n"


def test_output_that_is_not_utf8_is_no_error(repository: Path) -> None:
    (repository / "page.md").write_bytes(b"\xff\xfe")
    git(repository, "add", "page.md")

    assert os.fsencode(git(repository, "cat-file", "-p", ":page.md")) == b"\xff\xfe"
