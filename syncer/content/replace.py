"""Puts new bytes in a page's place: durable, whole, and never over an edit that somebody made meanwhile."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cache
from hashlib import sha256
from typing import NamedTuple

from syncer.content.durable import flush_directories, flush_files
from syncer.content.exchange import exchange
from syncer.content.scan import OPEN_FLAGS, TEMPORARY, signature_of
from syncer.front_matter.find import counts_in
from syncer.front_matter.rewrite import rewrite
from syncer.model import Edit, Problem, ProblemKind

NO_ROOM = {errno.ENOSPC, errno.EDQUOT}

READ_SIZE = 1 << 16

BY_NAME = getattr(os, "O_PATH", os.O_RDONLY)
"""Opens a directory, also one that may not be listed, to reach by name what is in it."""


class _Directory(NamedTuple):
    """What is asked once for all pages of a directory."""

    real: str
    gives_access: bool
    """New files are born with an access list."""


class _Replacement(NamedTuple):
    """A page on its way: the new file beside the old one."""

    edit: Edit
    target: str
    directory: str
    digest: bytes
    """Of the bytes that were read: a batch's texts together would be many."""
    temporary: str
    inode: int
    """Of the new file."""


def preview(site: str, edit: Edit) -> tuple[bytes, bytes] | Problem:
    """Return the page's bytes as they are and as they would be, or why it would be left alone."""
    target = os.path.join(site, edit.path)
    try:
        old, status = _read_path(target)
    except OSError as error:
        return _unwritable(edit, error)
    new = _rewritten(edit, old, status, target)
    return new if isinstance(new, Problem) else (old, new)


def replace_pages(site: str, edits: Sequence[Edit]) -> list[Problem | None]:
    """Replace a batch of pages; for each edit, in order, return None when it is done, or why the page was left alone.

    A batch may be some thousand pages: memory holds one text at a time. A page is left as it was or written whole, with
    its mode, owner and access list. A page whose bytes are no longer those that were read is left alone, unless they
    say already what they are to say: to repeat a batch does no harm. `site` is a real path.
    """
    outcomes: list[Problem | None] = [None] * len(edits)
    look_at, touched = cache(_look_at), set[str]()
    waiting, ready = deque(enumerate(edits)), dict[int, _Replacement]()
    try:
        while waiting:
            _prepare_what_fits(site, waiting, ready, outcomes, look_at)
            _put_in_place(ready, outcomes, touched)
            _discard(ready)
    finally:
        _discard(ready)
    flush_directories(touched)
    return outcomes


def left_over(directory: str) -> list[str]:
    """Return the paths of the new files that a crash left in a directory; none where it cannot be listed."""
    with suppress(OSError):  # gone with all that was in it, or closed to us, and the scan says so
        return [os.path.join(directory, name) for name in os.listdir(directory) if TEMPORARY.fullmatch(name)]
    return []


def remove_left_over(site: str, paths: Iterable[str]) -> list[Problem]:
    """Remove such files; return those that cannot be removed."""
    problems = []
    for path in paths:
        try:
            os.unlink(path)
        except OSError as error:
            message = f"was left by a crash and cannot be removed: {error.strerror}; remove it"
            problems.append(Problem(ProblemKind.UNWRITABLE, os.path.relpath(path, site), message))
    return problems


def is_read_only(path: str, status: os.stat_result) -> bool:
    """Whether a page is to be left alone: nobody may write it, or we may not. Its owner's word binds root too."""
    if not status.st_mode & stat.S_IWUSR:
        return True
    return status.st_uid != os.geteuid() and not os.access(path, os.W_OK)


