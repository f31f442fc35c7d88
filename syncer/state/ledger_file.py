"""Opens the file of a shared ledger: a SQLite database that the processes of several sites and users write.

It is created whole, never over another file, and never used through a link. No program opens it but by SQLite: to
close a file ends the locks that SQLite has on it in the same process (https://www.sqlite.org/howtocorrupt.html).
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import ClassVar, Final

from syncer.errors import LedgerUnreachable, StateError
from syncer.model import LedgerPlace
from syncer.own_files import GROUP_MODE, PRIVATE_MODE, UnsafeFile, require_group, require_own
from syncer.state.damage import OddValue, Shape, is_busy, is_damage, odd_rows, shape_of
from syncer.state.file_system import network_file_system
from syncer.state.ledger_schema import APPLICATION, COPIED, MIGRATIONS, LargeTables, LedgerConnection
from syncer.wording import counted

SUFFIXES: Final = ("", "-wal", "-shm", "-journal")
"""The ledger, and the files that SQLite creates beside it."""

BUSY_SECONDS: Final = 10.0
"""How long to wait for other processes."""

PAUSE_SECONDS: Final = 0.01

NEW: Final = "-syncer-new"
"""After the name of a ledger: the file in which it is created. One that a crash left is removed."""


class LedgerFile:
    """An open ledger, or a copy in memory. Safe for several threads: one transaction at a time."""

    LISTED: ClassVar = "SELECT value FROM json_each(:list)"
    """A query for the texts in a parameter `list`, which is a list in JSON."""
    ahead = timedelta(0)
    """How far its clock is ahead of this machine's: a file has no other clock."""

    def __init__(
        self, connection: sqlite3.Connection, place: LedgerPlace, original: os.stat_result | LargeTables
    ) -> None:
        """Take a connection to this file; or to a copy of a ledger's small tables, and what reads the large ones."""
        self.place = place
        self._original = original
        self._connection = connection
        self._lock = threading.RLock()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run the block as one transaction, which no other process interrupts. Raises StateError."""
        with self._lock, _explained("write", self.place), _at_once(self._connection):
            if not callable(self._original) and not self._is_in_place(self._original):
                raise LedgerUnreachable(
                    f"The ledger {self.place} was moved or replaced while a sync used it; the next sync opens it again"
                )
            yield self._connection

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection for queries that belong together. Raises StateError."""
        with self._lock, _explained("read", self.place):
            if self._connection.in_transaction:
                yield self._connection
                return
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("COMMIT")

    def large_tables(self) -> AbstractContextManager[LedgerConnection]:
        """Return a connection for queries that belong together, also of tables that a copy lacks. Raises StateError."""
        return self._original() if callable(self._original) else self.read()

    def close(self) -> None:
        """Close it."""
        with self._lock:
            self._connection.close()

    def _is_in_place(self, file: os.stat_result) -> bool:
        """Whether this is the file that other processes use: what is counted in another one, they do not see."""
        try:
            return os.path.samestat(file, os.stat(self.place))
        except FileNotFoundError:
            return False


def open_ledger_file(path: Path, file_system: Callable[[str], str | None] = network_file_system) -> LedgerFile:
    """Open a ledger for writing; create it, or update it to the newest schema, if needed.

    `file_system` returns the name of a network file system. Raises StateError: not a ledger, damaged, unwritable, of a
    newer version, another user's, or on a network file system.
    """
    with _explained("use", path):
        _require_local(path, file_system)
        _require_safe(path)
        if not path.exists():
            _create(path)
        _restore_modes(path)
        connection = _connect(f"{path.absolute().as_uri()}?mode=rw")
    try:
        with _explained("write", path):
            _update(connection, path)
            connection.execute("PRAGMA synchronous = FULL")  # a power cut forgets no unit that was spent
            connection.execute("PRAGMA secure_delete = ON")  # the file has no trace of what a purge deletes
            _require_sound(connection, path)
            _require_safe(path, tighten=True)  # it is a ledger
            return LedgerFile(connection, path, os.stat(path))
    except BaseException:
        connection.close()
        raise


def require_unlocked(path: Path) -> None:
    """Check that a sync could write a ledger now, if there is one: it waits as a sync does. Raises StateError."""
    with _explained("write", path):
        if path.exists():
            _restore_modes(path)
            with closing(_connect(f"{path.absolute().as_uri()}?mode=rw")) as connection, _at_once(connection):
                pass


