"""The git repository of a site."""

from __future__ import annotations

import subprocess
from pathlib import Path

SETTINGS = ("user.name=Benchmark", "user.email=benchmark@example.org", "gc.auto=0")
"""A name to commit in, and no tidying up in the background: it would run into whoever comes next."""


def make_repository(site: Path) -> None:
    """Put all pages of a site in a new repository."""
    git(site, "init", "--quiet")
    for setting in SETTINGS:
        git(site, "config", *setting.split("="))
    add_and_commit(site)


def add_and_commit(site: Path) -> None:
    """Commit all pages as they are, in the way that everybody does."""
    git(site, "add", "content")
    git(site, "commit", "--quiet", "-m", "Update YouTube counts")


def committed_files(site: Path) -> int:
    """Return how many files the newest commit changed."""
    return len(git(site, "diff-tree", "-r", "--name-only", "--no-commit-id", "HEAD").splitlines())


def git(site: Path, *command: str) -> str:
    """Run git there and return what it says. Raises CalledProcessError."""
    return subprocess.run(["git", *command], cwd=site, check=True, capture_output=True, text=True).stdout