def _prepare_what_fits(
    site: str,
    waiting: deque[tuple[int, Edit]],
    ready: dict[int, _Replacement],
    outcomes: list[Problem | None],
    look_at: Callable[[str], _Directory],
) -> None:
    """Write new files beside the pages that wait, until there are no more, or no room for one."""
    while waiting:
        number, edit = waiting[0]
        try:
            prepared = _prepare(site, edit, look_at)
        except OSError as error:
            if error.errno in NO_ROOM and ready:
                return  # what is ready makes room once it is in place
            prepared = _unwritable(edit, error)
        waiting.popleft()
        if isinstance(prepared, _Replacement):
            ready[number] = prepared
        else:
            outcomes[number] = prepared


def _put_in_place(ready: dict[int, _Replacement], outcomes: list[Problem | None], touched: set[str]) -> None:
    """Make the new files durable, and rename them over their pages; those that are left in `ready` failed."""
    flushed = flush_files([replacement.temporary for replacement in ready.values()])
    for (number, replacement), error in zip(list(ready.items()), flushed, strict=True):
        outcomes[number] = _unwritable(replacement.edit, error) if error else _swap(replacement)
        if outcomes[number] is None:
            touched.add(replacement.directory)
            del ready[number]


def _prepare(site: str, edit: Edit, look_at: Callable[[str], _Directory]) -> _Replacement | Problem | None:
    """Write the new file beside the old one; None where the page says already what it is to say. Raises OSError."""
    path = f"{site}/{edit.path}"
    directory = look_at(os.path.dirname(path))
    try:
        descriptor = os.open(path, OPEN_FLAGS | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        path = os.path.realpath(path)
        directory = look_at(os.path.dirname(path))
        descriptor = os.open(path, OPEN_FLAGS | os.O_NOFOLLOW)
    try:
        if not f"{directory.real}/".startswith(f"{site.rstrip('/')}/"):
            return Problem(ProblemKind.OUTSIDE_SITE, edit.path, "now leads out of the site; it is left alone")
        return _write_beside(edit, descriptor, directory, os.path.basename(path))
    finally:
        os.close(descriptor)


def _write_beside(edit: Edit, page: int, directory: _Directory, name: str) -> _Replacement | Problem | None:
    target = f"{directory.real}/{name}"
    old, status = _read_whole(page)
    new = _rewritten(edit, old, status, target)
    if isinstance(new, Problem):
        return None if new.kind is ProblemKind.EDITED_MEANWHILE and _is_done(edit, old) else new
    while True:
        temporary = f"{directory.real}/.syncer-{secrets.token_hex(4)}~"
        with suppress(FileExistsError):  # of thousands in one directory, two draw the same name now and then
            inode = _create(temporary, new, status, page, gives_access=directory.gives_access)
            return _Replacement(edit, target, directory.real, _digest(old), temporary, inode)


def _look_at(directory: str) -> _Directory:
    real = os.path.realpath(directory)
    return _Directory(real, "system.posix_acl_default" in _attributes(real))


def _digest(page: bytes) -> bytes:
    return sha256(page).digest()


def _rewritten(edit: Edit, old: bytes, status: os.stat_result, target: str) -> bytes | Problem:
    if signature_of(status) != edit.signature:
        return _edited(edit)
    if is_read_only(target, status):
        return Problem(ProblemKind.UNWRITABLE, edit.path, "is read-only; allow writing, or exclude it")
    if status.st_nlink > 1:
        message = f"has {status.st_nlink} names (hard links), which a new file would part; make it a file of its own"
        return Problem(ProblemKind.UNWRITABLE, edit.path, message)
    new = old
    for fields, changes in edit.rewrites:
        rewritten = rewrite(new, fields, changes, edit.path)
        if isinstance(rewritten, Problem):
            return rewritten
        new = rewritten
    return new


def _is_done(edit: Edit, page: bytes) -> bool:
    """Whether a page says already all that the edit would have it say."""
    return all(
        standing.get((change.video_id, change.field)) == change.new
        for fields, changes in edit.rewrites
        for standing in (counts_in(page, fields, edit.path),)
        for change in changes
    )


def _read_path(path: str, directory: int | None = None) -> tuple[bytes, os.stat_result]:
    descriptor = os.open(path, OPEN_FLAGS, dir_fd=directory)
    try:
        return _read_whole(descriptor)
    finally:
        os.close(descriptor)


def _read_whole(descriptor: int) -> tuple[bytes, os.stat_result]:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise OSError("is no longer a regular file")
    whole = os.read(descriptor, status.st_size + 1)
    while len(whole) != status.st_size:  # it shrinks or grows right now, or the read was cut short
        more = os.read(descriptor, READ_SIZE)
        if not more:
            break
        whole += more
    return whole, status


def _create(path: str, content: bytes, like: os.stat_result, source: int, *, gives_access: bool) -> int:
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


def _copy_attributes(source: int, descriptor: int, *, gives_access: bool) -> bool:
    """Give the new file the page's access list, in place of its directory's, and what people noted at the page.

    Return whether there was anything to do.
    """
    kept = _attributes(source)
    if sys.platform == "linux":
        for name in kept:
            os.setxattr(descriptor, name, os.getxattr(source, name))
        for name in (_attributes(descriptor) - kept) if gives_access else ():
            os.removexattr(descriptor, name)
    return bool(kept) or gives_access


def _attributes(file: str | int) -> set[str]:
    if sys.platform == "linux":
        try:
            names = os.listxattr(file)
        except OSError:  # a file system without attributes
            return set()
        return {name for name in names if name.startswith(("user.", "system.posix_acl_"))} if names else set()
    return set()


def _swap(replacement: _Replacement) -> Problem | None:
    """Swap the new file and the page, and only then have the last look: an edit found there is swapped back, and wins.

    A look before, and then a rename, would lose an edit that came in between. The directory is kept open, so that one
    which is moved away meanwhile is still the one that is looked at.
    """
    try:
        directory = os.open(replacement.directory, BY_NAME | os.O_CLOEXEC | os.O_DIRECTORY)
        try:
            return _swap_in(directory, replacement)
        finally:
            os.close(directory)
    except OSError as error:
        return _unwritable(replacement.edit, error)


def _swap_in(directory: int, replacement: _Replacement) -> Problem | None:
    target, temporary = os.path.basename(replacement.target), os.path.basename(replacement.temporary)
    if signature_of(os.stat(target, dir_fd=directory, follow_symlinks=False)) != replacement.edit.signature:
        return _edited(replacement.edit)
    if not exchange(temporary, target, directory):
        if not _is_as_read(target, directory, replacement):
            return _edited(replacement.edit)
        os.replace(temporary, target, src_dir_fd=directory, dst_dir_fd=directory)
        return None
    if not _is_as_read(temporary, directory, replacement):
        exchange(temporary, target, directory)
        if os.stat(temporary, dir_fd=directory).st_ino != replacement.inode:  # saved anew just now: the newest wins
            exchange(temporary, target, directory)
        return _edited(replacement.edit)
    with suppress(OSError):  # the page is in place; the next scan removes what stays of the old one
        os.unlink(temporary, dir_fd=directory)
    return None


def _is_as_read(name: str, directory: int, replacement: _Replacement) -> bool:
    try:
        now, status = _read_path(name, directory)
    except OSError:  # something else has taken the page's place
        return False
    return signature_of(status) == replacement.edit.signature and _digest(now) == replacement.digest


def _discard(ready: dict[int, _Replacement]) -> None:
    """Remove the new files that did not come in place, as far as the disk lets us: what they were for is a Problem."""
    for replacement in ready.values():
        with suppress(OSError):
            os.unlink(replacement.temporary)
    ready.clear()


def _edited(edit: Edit) -> Problem:
    return Problem(ProblemKind.EDITED_MEANWHILE, edit.path, "was edited during the sync; the next sync sees it again")


def _unwritable(edit: Edit, error: OSError) -> Problem:
    return Problem(ProblemKind.UNWRITABLE, edit.path, f"cannot be replaced: {error.strerror or error}; it is as it was")
