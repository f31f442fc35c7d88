"""Swaps two files in one step, where the system can: nobody ever finds one of the names missing."""

from __future__ import annotations

import ctypes
import errno
import os
from functools import cache

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
