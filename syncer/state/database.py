"""Opens the database, updates it to the newest schema, and copies it for a dry run."""

from __future__ import annotations

import os
import pwd
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

from syncer.errors import StateDamaged, StateError
from syncer.own_files import as_state_error, open_own, remove_own, require_own, require_together
from syncer.state.damage import (
    LARGE_TABLE,
    OddValue,
    Shape,
    find_damage,
    is_damage,
    is_of_the_machine,
    odd_rows,
    shape_of,
)
from syncer.state.directory import CANNOT_WRITE, DATABASE_FILE, NOT_UTF8, prepare_directory, require_usable
from syncer.state.schema import COPIED, MIGRATIONS

FILES = (DATABASE_FILE, f"{DATABASE_FILE}-wal", f"{DATABASE_FILE}-shm", f"{DATABASE_FILE}-journal")
"""The database, and the files that SQLite creates beside it."""

SUSPECT = f"{DATABASE_FILE}.suspect"
"""Created by a command that finds damage without holding the lock: the next writer then checks the whole state."""


INCREMENTAL = 2
"""SQLite's number of the mode in which a file can shrink step by step."""

STEP_PAGES = 500
"""Pages of 4 KiB that are returned to the disk at once: some hundredths of a second."""

REUSED_PART = 10
"""The file shrinks only when more than a tenth of it is free: the next sync needs space again."""

SMALL_BYTES = 64 << 20
"""A state of an older version is rebuilt in that mode when it is opened, if that takes less than a second."""


