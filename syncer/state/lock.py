"""The lock: one writer at a time for each state directory."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from syncer.errors import Locked, StateError, Stopped

PATIENCE = 60
"""Seconds that a command waits for another writer."""

POLL = 0.1
"""Seconds between two looks at a lock that somebody holds."""


@contextmanager
def hold_lock(directory: Path, *, patience: float, sleep: Callable[[float], object]) -> Iterator[None]:
    """Hold the lock of this state directory; wait up to `patience` seconds for it.

    The kernel frees it when the process ends, however it ends. `sleep` says True when the wait is to end. Raises Locked
    when another writer keeps it, Stopped when told to stop meanwhile, StateError when the directory cannot be made or
    written.
    """
    with _explained(directory):
        prepare_directory(directory)
        descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        with _explained(directory):
            _take(descriptor, directory, patience, sleep)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _explained(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StateError(
            f"{directory}: the state cannot be written: {error.strerror}; allow it, or set state.directory"
        ) from error


def prepare_directory(directory: Path) -> None:
    """Make the state directory, with a .gitignore that keeps it out of commits. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    ignore = directory / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n", encoding="ascii")


def _take(descriptor: int, directory: Path, patience: float, sleep: Callable[[float], object]) -> None:
    waited = 0.0
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waited >= patience:
                holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
                raise Locked(
                    f"{directory}: another syncer (process {holder}) is writing; try again when it has ended"
                ) from None
            if sleep(POLL):
                raise Stopped("stopped while another syncer was writing; nothing was done") from None
            waited += POLL
        else:
            return
