"""Opens files without hanging. Syncer's own files and files named in the config must be regular files that no other
user controls (decision record 0019). Has the C library's functions for files that Python lacks.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from syncer.errors import StateError

PRIVATE_MODE = 0o600
"""The mode of files that other users must not open: whoever can open a file for reading can lock it."""

GROUP_MODE = 0o660
"""The mode of files that a group shares."""

PUBLIC_MODE = 0o644
"""The mode of files that other users may read."""

OPEN_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
"""Non-blocking: a pipe without a writer would hang otherwise."""

NO_LINK = OPEN_FLAGS | os.O_NOFOLLOW
"""For a path that must not end in a link."""

LEASE_PAUSES_SECONDS = (*(0.001 * 2**number for number in range(7)), *(0.125 for _ in range(14)))
"""Seconds between two tries while another program holds a lease on a file: two seconds in total."""

MOVE_AWAY = "; move it away"
"""What to do about something that is not the expected file."""

_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a pipe",
    stat.S_IFDIR: "a directory",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class UnsafeFile(OSError):
    """A path that is not safe to use; `strerror` says why."""

    def __init__(self, path: str | Path, reason: str) -> None:
        super().__init__(errno.EPERM, reason, str(path))


def open_file(name: str | Path, directory: int | None = None, flags: int = OPEN_FLAGS, mode: int = 0) -> int:
    """Return a descriptor of a file, by its path or by its name in an open directory. Raises OSError.

    If another program has a lease on the file (fcntl(2)), a non-blocking open fails at once with EWOULDBLOCK, and the
    kernel asks that program to release the lease: the open is retried for up to two seconds.
    """
    try:
        return os.open(name, flags, mode, dir_fd=directory)
    except BlockingIOError as refusal:
        for pause in LEASE_PAUSES_SECONDS:
            time.sleep(pause)
            with suppress(BlockingIOError):
                return os.open(name, flags, mode, dir_fd=directory)
        raise BlockingIOError(errno.EWOULDBLOCK, "another program has a lease on it", str(name)) from refusal


def open_own(path: Path, flags: int, mode: int = PRIVATE_MODE) -> int:
    """Open one of syncer's own files for writing and return its descriptor. `flags` as for `os.open`.

    A new file gets `mode`; an existing one that allows more is restricted to it. Raises UnsafeFile if the path is a
    link, not a regular file, another user's, or has several hard links; OSError.
    """
    with suppress(FileNotFoundError):
        _require_own(path, os.lstat(path))  # before the open: opening a device can have effects
    descriptor = _open(path, flags | os.O_NOFOLLOW, mode)
    try:
        status = os.fstat(descriptor)
        _require_own(path, status)
        _tighten(descriptor, status, mode)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def require_own(path: Path, *, tighten: bool = True) -> None:
    """Check a file that a library opens by its name, if it exists, as `open_own` does. Raises as that does.

    `tighten`: restrict its mode, too.
    """
    with suppress(FileNotFoundError):
        status = os.lstat(path)
        _require_own(path, status)
        if tighten:
            _tighten(path, status, PRIVATE_MODE)


def require_group(path: Path, *, tighten: bool) -> None:
    """Check a file, if it exists, that a group shares: the group of its directory.

    It is a regular file with one name, of any user, and belongs to that group. `tighten`: give it `GROUP_MODE` if it is
    this user's. Raises UnsafeFile and OSError.
    """
    with suppress(FileNotFoundError):
        status = os.lstat(path)
        _require_regular(path, status, MOVE_AWAY)
        _require_one_name(path, status)
        group = path.parent.stat().st_gid
        if status.st_gid != group:
            raise UnsafeFile(
                path, f"belongs to group {status.st_gid}, but its directory to group {group}; change its group"
            )
        if tighten and stat.S_IMODE(status.st_mode) != GROUP_MODE and status.st_uid == os.geteuid():
            os.chmod(path, GROUP_MODE)


def remove_own(path: Path) -> None:
    """Remove one of syncer's own files, or a link with its name. Raises UnsafeFile for a directory; OSError."""
    with suppress(FileNotFoundError):
        if stat.S_ISDIR(os.lstat(path).st_mode):
            raise UnsafeFile(path, f"is a directory, not a file{MOVE_AWAY}")
        path.unlink()