def copy_ledger_file(path: Path, file_system: Callable[[str], str | None] = network_file_system) -> LedgerFile:
    """Return a copy in memory of the small tables of a ledger, an empty one if there is no file yet.

    Nothing is written to disk. Raises StateError.
    """
    memory = _connect("file::memory:")
    try:
        with _explained("read", path), _connected_to_read(path, file_system) as disk:
            if disk:
                _copy(disk, memory, path)
            _update(memory, path)
            _require_sound(memory, path)
    except BaseException:
        memory.close()
        raise
    return LedgerFile(memory, path, partial(read_ledger_file, path))


@contextmanager
def read_ledger_file(
    path: Path, file_system: Callable[[str], str | None] = network_file_system
) -> Iterator[sqlite3.Connection]:
    """Yield a connection to a ledger, in one transaction with which nothing can be written to disk.

    If there is no ledger yet, or one of an older version, it is a connection to a copy. Raises StateError.
    """
    with _explained("read", path), _connected_to_read(path, file_system) as disk:
        if disk is not None:
            disk.execute("BEGIN")
            if _version(disk, path) == len(MIGRATIONS):
                _require_sound(disk, path)
                yield disk
                return
    with closing(copy_ledger_file(path, file_system)) as copy, copy.read() as memory:
        yield memory


@contextmanager
def _connected_to_read(path: Path, file_system: Callable[[str], str | None]) -> Iterator[sqlite3.Connection | None]:
    """Yield a connection to a ledger with which nothing can be written; None: there is no file yet."""
    with _explained("use", path):
        _require_local(path, file_system)
        _require_safe(path)
        exists = path.exists()
    if not exists:
        yield None
        return
    with closing(_connect(f"{path.absolute().as_uri()}?mode=ro")) as disk:
        yield disk


def _connect(name: str) -> sqlite3.Connection:
    return sqlite3.connect(name, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)


def _require_local(path: Path, file_system: Callable[[str], str | None]) -> None:
    name = file_system(str(path.parent))
    if name:
        raise StateError(
            f"The ledger {path} is on a network file system, {name}. There, several processes cannot lock a file"
            " reliably, so they could spend more units than you have. Set `quota.ledger` to a file on a disk of this"
            " machine"
        )


def _mode(path: Path) -> int:
    """Return the mode of a ledger's files. If its directory has the setgid bit, the group of that shares the ledger."""
    return GROUP_MODE if os.stat(path.parent).st_mode & stat.S_ISGID else PRIVATE_MODE


def _require_safe(path: Path, *, tighten: bool = False) -> None:
    """Check the files, where they exist; `tighten`: give them the right modes. Raises UnsafeFile and OSError."""
    shared = _mode(path) == GROUP_MODE
    for suffix in SUFFIXES:
        file = path.with_name(f"{path.name}{suffix}")
        if shared:
            require_group(file, tighten=tighten)
        else:
            require_own(file, tighten=tighten)
    if path.exists() and path.stat().st_size < 2:  # SQLite takes it for an empty database, and would fill it
        raise _damaged(path, f"it has only {counted(path.stat().st_size, 'byte')}")


def _create(path: Path) -> None:
    """Create a ledger, unless another process just did. It appears whole: an empty file is one that was damaged.

    Raises OSError and SQLite's errors.
    """
    mode, new = _mode(path), path.with_name(f"{path.name}{NEW}")
    with _alone_in(path.parent):
        if path.exists():
            return
        for suffix in SUFFIXES:
            new.with_name(f"{new.name}{suffix}").unlink(missing_ok=True)
        descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        try:
            os.fchmod(descriptor, mode)  # SQLite would give it the mode of the umask
        finally:
            os.close(descriptor)
        with closing(_connect(f"{new.absolute().as_uri()}?mode=rw")) as connection:
            _update(connection, new)
            connection.execute("PRAGMA journal_mode = WAL")
        new.rename(path)


