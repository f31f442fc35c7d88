"""The state's directory: whose it is, what of it is ours, and what git sees of that."""

from __future__ import annotations

import os
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path

from syncer.errors import StateError
from syncer.own_files import PUBLIC, overwrite, read_file

OWN = (
    ".gitignore",
    ".syncer-*~",
    "daemon.address",
    "daemon.lock",
    "daemon.sock",
    "diff.jsonl*",
    "lock",
    "saved",
    "state.sqlite3*",
    "told.*",
)
"""What we make there, as git's patterns."""

PROOF = ("state.sqlite3", "diff.jsonl")
"""A directory that holds one of these is a state's, whatever else is in it."""

SET_ASIDE = ("diff.jsonl.damaged-*", "state.sqlite3.damaged-*")

HARMLESS = {"lost+found", ".DS_Store", ".gitkeep", ".keep"}
"""What an unused directory may hold: of a disk, a file manager, git."""

USUAL = ".syncer"
"""A directory of this name is ours as a whole: git ignores what newer versions put there too."""

EVERYTHING = b"*\n"
NAMED = b"# Files of syncer. Git ignores these and nothing else here.\n" + "".join(f"/{o}\n" for o in OWN).encode()
"""What git ignores: in the usual directory everything, as long as all in it is ours; else what is ours."""


def prepare_directory(directory: Path) -> None:
    """Make the state's directory, with a .gitignore that keeps what is ours out of commits.

    Raises StateError where it holds other things and no state, and OSError.
    """
    require_ours(directory)
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    ignored, other = _ignored(directory), _other(directory)
    if not ignored or (ignored == EVERYTHING and other):  # an older version's, which hides an author's files
        patterns = EVERYTHING if directory.name == USUAL and not other else NAMED
        overwrite(directory / ".gitignore", patterns, PUBLIC)


def require_ours(directory: Path) -> None:
    """Raise StateError where there is something else, or other things and no state in it. Raises OSError."""
    if os.path.lexists(directory) and not directory.is_dir():
        if directory.is_symlink():
            raise StateError(f"{directory}: is a link to no directory; mount the disk it leads to, or remove the link")
        raise StateError(f"{directory}: is not a directory; move it away, or set state.directory")
    if not directory.is_dir() or any(os.path.lexists(directory / name) for name in PROOF):
        return
    other = _other(directory)
    if other:
        raise StateError(
            f"{directory}: holds other files ({other}), so syncer keeps no state there; "
            "set state.directory to a new or empty directory"
        )


def forget_set_aside(directory: Path, before: datetime | None = None) -> None:
    """Remove what was damaged and set aside: all of it, or what was written last before a time. Raises OSError."""
    for name in SET_ASIDE:
        for path in directory.glob(name):
            if before is None or path.lstat().st_mtime < before.timestamp():
                path.unlink(missing_ok=True)


def _other(directory: Path) -> str | None:
    """Return the name of something in the directory that is not ours."""
    with os.scandir(directory) as entries:
        names = (entry.name for entry in entries if entry.name not in HARMLESS)
        return next((name for name in names if not any(fnmatchcase(name, own) for own in OWN)), None)


def _ignored(directory: Path) -> bytes:
    """Return the start of .gitignore; empty where there is none."""
    try:
        return read_file(directory / ".gitignore", len(NAMED))
    except FileNotFoundError:
        return b""
