"""The database: opened, brought to the newest schema, copied for a dry run, closed."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
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
from syncer.state.directory import DATABASE_FILE, prepare_directory, require_usable
from syncer.state.schema import COPIED, MIGRATIONS

FILES = (DATABASE_FILE, f"{DATABASE_FILE}-wal", f"{DATABASE_FILE}-shm", f"{DATABASE_FILE}-journal")
"""The state's, and those that SQLite makes beside it."""

SUSPECT = f"{DATABASE_FILE}.suspect"
"""Made by whoever finds damage without holding the lock: the next writer then looks through the whole state."""


class Database:
    """An open state. Safe for several threads: one transaction at a time."""

    def __init__(self, connection: sqlite3.Connection, path: Path | None = None) -> None:
        """Take an open connection, and where its file is; None: it is a copy in memory."""
        self._connection = connection
        self._path = path
        self._lock = threading.RLock()

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """Run the block as one transaction: all of it, or nothing. Raises StateError when the disk refuses.

        It survives a crash of the program; only a `durable` one, and all before it, is sure to survive a power cut.
        """
        with self._lock, self._explained("the state cannot be written"):
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
        """Give the connection for queries."""
        with self._lock, self._explained("the state cannot be read"):
            yield self._connection

    @property
    def is_copy(self) -> bool:
        """Whether this is a copy in memory."""
        return self._path is None

    def shrink(self) -> None:
        """Give the space of what was forgotten back to the disk, so that nothing of it stays in the file."""
        with self._lock, self._explained("the state cannot be written"):
            self._connection.execute("VACUUM")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _explained(self, what: str) -> AbstractContextManager[None]:
        return _explained(what, self._connection, self._path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._lock:
            self._connection.close()


def open_database(directory: Path, site: str | Path) -> Database:
    """Open the state for writing; make it, or bring it to the newest schema, where needed.

    The state belongs to the real path of `site`. Raises StateDamaged, and StateError: unwritable, of a newer version,
    of another site, or not a file of ours.
    """
    path, suspect = directory / DATABASE_FILE, directory / SUSPECT
    with as_state_error(f"{directory}: the state cannot be made", "allow it, or set state.directory"):
        prepare_directory(directory)
        for name in FILES:
            require_own(directory / name)
        with suppress(FileExistsError):  # SQLite would let others open it, and lock it
            os.close(open_own(path, os.O_RDWR | os.O_CREAT | os.O_EXCL))
    connection = _connect(str(path))
    try:
        with _explained(f"{path}: the state cannot be used", connection):
            if _version(connection, path):
                _refuse_foreign(connection, site, path)
            connection.execute("PRAGMA journal_mode = WAL")  # a write: only to a file that is ours
            connection.execute("PRAGMA secure_delete = ON")
            _migrate(connection, path)
            _require_sound(connection, path, thoroughly=suspect.exists())
            connection.execute(
                "INSERT OR IGNORE INTO meta VALUES ('site', :site), ('site_again', :site)",
                {"site": os.path.realpath(site)},
            )
        with as_state_error(f"{suspect}: cannot be removed", "remove it"):
            remove_own(suspect)
    except BaseException:
        connection.close()
        raise
    return Database(connection, path)


def set_aside(directory: Path, now: datetime) -> Path:
    """Give a damaged state another name, for whoever wants to look into it; return that. Raises StateError."""
    path = directory / DATABASE_FILE
    aside = path.with_name(f"{DATABASE_FILE}.damaged-{now:%Y%m%dT%H%M%SZ}")
    try:
        for name in FILES:
            with suppress(FileNotFoundError):
                (directory / name).rename(f"{aside}{name.removeprefix(DATABASE_FILE)}")
    except OSError as error:
        raise StateError(f"{path} is damaged and cannot be set aside: {error.strerror}; move it away") from error
    return aside


def open_state(directory: Path, site: str | Path) -> Database:
    """Open the state for reading; where there is none yet, give an empty one in memory. Raises as `open_database`."""
    return open_to_read(directory, site) or Database(_empty())


def open_to_read(directory: Path, site: str | Path) -> Database | None:
    """Open the state for reading; None where there is none, or an empty file that is about to become one.

    Raises as `open_database`.
    """
    path = directory / DATABASE_FILE
    with as_state_error(f"{path}: the state cannot be read", "allow it"):
        try:
            require_usable(directory)
            require_together([directory / name for name in FILES])
            if not path.exists():
                return None
        except NotADirectoryError:
            return None
    with _explained(f"{path}: the state cannot be read"):
        connection = _connect(f"{path.resolve().as_uri()}?mode=ro")
    try:
        with _explained(f"{path}: the state cannot be read", connection, path):
            version = _version(connection, path)
            if version == 0:
                connection.close()
                return None
            _refuse_foreign(connection, site, path)
            if version < len(MIGRATIONS):  # an older syncer wrote it: read a copy, updated in memory
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
    """Open a copy of the state in memory, for a dry run: nothing is written, nothing is made. Raises StateError."""
    state = open_state(directory, site)
    if state.is_copy:
        return state
    memory = _empty()
    try:
        with state, state.read():
            memory.execute("ATTACH ? AS disk", (f"{(directory / DATABASE_FILE).resolve().as_uri()}?mode=ro",))
            memory.execute("BEGIN")  # of one moment: a sync that goes on meanwhile does not show
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


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Return the schema's number, 0 for a file that is empty. Raises StateDamaged where the tables are another's."""
    connection.execute("BEGIN")  # both of one moment: another process may bring it to the newest schema
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
        raise StateDamaged(f"{path}: its tables are not those of schema {version}")
    return version


@cache
def _shape(version: int) -> Shape:
    """Return the shape of a schema. No two have the same."""
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
        raise StateDamaged(f"{path}: it does not name one site")
    if known != real:
        raise StateError(
            f"{path} belongs to the site {known}, not to {real}; "
            "set another state.directory, or remove the state if the site has moved"
        )


def _require_types(connection: sqlite3.Connection, path: Path) -> None:
    """See that rows hold what their columns take, but for the readings of all syncs. Raises StateDamaged."""
    shape = {table: columns for table, columns in _shape(len(MIGRATIONS)).items() if table != LARGE_TABLE}
    if odd := odd_rows(connection, shape):
        raise StateDamaged(f"{path}: {odd}")


def _require_sound(connection: sqlite3.Connection, path: Path, *, thoroughly: bool) -> None:
    """Look through the whole file as well if `thoroughly`, or if the last sync did not come to its end.

    Raises StateDamaged.
    """
    _require_types(connection, path)
    row = connection.execute("SELECT report IS NULL FROM syncs ORDER BY sync DESC LIMIT 1").fetchone()
    if thoroughly or (row is not None and row[0]):
        damage = find_damage(connection, _shape(len(MIGRATIONS)))
        if damage:
            raise StateDamaged(f"{path}: {damage}")


@contextmanager
def _explained(what: str, connection: sqlite3.Connection | None = None, path: Path | None = None) -> Iterator[None]:
    """Raise in our words what SQLite says; where that is damage, note it beside the state in `path` for the writer."""
    try:
        yield
    except (sqlite3.DatabaseError, UnicodeDecodeError, OddValue) as error:
        if not _shows_damage(error, connection):
            raise StateError(f"{what}: {error}; free or allow it, or move the state away to start anew") from error
        if path:
            with suppress(OSError):  # not ours to write: then each command reports it
                os.close(open_own(path.with_name(SUSPECT), os.O_WRONLY | os.O_CREAT))
        raise StateDamaged(f"{what}: {error}") from error


def _shows_damage(error: Exception, connection: sqlite3.Connection | None) -> bool:
    if is_damage(error) or is_of_the_machine(error) or connection is None:
        return is_damage(error)
    with suppress(sqlite3.DatabaseError):  # no room or no right to look: the first error is reported
        return find_damage(connection, _shape(len(MIGRATIONS))) is not None
    return False
