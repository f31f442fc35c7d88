"""Opens what may be a page: never hangs at a FIFO, and waits for a moment where another program keeps us out."""

from __future__ import annotations

import errno
import os
import stat
import time

OPEN_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
"""Non-blocking, so that a FIFO that took a page's place cannot hang us."""

LARGEST_PAGE = 64 << 20
"""Bytes above which a page is left alone: to be replaced it is read whole. GitHub takes no file above 100 MiB."""

READ_SIZE = 1 << 16

PAUSES = (*(0.001 * 2**number for number in range(7)), *(0.125 for _ in range(14)))
"""Seconds between two tries: two seconds together."""


def open_file(name: str, directory: int | None = None, flags: int = OPEN_FLAGS) -> int:
    """Return a descriptor of a file, by its path or by its name in an open directory. Raises OSError.

    Where another program has a lease on the file (fcntl(2)), a non-blocking open fails at once with EWOULDBLOCK, and
    that program is asked to give the lease back: the open is tried again for up to two seconds.
    """
    try:
        return os.open(name, flags, dir_fd=directory)
    except BlockingIOError:
        return _open_after_lease(name, directory, flags)


def read_page(path: str, flags: int = OPEN_FLAGS) -> tuple[bytes, os.stat_result]:
    """Return a page's bytes, and what it is besides. Raises OSError, also for what is no file, or too large."""
    descriptor = open_file(path, flags=flags)
    try:
        return read_whole(descriptor)
    finally:
        os.close(descriptor)


def read_whole(descriptor: int) -> tuple[bytes, os.stat_result]:
    """Return the bytes of an open page, and what it is besides. Raises as `read_page` does."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise OSError("is no longer a regular file")
    if status.st_size > LARGEST_PAGE:
        raise OSError(f"it is larger than {LARGEST_PAGE >> 20} MiB; exclude it, or make it smaller")
    whole = os.read(descriptor, status.st_size + 1)
    while len(whole) != status.st_size:  # it shrinks or grows right now, or the read was cut short
        more = os.read(descriptor, READ_SIZE)
        if not more:
            break
        whole += more
    return whole, status


def _open_after_lease(name: str, directory: int | None, flags: int) -> int:
    for pause in PAUSES:
        time.sleep(pause)
        try:
            return os.open(name, flags, dir_fd=directory)
        except BlockingIOError:
            continue
    raise BlockingIOError(errno.EWOULDBLOCK, "another program keeps it to itself (a lease)", name)
