"""The state's directory: whether it can be used, which files syncer makes there, and the edits saved in it.

A saved edit is an author's edit that a crash would have lost. It is kept until it is removed by hand.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from datetime import datetime
from fnmatch import fnmatchcase
from itertools import chain, count
from pathlib import Path
from shutil import copyfileobj
from typing import NamedTuple

from syncer.errors import StateError
from syncer.own_files import (
    MOVE_AWAY,
    NO_LINK,
    PUBLIC_MODE,
    UnsafeFile,
    as_state_error,
    open_file,
    overwrite,
    read_file,
)

CANNOT_WRITE = "check its permissions, or set `state.directory`"
"""What to do if the directory cannot be written."""

NOT_UTF8 = "the path of the site is not valid UTF-8; rename its directory"

DATABASE_FILE = "state.sqlite3"

WRITER_LOCK = "lock"
"""The file that a writer locks."""

DAEMON_LOCK = "daemon.lock"
"""The file that a daemon locks for its whole life."""

DAEMON_ADDRESS = "daemon.address"
"""The file with the daemon's address. Other users may read it, so it is not the file that is locked."""

DAEMON_SOCKET = "daemon.sock"

SAVED_FOLDER = "saved"
"""It has a folder for each saved edit, named after the time, with the page under its path in the site."""

_DIFF_LOG = "diff.jsonl"

OWN_PATTERNS = (
    ".gitignore",
    ".syncer-*~",
    DAEMON_ADDRESS,
    DAEMON_LOCK,
    DAEMON_SOCKET,
    f"{_DIFF_LOG}*",
    WRITER_LOCK,
    SAVED_FOLDER,
    f"{DATABASE_FILE}*",
    "told.*",
)
"""The files that syncer makes there, as git's patterns."""

PROOF_FILES = (DATABASE_FILE, _DIFF_LOG)
"""A directory with one of these is a state's, whatever else is in it."""

SET_ASIDE_PATTERNS = (f"{_DIFF_LOG}.damaged-*", f"{DATABASE_FILE}.damaged-*")

UNUSED_NAMES = {"lost+found", ".DS_Store", ".gitkeep", ".keep"}
"""Files that an unused directory may have: from a disk, a file manager, git."""

DEFAULT_NAME = ".syncer"
"""In a directory of this name git ignores everything, including files of newer versions."""

IGNORE_ALL = b"*\n"
IGNORE_OWN = "".join(
    ("# Files of syncer. Git ignores these and nothing else here.\n", *(f"/{name}\n" for name in OWN_PATTERNS))
).encode()
"""What git ignores: everything, if the directory has the default name and only syncer's files; else those files."""

NO_LINK_DIRECTORY = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW
"""Flags to open a directory that must not be a link."""


class SavedEdit(NamedTuple):
    """A copy of a page with an edit that is not in the page."""

    page: str
    """Relative to the site."""
    file: Path


def require_place(site: Path, directory: Path) -> None:
    """Raise StateError where the site's directory is missing or empty, or where the state's would be in a missing one.

    What is created there instead would be in the way of a moved site, or hidden below a disk that is mounted later.
    """
    with as_state_error(f"Cannot read {site}", "check its permissions, or correct `site` in the config"):
        what = "missing" if not os.path.isdir(site) else "empty" if not os.listdir(site) else None
    if what:
        raise StateError(
            f"The site's directory {site} is {what}; mount its disk, put it back, or correct `site` in the config"
        )
    try:
        os.path.realpath(site).encode()
    except UnicodeEncodeError as error:
        raise StateError(f"{site}: {NOT_UTF8}") from error
    if not (directory.parent.exists() or directory.is_relative_to(site)):
        raise _without_parent(directory)


def make_directories_above(directory: Path, site: Path) -> None:
    """Create the directories between the site's and the state's, if the state is in the site. Raises StateError."""
    with as_state_error(f"Cannot create the state in {directory}", CANNOT_WRITE):
        for each in reversed(directory.parents):
            if each != site and each.is_relative_to(site):
                each.mkdir(mode=0o755, exist_ok=True)


