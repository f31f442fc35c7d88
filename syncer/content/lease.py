"""Leases of Linux (fcntl(2)): they tell whether another program has a page open for writing, and let it wait a moment.

A read lease is granted where nobody has the file open for writing. Readers do not mind it. Who opens the file for
writing, or truncates it, waits until the lease is given back; that somebody waits, its holder can see.
"""

from __future__ import annotations

import errno
import fcntl
import signal
import sys
from contextlib import suppress
from enum import Enum

HARMLESS = int(signal.SIGURG)
"""The signal that says that somebody waits; the kernel's own choice, SIGIO, would end the process."""


class Lease(Enum):
    """What came of asking for one."""

    HELD = "held"
    REFUSED = "refused"
    """A program has the file open for writing, or maps it so."""
    NONE = "none"
    """There is none to be had here: another system, a file system without, a file of another owner."""


def is_open_for_writing(descriptor: int) -> bool:
    """Whether another program has a file open for writing that we have open for reading; False where nobody can say."""
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
    """Whether somebody waits for the lease on this file, or waited for so long that the kernel took it from us."""
    return sys.platform == "linux" and fcntl.fcntl(descriptor, fcntl.F_GETLEASE) != fcntl.F_RDLCK


def give_lease_back(descriptor: int) -> None:
    """Give it back: who waits goes on. Before the file is closed: a child process may have it open as well."""
    if sys.platform == "linux":
        with suppress(OSError):  # the kernel has taken it: somebody waited too long
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
