"""Swaps a new file and a page: the page is whole at every moment, and no edit is lost."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from hashlib import sha256
from typing import NamedTuple

from syncer.content.lease import Lease, give_lease_back, is_open_for_writing, is_waited_for, take_lease
from syncer.content.page_file import (
    READ_BYTES,
    NewFile,
    exchange,
    open_elsewhere,
    signature_of,
    unwritable,
)
from syncer.front_matter.rewrite import edited
from syncer.model import Problem, Signature
from syncer.own_files import NO_LINK, open_file

BY_NAME = getattr(os, "O_PATH", os.O_RDONLY) | os.O_CLOEXEC | os.O_DIRECTORY
"""Opens a directory, also one that may not be listed, to reach by name what is in it."""


class Replacement(NamedTuple):
    """A page and the new file beside it."""

    path: str
    """The page's, as the site knows it."""
    signature: Signature
    """The page's, as the scan saw it."""
    directory: str
    """Real path."""
    target: str
    """The page's name in it."""
    temporary: str
    """The new file's."""
    file: NewFile
    digest: bytes
    """Of the bytes that were read: a batch's texts together would be many."""


def swap(replacement: Replacement) -> Problem | None:
    """Swap the new file and the page, and only then have the last look: an edit found there is swapped back, and wins.

    A look before, and then a rename, would lose an edit that came in between. The directory is kept open, so that one
    which is moved away meanwhile is still the one that is looked at.
    """
    try:
        directory = os.open(replacement.directory, BY_NAME)
    except OSError as error:
        return unwritable(replacement.path, error)
    try:
        return _swap_in(directory, replacement)
    finally:
        os.close(directory)


def _swap_in(directory: int, replacement: Replacement) -> Problem | None:
    """Swap in the page, unless another program has the old one open for writing or has written into it."""
    try:
        page = open_file(replacement.target, directory, NO_LINK)
    except OSError as error:
        return edited(replacement.path) if error.errno == errno.ELOOP else unwritable(replacement.path, error)
    try:
        if is_open_for_writing(page):
            return open_elsewhere(replacement.path)
        status = os.fstat(page)
        if signature_of(status) != replacement.signature:
            return edited(replacement.path)
        return _exchange(directory, replacement, page, status)
    except OSError as error:
        return unwritable(replacement.path, error)
    finally:
        os.close(page)


def _exchange(directory: int, replacement: Replacement, page: int, status: os.stat_result) -> Problem | None:
    """Swap, then look; `page` is what was opened under the page's name. Raises OSError where nothing was done.

    The old page is checked for writers once more: one that opened it before the swap would write into a file without a
    name. After the swap no program can open it by the page's name, so a writer that has it now is the last.
    """
    target, temporary = replacement.target, replacement.temporary
    if not exchange(target, temporary, directory):
        if not _is_as_read(page, replacement):
            return edited(replacement.path)
        os.replace(temporary, target, src_dir_fd=directory, dst_dir_fd=directory)
        return None
    lease = take_lease(page)
    try:
        if lease is Lease.REFUSED:
            return _take_back(directory, replacement, open_elsewhere(replacement.path))
        if not _leads_to(temporary, directory, status) or not _is_as_read(page, replacement):
            return _take_back(directory, replacement, edited(replacement.path))
        if lease is Lease.HELD and is_waited_for(page):  # by one who had found the name just before the swap
            return _take_back(directory, replacement, open_elsewhere(replacement.path))
        with suppress(OSError):  # the page is in place; the next scan removes what stays of the old one
            os.unlink(temporary, dir_fd=directory)
        return None
    finally:
        if lease is Lease.HELD:
            give_lease_back(page)


def _take_back(directory: int, replacement: Replacement, why: Problem) -> Problem | None:
    """Give the page its name back; where the disk refuses, it is in place, and the next scan finds what it was."""
    target, temporary = replacement.target, replacement.temporary
    try:
        exchange(target, temporary, directory)
    except OSError:
        return None
    with suppress(OSError):
        if (
            os.stat(temporary, dir_fd=directory).st_ino != replacement.file.inode
        ):  # saved again just now: the newest wins
            exchange(target, temporary, directory)
            os.unlink(temporary, dir_fd=directory)
    return why


def _leads_to(name: str, directory: int, file: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.stat(name, dir_fd=directory, follow_symlinks=False), file)
    except OSError:
        return False


def _is_as_read(page: int, replacement: Replacement) -> bool:
    """Whether an open file has the bytes that the page had when it was read."""
    digest = sha256()
    try:
        status = os.fstat(page)
        if signature_of(status) != replacement.signature:
            return False
        at_once = min(status.st_size + 1, READ_BYTES)
        while True:
            piece = os.read(page, at_once)
            digest.update(piece)
            if len(piece) < at_once:
                return digest.digest() == replacement.digest
    except OSError:
        return False


def discard(replacement: Replacement) -> None:
    """Remove a new file that did not come in place, as far as the disk lets us; what it was for is a Problem.

    What a swap left under its name is an author's page, and stays for the recovery.
    """
    path = replacement.file.path
    with suppress(OSError):
        if os.stat(path, follow_symlinks=False).st_ino == replacement.file.inode:
            os.unlink(path)
