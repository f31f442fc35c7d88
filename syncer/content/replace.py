"""Puts new bytes in a page's place: durable, whole, and never over an edit that somebody made meanwhile."""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cache
from hashlib import sha256
from typing import NamedTuple

from syncer.content.left_over import names_for
from syncer.content.page_file import (
    READ_BYTES,
    attributes,
    read_page,
    read_whole,
    reason_of,
    signature_of,
    write_new_file,
)
from syncer.content.syscalls import (
    Lease,
    exchange,
    flush_directories,
    flush_files,
    give_lease_back,
    is_open_for_writing,
    is_waited_for,
    take_lease,
)
from syncer.front_matter.find import counts_in
from syncer.front_matter.rewrite import rewrite
from syncer.model import Edit, Problem, ProblemKind
from syncer.own_files import NO_LINK, open_file

NO_ROOM = {errno.ENOSPC, errno.EDQUOT}

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
    directory: str
    """Real path."""
    target: str
    """The page's name in it."""
    temporary: str
    """The new file's."""
    inode: int
    """Of the new file."""
    digest: bytes
    """Of the bytes that were read: a batch's texts together would be many."""


def preview(site: str, edit: Edit) -> tuple[bytes, bytes] | Problem:
    """Return the page's bytes as they are and as they would be, or why it would be left alone."""
    target = os.path.join(site, edit.path)
    try:
        old, status = read_page(target)
        new = _rewritten(edit, old, status, target)
    except Exception as error:  # noqa: BLE001 - one page never ends a sync, whatever is wrong with it
        return _unwritable(edit, error)
    return new if isinstance(new, Problem) else (old, new)


def replace_pages(site: str, edits: Sequence[Edit]) -> list[Problem | None]:
    """Replace a batch of pages; for each edit, in order, return None when it is done, or why the page was left alone.

    A batch may be some thousand pages: memory holds one text at a time. A page is left as it was or written whole, with
    its mode, owner and access list. A page whose bytes are no longer those that were read is left alone, unless they
    say already what they are to say: to repeat a batch does no harm. One that another program has open for writing is
    tried twice, the second time when all others are done; OPEN_ELSEWHERE says that it still was. `site` is a real path.
    """
    outcomes: list[Problem | None] = [None] * len(edits)
    look_at, touched = cache(_look_at), set[str]()
    _replace(site, enumerate(edits), outcomes, look_at, touched)
    in_use = [
        number for number, outcome in enumerate(outcomes) if outcome and outcome.kind is ProblemKind.OPEN_ELSEWHERE
    ]
    _replace(site, [(number, edits[number]) for number in in_use], outcomes, look_at, touched)
    flush_directories(touched)
    return outcomes


def is_read_only(path: str, status: os.stat_result) -> bool:
    """Whether a page is to be left alone: nobody may write it, or we may not. Its owner's word binds root too."""
    if not status.st_mode & stat.S_IWUSR:
        return True
    return status.st_uid != os.geteuid() and not os.access(path, os.W_OK)


def _replace(
    site: str,
    edits: Iterable[tuple[int, Edit]],
    outcomes: list[Problem | None],
    look_at: Callable[[str], _Directory],
    touched: set[str],
) -> None:
    """Replace pages and note their outcomes, by the edits' numbers, and the directories that they are in."""
    waiting, ready = deque(edits), dict[int, _Replacement]()
    try:
        while waiting:
            _prepare_what_fits(site, waiting, ready, outcomes, look_at)
            _put_in_place(ready, outcomes, touched)
    finally:
        for replacement in ready.values():
            _discard(replacement)


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
        except Exception as error:  # noqa: BLE001 - one page never ends a sync, whatever is wrong with it
            if isinstance(error, OSError) and error.errno in NO_ROOM and ready:
                return  # what is ready makes room once it is in place
            prepared = _unwritable(edit, error)
        waiting.popleft()
        if isinstance(prepared, _Replacement):
            ready[number] = prepared
        else:
            outcomes[number] = prepared