def prepare_directory(directory: Path) -> None:
    """Create the state's directory, with a .gitignore that keeps syncer's files out of commits.

    Raises StateError if it has other files and no state, or if the directory that it is in does not exist; OSError.
    """
    require_usable(directory)
    try:
        directory.mkdir(mode=0o755, exist_ok=True)
    except FileNotFoundError as error:
        raise _without_parent(directory) from error
    ignored, other = b"", _other(directory)
    with suppress(FileNotFoundError):
        ignored = read_file(directory / ".gitignore", len(IGNORE_OWN))
    if not ignored or (ignored == IGNORE_ALL and other):  # from an older version; it hides the author's files
        patterns = IGNORE_ALL if directory.name == DEFAULT_NAME and not other else IGNORE_OWN
        overwrite(directory / ".gitignore", patterns, PUBLIC_MODE)


def require_usable(directory: Path) -> None:
    """Raise StateError if this is not a directory, or has other files and no state. Raises OSError."""
    if os.path.lexists(directory) and not directory.is_dir():
        if directory.is_symlink():
            raise StateError(f"{directory} is a link to a missing directory; mount its disk, or remove the link")
        raise StateError(f"{directory} is not a directory; move it away, or set `state.directory`")
    if not directory.is_dir() or any(os.path.lexists(directory / name) for name in PROOF_FILES):
        return
    other = _other(directory)
    if other:
        raise StateError(
            f"{directory} has other files ({other}), so syncer does not use it for its state; "
            "set `state.directory` to a new or empty directory"
        )


def forget_set_aside(directory: Path, before: datetime | None = None) -> None:
    """Remove damaged files that were set aside: all, or those last written before a time. Raises OSError."""
    for name in SET_ASIDE_PATTERNS:
        for path in directory.glob(name):
            if before is None or path.lstat().st_mtime < before.timestamp():
                path.unlink(missing_ok=True)


def save_edit(directory: Path, source: str, page: str, at: datetime) -> Path:
    """Copy a file into this state's directory, durably, as the page with this path; return the copy's path.

    Links are not followed, and no file is overwritten. Raises UnsafeFile if SAVED_FOLDER is not a directory; OSError.
    """
    top, time = directory / SAVED_FOLDER, f"{at:%Y%m%dT%H%M%SZ}"
    if os.path.lexists(top) and (top.is_symlink() or not top.is_dir()):
        raise UnsafeFile(top, f"is {'a symbolic link' if top.is_symlink() else 'a file'}, not a directory{MOVE_AWAY}")
    with open(open_file(source, flags=NO_LINK), "rb") as edited, ExitStack() as stack:
        inside = _enter(stack, os.open(directory, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY), SAVED_FOLDER)
        taken = set(os.listdir(inside))
        folder = next(name for name in chain([time], (f"{time}-{n}" for n in count(2))) if name not in taken)
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
    return top / folder / page


def saved_edits(directory: Path) -> list[SavedEdit]:
    """Return the edits that are saved in this state's directory, oldest first. Links are not followed."""
    edits: list[SavedEdit] = []
    top = directory / SAVED_FOLDER
    if top.is_symlink():
        return edits
    for folder, _, files in os.walk(top):
        parts = Path(folder).relative_to(top).parts[1:]
        edits += [SavedEdit("/".join((*parts, file)), Path(folder, file)) for file in files]
    return sorted(edits, key=lambda edit: edit.file)


def _without_parent(directory: Path) -> StateError:
    return StateError(
        f"{directory.parent} does not exist, so syncer does not create its state there; mount its disk, create it, or"
        " set `state.directory`"
    )


def _other(directory: Path) -> str | None:
    """Return the name of a file in the directory that syncer did not make; None if there is none."""
    with os.scandir(directory) as entries:
        names = (entry.name for entry in entries if entry.name not in UNUSED_NAMES)
        return next((name for name in names if not any(fnmatchcase(name, own) for own in OWN_PATTERNS)), None)


def _enter(stack: ExitStack, directory: int, name: str) -> int:
    """Open a directory in an open one, and create it if needed; the outer one is made durable and closed later."""
    stack.callback(os.close, directory)
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=directory)
    inside = os.open(name, NO_LINK_DIRECTORY, dir_fd=directory)
    stack.callback(os.fsync, directory)
    return inside