class Database:
    """An open state. Safe for several threads: one transaction at a time."""

    def __init__(self, connection: sqlite3.Connection, path: Path | None = None) -> None:
        """Take an open connection and the path of its file; None: it is a copy in memory."""
        self._connection = connection
        self._path = path
        self._lock = threading.RLock()

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """Run the block as one transaction. Raises StateError if it cannot be written.

        It survives a crash of the program; only a `durable` one, and all before it, is sure to survive a power cut.
        """
        with self._lock, _explained("Cannot write the state", self._connection, self._path):
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # a full disk has rolled back by itself
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection for queries."""
        with self._lock, _explained("Cannot read the state", self._connection, self._path):
            yield self._connection

    @property
    def is_copy(self) -> bool:
        """Whether this is a copy in memory."""
        return self._path is None

    def shrink(self) -> None:
        """Rebuild the file without the deleted data, and return the space to the disk."""
        with self._lock, _explained("Cannot write the state", self._connection, self._path):
            _rebuild(self._connection)
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def release_space(self) -> Iterator[None]:
        """Return space to the disk in small steps, until deleted data is at most a part of the file that SQLite reuses.

        This works for files that `shrink` has rebuilt once, or that were new or small when they were opened.
        """
        while True:
            with self._lock, _explained("Cannot write the state", self._connection, self._path):
                (free,) = self._connection.execute("PRAGMA freelist_count").fetchone()
                (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
                (mode,) = self._connection.execute("PRAGMA auto_vacuum").fetchone()
                if mode != INCREMENTAL or free < STEP_PAGES or free * REUSED_PART < pages:
                    return
                self._connection.executescript(f"PRAGMA incremental_vacuum({STEP_PAGES})")  # `execute` frees one page
            yield

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._lock:
            self._connection.close()


def open_database(directory: Path, site: str | Path) -> Database:
    """Open the state for writing; create it, or update it to the newest schema, if needed.

    The state belongs to the real path of `site`. Raises StateDamaged, and StateError: unwritable, of a newer version,
    of another site, or not one of syncer's files.
    """
    path, suspect = directory / DATABASE_FILE, directory / SUSPECT
    with as_state_error(f"Cannot create the state in {directory}", CANNOT_WRITE):
        prepare_directory(directory)
        for name in FILES:
            require_own(directory / name)
        with suppress(FileExistsError):  # SQLite would let other users open it, and lock it
            os.close(open_own(path, os.O_RDWR | os.O_CREAT | os.O_EXCL))
    connection = _connect(str(path))
    try:
        with _explained(f"Cannot use the state {path}", connection):
            if _version(connection, path):
                _refuse_foreign(connection, site, path)
            else:
                connection.execute(f"PRAGMA auto_vacuum = {INCREMENTAL}")
            connection.execute("PRAGMA journal_mode = WAL")  # a write: only to syncer's own file
            connection.execute("PRAGMA secure_delete = ON")
            _migrate(connection, path)
            _require_sound(connection, path, thoroughly=suspect.exists())
            (mode,) = connection.execute("PRAGMA auto_vacuum").fetchone()
            if mode != INCREMENTAL and path.stat().st_size < SMALL_BYTES:  # of an older version
                _rebuild(connection)
            connection.execute(
                "INSERT OR IGNORE INTO meta VALUES ('site', :site), ('site_again', :site)",
                {"site": os.path.realpath(site)},
            )
        with as_state_error(f"Cannot remove {suspect}", "remove it by hand"):
            remove_own(suspect)
    except BaseException:
        connection.close()
        raise
    return Database(connection, path)


def set_aside(directory: Path, now: datetime) -> Path:
    """Rename a damaged state, to keep it for inspection; return its new path. Raises StateError."""
    path = directory / DATABASE_FILE
    aside = path.with_name(f"{DATABASE_FILE}.damaged-{now:%Y%m%dT%H%M%SZ}")
    try:
        for name in FILES:
            with suppress(FileNotFoundError):
                (directory / name).rename(f"{aside}{name.removeprefix(DATABASE_FILE)}")
    except OSError as error:
        raise StateError(f"{path} is damaged and cannot be renamed: {error.strerror}; move it away") from error
    return aside


def open_state(directory: Path, site: str | Path) -> Database:
    """Open the state for reading; if there is none yet, return an empty one in memory. Raises as `open_database`."""
    return open_to_read(directory, site) or Database(_empty())


def open_to_read(directory: Path, site: str | Path) -> Database | None:
    """Open the state for reading; None if there is none, or an empty file that is about to become one.

    Raises as `open_database`.
    """
    path = directory / DATABASE_FILE
    with as_state_error(f"Cannot read the state {path}", "check its permissions"):
        try:
            require_usable(directory)
            require_together([directory / name for name in FILES])
            if not path.exists():
                return None
        except NotADirectoryError:
            return None
        user_id = path.stat().st_uid
        if user_id != os.geteuid() and not os.access(path, os.R_OK):
            owner = f"#{user_id}"  # as sudo takes it
            with suppress(KeyError):
                owner = pwd.getpwuid(user_id).pw_name
            remedy = f"Run the command as that user, with `sudo -u {owner}`."
            raise StateError(f"Cannot read the state {path}: only the user {owner} may. {remedy}")
    with _explained(f"Cannot read the state {path}"):
        connection = _connect(f"{path.resolve().as_uri()}?mode=ro")
    try:
        with _explained(f"Cannot read the state {path}", connection, path):
            version = _version(connection, path)
            if version == 0:
                connection.close()
                return None
            _refuse_foreign(connection, site, path)
            if version < len(MIGRATIONS):  # an older syncer wrote it: update a copy in memory and read that
                memory = _connect("file::memory:")
                with closing(connection):
                    connection.backup(memory)
                _migrate(memory, path)
                _require_types(memory, path)
                return Database(memory)
            _require_types(connection, path)
    except BaseException:
        connection.close()
        raise
    return Database(connection, path)


def open_copy(directory: Path, site: str | Path) -> Database:
    """Open a copy of the state in memory, for a dry run: nothing is written to disk. Raises StateError."""
    state = open_state(directory, site)
    if state.is_copy:
        return state
    memory = _empty()
    try:
        with state, state.read():
            memory.execute("ATTACH ? AS disk", (f"{(directory / DATABASE_FILE).resolve().as_uri()}?mode=ro",))
            memory.execute("BEGIN")  # a snapshot: a sync that runs at the same time has no effect
            for statement in COPIED:
                memory.execute(statement)
            memory.execute("COMMIT")
            memory.execute("DETACH disk")
    except BaseException:
        memory.close()
        raise
    return Database(memory)


def _connect(path: str) -> sqlite3.Connection:
    return sqlite3.connect(
        path, uri=path.startswith("file:"), timeout=10, isolation_level=None, check_same_thread=False
    )


def _empty() -> sqlite3.Connection:
    """Return an empty state of the newest schema, in memory."""
    memory = _connect("file::memory:")
    _migrate(memory, Path(":memory:"))
    return memory


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    for number in range(_version(connection, path), len(MIGRATIONS)):
        connection.executescript(f"BEGIN IMMEDIATE; {MIGRATIONS[number]} PRAGMA user_version = {number + 1}; COMMIT;")


def _rebuild(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA auto_vacuum = {INCREMENTAL}")
    connection.execute("VACUUM")


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the schema's number, 0 for an empty file. Raises StateDamaged if the tables do not match it."""
    connection.execute("BEGIN")  # a snapshot: another process may update it to the newest schema
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    newest = _shape(len(MIGRATIONS))
    expected = _shape(version) if 0 <= version <= len(MIGRATIONS) else None
    shape = shape_of(connection, {*newest, *(expected or ())})
    connection.execute("COMMIT")
    if version > len(MIGRATIONS) and shape != newest:
        raise StateError(
            f"{path} was written by a newer syncer (schema {version}, this one knows {len(MIGRATIONS)}); upgrade syncer"
        )
    if shape != expected:
        raise StateDamaged(f"{path}: its tables do not match schema {version}")
    return version


