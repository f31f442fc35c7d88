"""The git command: run with an argument list, without what the environment says about other repositories."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from syncer.errors import GitError

PATIENCE = 60
"""Seconds that one git command may take."""


def has_git() -> bool:
    """Whether the git command is there."""
    return shutil.which("git") is not None


def git(directory: Path, *arguments: str) -> str:
    """Run git in a directory and return its standard output. Raises GitError."""
    try:
        done = subprocess.run(
            ["git", "--no-pager", *arguments],
            cwd=directory,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
    except OSError as error:
        if not has_git():
            raise GitError("git is not installed; install it") from None
        raise GitError(f"git cannot run in {directory}: {error.strerror}") from error
    except subprocess.TimeoutExpired:
        raise GitError(f"git {arguments[0]} took more than {PATIENCE} seconds") from None
    if done.returncode != 0:
        raise GitError(f"git {arguments[0]} failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode(errors="replace")


def inside_work_tree(directory: Path) -> bool:
    """Whether a directory is in the working tree of a repository. Raises GitError where there is no git."""
    try:
        return git(directory, "rev-parse", "--is-inside-work-tree").strip() == "true"
    except GitError:
        if not has_git():
            raise
        return False


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
