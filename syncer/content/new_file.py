"""Makes the new file beside a page, with all that the page is besides its bytes."""

from __future__ import annotations

import os
import stat
import sys


def write_new_file(path: str, content: bytes, like: os.stat_result, source: int, *, gives_access: bool) -> int:
    """Write a new file with mode, owner and attributes of its source; one that fails is removed. Return its inode."""
    mode = stat.S_IMODE(like.st_mode)
    first_mode = mode & 0o777 if like.st_uid == os.geteuid() else 0o600  # nobody reads it who could not read the page
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, first_mode)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        mine = os.fstat(descriptor)
        if (mine.st_uid, mine.st_gid) != (like.st_uid, like.st_gid):
            os.fchown(descriptor, like.st_uid, like.st_gid)
        noted = _copy_attributes(source, descriptor, gives_access=gives_access)
        if noted or stat.S_IMODE(mine.st_mode) != mode:
            os.fchmod(descriptor, mode)
    except BaseException:
        os.unlink(path)
        raise
    finally:
        os.close(descriptor)
    return mine.st_ino


def attributes(file: str | int) -> set[str]:
    """Return the names of a file's attributes that a user sets: notes, and access lists."""
    if sys.platform == "linux":
        try:
            names = os.listxattr(file)
        except OSError:  # a file system without attributes
            return set()
        return {name for name in names if name.startswith(("user.", "system.posix_acl_"))} if names else set()
    return set()


def _copy_attributes(source: int, descriptor: int, *, gives_access: bool) -> bool:
    """Give the new file the page's access list, in place of its directory's, and what people noted at the page.

    Return whether there was anything to do.
    """
    kept = attributes(source)
    if sys.platform == "linux":
        for name in kept:
            os.setxattr(descriptor, name, os.getxattr(source, name))
        for name in (attributes(descriptor) - kept) if gives_access else ():
            os.removexattr(descriptor, name)
    return bool(kept) or gives_access
