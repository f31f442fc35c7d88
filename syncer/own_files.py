"""Opens the files that are ours, and those that the config names: regular files, and nothing that could hang or be
somebody else's. Decision record 0019 says why.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

PRIVATE = 0o600
"""The mode of what other users must not open: whoever can open a file for reading can lock it."""

PUBLIC = 0o644
"""The mode of what other users may read."""

LEASE_TIMEOUT = 2.0
"""Seconds that an open is tried again while another program holds a lease on the file (EWOULDBLOCK)."""

MOVE = "; move it away"
"""What to do about what is in a file's place."""

_POLL = 0.02
_FLAGS = os.O_CLOEXEC | os.O_NONBLOCK  # O_NONBLOCK: a pipe without a writer is opened, seen, and refused
_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFDIR: "a directory",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class UnsafeFile(OSError):
    """A path leads to something that is not what we write or read there; `strerror` says what it is."""

    def __init__(self, path: str | Path, reason: str) -> None:
        super().__init__(errno.EPERM, reason, str(path))


def open_own(path: Path, flags: int, mode: int = PRIVATE) -> int:
    """Open a file of ours for writing and return its descriptor. `flags` as for `os.open`.

    A new file gets `mode`; an older one that allows more is tightened to it. Raises UnsafeFile where the path is a
    link, no regular file, another user's, or has a second name; OSError.
    """
    with suppress(FileNotFoundError):
        _require_own(path, os.lstat(path))  # before the open: to open a device can do something
    descriptor = _open(path, flags | os.O_NOFOLLOW, mode)
    try:
        status = os.fstat(descriptor)
        _require_own(path, status)
        if _allows_more(status, mode):
            os.fchmod(descriptor, stat.S_IMODE(status.st_mode) & ~0o777 | status.st_mode & mode)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def require_own(path: Path, mode: int = PRIVATE) -> None:
    """Do as `open_own` does for a file that a library opens by its name, where there is one. Raises as that does."""
    with suppress(FileNotFoundError):
        status = os.lstat(path)
        _require_own(path, status)
        if _allows_more(status, mode):
            path.chmod(stat.S_IMODE(status.st_mode) & ~0o777 | status.st_mode & mode)


def open_to_read(path: Path, *, follow: bool = False) -> int:
    """Open a regular file for reading, whoever it belongs to, and return its descriptor.

    `follow`: the path may be a link, as one that the config names may. Raises UnsafeFile and OSError.
    """
    remedy = "" if follow else MOVE
    _require_regular(path, path.stat() if follow else os.lstat(path), remedy)
    descriptor = _open(path, os.O_RDONLY | (0 if follow else os.O_NOFOLLOW))
    try:
        _require_regular(path, os.fstat(descriptor), remedy)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def read_file(path: Path, largest: int, *, follow: bool = False) -> bytes:
    """Return the first `largest` bytes of a regular file. Raises as `open_to_read` does."""
    with open(open_to_read(path, follow=follow), "rb") as file:
        return file.read(largest)


def require_together(paths: Sequence[Path]) -> None:
    """Raise UnsafeFile where one of these is a link, no regular file, has two names, or another owner than the first.

    For files that a library opens together, and may write even where it is told to read. Those that are not there are
    no matter. Raises OSError too.
    """
    owner = None
    for path in paths:
        with suppress(FileNotFoundError):
            status = os.lstat(path)
            _require_regular(path, status, MOVE)
            _require_one_name(path, status)
            owner = status.st_uid if owner is None else owner
            if status.st_uid != owner:
                raise UnsafeFile(path, f"belongs to user {status.st_uid}, and {paths[0].name} to user {owner}{MOVE}")


def _open(path: Path, flags: int, mode: int = 0) -> int:
    """Open, and try again while a lease keeps us out. Raises OSError."""
    end = time.monotonic() + LEASE_TIMEOUT
    while True:
        try:
            return os.open(path, flags | _FLAGS, mode)
        except BlockingIOError:
            if time.monotonic() > end:
                raise
            time.sleep(_POLL)
        except OSError as error:
            if error.errno == errno.ELOOP and path.is_symlink():
                raise UnsafeFile(path, f"is a symbolic link, not a file{MOVE}") from error
            raise


def _require_own(path: Path, status: os.stat_result) -> None:
    _require_regular(path, status, MOVE)
    _require_owner(path, status)
    _require_one_name(path, status)


def _require_one_name(path: Path, status: os.stat_result) -> None:
    if status.st_nlink > 1:
        raise UnsafeFile(path, f"has {status.st_nlink} names (hard links); make it a file of its own")


def _require_regular(path: Path, status: os.stat_result, remedy: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise UnsafeFile(path, f"is {_kind(status)}, not a file{remedy}")


def _require_owner(path: Path, status: os.stat_result) -> None:
    """Root may use what belongs to the directory's owner as well: `sudo syncer sync`, or a container over a volume."""
    us = os.geteuid()
    if status.st_uid != us and not (us == 0 and status.st_uid == path.parent.stat().st_uid):
        raise UnsafeFile(path, f"belongs to user {status.st_uid}, and syncer runs as user {us}; change its owner")


def _allows_more(status: os.stat_result, mode: int) -> bool:
    return bool(status.st_mode & 0o777 & ~mode)


def _kind(status: os.stat_result) -> str:
    return _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
