"""Reads pages whole, up to the largest size that is taken."""

from __future__ import annotations

import os
import stat

from syncer.own_files import OPEN_FLAGS, open_file

LARGEST_PAGE = 64 << 20
"""Bytes above which a page is left alone: to be replaced it is read whole. GitHub takes no file above 100 MiB."""

READ_SIZE = 1 << 16


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