def _put_in_place(ready: dict[int, _Replacement], outcomes: list[Problem | None], touched: set[str]) -> None:
    """Make the new files durable, and swap them in."""
    flushed = flush_files([f"{replacement.directory}/{replacement.temporary}" for replacement in ready.values()])
    for (number, replacement), error in zip(list(ready.items()), flushed, strict=True):
        outcomes[number] = _unwritable(replacement.edit, error) if error else _swap(replacement)
        if outcomes[number] is None:
            touched.add(replacement.directory)
        else:
            _discard(replacement)
        del ready[number]


def _prepare(site: str, edit: Edit, look_at: Callable[[str], _Directory]) -> _Replacement | Problem | None:
    """Write the new file beside the old one; None where the page says already what it is to say. Raises OSError."""
    path = f"{site}/{edit.path}"
    directory = look_at(os.path.dirname(path))
    try:
        descriptor = open_file(path, flags=NO_LINK)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        path = os.path.realpath(path)
        directory = look_at(os.path.dirname(path))
        descriptor = open_file(path, flags=NO_LINK)
    try:
        if not f"{directory.real}/".startswith(f"{site.rstrip('/')}/"):
            return Problem(
                ProblemKind.OUTSIDE_SITE, edit.path, "The page now leads out of the site, so it was not changed."
            )
        return _write_beside(edit, descriptor, directory, os.path.basename(path))
    finally:
        os.close(descriptor)


def _write_beside(edit: Edit, page: int, directory: _Directory, name: str) -> _Replacement | Problem | None:
    target = f"{directory.real}/{name}"
    old, status = read_whole(page)
    new = _rewritten(edit, old, status, target)
    if isinstance(new, Problem):
        return None if new.kind is ProblemKind.EDITED_MEANWHILE and _is_done(edit, old) else new
    names = names_for(name, new)
    while True:
        temporary = next(names)
        with suppress(FileExistsError):
            path = f"{directory.real}/{temporary}"
            inode = write_new_file(path, new, status, page, gives_access=directory.gives_access)
            return _Replacement(edit, directory.real, name, temporary, inode, sha256(old).digest())


def _look_at(directory: str) -> _Directory:
    real = os.path.realpath(directory)
    return _Directory(real, "system.posix_acl_default" in attributes(real))


def _rewritten(edit: Edit, old: bytes, status: os.stat_result, target: str) -> bytes | Problem:
    if signature_of(status) != edit.signature:
        return _edited(edit)
    if is_read_only(target, status):
        return Problem(ProblemKind.UNWRITABLE, edit.path, "The page is read-only: make it writable, or exclude it.")
    if status.st_nlink > 1:
        message = (
            f"The page has {status.st_nlink} names (hard links), and a sync would part them: make it a separate file."
        )
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


def _swap(replacement: _Replacement) -> Problem | None:
    """Swap the new file and the page, and only then have the last look: an edit found there is swapped back, and wins.

    A look before, and then a rename, would lose an edit that came in between. The directory is kept open, so that one
    which is moved away meanwhile is still the one that is looked at.
    """
    try:
        directory = os.open(replacement.directory, BY_NAME | os.O_CLOEXEC | os.O_DIRECTORY)
    except OSError as error:
        return _unwritable(replacement.edit, error)
    try:
        return _swap_in(directory, replacement)
    finally:
        os.close(directory)


def _swap_in(directory: int, replacement: _Replacement) -> Problem | None:
    """Swap in the page, unless another program has the old one open for writing or has written into it."""
    try:
        page = open_file(replacement.target, directory, NO_LINK)
    except OSError as error:
        return _edited(replacement.edit) if error.errno == errno.ELOOP else _unwritable(replacement.edit, error)
    try:
        if is_open_for_writing(page):
            return _open_elsewhere(replacement.edit)
        status = os.fstat(page)
        if signature_of(status) != replacement.edit.signature:
            return _edited(replacement.edit)
        return _exchange(directory, replacement, page, status)
    except OSError as error:
        return _unwritable(replacement.edit, error)
    finally:
        os.close(page)


