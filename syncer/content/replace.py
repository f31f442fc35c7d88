"""Writes new counts into pages: durable, whole, and never over an edit that somebody made meanwhile.

A page is changed in place under a lease (`content.lease`) where nobody can see it half done, else a new file is swapped
in (`content.swap`).
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from syncer.content.lease import (
    OpenPage,
    Patched,
    Patcher,
    in_one_write,
    is_open_for_writing,
    is_trusted,
    may_be_patched,
    patcher,
)
from syncer.content.left_over import names_for
from syncer.content.page_file import (
    NO_FILE,
    NewFile,
    attributes,
    flush_directories,
    flush_files,
    open_elsewhere,
    read_page,
    read_whole,
    signature_of,
    unwritable,
    write_new_file,
)
from syncer.content.swap import BY_NAME, Replacement, discard, swap
from syncer.front_matter.find import counts_in
from syncer.front_matter.plain import Splice, splice
from syncer.front_matter.rewrite import edited, splices_for
from syncer.model import Edit, Problem, ProblemKind
from syncer.own_files import NO_LINK, open_file

if TYPE_CHECKING:
    from syncer.front_matter.spliced import Spliced

LARGE_BYTES = 1 << 20
"""The new text of a larger page is not in memory as a whole."""

NO_ROOM = {errno.ENOSPC, errno.EDQUOT}

TO_PATCH = NO_LINK | os.O_RDWR


class _Directory(NamedTuple):
    """What is asked once for all pages of a directory."""

    real: str
    gives_access: bool
    """New files are born with an access list."""


class _OpenDirectory(NamedTuple):
    """A directory with pages that may be changed in place."""

    real: str
    descriptor: int
    device: int
    """A page on another one is a mount of its own."""


class _Patch(NamedTuple):
    """A page that was changed in place, and is not durable yet."""

    number: int
    """Its edit's."""
    file: NewFile
    write: Splice
    before: bytes
    """What was there."""


class _NeedsNewFileError(OSError):
    """This page is not to be changed in place."""


def preview(site: str, edit: Edit) -> tuple[bytes, bytes] | Problem:
    """Return the page's bytes as they are and as they would be, or why it would be left alone."""
    target = os.path.join(site, edit.path)
    try:
        if edit.signature == NO_FILE:
            from syncer.content.data_file import new_text

            new = new_text(edit)
            return new if isinstance(new, Problem) else (b"", new)
        old, status = read_page(target)
        found = _rewritten(edit, old, status, target)
    except Exception as error:  # noqa: BLE001 - one page never ends a sync, whatever is wrong with it
        return unwritable(edit.path, error)
    return found if isinstance(found, Problem) else (old, bytes(found[0]))


class Replaced(NamedTuple):
    """What came of a batch of edits."""

    problems: list[Problem | None]
    """For each edit, in order: None when it is done, or why the page was left alone."""
    in_place: int
    """How many pages were changed in place."""


def replace_pages(site: str, edits: Sequence[Edit], *, in_place: bool = True) -> Replaced:
    """Write a batch of pages durably.

    A batch may be some thousand pages: memory holds one text at a time. A page is left as it was or written whole, with
    its mode, owner and access list. A page whose bytes are no longer those that were read is left alone, unless they
    say already what they are to say: to repeat a batch does no harm. One that another program has open for writing is
    tried twice, the second time when all others are done; OPEN_ELSEWHERE says that it still was. `site` is a real path.
    `in_place`: pages may be changed in place; else each gets a new file.
    """
    outcomes: list[Problem | None] = [None] * len(edits)
    look_at, touched = cache(_look_at), set[str]()
    rest, patched = _patch_pages(site, edits, outcomes) if in_place else (range(len(edits)), 0)
    _replace(site, [(number, edits[number]) for number in rest], outcomes, look_at, touched)
    in_use = [
        number for number, outcome in enumerate(outcomes) if outcome and outcome.kind is ProblemKind.OPEN_ELSEWHERE
    ]
    _replace(site, [(number, edits[number]) for number in in_use], outcomes, look_at, touched)
    flush_directories(touched)
    return Replaced(outcomes, patched)


def is_read_only(path: str, status: os.stat_result) -> bool:
    """Whether a page is to be left alone: nobody may write it, or we may not. Its owner's word binds root too."""
    if not status.st_mode & stat.S_IWUSR:
        return True
    return status.st_uid != os.geteuid() and not os.access(path, os.W_OK)


