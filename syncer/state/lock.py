"""The locks of a state directory: one writer at a time, and one daemon."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from syncer.errors import Locked, StateError, Stopped
from syncer.own_files import PUBLIC_MODE, as_state_error, open_own, open_to_read, overwrite, read_file, rewrite
from syncer.state.directory import DAEMON_ADDRESS, DAEMON_LOCK, WRITER_LOCK, prepare_directory

LONGEST_ADDRESS_BYTES = 4096
"""Read of the file that says where the daemon listens."""

LOCK_TIMEOUT = 60
"""Seconds that a command waits for another writer."""

POLL_SECONDS = 0.1
"""Between two looks at a lock that another process holds."""


@contextmanager
def hold_lock(directory: Path, *, timeout: float, sleep: Callable[[float], object]) -> Iterator[None]:
    """Hold the lock of this state directory; wait up to `timeout` seconds for it.

    The kernel frees it when the process ends, however it ends. `sleep` returns True when the wait is to end. Raises
    Locked when another writer keeps it, Stopped when the wait was ended, StateError when the directory cannot be made
    or written.
    """
    descriptor = _open(directory, WRITER_LOCK)
    try:
        with _writing(directory):
            _take(descriptor, directory, timeout, sleep)
            rewrite(descriptor, b"%d\n" % os.getpid())
        yield
    finally:
        os.close(descriptor)


def is_held(directory: Path) -> bool:
    """Whether a writer is at work. To look takes a moment's share of the lock; whoever waits for it tries again."""
    try:
        descriptor = open_to_read(directory / WRITER_LOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


class DaemonLock:
    """Held by a daemon for its whole life; it says where the daemon listens. Writers do not mind it."""

    def __init__(self, directory: Path) -> None:
        """Take it. Raises Locked when another daemon runs on this state, and StateError."""
        self._directory = directory
        self._device = 0
        self._descriptor = -1
        self._socket: Path | None = None
        self._take()

    def name_socket(self, path: Path) -> None:
        """Note where the daemon listens, for those who look for it. Raises StateError."""
        self._socket = path
        with _writing(self._directory):
            prepare_directory(self._directory)
            overwrite(self._directory / DAEMON_ADDRESS, os.fsencode(path), PUBLIC_MODE)

    def keep(self) -> None:
        """Check that the state's directory is still there; where it was removed, make it and take the lock again.

        Raises StateError when another disk is there, or none: what was written now would be lost from sight.
        """
        try:
            device = self._directory.stat().st_dev
        except FileNotFoundError:
            device = self._directory.parent.stat().st_dev if self._directory.parent.is_dir() else -1
        if device != self._device:
            raise StateError(
                f"{self._directory} is not on the disk that it was on when the daemon began;"
                " mount that, or restart the daemon to begin a new state"
            )
        if not self._is_current():
            self.close()
            self._take()
            if self._socket:
                self.name_socket(self._socket)

    def close(self) -> None:
        """Give it back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _is_current(self) -> bool:
        if self._descriptor < 0:
            return False
        try:
            return os.path.samestat(os.fstat(self._descriptor), (self._directory / DAEMON_LOCK).stat())
        except (FileNotFoundError, NotADirectoryError):
            return False

    def _take(self) -> None:
        self._descriptor = _open(self._directory, DAEMON_LOCK)
        self._device = os.fstat(self._descriptor).st_dev
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").partition("\n")[0] or "unknown"
            self.close()
            raise Locked(
                f"{self._directory}: another daemon (process {holder}) runs on this state; stop it first"
            ) from None
        with _writing(self._directory):
            rewrite(self._descriptor, b"%d\n" % os.getpid())


def daemon_socket(directory: Path) -> Path | None:
    """Return where the daemon of this state listens; None where there is no socket of the same owner."""
    address = directory / DAEMON_ADDRESS
    try:
        named = Path(os.fsdecode(read_file(address, LONGEST_ADDRESS_BYTES)))
        owner = address.lstat().st_uid
    except OSError:
        return None
    try:
        status = named.lstat()
    except PermissionError:
        return named  # to connect fails, with the reason
    except (OSError, ValueError):
        return None
    return named if stat.S_ISSOCK(status.st_mode) and status.st_uid == owner else None


def _open(directory: Path, name: str) -> int:
    with _writing(directory):
        prepare_directory(directory)
        return open_own(directory / name, os.O_RDWR | os.O_CREAT)


def _writing(directory: Path) -> AbstractContextManager[None]:
    return as_state_error(f"{directory}: the state cannot be written", "allow it, or set state.directory")


def _take(descriptor: int, directory: Path, timeout: float, sleep: Callable[[float], object]) -> None:
    waited = 0.0
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waited >= timeout:
                holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
                raise Locked(
                    f"{directory}: another syncer (process {holder}) is writing; try again when it has ended"
                ) from None
            if sleep(POLL_SECONDS):
                raise Stopped("stopped while another syncer was writing; nothing was done") from None
            waited += POLL_SECONDS
        else:
            return
