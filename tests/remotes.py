"""Gives a test's repository a remote that others push to as well."""

from __future__ import annotations

from pathlib import Path

from tests.repository import Repository


def remote_of(repository: Repository, room: Path, *words: str) -> Repository:
    """Makes a bare repository, `origin`, and pushes the branch to it."""
    bare = bare_at(room / "remote.git", *words)
    repository.git("remote", "add", "origin", str(bare.top))
    repository.git("push", "--quiet", "--set-upstream", "origin", "main")
    return bare


def bare_at(place: Path, *words: str) -> Repository:
    """Makes an empty bare repository."""
    place.mkdir()
    bare = Repository(place)
    bare.git("init", "--quiet", "--bare", "--initial-branch", "main", *words)
    return bare


def cloned(remote: Repository, place: Path, *words: str) -> Repository:
    """Makes a clone, in which somebody else works."""
    remote.git("clone", "--quiet", *words, str(remote.top), str(place))
    clone = Repository(place)
    clone.git("config", "user.name", "Bob")
    clone.git("config", "user.email", "bob@example.org")
    return clone


def push_all(clone: Repository, message: str = "Somebody else's work") -> str:
    """Commits everything in a clone and pushes it, as somebody else would: after a pull."""
    commit = clone.commit_all(message)
    clone.git("push", "--quiet", "origin", "HEAD")
    return commit


def left_over(repository: Repository) -> list[str]:
    """What of ours, or of git's locks, lies in git's directory."""
    place = Path(repository.git("rev-parse", "--absolute-git-dir").strip())
    names = [path.name for path in place.rglob("*")]
    return [
        name for name in names if "syncer" in name or name.endswith(".lock") or name.startswith(("fast_import", "tmp_"))
    ]
