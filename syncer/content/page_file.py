"""A page's file: reads it, creates a copy with its mode and owner, and explains errors."""

from __future__ import annotations

import logging
import os
import stat
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from syncer.model import Problem, ProblemKind, Signature
from syncer.own_files import OPEN_FLAGS, open_file

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

log = logging.getLogger("syncer.content")

LARGEST_PAGE_BYTES = 64 << 20
"""Larger pages are left alone, because a page is read whole to replace it. GitHub accepts at most 100 MiB."""

READ_BYTES = 1 << 16


def read_page(path: str, flags: int = OPEN_FLAGS) -> tuple[bytes, os.stat_result]:
    """Return a page's bytes and status. Raises OSError, also if it is not a regular file or is too large."""
    descriptor = open_file(path, flags=flags)
    try:
        return read_whole(descriptor)
    finally:
        os.close(descriptor)


def read_whole(descriptor: int) -> tuple[bytes, os.stat_result]:
    """Return the bytes and status of an open page. Raises like `read_page`."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise OSError("not a regular file any more")
    if status.st_size > LARGEST_PAGE_BYTES:
        raise OSError(f"larger than {LARGEST_PAGE_BYTES >> 20} MiB; exclude it, or make it smaller")
    whole = os.read(descriptor, status.st_size + 1)
    while len(whole) != status.st_size:  # its size is changing, or the read was interrupted
        more = os.read(descriptor, READ_BYTES)
        if not more:
            break
        whole += more
    return whole, status


def signature_of(status: os.stat_result) -> Signature:
    """Return the signature of a stat result: size, time of change and inode."""
    return Signature(hash((status.st_size, status.st_mtime_ns, status.st_ino)))


def write_new_file(path: str, content: bytes, like: os.stat_result, source: int, *, gives_access: bool) -> int:
    """Write a new file with the mode, owner and attributes of its source. Return its inode; on failure, remove it."""
    mode = stat.S_IMODE(like.st_mode)
    first_mode = (
        mode & 0o777 if like.st_uid == os.geteuid() else 0o600
    )  # only users who may read the page may read the file
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, first_mode)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        created = os.fstat(descriptor)
        if (created.st_uid, created.st_gid) != (like.st_uid, like.st_gid):
            os.fchown(descriptor, like.st_uid, like.st_gid)
        noted = _copy_attributes(source, descriptor, gives_access=gives_access)
        if noted or stat.S_IMODE(created.st_mode) != mode:
            os.fchmod(descriptor, mode)
    except BaseException:
        os.unlink(path)
        raise
    finally:
        os.close(descriptor)
    return created.st_ino


def attributes(file: str | int) -> set[str]:
    """Return the names of a file's extended attributes that users set, and of its access lists."""
    if sys.platform == "linux":
        try:
            names = os.listxattr(file)
        except OSError:  # a file system without attributes
            return set()
        return {name for name in names if name.startswith(("user.", "system.posix_acl_"))} if names else set()
    return set()


def _copy_attributes(source: int, descriptor: int, *, gives_access: bool) -> bool:
    """Copy the page's access list, which replaces the directory's, and the attributes that users set.

    Return whether there was anything to do.
    """
    kept = attributes(source)
    if sys.platform == "linux":
        for name in kept:
            os.setxattr(descriptor, name, os.getxattr(source, name))
        for name in (attributes(descriptor) - kept) if gives_access else ():
            os.removexattr(descriptor, name)
    return bool(kept) or gives_access


def attempt(work: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result | None:
    """Return the result of the work on one page, or None if it raises: one page never ends a command."""
    try:
        return work(*args, **kwargs)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the page
        log_bug(error)
        return None


def log_bug(error: Exception) -> None:
    """Log an exception from the work on a page, unless the page or the machine is the reason."""
    if not isinstance(error, OSError | MemoryError | RecursionError):
        log.error("a bug in syncer; please report it", exc_info=error, extra={"event": "page-failed"})


def reason_of(error: Exception) -> str:
    """Return in a few words why the work on a page failed; log the exception if it is a bug."""
    log_bug(error)
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if isinstance(error, MemoryError):
        return "not enough memory"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return f"a bug in syncer ({type(error).__name__}); the log has the traceback"


def unreadable(path: str, error: Exception) -> Problem:
    """Return the Problem of a file or directory that cannot be read."""
    denied = isinstance(error, PermissionError)
    message = "Cannot read it: check its permissions." if denied else f"Cannot read it: {reason_of(error)}."
    return Problem(ProblemKind.UNREADABLE, printable(path), message)


def printable(path: str) -> str:
    """Return a path in a form for logs and reports, also if it is not UTF-8."""
    return path.encode(errors="surrogateescape").decode(errors="backslashreplace")
