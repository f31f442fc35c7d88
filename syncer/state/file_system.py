"""Finds out whether a directory is on a network file system, where several processes cannot share a database.

SQLite shares memory among the processes that use a database, and relies on locks that each of them sees at once. On a
file system that several machines use, each machine has memory of its own, and locks may not reach the others:
https://www.sqlite.org/wal.html and https://www.sqlite.org/faq.html#q5
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress

from syncer.own_files import file_system_number, libc

FUSE = 0x65735546
"""FUSE (linux/magic.h): the mount table says which program is behind it."""

NETWORK_FILE_SYSTEMS = {
    0x00006969: "NFS",
    0x0000517B: "SMB",
    0xFE534D42: "SMB",
    0xFF534D42: "SMB",
    0x01021997: "9p",
    0x00C36400: "Ceph",
    0x5346414F: "AFS",
    0x6B414653: "AFS",
    0x73757245: "Coda",
    0x0000564C: "NCP",
    0x01161970: "GFS2",
    0x7461636F: "OCFS2",
    0x0BD00BD0: "Lustre",
    0x47504653: "GPFS",
    0x19830326: "BeeGFS",
    0x20030528: "OrangeFS",
    0xAAD7AAEA: "PanFS",
    0x786F4256: "a folder of VirtualBox's host",
    0xBACBACBC: "a folder of VMware's host",
    0x7C7C6673: "a folder of Parallels' host",
}
"""File systems that several machines use, by their numbers in statfs(2) (linux/magic.h and their sources)."""

LOCAL_FUSE = {"fuseblk", "fuse.fuse-overlayfs", "fuse.bindfs", "fuse.gocryptfs", "fuse.encfs", "fuse.cryfs"}
"""File systems in the mount table that are local although FUSE serves them."""

MACOS_FLAGS, MACOS_NAME, MACOS_NAME_BYTES = 64, 72, 16
"""Where `f_flags` and `f_fstypename` are in macOS's struct statfs (sys/mount.h)."""

MACOS_LOCAL = 0x1000
"""MNT_LOCAL: the file system is on a disk of this machine."""


def network_file_system(directory: str) -> str | None:
    """Return the name of the network file system that a directory is on; None if it is on a local one, or unknown."""
    if sys.platform == "darwin":
        buffer = ctypes.create_string_buffer(4096)
        statfs = getattr(libc(), "statfs$INODE64", None) or libc().statfs  # on Intel, `statfs` fills an older struct
        return macos_name(buffer.raw) if statfs(os.fsencode(directory), buffer) == 0 else None
    number = file_system_number(directory)
    return None if number is None else linux_name(number, directory)


def linux_name(number: int, directory: str) -> str | None:
    """Return the name for a number of statfs(2) if it is that of a network file system."""
    if number != FUSE:
        return NETWORK_FILE_SYSTEMS.get(number)
    kind = _mounted_kind(directory)
    return None if kind in LOCAL_FUSE else f"FUSE ({kind})"


def macos_name(statfs: bytes) -> str | None:
    """Return the name in a struct statfs of macOS if the file system is not local."""
    flags = int.from_bytes(statfs[MACOS_FLAGS : MACOS_FLAGS + 4], sys.byteorder)
    name = statfs[MACOS_NAME : MACOS_NAME + MACOS_NAME_BYTES].split(b"\0")[0].decode("ascii", "replace")
    return None if flags & MACOS_LOCAL else name


def _mounted_kind(directory: str) -> str:
    """Return the kind of a mounted file system by the mount table (proc_pid_mountinfo(5)); `unknown` if it lacks."""
    with suppress(OSError):
        device = os.stat(directory).st_dev
        wanted = f"{os.major(device)}:{os.minor(device)}"
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as table:
            for line in table:
                fields, _, rest = line.partition(" - ")
                if fields.split()[2] == wanted:
                    return rest.split()[0]
    return "unknown"
