"""Leases on pages: who has one open, and changes in place that no other program can see half done.

A write lease (fcntl(2)) is granted only if no other process has the file open. Who opens it meanwhile waits until the
lease is given back, which takes some microseconds here. Four rules make that safe (decision record 0024): leases are
believed only on the file systems in `TRUSTED`; no sector of a disk ever holds half a number; the kernel takes a lease
away after a time, so a timer ends this process earlier if it is stopped; and a page that was renamed or linked while
it was written gets its old text back.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from enum import Enum
from typing import NamedTuple

from syncer.front_matter.plain import Splice
from syncer.own_files import file_system_number

LEASE_SIGNAL = int(signal.SIGURG)
"""The signal when a process waits for a lease; the default, SIGIO, would end this process."""

TRUSTED = {0xEF53: "ext4", 0x58465342: "XFS", 0x9123683E: "btrfs", 0x01021994: "tmpfs"}
"""The file systems on which a lease is known to see every open file, by their numbers in statfs(2).

Others grant leases, too, but do not see who has the file open below them (overlayfs, FUSE) or on another machine.
"""

SECTOR_BYTES = 512
"""A disk writes so many bytes whole or not at all, so a count never crosses a multiple of it."""

PAGE_BYTES = 4096
"""Linux copies so many bytes into a file's memory whole or not at all, also when the process is killed."""

BREAK_TIME = "/proc/sys/fs/lease-break-time"
"""Where Linux says after how many seconds it takes a lease away; 0: never."""

SHORTEST_BREAK_SECONDS = 10
"""If it takes leases away sooner, no page is changed in place."""

NO_BREAK_SECONDS = 45
"""What is used where the kernel never takes a lease away: its default."""

MARGIN_SECONDS = 5
"""The timer ends this process so long before the kernel takes the lease away."""

TIMER_WAIT_SECONDS = 1.0
"""If another thread changes a page for so long, its disk hangs: this page gets a new file instead of waiting for it."""

CLOCK_LAG_NS = 20_000_000
"""The clock of file systems may be so far behind: some kernels count in steps of 10 ms."""


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


class Patched(Enum):
    """What came of changing a page in place."""

    DONE = "done"
    REFUSED = "refused"
    """Nothing was done: another program has the page open, it is another user's, or another thread takes too long."""
    EDITED = "edited"
    """Somebody edited, renamed or linked the page, and it has no new count."""
    MIXED = "mixed"
    """Somebody edited the page while this process was stopped, and the new counts are written into that text."""


class OpenPage(NamedTuple):
    """A page that is open for reading and writing."""

    descriptor: int
    name: str
    directory: int
    """Open, and the name leads to the page there."""
    status: os.stat_result


