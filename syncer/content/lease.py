"""Leases of Linux (fcntl(2)): they show whether another program has a page open for writing, and make it wait a moment.

The kernel grants a read lease where no process has the file open for writing. Readers are not affected. A process that
opens the file for writing, or truncates it, waits until the lease is given back; the holder of the lease can see that.
"""

from __future__ import annotations

import errno
import fcntl
import signal
import sys
from contextlib import suppress
from enum import Enum

HARMLESS = int(signal.SIGURG)
"""The signal that says that a process waits; the default, SIGIO, would end ours."""


class Lease(Enum):
    """The result of a request for one."""

    HELD = "held"
    REFUSED = "refused"
    """A program has the file open for writing, or maps it so."""
    NONE = "none"
    """Not available: another system, a file system without leases, a file of another owner."""


def is_open_for_writing(descriptor: int) -> bool:
    """Whether another program has a file open for writing that we have open to read; False where that is unknown."""
    lease = take_lease(descriptor)
    if lease is Lease.HELD:
        give_lease_back(descriptor)
    return lease is Lease.REFUSED


def take_lease(descriptor: int) -> Lease:
    """Take a read lease on a file that is open for reading only."""
    if sys.platform != "linux":
        return Lease.NONE
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, HARMLESS)  # to give a lease back resets it
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return Lease.REFUSED if error.errno == errno.EAGAIN else Lease.NONE
    return Lease.HELD


def is_waited_for(descriptor: int) -> bool:
    """Whether a process waits for the lease on this file, or waited so long that the kernel took it from us."""
    return sys.platform == "linux" and fcntl.fcntl(descriptor, fcntl.F_GETLEASE) != fcntl.F_RDLCK


def give_lease_back(descriptor: int) -> None:
    """Give it back, so that a waiting process continues; before the file is closed, as a child may have it open too."""
    if sys.platform == "linux":
        with suppress(OSError):  # the kernel has taken it: a process waited too long
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
