"""System calls for a page's file: exchange, leases and durability.

Python has no functions for Linux's renameat2(2) and syncfs(2).
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from enum import Enum
from functools import cache, partial

FLUSH_THREADS = 16
"""Threads that wait for the disk: 16 flush four times as many files a second as one (ext4, XFS)."""

SYNCFS_FILES = 100
"""From so many files on, the whole file system is flushed if possible: four times as fast again."""

LEASE_SIGNAL = int(signal.SIGURG)
"""The signal when a process waits for a lease; the default, SIGIO, would end this process."""

_RENAME_EXCHANGE = 2
_NOT_SUPPORTED = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}
"""The errors of a kernel without the call, and of a file system that does not support it."""


def exchange(first: str, second: str, directory: int) -> bool:
    """Swap two files of an open directory; False if the system cannot, and nothing was done. Raises OSError.

    Programs that watch the directory get the event for `first` last.
    """
    renameat2 = getattr(_libc(), "renameat2", None)
    if renameat2 is None:
        return False
    if renameat2(directory, os.fsencode(first), directory, os.fsencode(second), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NOT_SUPPORTED:
        return False
    raise OSError(number, os.strerror(number), first, None, second)


class Lease(Enum):
    """The result of a request for a lease (fcntl(2)).

    The kernel grants a read lease if no process has the file open for writing. Readers are not affected. A process
    that opens the file for writing, or truncates it, waits until the lease is given back, and the holder is notified.
    """

    HELD = "held"
    REFUSED = "refused"
    """A program has the file open or mapped for writing."""
    NONE = "none"
    """Not available: another system, a file system without leases, a file of another owner."""


def is_open_for_writing(descriptor: int) -> bool:
    """Return whether another program has this open file open for writing; False if unknown."""
    lease = take_lease(descriptor)
    if lease is Lease.HELD:
        give_lease_back(descriptor)
    return lease is Lease.REFUSED


def take_lease(descriptor: int) -> Lease:
    """Take a read lease on a file that is open for reading only."""
    if sys.platform != "linux":
        return Lease.NONE
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, LEASE_SIGNAL)  # to give a lease back resets it
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return Lease.REFUSED if error.errno == errno.EAGAIN else Lease.NONE
    return Lease.HELD


def is_waited_for(descriptor: int) -> bool:
    """Return whether a process waits for the lease on this file, or waited so long that the kernel has revoked it."""
    return sys.platform == "linux" and fcntl.fcntl(descriptor, fcntl.F_GETLEASE) != fcntl.F_RDLCK


def give_lease_back(descriptor: int) -> None:
    """Give it back, so that a waiting process continues; before closing the file, which a child may have open too."""
    if sys.platform == "linux":
        with suppress(OSError):  # the kernel has revoked it: a process waited too long
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)


def flush_files(paths: Sequence[str]) -> list[OSError | None]:
    """Make new files durable; for each, in order, return None or the error."""
    if len(paths) >= SYNCFS_FILES and hasattr(_libc(), "syncfs"):
        return _flush_file_systems(paths)
    with ThreadPoolExecutor(FLUSH_THREADS, thread_name_prefix="flush") as pool:
        return list(pool.map(partial(_flush, flush=os.fsync), paths))


def flush_directories(paths: Iterable[str]) -> None:
    """Make the names in these directories durable, as far as the file system and the permissions allow."""
    for path in paths:
        _flush(path, os.fsync)  # the pages are replaced, and that must be logged, durable or not


def _flush_file_systems(paths: Sequence[str]) -> list[OSError | None]:
    """Make the file systems of the files durable, each of them once."""
    results: list[OSError | None] = []
    flushed: dict[int, OSError | None] = {}
    for path in paths:
        try:
            device = os.stat(path).st_dev
        except OSError as error:
            results.append(error)
            continue
        if device not in flushed:
            flushed[device] = _flush(path, _syncfs)
        results.append(flushed[device])
    return results


def _flush(path: str, flush: Callable[[int], None]) -> OSError | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            flush(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        return error
    return None


def _syncfs(descriptor: int) -> None:
    """Call syncfs(2), which since Linux 5.8 reports files that could not be written."""
    if _libc().syncfs(descriptor) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
