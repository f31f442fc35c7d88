"""The check says before the first sync whether its counts can be committed and pushed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.remotes import remote_of
from tests.repository import Repository, in_git
from tests.site import Run, Site, crlf, ids


def told(syncer: Run) -> list[tuple[str, str]]:
    """The lines about git: how bad, and what they say."""
    checks = syncer("check", "--offline", "--json").document["checks"]
    return [(entry["level"], entry["message"]) for entry in checks if entry["name"] == "git"]


@pytest.fixture
def repository(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, "/dev/null")
    site.put("content/a.md", crlf(ids(1)[0], 1, 2))
    site.configure(git="commit: true, push: true")
    repository = in_git(site)
    remote_of(repository, tmp_path)
    return repository


def test_where_all_is_well_it_says_where_the_counts_go(repository: Repository, syncer: Run) -> None:
    [first, second] = told(syncer)
    push = "Not tested here: run `git push --dry-run origin HEAD`."
    assert (first[0], second) == ("ok", ("ok", f"each sync commits to main and pushes to origin. {push}"))


def test_the_remote_is_not_asked(repository: Repository, syncer: Run) -> None:
    repository.git("remote", "set-url", "origin", "https://host.invalid/site.git")
    assert [level for level, _ in told(syncer)] == ["ok", "ok"]


def no_remote(repository: Repository) -> None:
    repository.git("remote", "remove", "origin")


def nobody(repository: Repository) -> None:
    repository.git("config", "--unset", "user.email")


def detached(repository: Repository) -> None:
    repository.git("switch", "--quiet", "--detach")


def bisecting(repository: Repository) -> None:
    repository.git("bisect", "start")


@pytest.mark.parametrize(
    ("hinder", "level", "words"),
    [
        (no_remote, "error", "there is no remote called origin"),
        (nobody, "error", "git has no name and email address to commit with; set `git.author`"),
        (detached, "warning", "no branch with a commit is checked out"),
        (bisecting, "warning", "in the middle of a bisect"),
    ],
)
def test_what_would_keep_a_sync_from_committing_is_named(
    repository: Repository, syncer: Run, hinder: Callable[[Repository], None], level: str, words: str
) -> None:
    hinder(repository)
    [_, (said_level, said)] = told(syncer)
    assert said_level == level
    assert words in said


def test_without_a_repository_there_is_no_commit(repository: Repository, syncer: Run) -> None:
    (repository.top / ".git").rename(repository.top / "not-git")
    assert told(syncer) == [
        ("error", "The site is not in a git repository, so counts cannot be committed. Run `git init`.")
    ]
