"""A page's file: reads it, copies it with its mode and owner, exchanges it, flushes it, and explains errors."""

from __future__ import annotations

import ctypes
import errno
import logging
import os
import stat
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, TypeVar

from syncer.front_matter.block import LARGEST_PAGE_BYTES
from syncer.model import Problem, ProblemKind, Signature
from syncer.own_files import OPEN_FLAGS, libc, open_file

if TYPE_CHECKING:
    from syncer.front_matter.spliced import Spliced

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

log = logging.getLogger("syncer.content")

NO_FILE = Signature(0)
"""Of a data file that is to be created."""

READ_BYTES = 1 << 16

FSYNC_FILES = 10
"""Up to so many files are flushed one by one; more with their whole file system, whatever others write there: five
times as fast for 100 files, and forty for 5,000 (ext4, XFS).
"""

FLUSH_THREADS = 16
"""Threads that wait for the disk where a file system cannot be flushed as a whole: four times as fast as one."""

_RENAME_EXCHANGE = 2
_NOT_SUPPORTED = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}
"""The errors of a kernel without the call, and of a file system that does not support it."""


class NewFile(NamedTuple):
    """A file that was changed, and is to be flushed."""

    path: str
    device: int
    inode: int


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


def write_new_file(
    path: str, content: bytes | Spliced, like: os.stat_result, source: int, *, gives_access: bool
) -> NewFile:
    """Write a new file with the mode, owner and attributes of its source; on failure, remove it. Raises OSError."""
    mode = stat.S_IMODE(like.st_mode)
    first_mode = (
        mode & 0o777 if like.st_uid == os.geteuid() else 0o600
    )  # only users who may read the page may read the file
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, first_mode)
    try:
        for chunk in (content,) if isinstance(content, bytes) else content:
            view = memoryview(chunk)
            while view:
                view = view[os.write(descriptor, view) :]
        created = os.fstat(descriptor)
        if (created.st_uid, created.st_gid) != (like.st_uid, like.st_gid):
            try:
                os.fchown(descriptor, like.st_uid, like.st_gid)
            except PermissionError as error:
                raise OSError("it belongs to another user or group, and a new file would not") from error
        noted = _copy_attributes(source, descriptor, gives_access=gives_access)
        if noted or stat.S_IMODE(created.st_mode) != mode:
            os.fchmod(descriptor, mode)
    except BaseException:
        os.unlink(path)
        raise
    finally:
        os.close(descriptor)
    return NewFile(path, created.st_dev, created.st_ino)


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


def exchange(first: str, second: str, directory: int) -> bool:
    """Swap two files of an open directory; False if the system cannot, and nothing was done. Raises OSError.

    Programs that watch the directory get the event for `first` last.
    """
    renameat2 = getattr(libc(), "renameat2", None)
    if renameat2 is None:
        return False
    if renameat2(directory, os.fsencode(first), directory, os.fsencode(second), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NOT_SUPPORTED:
        return False
    raise OSError(number, os.strerror(number), first, None, second)


def flush_files(files: Sequence[NewFile]) -> list[OSError | None]:
    """Make files durable; for each, in order, return None or the error."""
    if len(files) <= FSYNC_FILES:
        return [_flush([file.path], os.fsync) for file in files]
    if not hasattr(libc(), "syncfs"):
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(FLUSH_THREADS, thread_name_prefix="flush") as pool:
            return list(pool.map(lambda file: _flush([file.path], os.fsync), files))
    paths: dict[int, list[str]] = {}
    for file in files:
        paths.setdefault(file.device, []).append(file.path)
    flushed = {device: _flush(on_it, _syncfs) for device, on_it in paths.items()}
    return [flushed[file.device] for file in files]


def touch(pages: Iterable[str]) -> None:
    """Give pages the present time as their modification time, by their real paths, and make them durable.

    After a power cut, a page that was changed in place can have its new bytes and its old time: git, rsync and backups
    would take it for unchanged.
    """
    files: list[NewFile] = []
    for page in pages:
        with suppress(OSError):  # deleted, or made read-only, since
            status = os.lstat(page)
            if stat.S_ISREG(status.st_mode):
                os.utime(page, follow_symlinks=False)
                files.append(NewFile(page, status.st_dev, status.st_ino))
    flush_files(files)  # as for directories: what a page shows is logged, durable or not


def flush_directories(paths: Iterable[str]) -> None:
    """Make the names in these directories durable, as far as the file system and the permissions allow."""
    for path in paths:
        _flush([path], os.fsync)  # the pages are replaced, and that must be logged, durable or not


def _flush(paths: Iterable[str], flush: Callable[[int], None]) -> OSError | None:
    """Call `flush` for the first of these files that can be opened; return why it failed."""
    problem: OSError | None = None
    for path in paths:
        try:
            descriptor = open_file(path)
        except OSError as error:
            problem = error
            continue
        try:
            flush(descriptor)
        except OSError as error:
            return error
        finally:
            os.close(descriptor)
        return None
    return problem


def _syncfs(descriptor: int) -> None:
    """Call syncfs(2), which since Linux 5.8 reports files that could not be written."""
    if libc().syncfs(descriptor) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


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


def open_elsewhere(path: str) -> Problem:
    """Return the Problem of a page that another program may be about to write."""
    message = "Another program has the page open for writing, so it was not changed. The next sync tries again."
    return Problem(ProblemKind.OPEN_ELSEWHERE, path, message)


def unwritable(path: str, error: Exception) -> Problem:
    """Return the Problem of a page that cannot be written; log the exception if it is a bug."""
    return Problem(ProblemKind.UNWRITABLE, path, f"Cannot write the page: {reason_of(error)}. It was not changed.")


def printable(path: str) -> str:
    """Return a path in a form for logs and reports, also if it is not UTF-8."""
    return path.encode(errors="surrogateescape").decode(errors="backslashreplace")