def open_to_read(path: Path, *, follow: bool = False) -> int:
    """Open a regular file of any user for reading, and return its descriptor.

    `follow`: the path may be a link, as for files named in the config. Raises UnsafeFile and OSError.
    """
    remedy = "" if follow else MOVE_AWAY
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


def overwrite(path: Path, content: bytes, mode: int) -> None:
    """Replace the content of one of syncer's own files. Raises as `open_own` does."""
    with open(open_own(path, os.O_WRONLY | os.O_CREAT, mode), "wb") as file:
        rewrite(file.fileno(), content)


def rewrite(descriptor: int, content: bytes) -> None:
    """Replace the content of an open file. Raises OSError."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, content, 0)


@contextmanager
def as_state_error(what: str, remedy: str) -> Iterator[None]:
    """Raise an OSError of the block as StateError, with what failed and the remedy; an UnsafeFile has both itself."""
    try:
        yield
    except UnsafeFile as error:
        raise StateError(f"{error.filename} {error.strerror}") from error
    except OSError as error:
        raise StateError(f"{what}: {error.strerror}; {remedy}") from error


def require_together(paths: Sequence[Path]) -> None:
    """Raise UnsafeFile if one of these is a link, not a regular file, has several hard links, or differs in its owner.

    This is for files that a library opens together, and may write even when it only reads. Missing files are fine.
    Raises OSError too.
    """
    owner = None
    for path in paths:
        with suppress(FileNotFoundError):
            status = os.lstat(path)
            _require_regular(path, status, MOVE_AWAY)
            _require_one_name(path, status)
            owner = status.st_uid if owner is None else owner
            if status.st_uid != owner:
                raise UnsafeFile(
                    path, f"belongs to user {status.st_uid}, but {paths[0].name} to user {owner}{MOVE_AWAY}"
                )


@cache
def libc() -> ctypes.CDLL:
    """Return the C library. A function that fails sets `ctypes.get_errno()`."""
    return ctypes.CDLL(None, use_errno=True)


def file_system_number(place: str | int) -> int | None:
    """Return the number (linux/magic.h) of the file system of a path or an open file, on Linux; None if unknown."""
    buffer = ctypes.create_string_buffer(4096)  # struct statfs begins with the number, a C long
    failed = libc().statfs(os.fsencode(place), buffer) if isinstance(place, str) else libc().fstatfs(place, buffer)
    return None if failed else ctypes.c_long.from_buffer(buffer).value & 0xFFFFFFFF


def _open(path: Path, flags: int, mode: int = 0) -> int:
    try:
        return open_file(path, flags=flags | OPEN_FLAGS, mode=mode)
    except OSError as error:
        if error.errno == errno.ELOOP and path.is_symlink():
            raise UnsafeFile(path, f"is a symbolic link, not a file{MOVE_AWAY}") from error
        raise


def _require_own(path: Path, status: os.stat_result) -> None:
    _require_regular(path, status, MOVE_AWAY)
    us = os.geteuid()
    # root may use files of the directory's owner too: `sudo syncer sync`, or a container with a volume
    if status.st_uid != us and not (us == 0 and status.st_uid == path.parent.stat().st_uid):
        raise UnsafeFile(path, f"belongs to user {status.st_uid}, but syncer runs as user {us}; change its owner")
    _require_one_name(path, status)


def _require_one_name(path: Path, status: os.stat_result) -> None:
    if status.st_nlink > 1:
        raise UnsafeFile(path, f"has {status.st_nlink} hard links; replace it with a copy")


def _require_regular(path: Path, status: os.stat_result, remedy: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise UnsafeFile(path, f"is {kind}, not a file{remedy}")


def _tighten(file: Path | int, status: os.stat_result, mode: int) -> None:
    if status.st_mode & 0o777 & ~mode:
        os.chmod(file, stat.S_IMODE(status.st_mode) & (0o7000 | mode))
