"""Puts new bytes in a page's place: durable, whole, and never over an edit that somebody made meanwhile."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from syncer.content.scan import OPEN_FLAGS, signature_of
from syncer.front_matter.rewrite import rewrite
from syncer.model import Change, Fields, Problem, ProblemKind, Signature

Item = TypeVar("Item")
Result = TypeVar("Result")

FLUSHERS = 16
"""Threads that make files durable: with 16, four times the files a second of one (ext4, XFS)."""


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
    old: bytes
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

    Memory holds the batch's texts, so keep it to some hundred pages. A page is left as it was or written whole, with
    its mode and owner. A page whose bytes are no longer those that were read is left alone. `site` is a real path.
    """
    outcomes: list[Problem | None] = [None] * len(edits)
    ready: dict[int, _Replacement] = {}
    try:
        for number, edit in enumerate(edits):
            prepared = _prepare(site, edit)
            if isinstance(prepared, Problem):
                outcomes[number] = prepared
            else:
                ready[number] = prepared
        numbers = list(ready)
        flushed = _in_threads(_flush, [ready[number] for number in numbers])
        for number, problem in zip(numbers, flushed, strict=True):
            outcomes[number] = problem or _put_in_place(ready[number])
            if outcomes[number] is None:
                del ready[number]
    finally:
        for replacement in ready.values():
            _discard(replacement)
    done = {
        os.path.dirname(os.path.join(site, edit.path)) for edit, left in zip(edits, outcomes, strict=True) if not left
    }
    _in_threads(_flush_directory, sorted(done))
    return outcomes


def _prepare(site: str, edit: Edit) -> _Replacement | Problem:
    """Write the new file beside the old one."""
    target = os.path.realpath(os.path.join(site, edit.path))
    if not target.startswith(site.rstrip("/") + "/"):
        return Problem(ProblemKind.OUTSIDE_SITE, edit.path, "now leads out of the site; it is left alone")
    try:
        old, status = _read_whole(target)
        new = _rewritten(edit, old, status, target)
        if isinstance(new, Problem):
            return new
        temporary = os.path.join(os.path.dirname(target), f".syncer-{secrets.token_hex(4)}~")
        _create(temporary, new, status)
    except OSError as error:
        return _unwritable(edit, error)
    return _Replacement(edit, target, old, temporary)


def _rewritten(edit: Edit, old: bytes, status: os.stat_result, target: str) -> bytes | Problem:
    if signature_of(status) != edit.signature:
        return _edited(edit)
    if not status.st_mode & stat.S_IWUSR or not os.access(target, os.W_OK):
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


def _create(path: str, content: bytes, like: os.stat_result) -> None:
    """Write a new file with the mode and owner of another; one that fails is removed."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        mine = os.fstat(descriptor)
        if (mine.st_uid, mine.st_gid) != (like.st_uid, like.st_gid):
            os.fchown(descriptor, like.st_uid, like.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(like.st_mode))
    except BaseException:
        os.unlink(path)
        raise
    finally:
        os.close(descriptor)


def _flush(replacement: _Replacement) -> Problem | None:
    try:
        _flush_path(replacement.temporary, os.O_RDONLY)
    except OSError as error:
        return _unwritable(replacement.edit, error)
    return None


def _put_in_place(replacement: _Replacement) -> Problem | None:
    """Have a last look at the page, and rename."""
    try:
        now, status = _read_whole(replacement.target)
        if signature_of(status) != replacement.edit.signature or now != replacement.old:
            return _edited(replacement.edit)
        os.replace(replacement.temporary, replacement.target)
    except OSError as error:
        return _unwritable(replacement.edit, error)
    return None


def _discard(replacement: _Replacement) -> None:
    with suppress(FileNotFoundError):
        os.unlink(replacement.temporary)


def _flush_directory(path: str) -> None:
    with suppress(FileNotFoundError):  # a directory removed meanwhile needs no flush
        _flush_path(path, os.O_RDONLY | os.O_DIRECTORY)


def _flush_path(path: str, flags: int) -> None:
    descriptor = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _in_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    with ThreadPoolExecutor(FLUSHERS, thread_name_prefix="flush") as pool:
        return list(pool.map(function, items))


def _edited(edit: Edit) -> Problem:
    return Problem(ProblemKind.EDITED_MEANWHILE, edit.path, "was edited during the sync; the next sync sees it again")


def _unwritable(edit: Edit, error: OSError) -> Problem:
    return Problem(ProblemKind.UNWRITABLE, edit.path, f"cannot be replaced: {error.strerror or error}; it is as it was")