class Patcher(NamedTuple):
    """Changes pages in place; see `patcher`."""

    break_seconds: float
    """The kernel takes a lease away when a process has waited so long for it."""

    def patch(self, page: OpenPage, old: bytes, write: Splice) -> Patched:
        """Write a part of a page if it still has the `old` text.

        Raises OSError if it cannot be written, and then it has its old text. While the lease is held, a timer
        (ITIMER_REAL) runs that ends this process by SIGALRM before the kernel takes the lease away: a process that was
        stopped could write into another program's text when it continues. A process has one such timer, so its threads
        do this one after the other.
        """
        if sys.platform != "linux" or not _timer.acquire(timeout=TIMER_WAIT_SECONDS):
            return Patched.REFUSED
        try:
            began = time.monotonic()
            signal.setitimer(signal.ITIMER_REAL, self.break_seconds - MARGIN_SECONDS)
            try:
                fcntl.fcntl(page.descriptor, fcntl.F_SETSIG, LEASE_SIGNAL)  # to give a lease back resets it
                fcntl.fcntl(page.descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            except OSError:
                return Patched.REFUSED
            return self._write(page, old, write, began)
        finally:
            give_lease_back(page.descriptor)
            signal.setitimer(signal.ITIMER_REAL, 0)
            _timer.release()

    def _write(self, page: OpenPage, old: bytes, write: Splice, began: float) -> Patched:
        """Write under the lease; `began` is the time before it was requested."""
        descriptor, (start, stop, new) = page.descriptor, write
        if os.pread(descriptor, len(old) + 1, 0) != old:
            return Patched.EDITED
        if time.monotonic() - began > self.break_seconds / 2:  # stopped or paused since
            return Patched.REFUSED
        try:
            _write(descriptor, new, start)
            if time.monotonic() - began > self.break_seconds:  # only where the timer failed to end this process
                written = old[:start] + new + old[stop:]
                return Patched.DONE if os.pread(descriptor, len(old) + 1, 0) == written else Patched.MIXED
            if _is_only_name(page):
                return Patched.DONE
        except OSError:
            with suppress(OSError):
                _write(descriptor, old[start:stop], start)
            raise
        _write(descriptor, old[start:stop], start)
        return Patched.EDITED


_timer = threading.Lock()
"""Held while the timer runs: two sites may be synced in two threads."""


def patcher() -> Patcher | None:
    """Return what changes pages in place; None where it is not safe: then each page needs a new file.

    That is so on other systems than Linux, and where the timer would not end this process. The command line sets
    SIGALRM to its default; where something else handles or blocks it, no page is changed in place. Nor is one by the
    first process of a container, which Linux does not end by a signal with its default effect.
    """
    if (
        sys.platform != "linux"
        or os.getpid() == 1
        or signal.getsignal(signal.SIGALRM) is not signal.SIG_DFL
        or signal.SIGALRM in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    ):
        return None
    with suppress(OSError, ValueError), open(BREAK_TIME, encoding="ascii") as file:
        seconds = int(file.read())
        if seconds == 0 or seconds >= SHORTEST_BREAK_SECONDS:
            return Patcher(seconds or NO_BREAK_SECONDS)
    return None


def in_one_write(page: bytes, splices: Sequence[Splice]) -> Splice | None:
    """Return what to write to a page for these splices, at once; None if it needs a new file.

    `page` is the old text. It needs a new file where its length changes, where a part crosses a sector, and where all
    parts together cross a memory page: a process that is killed could leave half of such a write.
    """
    for start, stop, new in splices:
        if len(new) != stop - start or start // SECTOR_BYTES != (stop - 1) // SECTOR_BYTES:
            return None
    first, last = min((start for start, _, _ in splices), default=0), max((stop for _, stop, _ in splices), default=0)
    if first // PAGE_BYTES != (last - 1) // PAGE_BYTES:
        return None
    write = bytearray(page[first:last])
    for start, stop, new in splices:
        write[start - first : stop - first] = new
    return first, last, bytes(write)


def may_be_patched(status: os.stat_result) -> bool:
    """Return whether a page with this status may be changed in place.

    It belongs to the user of this process, who may write it. It has one name, and no mode that the kernel takes away
    from a file that is written to. It was last changed in an earlier second: git finds changes by whole seconds.
    """
    return (
        status.st_uid == os.geteuid()
        and status.st_nlink == 1
        and status.st_mode & (stat.S_IWUSR | stat.S_ISUID | stat.S_ISGID) == stat.S_IWUSR
        and status.st_mtime_ns // 10**9 < (time.time_ns() - CLOCK_LAG_NS) // 10**9
    )


def is_trusted(descriptor: int) -> bool:
    """Return whether a file, or a directory, is on a file system whose leases see every open file."""
    return sys.platform == "linux" and file_system_number(descriptor) in TRUSTED


def _is_only_name(page: OpenPage) -> bool:
    """Return whether the page still has this name, and no other."""
    try:
        found = os.stat(page.name, dir_fd=page.directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return found.st_nlink == 1 and os.path.samestat(found, page.status)


def _write(descriptor: int, new: bytes, at: int) -> None:
    written = os.pwrite(descriptor, new, at)
    if written < len(new):
        _write(descriptor, new[written:], at + written)
