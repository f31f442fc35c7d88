"""The locks of a state directory: one writer at a time, and one daemon."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from syncer.errors import Locked, StateError, Stopped
from syncer.own_files import (
    PUBLIC_MODE,
    as_state_error,
    open_own,
    open_to_read,
    overwrite,
    read_file,
    require_own,
    rewrite,
)
from syncer.state.database import FILES
from syncer.state.directory import (
    CANNOT_WRITE,
    DAEMON_ADDRESS,
    DAEMON_LOCK,
    DATABASE_FILE,
    DEFAULT_NAME,
    PROOF_FILES,
    WRITER_LOCK,
    prepare_directory,
    require_usable,
)

LONGEST_ADDRESS_BYTES = 4096
"""The largest size of the file with the daemon's address."""

CONNECT_TIMEOUT = 30.0
"""Seconds that a busy daemon may take to accept a connection."""

LOCK_TIMEOUT = 60
"""Seconds that a command waits for another writer."""

POLL_SECONDS = 0.1
"""Seconds between two tries of a lock that another process holds."""


class DaemonAddress(NamedTuple):
    """Where the daemon of a state responds."""

    socket: Path
    prefix: str = ""
    """How the paths of this site's URLs begin; empty where the daemon has one site."""


@contextmanager
def hold_lock(directory: Path, *, timeout: float, sleep: Callable[[float], object]) -> Iterator[None]:
    """Hold the lock of this state directory; wait up to `timeout` seconds for it.

    The kernel frees it when the process ends, however it ends. `sleep` returns True to stop waiting. Raises Locked if
    another writer keeps it, Stopped if the wait was stopped, StateError if the directory cannot be created or written.
    """
    descriptor = _open(directory, WRITER_LOCK)
    try:
        waited = 0.0
        with _writing(directory):
            while not _takes(descriptor):
                if waited >= timeout:
                    holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
                    raise Locked(
                        f"Another syncer (process {holder}) is writing to {directory}; try again when it has finished"
                    )
                if sleep(POLL_SECONDS):
                    raise Stopped("Stopped while waiting for another syncer; nothing was done")
                waited += POLL_SECONDS
            rewrite(descriptor, b"%d\n" % os.getpid())
        yield
    finally:
        os.close(descriptor)


def is_held(directory: Path) -> bool:
    """Whether a writer is running. This takes a shared lock for a moment; a writer that waits tries again."""
    return _is_locked(directory / WRITER_LOCK)


def has_daemon(directory: Path) -> bool:
    """Whether a daemon uses this state, also where its socket was removed. A daemon that just starts tries again."""
    return _is_locked(directory / DAEMON_LOCK)


def state_beside(site: Path) -> str:
    """Return in words what the state in the directory of a site shows; empty where there is none."""
    state = site / DEFAULT_NAME
    if has_daemon(state):
        return "a daemon syncs this site"
    return "this site has a state" if os.path.exists(state / DATABASE_FILE) else ""


def _is_locked(file: Path) -> bool:
    try:
        descriptor = open_to_read(file)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def require_writable(directory: Path) -> None:
    """Raise StateError where a state cannot be made or written in this directory. Nothing is made or changed."""
    with _writing(directory):
        with suppress(FileNotFoundError):
            os.stat(directory)
        require_usable(directory)
        existing = next(each for each in (directory, *directory.parents) if os.path.lexists(each))
        if not os.path.isdir(existing):
            raise NotADirectoryError(errno.ENOTDIR, f"{existing} is not a directory")
        if not os.access(existing, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, f"no permission for {existing}")
        with suppress(FileNotFoundError):
            read_file(directory / ".gitignore", 0)
        for name in (WRITER_LOCK, DAEMON_LOCK, DAEMON_ADDRESS, *FILES, *PROOF_FILES):
            file = directory / name
            require_own(file, tighten=False)
            if file.exists() and not os.access(file, os.W_OK):
                raise PermissionError(errno.EACCES, f"no permission for {file}")