def _patch_pages(site: str, edits: Sequence[Edit], outcomes: list[Problem | None]) -> tuple[Sequence[int], int]:
    """Change pages in place, and note their outcomes.

    Return the numbers of the edits that need a new file, and how many pages were changed.
    """
    in_place = patcher()
    if in_place is None:
        return range(len(edits)), 0
    rest: list[int] = []
    patches: list[_Patch] = []
    parent, directory = None, None
    try:
        for number, edit in enumerate(edits):
            if any(len(change.old or "") != len(change.new) for change in edit.changes):  # its length changes
                rest.append(number)
                continue
            above, _, name = edit.path.rpartition("/")
            if above != parent:
                _close(directory)
                parent, directory = above, _open_directory(site, above)
            try:
                outcome = _patch_page(in_place, directory, name, number, edit)
            except OSError:  # with a new file it is written, or the reason found why it cannot be
                rest.append(number)
                continue
            except Exception as error:  # noqa: BLE001 - one page never ends a sync, whatever is wrong with it
                outcome = unwritable(edit.path, error)
            if isinstance(outcome, _Patch):
                patches.append(outcome)
            else:
                outcomes[number] = outcome
    finally:
        _close(directory)
    for patch, failure in zip(patches, flush_files([patch.file for patch in patches]), strict=True):
        if failure and not isinstance(failure, FileNotFoundError):  # deleted or renamed since
            _restore(in_place, patch)
            outcomes[patch.number] = unwritable(edits[patch.number].path, failure)
    return rest, sum(outcomes[patch.number] is None for patch in patches)


def _open_directory(site: str, path: str) -> _OpenDirectory | None:
    """Open a directory of the site; None if its pages are not to be changed in place, or it cannot be opened."""
    try:
        descriptor = os.open(f"{site}/{path}", BY_NAME)
    except OSError:  # the reason is found when a new file is made
        return None
    with suppress(OSError):  # without /proc
        real = os.readlink(f"/proc/self/fd/{descriptor}")  # quicker than `realpath`
        if f"{real}/".startswith(f"{site.rstrip('/')}/") and is_trusted(descriptor):
            return _OpenDirectory(real, descriptor, os.fstat(descriptor).st_dev)
    os.close(descriptor)
    return None


def _close(directory: _OpenDirectory | None) -> None:
    if directory is not None:
        os.close(directory.descriptor)


def _patch_page(
    in_place: Patcher, directory: _OpenDirectory | None, name: str, number: int, edit: Edit
) -> _Patch | Problem | None:
    """Change a page in place; None where it has the new counts already. Raises OSError where it needs a new file."""
    if directory is None or edit.rewrites[0][0].own_file:
        raise _NeedsNewFileError
    found = os.stat(name, dir_fd=directory.descriptor, follow_symlinks=False)
    if not may_be_patched(found):  # it is not even opened for writing, which watchers would see
        raise _NeedsNewFileError
    try:
        page = open_file(name, directory.descriptor, TO_PATCH)
    except BlockingIOError:
        return open_elsewhere(edit.path)
    try:
        old, status = read_whole(page)
        if status.st_dev != directory.device and not is_trusted(page):
            raise _NeedsNewFileError
        path = f"{directory.real}/{name}"
        rewritten = _rewritten(edit, old, status, path)
        if isinstance(rewritten, Problem):
            return _unless_done(edit, old, rewritten)
        write = in_one_write(old, rewritten[1])
        if write is None:
            raise _NeedsNewFileError
        try:
            patched = in_place.patch(OpenPage(page, name, directory.descriptor, status), old, write)
        except OSError as error:
            return unwritable(edit.path, error)
    finally:
        os.close(page)
    if patched is Patched.REFUSED:
        raise _NeedsNewFileError
    if patched is not Patched.DONE:
        return edited(edit.path) if patched is Patched.EDITED else _mixed(edit.path, write)
    return _Patch(number, NewFile(path, status.st_dev, status.st_ino), write, old[write[0] : write[1]])


def _mixed(path: str, write: Splice) -> Problem:
    message = (
        "syncer was stopped while it wrote to this page, and another program saved it meanwhile: new counts may stand"
        f" in the wrong place, at byte {write[0]:,}. Correct the page by hand."
    )
    return Problem(ProblemKind.EDITED_MEANWHILE, path, message)


def _restore(in_place: Patcher, patch: _Patch) -> None:
    """Put the old counts back in a page that cannot be made durable, where nobody has edited it since."""
    above, name = os.path.split(patch.file.path)
    with suppress(OSError), ExitStack() as stack:
        directory = os.open(above, BY_NAME)
        stack.callback(os.close, directory)
        page = open_file(name, directory, TO_PATCH)
        stack.callback(os.close, page)
        text, status = read_whole(page)
        start, stop, new = patch.write
        if status.st_ino == patch.file.inode and text[start:stop] == new:
            in_place.patch(OpenPage(page, name, directory, status), text, (start, stop, patch.before))


def _replace(
    site: str,
    edits: Iterable[tuple[int, Edit]],
    outcomes: list[Problem | None],
    look_at: Callable[[str], _Directory],
    touched: set[str],
) -> None:
    """Replace pages and note their outcomes, by the edits' numbers, and the directories that they are in."""
    waiting, ready = deque(edits), dict[int, Replacement]()
    try:
        while waiting:
            _prepare_what_fits(site, waiting, ready, outcomes, look_at)
            _put_in_place(ready, outcomes, touched)
    finally:
        for replacement in ready.values():
            discard(replacement)


