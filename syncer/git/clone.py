"""Clones a remote into a directory that does not exist yet: in one step, so a killed clone is never a site."""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from syncer.errors import GitError
from syncer.git.remote import TRANSPORTS
from syncer.git.run import git, git_or_none
from syncer.own_files import libc

CLONE_TIMEOUT = 1800
"""Seconds that a clone may take."""


def clone(url: str, directory: Path, cancelled: Callable[[], bool]) -> None:
    """Clone the default branch of a remote into a directory, which must not exist; the one above it must.

    The clone is made beside it, made durable and renamed. What earlier clones left there that were killed is removed.
    It ends early once `cancelled` returns true. Raises GitError.
    """
    directory = Path(os.path.abspath(directory))
    if os.path.lexists(directory):
        raise GitError(f"{directory} exists already; rename it to have the remote cloned there")
    if not directory.parent.is_dir():
        raise GitError(f"{directory.parent} does not exist; create it, or mount its disk; the remote is cloned there")
    try:
        _remove_left_over(directory)
        with _temporary(directory) as temporary:
            git(
                directory.parent, "clone", "--quiet", "--origin=origin", "--single-branch", "--no-tags", "--template=",
                "--no-recurse-submodules", "--config=core.logAllRefUpdates=true", "--", url, str(temporary),
                variables=TRANSPORTS, timeout=CLONE_TIMEOUT, stopped=cancelled,
            )  # fmt: skip
            if git_or_none(temporary, "rev-parse", "--quiet", "--verify", "HEAD^{commit}") is None:
                raise GitError(f"{url} has no commit on its default branch; push the site there first")
            if git_or_none(temporary, "symbolic-ref", "--quiet", "HEAD") is None:
                raise GitError(f"{url} has no default branch: its HEAD is a commit; let it be a branch")
            _flush(temporary)  # the whole file system, before the name says that the clone is whole
            if cancelled():
                raise GitError(f"the clone of {url} was stopped")
            temporary.rename(directory)
            _flush(directory.parent)
    except OSError as error:
        reason = f"{error.strerror}: {error.filename}" if error.filename else str(error)
        raise GitError(f"{url} cannot be cloned into {directory}: {reason}") from error


@contextmanager
def _temporary(directory: Path) -> Iterator[Path]:
    """Make a directory beside this one, and remove it at the end, unless it was renamed.

    Its lock says that its process lives. Git does not inherit it: a git that outlives syncer works for nobody.
    """
    temporary = directory.with_name(f".{directory.name}.syncer-{secrets.token_hex(4)}~")
    temporary.mkdir()
    descriptor = os.open(temporary, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        os.close(descriptor)


def _remove_left_over(directory: Path) -> None:
    """Remove what clones into this directory left behind, if their processes have ended.

    A git that outlived its syncer may still write there: it ends soon, and the next clone removes the rest.
    """
    name = re.compile(rf"\.{re.escape(directory.name)}\.syncer-[0-9a-f]{{8}}~")
    with os.scandir(directory.parent) as entries:
        found = [each.path for each in entries if name.fullmatch(each.name) and each.is_dir(follow_symlinks=False)]
    for path in found:
        with suppress(FileNotFoundError, BlockingIOError):  # another process removes it, or works in it
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(descriptor)


def _flush(directory: Path) -> None:
    """Make all files durable that are on the file system of a directory."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        if not hasattr(libc(), "syncfs"):
            os.sync()
        elif libc().syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(descriptor)