class DaemonLock:
    """The lock that a daemon holds for its whole life. It does not affect writers."""

    def __init__(self, directory: Path) -> None:
        """Take the lock. Raises Locked if another daemon uses this state; StateError."""
        self._directory = directory
        self._device = 0
        self._descriptor = -1
        self._address: DaemonAddress | None = None
        self._link: Path | None = None
        self._take()

    def name_socket(self, path: Path, prefix: str = "", link: Path | None = None) -> None:
        """Write the daemon's address to a file, for other commands: its socket, and the prefix of this site's URLs.

        `link`: where the socket of this site would be if it had a daemon of its own; a link there leads to the socket,
        until the lock is closed. Raises StateError.
        """
        self._address, self._link = DaemonAddress(path, prefix), link
        text = os.fsencode(path) + (b"\0" + prefix.encode() if prefix else b"")
        with _writing(self._directory):
            prepare_directory(self._directory)
            overwrite(self._directory / DAEMON_ADDRESS, text, PUBLIC_MODE)
            if link:
                _make_link(link, path)

    def keep(self) -> None:
        """Check that the state's directory still exists; if it was removed, create it and take the lock again.

        The daemon's address is written again, too, if it is not there.

        Raises StateError if its disk is no longer mounted: data written now would be hidden once it is mounted again.
        """
        try:
            device = self._directory.stat().st_dev
        except FileNotFoundError:
            device = self._directory.parent.stat().st_dev if self._directory.parent.is_dir() else -1
        if device != self._device:
            raise StateError(
                f"{self._directory} is no longer on the disk where the daemon started;"
                " mount that disk, or restart the daemon to start with a new state"
            )
        if not self._is_current():
            self.close()
            self._take()
        if self._address and not self._is_named(self._address):  # the state was removed, or its disk was full
            self.name_socket(*self._address, self._link)

    def close(self) -> None:
        """Release the lock."""
        if self._address and self._address.prefix:
            with suppress(OSError):  # on a broken disk they stay: what they lead to says that it has no such site
                self._forget_address(self._address)
        if self._descriptor >= 0:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)  # a program that is being started may have a copy for a moment
            os.close(self._descriptor)
            self._descriptor = -1

    def _forget_address(self, address: DaemonAddress) -> None:
        """Remove what leads to the daemon of several sites, which goes on without this one. Raises OSError."""
        if self._link and _leads_to(self._link, address.socket):
            self._link.unlink(missing_ok=True)
        file = self._directory / DAEMON_ADDRESS
        if _written_address(file) == address:  # else it is another daemon's: the state was moved, or removed
            file.unlink()

    def _is_current(self) -> bool:
        if self._descriptor < 0:
            return False
        try:
            return os.path.samestat(os.fstat(self._descriptor), (self._directory / DAEMON_LOCK).stat())
        except (FileNotFoundError, NotADirectoryError):
            return False

    def _is_named(self, address: DaemonAddress) -> bool:
        try:
            written = _written_address(self._directory / DAEMON_ADDRESS)
        except OSError:
            return False
        return written == address and (self._link is None or _leads_to(self._link, address.socket))

    def _take(self) -> None:
        self._descriptor = _open(self._directory, DAEMON_LOCK)
        self._device = os.fstat(self._descriptor).st_dev
        if not _takes(self._descriptor):
            time.sleep(POLL_SECONDS)  # `has_daemon` may have it for a moment
            if not _takes(self._descriptor):
                holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").partition("\n")[0] or "unknown"
                self.close()
                raise Locked(
                    f"Another daemon (process {holder}) already uses the state in {self._directory}; stop it first"
                )
        try:
            with _writing(self._directory):
                rewrite(self._descriptor, b"%d\n" % os.getpid())
        except StateError:
            self.close()  # else the next try in this process would meet the lock of this one
            raise


def _make_link(link: Path, target: Path) -> None:
    """Let the link lead to the target, in place of a link or a socket that an ended daemon left. Raises OSError."""
    if _leads_to(link, target):
        return
    with suppress(FileNotFoundError):
        kind = link.lstat().st_mode
        is_ours = os.path.realpath(link) == os.path.realpath(target)  # maybe through the link of another site
        if not (stat.S_ISLNK(kind) or stat.S_ISSOCK(kind)) or (not is_ours and is_running(DaemonAddress(link))):
            raise FileExistsError(errno.EEXIST, f"{link} is another file, or another daemon's socket; move it away")
        link.unlink()
    link.symlink_to(target)


def _leads_to(link: Path, target: Path) -> bool:
    return link.is_symlink() and link.readlink() == target


def _written_address(file: Path) -> DaemonAddress:
    """Return the address in a file of a state. Raises OSError."""
    path, _, prefix = read_file(file, LONGEST_ADDRESS_BYTES).partition(b"\0")
    return DaemonAddress(Path(os.fsdecode(path)), prefix.decode(errors="replace"))


def daemon_address(directory: Path) -> DaemonAddress | None:
    """Return the address of this state's daemon; None if there is no socket of the same owner."""
    file = directory / DAEMON_ADDRESS
    try:
        named, owner = _written_address(file), file.lstat().st_uid
    except OSError:
        return None
    try:
        status = named.socket.lstat()
    except PermissionError:
        return named  # connecting fails, with the reason
    except OSError:
        return None
    return named if stat.S_ISSOCK(status.st_mode) and status.st_uid == owner else None


def is_running(address: DaemonAddress | None) -> bool:
    """Whether a daemon listens on this socket; also where this user may not connect to it."""
    if address is None:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(CONNECT_TIMEOUT)
        try:
            connection.connect(str(address.socket))
        except PermissionError:
            return True
        except OSError:
            return False
    return True


def _open(directory: Path, name: str) -> int:
    with _writing(directory):
        prepare_directory(directory)
        return open_own(directory / name, os.O_RDWR | os.O_CREAT)


def _writing(directory: Path) -> AbstractContextManager[None]:
    return as_state_error(f"Cannot write to {directory}", CANNOT_WRITE)


def _takes(descriptor: int) -> bool:
    """Take the lock of this file, if nobody has it; return whether that is so."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