@cache
def _shape(version: int) -> Shape:
    """Return the shape of a schema. No two schemas have the same shape."""
    with closing(_connect("file::memory:")) as memory:
        for migration in MIGRATIONS[:version]:
            memory.executescript(migration)
        names = [name for (name,) in memory.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return shape_of(memory, names)


def _refuse_foreign(connection: sqlite3.Connection, site: str | Path, path: Path) -> None:
    real = os.path.realpath(site)
    noted = dict(connection.execute("SELECT name, value FROM meta WHERE name IN ('site', 'site_again')"))
    known = noted.get("site", real)
    if not isinstance(known, str) or known != noted.get("site_again", known):
        raise StateDamaged(f"{path}: it does not name its site")
    if known != real:
        raise StateError(
            f"{path} belongs to the site {known}, not to {real}; "
            f"set another `state.directory`. If the site has moved, remove {path.parent}"
        )


def _require_types(connection: sqlite3.Connection, path: Path) -> None:
    """Check that all rows but the readings have valid values. Raises StateDamaged."""
    shape = {table: columns for table, columns in _shape(len(MIGRATIONS)).items() if table != LARGE_TABLE}
    if odd := odd_rows(connection, shape):
        raise StateDamaged(f"{path}: {odd}")


def _require_sound(connection: sqlite3.Connection, path: Path, *, thoroughly: bool) -> None:
    """Check rows, and the whole file too if `thoroughly` or if the last sync did not finish. Raises StateDamaged."""
    _require_types(connection, path)
    row = connection.execute("SELECT report IS NULL FROM syncs ORDER BY sync DESC LIMIT 1").fetchone()
    if thoroughly or (row is not None and row[0]):
        damage = find_damage(connection, _shape(len(MIGRATIONS)))
        if damage:
            raise StateDamaged(f"{path}: {damage}")


@contextmanager
def _explained(what: str, connection: sqlite3.Connection | None = None, path: Path | None = None) -> Iterator[None]:
    """Raise SQLite's errors as StateError; damage as StateDamaged, and note it beside `path` for the next writer."""
    try:
        yield
    except (sqlite3.DatabaseError, UnicodeDecodeError, OddValue) as error:
        if not _shows_damage(error, connection):
            raise StateError(f"{what}: {error}; check the free disk space and the permissions") from error
        if path:
            with suppress(OSError):  # without permission to write, each command reports the damage
                os.close(open_own(path.with_name(SUSPECT), os.O_WRONLY | os.O_CREAT))
        raise StateDamaged(f"{what}: {error}") from error
    except UnicodeEncodeError as error:
        raise StateError(f"{what}: {NOT_UTF8}") from error


def _shows_damage(error: Exception, connection: sqlite3.Connection | None) -> bool:
    if is_damage(error) or is_of_the_machine(error) or connection is None:
        return is_damage(error)
    with suppress(sqlite3.DatabaseError):  # the check fails too: the first error is reported
        return find_damage(connection, _shape(len(MIGRATIONS))) is not None
    return False