def _exchange(directory: int, replacement: _Replacement, page: int, status: os.stat_result) -> Problem | None:
    """Swap, then look; `page` is what was opened under the page's name. Raises OSError where nothing was done.

    The old page is checked for writers once more: one that opened it before the swap would write into a file without a
    name. After the swap no program can open it by the page's name, so a writer that has it now is the last.
    """
    target, temporary = replacement.target, replacement.temporary
    if not exchange(target, temporary, directory):
        if not _is_as_read(page, replacement):
            return _edited(replacement.edit)
        os.replace(temporary, target, src_dir_fd=directory, dst_dir_fd=directory)
        return None
    lease = take_lease(page)
    try:
        if lease is Lease.REFUSED:
            return _take_back(directory, replacement, _open_elsewhere(replacement.edit))
        if not _leads_to(temporary, directory, status) or not _is_as_read(page, replacement):
            return _take_back(directory, replacement, _edited(replacement.edit))
        if lease is Lease.HELD and is_waited_for(page):  # by one who had found the name just before the swap
            return _take_back(directory, replacement, _open_elsewhere(replacement.edit))
        with suppress(OSError):  # the page is in place; the next scan removes what stays of the old one
            os.unlink(temporary, dir_fd=directory)
        return None
    finally:
        if lease is Lease.HELD:
            give_lease_back(page)


def _take_back(directory: int, replacement: _Replacement, why: Problem) -> Problem | None:
    """Give the page its name back; where the disk refuses, it is in place, and the next scan finds what it was."""
    target, temporary = replacement.target, replacement.temporary
    try:
        exchange(target, temporary, directory)
    except OSError:
        return None
    with suppress(OSError):
        if os.stat(temporary, dir_fd=directory).st_ino != replacement.inode:  # saved again just now: the newest wins
            exchange(target, temporary, directory)
            os.unlink(temporary, dir_fd=directory)
    return why


def _leads_to(name: str, directory: int, file: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.stat(name, dir_fd=directory, follow_symlinks=False), file)
    except OSError:
        return False


def _is_as_read(page: int, replacement: _Replacement) -> bool:
    """Whether an open file has the bytes that the page had when it was read."""
    digest = sha256()
    try:
        status = os.fstat(page)
        if signature_of(status) != replacement.edit.signature:
            return False
        at_once = min(status.st_size + 1, READ_BYTES)
        while True:
            piece = os.read(page, at_once)
            digest.update(piece)
            if len(piece) < at_once:
                return digest.digest() == replacement.digest
    except OSError:
        return False


def _discard(replacement: _Replacement) -> None:
    """Remove a new file that did not come in place, as far as the disk lets us; what it was for is a Problem.

    What a swap left under its name is an author's page, and stays for the recovery.
    """
    path = f"{replacement.directory}/{replacement.temporary}"
    with suppress(OSError):
        if os.stat(path, follow_symlinks=False).st_ino == replacement.inode:
            os.unlink(path)


def _edited(edit: Edit) -> Problem:
    return Problem(
        ProblemKind.EDITED_MEANWHILE,
        edit.path,
        "The page was edited during the sync, so syncer left it alone. The next sync updates it.",
    )


def _open_elsewhere(edit: Edit) -> Problem:
    message = "Another program has the page open for writing, so it was not changed. The next sync tries again."
    return Problem(ProblemKind.OPEN_ELSEWHERE, edit.path, message)


def _unwritable(edit: Edit, error: Exception) -> Problem:
    return Problem(ProblemKind.UNWRITABLE, edit.path, f"Cannot write the page: {reason_of(error)}. It was not changed.")
