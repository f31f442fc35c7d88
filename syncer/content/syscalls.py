"""Makes files durable: what has come back from here survives a power cut."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache

FLUSHERS = 16
"""Threads that wait for the disk together: with 16, four times the files a second of one (ext4, XFS)."""

MANY = 100
"""Files from which on their whole file system is flushed instead, where the system can: four times as fast again."""


def flush_files(paths: Sequence[str]) -> list[OSError | None]:
    """Make new files durable; for each, in order, return None, or what went wrong."""
    if len(paths) >= MANY and hasattr(_libc(), "syncfs"):
        flushed: dict[int, OSError | None] = {}
        return [_flush_file_system(path, flushed) for path in paths]
    with ThreadPoolExecutor(FLUSHERS, thread_name_prefix="flush") as pool:
        return list(pool.map(_flush_file, paths))


def flush_directories(paths: Iterable[str]) -> None:
    """Make the names in these directories durable, as far as their file system and our rights allow."""
    for path in paths:
        with suppress(OSError):  # the pages are in place, whole: that is to be logged, durable or not
            _flush(path, os.fsync)


def _flush_file_system(path: str, flushed: dict[int, OSError | None]) -> OSError | None:
    """Flush what holds the file, unless it is among those that were `flushed`."""
    try:
        device = os.stat(path).st_dev
        if device not in flushed:
            flushed[device] = _tried(path, _syncfs)
    except OSError as error:
        return error
    return flushed[device]


def _flush_file(path: str) -> OSError | None:
    return _tried(path, os.fsync)


def _tried(path: str, flush: Callable[[int], None]) -> OSError | None:
    try:
        _flush(path, flush)
    except OSError as error:
        return error
    return None


def _flush(path: str, flush: Callable[[int], None]) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        flush(descriptor)
    finally:
        os.close(descriptor)


def _syncfs(descriptor: int) -> None:
    """Call syncfs(2), which Python does not have. Since Linux 5.8 it tells of files that could not be written."""
    if _libc().syncfs(descriptor) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


_RENAME_EXCHANGE = 2
_CANNOT = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}
"""What a kernel says that has no such call, or a file system that does not know it."""


def exchange(one: str, other: str, directory: int) -> bool:
    """Swap two files of an open directory; False where the system cannot, and nothing was done. Raises OSError.

    Programs that watch the directory get the event for `one` last. Linux's renameat2(2), which Python does not have.
    """
    call = _renameat2()
    if call is None:
        return False
    if call(directory, os.fsencode(one), directory, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _CANNOT:
        return False
    raise OSError(number, os.strerror(number), one, None, other)


@cache
def _renameat2() -> ctypes._NamedFuncPointer | None:
    return getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
