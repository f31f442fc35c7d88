"""Puts new bytes in a page's place: durable, whole, and never over an edit that somebody made meanwhile."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b

from syncer.content.durable import flush_directories, flush_files
from syncer.content.scan import OPEN_FLAGS, signature_of
from syncer.front_matter.rewrite import rewrite
from syncer.model import Change, Fields, Problem, ProblemKind, Signature


@dataclass(frozen=True, slots=True)
class Edit:
    """The changes that one page is to have: by field mapping, since two collections may share a page."""

    path: str
    """Relative to the site, with `/`."""
    signature: Signature
    """As the scan saw it."""
    rewrites: tuple[tuple[Fields, tuple[Change, ...]], ...]

    @property
    def changes(self) -> tuple[Change, ...]:
        """All changes of the page."""
        return tuple(change for _, changes in self.rewrites for change in changes)


@dataclass(slots=True)
class _Replacement:
    """A page on its way: the new file beside the old one."""

    edit: Edit
    target: str
    digest: bytes
    """Of the bytes that were read: a batch's texts together would be many."""
    temporary: str


def preview(site: str, edit: Edit) -> tuple[bytes, bytes] | Problem:
    """Return the page's bytes as they are and as they would be, or why it would be left alone."""
    target = os.path.join(site, edit.path)
    try:
        old, status = _read_whole(target)
    except OSError as error:
        return _unwritable(edit, error)
    new = _rewritten(edit, old, status, target)
    return new if isinstance(new, Problem) else (old, new)


def replace_pages(site: str, edits: Sequence[Edit]) -> list[Problem | None]:
    """Replace a batch of pages; for each edit, in order, return None when it is done, or why the page was left alone.

    A batch may be some thousand pages: memory holds one text at a time. A page is left as it was or written whole, with
    its mode, owner and access list. A page whose bytes are no longer those that were read is left alone. `site` is a
    real path.
    """
    outcomes: list[Problem | None] = [None] * len(edits)
    ready: dict[int, _Replacement] = {}
    real_directory = cache(os.path.realpath)
    try:
        for number, edit in enumerate(edits):
            prepared = _prepare(site, edit, real_directory)
            if isinstance(prepared, Problem):
                outcomes[number] = prepared
            else:
                ready[number] = prepared
        touched: set[str] = set()
        flushed = flush_files([replacement.temporary for replacement in ready.values()])
        for number, error in zip(list(ready), flushed, strict=True):
            outcomes[number] = _unwritable(edits[number], error) if error else _put_in_place(ready[number])
            if outcomes[number] is None:
                touched.add(os.path.dirname(ready.pop(number).target))
    finally:
        for replacement in ready.values():
            _discard(replacement)
    flush_directories(touched)
    return outcomes


def is_read_only(path: str, status: os.stat_result) -> bool:
    """Whether a page is to be left alone: nobody may write it, or we may not. Its owner's word binds root too."""
    return not status.st_mode & stat.S_IWUSR or not os.access(path, os.W_OK)


def _prepare(site: str, edit: Edit, real_directory: Callable[[str], str]) -> _Replacement | Problem:
    """Write the new file beside the old one."""
    target = _target(os.path.join(site, edit.path), real_directory)
    if not target.startswith(site.rstrip("/") + "/"):
        return Problem(ProblemKind.OUTSIDE_SITE, edit.path, "now leads out of the site; it is left alone")
    try:
        old, status = _read_whole(target)
        new = _rewritten(edit, old, status, target)
        if isinstance(new, Problem):
            return new
        temporary = os.path.join(os.path.dirname(target), f".syncer-{secrets.token_hex(4)}~")
        _create(temporary, new, status, target)
    except OSError as error:
        return _unwritable(edit, error)
    return _Replacement(edit, target, _digest(old), temporary)


def _target(path: str, real_directory: Callable[[str], str]) -> str:
    """Return the real path of a page; what is asked once for each directory of a batch is `real_directory`."""
    if os.path.islink(path):
        return os.path.realpath(path)
    directory, name = os.path.split(path)
    return os.path.join(real_directory(directory), name)


def _digest(page: bytes) -> bytes:
    return blake2b(page, digest_size=32).digest()


def _rewritten(edit: Edit, old: bytes, status: os.stat_result, target: str) -> bytes | Problem:
    if signature_of(status) != edit.signature:
        return _edited(edit)
    if is_read_only(target, status):
        return Problem(ProblemKind.UNWRITABLE, edit.path, "is read-only; allow writing, or exclude it")
    new = old
    for fields, changes in edit.rewrites:
        rewritten = rewrite(new, fields, changes, edit.path)
        if isinstance(rewritten, Problem):
            return rewritten
        new = rewritten
    return new


def _read_whole(path: str) -> tuple[bytes, os.stat_result]:
    descriptor = os.open(path, OPEN_FLAGS)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("is no longer a regular file")
        parts = []
        while part := os.read(descriptor, status.st_size + 1):
            parts.append(part)
        return b"".join(parts), status
    finally:
        os.close(descriptor)


def _create(path: str, content: bytes, like: os.stat_result, source: str) -> None:
    """Write a new file with the mode, owner and attributes of its source; one that fails is removed."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        mine = os.fstat(descriptor)
        if (mine.st_uid, mine.st_gid) != (like.st_uid, like.st_gid):
            os.fchown(descriptor, like.st_uid, like.st_gid)
        _copy_attributes(source, descriptor)
        os.fchmod(descriptor, stat.S_IMODE(like.st_mode))
    except BaseException:
        os.unlink(path)
        raise
    finally:
        os.close(descriptor)


def _copy_attributes(source: str, descriptor: int) -> None:
    """Give the new file the page's access list, in place of its directory's, and what people noted at the page."""
    if sys.platform == "linux":
        kept = _attributes(source)
        for name in kept:
            os.setxattr(descriptor, name, os.getxattr(source, name))
        for name in _attributes(descriptor) - kept:
            os.removexattr(descriptor, name)


def _attributes(file: str | int) -> set[str]:
    if sys.platform == "linux":
        with suppress(OSError):  # a file system without attributes
            return {name for name in os.listxattr(file) if name.startswith(("user.", "system.posix_acl_"))}
    return set()


def _put_in_place(replacement: _Replacement) -> Problem | None:
    """Have a last look at the page, and rename."""
    try:
        now, status = _read_whole(replacement.target)
        if signature_of(status) != replacement.edit.signature or _digest(now) != replacement.digest:
            return _edited(replacement.edit)
        os.replace(replacement.temporary, replacement.target)
    except OSError as error:
        return _unwritable(replacement.edit, error)
    return None


def _discard(replacement: _Replacement) -> None:
    with suppress(FileNotFoundError):
        os.unlink(replacement.temporary)


def _edited(edit: Edit) -> Problem:
    return Problem(ProblemKind.EDITED_MEANWHILE, edit.path, "was edited during the sync; the next sync sees it again")


def _unwritable(edit: Edit, error: OSError) -> Problem:
    return Problem(ProblemKind.UNWRITABLE, edit.path, f"cannot be replaced: {error.strerror or error}; it is as it was")
