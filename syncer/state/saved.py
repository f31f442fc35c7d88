"""Edits that a crash would have cost their authors: kept in the state's directory until they are removed by hand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import datetime
from itertools import count
from pathlib import Path
from shutil import copyfileobj
from typing import NamedTuple

from syncer.own_files import MOVE, NO_LINK, UnsafeFile, open_file

FOLDER = "saved"
"""Below it is a folder for each edit, named after the time, and in it the page under its path in the site."""

_DIRECTORY = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW


class SavedEdit(NamedTuple):
    """A page with what only this copy of it has."""

    page: str
    """Relative to the site."""
    file: Path


def save_edit(directory: Path, source: str, page: str, at: datetime) -> Path:
    """Copy a file into this state's directory, durably, as the page with this path; return the copy's.

    No link is followed, and no file is overwritten. Raises UnsafeFile where FOLDER is no directory; OSError.
    """
    _require_directory(directory / FOLDER)
    with open(open_file(source, flags=NO_LINK), "rb") as edited, ExitStack() as stack:
        inside = _enter(stack, os.open(directory, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY), FOLDER)
        folder = next(_untaken(inside, f"{at:%Y%m%dT%H%M%SZ}"))
        inside = _enter(stack, inside, folder)
        *above, file = page.split("/")
        for part in above:
            inside = _enter(stack, inside, part)
        stack.callback(os.close, inside)
        stack.callback(os.fsync, inside)
        copy = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=inside)
        stack.callback(os.close, copy)
        stack.callback(os.fsync, copy)
        with open(copy, "wb", closefd=False) as kept:
            copyfileobj(edited, kept)
    return directory / FOLDER / folder / page


def saved_edits(directory: Path) -> list[SavedEdit]:
    """Return the edits that are kept in this state's directory, the oldest first. No link is followed."""
    edits: list[SavedEdit] = []
    top = directory / FOLDER
    if top.is_symlink():
        return edits
    for folder, _, files in os.walk(top):
        parts = Path(folder).relative_to(top).parts[1:]
        edits += [SavedEdit("/".join((*parts, file)), Path(folder, file)) for file in files]
    return sorted(edits, key=lambda edit: edit.file)


def _require_directory(folder: Path) -> None:
    if os.path.lexists(folder) and (folder.is_symlink() or not folder.is_dir()):
        kind = "a symbolic link" if folder.is_symlink() else "a file"
        raise UnsafeFile(folder, f"is {kind}, not a directory{MOVE}")


def _enter(stack: ExitStack, directory: int, name: str) -> int:
    """Return a directory in an open one, made where it is not there; the outer one is made durable and closed later."""
    stack.callback(os.close, directory)
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=directory)
    inside = os.open(name, _DIRECTORY, dir_fd=directory)
    stack.callback(os.fsync, directory)
    return inside


def _untaken(directory: int, name: str) -> Iterator[str]:
    for number in count(1):
        named = name if number == 1 else f"{name}-{number}"
        try:
            os.stat(named, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            yield named