def _prepare_what_fits(
    site: str,
    waiting: deque[tuple[int, Edit]],
    ready: dict[int, Replacement],
    outcomes: list[Problem | None],
    look_at: Callable[[str], _Directory],
) -> None:
    """Write new files beside the pages that wait, until there are no more, or no room for one."""
    while waiting:
        number, edit = waiting[0]
        try:
            prepared = _prepare(site, edit, look_at)
        except BlockingIOError:
            prepared = open_elsewhere(edit.path)
        except Exception as error:  # noqa: BLE001 - one page never ends a sync, whatever is wrong with it
            if isinstance(error, OSError) and error.errno in NO_ROOM and ready:
                return  # what is ready makes room once it is in place
            prepared = unwritable(edit.path, error)
        waiting.popleft()
        if isinstance(prepared, Replacement):
            ready[number] = prepared
        else:
            outcomes[number] = prepared


def _put_in_place(ready: dict[int, Replacement], outcomes: list[Problem | None], touched: set[str]) -> None:
    """Make the new files durable, and swap them in."""
    flushed = flush_files([replacement.file for replacement in ready.values()])
    for (number, replacement), error in zip(list(ready.items()), flushed, strict=True):
        outcomes[number] = unwritable(replacement.path, error) if error else swap(replacement)
        if outcomes[number] is None:
            touched.add(replacement.directory)
        else:
            discard(replacement)
        del ready[number]


def _prepare(site: str, edit: Edit, look_at: Callable[[str], _Directory]) -> Replacement | Problem | None:
    """Write the new file beside the old one; None where the page says already what it is to say. Raises OSError."""
    if edit.signature == NO_FILE:
        from syncer.content.data_file import create

        return create(site, edit)
    path = f"{site}/{edit.path}"
    directory = look_at(os.path.dirname(path))
    try:
        page = open_file(path, flags=NO_LINK)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        path = os.path.realpath(path)
        directory = look_at(os.path.dirname(path))
        page = open_file(path, flags=NO_LINK)
    try:
        if not f"{directory.real}/".startswith(f"{site.rstrip('/')}/"):
            return Problem(
                ProblemKind.OUTSIDE_SITE, edit.path, "The page now leads out of the site, so it was not changed."
            )
        old, status = read_whole(page)
        name = os.path.basename(path)
        found = _rewritten(edit, old, status, f"{directory.real}/{name}")
        if isinstance(found, Problem):
            return _unless_done(edit, old, found)
        if is_open_for_writing(page):  # without a new file that comes to nothing
            return open_elsewhere(edit.path)
        names = names_for(name, found[0])
        while True:
            temporary = next(names)
            with suppress(FileExistsError):
                new_path = f"{directory.real}/{temporary}"
                file = write_new_file(new_path, found[0], status, page, gives_access=directory.gives_access)
                digest = sha256(old).digest()
                return Replacement(edit.path, edit.signature, directory.real, name, temporary, file, digest)
    finally:
        os.close(page)


def _look_at(directory: str) -> _Directory:
    real = os.path.realpath(directory)
    return _Directory(real, "system.posix_acl_default" in attributes(real))


def _rewritten(
    edit: Edit, old: bytes, status: os.stat_result, target: str
) -> tuple[bytes | Spliced, Sequence[Splice]] | Problem:
    """Return the new text and what differs in it, by its offsets; or why the page is left alone."""
    if signature_of(status) != edit.signature:
        return edited(edit.path)
    what, rest = "page", ", or exclude it"
    if any(fields.own_file for fields, _ in edit.rewrites):
        what, rest = "data file", ""
    if is_read_only(target, status):
        return Problem(ProblemKind.UNWRITABLE, edit.path, f"The {what} is read-only: make it writable{rest}.")
    if status.st_nlink > 1:
        message = f"The {what} has {status.st_nlink} names (hard links), so it is left alone: make it a separate file."
        return Problem(ProblemKind.UNWRITABLE, edit.path, message)
    new, splices = old, list[Splice]()
    for fields, changes in edit.rewrites:
        found = splices_for(new, fields, changes, edit.path, edit.removed)
        if isinstance(found, Problem):
            return found
        splices += found
        if len(new) > LARGE_BYTES and len(edit.rewrites) == 1:
            from syncer.front_matter.spliced import Spliced

            return Spliced(new, found), splices
        new = splice(new, found)
    return new, splices


def _unless_done(edit: Edit, page: bytes, problem: Problem) -> Problem | None:
    """Return the problem, unless the page was edited so that it says already all that the edit would have it say."""
    is_done = problem.kind is ProblemKind.EDITED_MEANWHILE and all(
        standing.get((change.video_id, change.field)) == (change.new or None)
        for fields, changes in edit.rewrites
        for standing in (counts_in(page, fields, edit.path, {change.video_id for change in changes}),)
        for change in changes
    )
    return None if is_done else problem