@contextmanager
def _alone_in(directory: Path) -> Iterator[None]:
    """Lock a directory against other processes and threads that create a ledger in it. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(PAUSE_SECONDS)
            else:
                break
        yield
    finally:
        os.close(descriptor)


def _restore_modes(path: Path) -> None:
    """Let this user write the files beside a ledger again: SQLite made them read-only while it was. Raises OSError."""
    for suffix in SUFFIXES[1:]:
        file = path.with_name(f"{path.name}{suffix}")
        with suppress(FileNotFoundError):
            status = os.lstat(file)
            if status.st_uid == os.geteuid() and not status.st_mode & stat.S_IWUSR:
                os.chmod(file, _mode(path))


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the schema's number, 0 for an empty file. Raises StateError if it is not a ledger, or a newer one.

    A transaction must be open: another process may just be creating the tables.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if application != APPLICATION and (application or version or tables):
        raise StateError(f"{path} is a database of another program; set `quota.ledger` to a file that does not exist")
    if version > len(MIGRATIONS):
        raise StateError(
            f"{path} was written by a newer syncer (schema {version}, this one knows {len(MIGRATIONS)}); upgrade syncer"
        )
    return int(version)


def _update(connection: sqlite3.Connection, path: Path, newest: int = len(MIGRATIONS)) -> None:
    """Create the tables, or update them to a schema; another process may do the same at the same time."""
    connection.execute("BEGIN")
    version = _version(connection, path)
    connection.execute("COMMIT")
    if version == newest:
        return
    with _at_once(connection):
        for number in range(_version(connection, path), newest):
            for statement in MIGRATIONS[number]:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {newest}")


@contextmanager
def _at_once(connection: sqlite3.Connection) -> Iterator[None]:
    """Run the block as one transaction in which no other process writes; undo it if it fails."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk has rolled back by itself
            connection.execute("ROLLBACK")
        raise


def _copy(disk: sqlite3.Connection, memory: sqlite3.Connection, path: Path) -> None:
    """Copy the small tables of a ledger, which may have an older schema, into an empty database."""
    disk.execute("BEGIN")  # what other processes write meanwhile has no effect
    version = _version(disk, path)
    if version:
        _update(memory, path, version)
        shape = shape_of(memory, COPIED)
        if shape_of(disk, COPIED) != shape:
            raise _damaged(path, "its tables do not match its schema")
        _fill(memory, shape, {table: disk.execute(f"SELECT * FROM {table}") for table in shape})
    disk.execute("COMMIT")


def _fill(memory: sqlite3.Connection, shape: Shape, tables: Mapping[str, Iterable[tuple[object, ...]]]) -> None:
    """Replace the rows of a copy's tables."""
    for table, columns in shape.items():
        memory.execute(f"DELETE FROM {table}")
        memory.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", tables[table])


def small_tables(tables: Mapping[str, Iterable[tuple[object, ...]]]) -> sqlite3.Connection:
    """Return a connection to a copy in memory that has these rows in its tables `COPIED`.

    Raises OddValue where syncer does not store such rows.
    """
    memory = _connect("file::memory:")
    try:
        _update(memory, Path(":memory:"))
        _fill(memory, _shape(), tables)
        odd = odd_rows(memory, _shape())
    except BaseException:
        memory.close()
        raise
    if odd:
        memory.close()
        raise OddValue(odd)
    return memory


@cache
def _shape() -> Shape:
    """Return the shape of the newest schema's small tables."""
    with closing(_connect("file::memory:")) as memory:
        _update(memory, Path(":memory:"))
        return shape_of(memory, COPIED)


def _require_sound(connection: sqlite3.Connection, path: Path) -> None:
    """Check the tables and the types of their values. Raises StateError."""
    if shape_of(connection, COPIED) != _shape():
        raise _damaged(path, "its tables do not match its schema")
    if odd := odd_rows(connection, _shape()):
        raise _damaged(path, odd)


def _damaged(place: LedgerPlace, what: str) -> LedgerUnreachable:
    return LedgerUnreachable(
        f"The ledger {place} is damaged, or is a file of another program: {what}. If it is the ledger, stop what uses"
        " it, move it away together with the files whose names begin with its name, and start again: syncer creates a"
        " new one. Today's count of used units is lost, so syncs may request more than YouTube allows until"
        " midnight Pacific"
    )


@contextmanager
def _explained(what: str, place: LedgerPlace) -> Iterator[None]:
    """Raise what prevents the use of a ledger as LedgerUnreachable, or as StateError where the config names it wrongly.

    Damage is never repaired here: other processes use the file.
    """
    try:
        yield
    except UnsafeFile as error:
        raise StateError(f"{error.filename} {error.strerror}") from error
    except (sqlite3.DatabaseError, UnicodeDecodeError, OddValue) as error:
        if is_damage(error) or not isinstance(error, sqlite3.DatabaseError):
            raise _damaged(place, str(error)) from error
        remedy = "check the free disk space, and that you may write the file and its directory"
        if is_busy(error):
            remedy = f"another program has locked it for more than {BUSY_SECONDS:g} s: wait for it, or end it"
        raise LedgerUnreachable(f"Cannot {what} the ledger {place}: {error}; {remedy}") from error
    except OSError as error:
        wrong = isinstance(error, FileNotFoundError | NotADirectoryError)
        remedy = "check `quota.ledger`, and that its directory exists and you may write it"
        kind = StateError if wrong else LedgerUnreachable
        raise kind(f"Cannot {what} the ledger {place}: {error.strerror}; {remedy}") from error
