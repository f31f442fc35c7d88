"""Keeps a shared ledger on a PostgreSQL server, for sites on several machines.

Each transaction begins with its own limits, and nothing is set for a whole connection: a pooler may be in between. One
transaction writes at a time, as in a file. If its process stops or its network is cut, the server ends it within
seconds, and the others continue.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from typing import ClassVar, Final

import psycopg
from psycopg.pq import TransactionStatus

from syncer.errors import StateError
from syncer.model import ServerAddress
from syncer.state.damage import OddValue
from syncer.state.ledger_connection import (
    IDLE_SECONDS,
    LOCK_SECONDS,
    STATEMENT_SECONDS,
    InTime,
    ServerConnection,
    connect,
    explained,
)
from syncer.state.ledger_file import LedgerFile, small_tables
from syncer.state.ledger_schema import COPIED, MIGRATIONS, SCHEMA, LedgerConnection, in_postgresql

ADVISORY_LOCK: Final = 0x53594E43
"""The number of the lock that a transaction has while it writes: `SYNC`. A database has one ledger."""

_LIMITS: Final = (
    f"SET LOCAL search_path = {SCHEMA}; SET LOCAL lock_timeout = '{LOCK_SECONDS}s';"
    f" SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s';"
    f" SET LOCAL idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'"
)

CLOCK_SECONDS: Final = 2.0
"""By so much two clocks may differ."""

WRITE: Final = f"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; {_LIMITS}"
"""Not one that repeats reads: it would see what was there before it had a lock."""

_READ: Final = f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {_LIMITS}"


class LedgerServer:
    """An open ledger on a server. Safe for several threads: one transaction at a time."""

    LISTED: ClassVar = "SELECT json_array_elements_text(CAST(:list AS json))"
    """A query for the texts in a parameter `list`, which is a list in JSON."""

    BEGIN: ClassVar = f"{WRITE}; SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"
    """Begins a transaction that writes."""

    def __init__(self, connection: InTime, place: ServerAddress) -> None:
        self.place = place
        self._connection = connection
        self._sql = ServerConnection(connection)
        self._lock = threading.RLock()
        self.ahead = timedelta(0)
        """How far the server's clock is ahead of this machine's. Units and days are counted by the server's."""

    @contextmanager
    def transaction(self) -> Iterator[ServerConnection]:
        """Run the block as one transaction, which no other process interrupts. Raises StateError."""
        with self._lock, explained("write", self.place), self._begun(self.BEGIN):
            yield self._sql

    @contextmanager
    def read(self) -> Iterator[ServerConnection]:
        """Yield the connection for queries that belong together. Raises StateError."""
        with self._lock, explained("read", self.place):
            if self._connection.info.transaction_status == TransactionStatus.INTRANS:
                yield self._sql
                return
            with self._begun(_READ):
                yield self._sql

    large_tables = read
    """As of a file."""

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _begun(self, begin: str) -> Iterator[None]:
        """Run the block as one transaction; undo it if it fails."""
        try:
            self._connection.execute(begin.encode())
            yield
            self._connection.execute(b"COMMIT")
        except BaseException:
            with suppress(psycopg.Error):
                status = self._connection.info.transaction_status
                if status in {TransactionStatus.INTRANS, TransactionStatus.INERROR}:
                    self._connection.execute(b"ROLLBACK")
                elif status != TransactionStatus.IDLE:  # the server may still answer what nobody waits for
                    self._connection.close()
            raise


class _LedgerCopy(LedgerFile):
    """A copy in memory of the small tables of a ledger on a server, and a connection to the large ones."""

    LISTED: ClassVar = LedgerServer.LISTED

    def __init__(self, server: LedgerServer) -> None:
        with server.read() as connection:
            tables = {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in COPIED}
            super().__init__(small_tables(tables), server.place, server.large_tables)
        self._server, self.ahead = server, server.ahead

    def close(self) -> None:
        super().close()
        self._server.close()


def open_ledger_server(place: ServerAddress) -> LedgerServer:
    """Connect to a ledger on a server.

    Raises StateError where its tables are missing or newer, or the address is wrong, and LedgerUnreachable.
    """
    server = LedgerServer(connect(place), place)
    try:
        with server.read() as connection:
            _require_version(_version(connection), place)
            server.ahead = _ahead(connection)
    except BaseException:
        server.close()
        raise
    return server


def copy_ledger_server(place: ServerAddress) -> LedgerFile:
    """Return a copy in memory of the small tables of a ledger on a server. Raises StateError."""
    server = open_ledger_server(place)
    try:
        return _LedgerCopy(server)
    except BaseException:
        server.close()
        raise


@contextmanager
def read_ledger_server(place: ServerAddress) -> Iterator[LedgerConnection]:
    """Yield a connection to a ledger on a server, in one transaction that cannot write. Raises StateError."""
    with closing(open_ledger_server(place)) as server, server.read() as connection:
        yield connection


def tables_to_read_only(place: ServerAddress) -> list[str]:
    """Return the tables that the user of an address may not write; if none, a sync could write. Raises StateError."""
    rights = " AND ".join(f"has_table_privilege(oid, '{right}')" for right in ("INSERT", "UPDATE", "DELETE"))
    with closing(open_ledger_server(place)) as server, server.transaction() as connection:
        rows = connection.execute(
            f"SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = to_regnamespace('{SCHEMA}')"
            f" AND NOT ({rights}) ORDER BY 1"
        )
        return [name for (name,) in rows]


def create_ledger(place: ServerAddress) -> tuple[int, int]:
    """Create the tables of a ledger, or update them to the newest schema; return the schema before, and the newest.

    Before is 0 if there were no tables. Raises StateError.
    """
    newest = len(MIGRATIONS)
    with closing(LedgerServer(connect(place), place)) as server, server.transaction() as connection:
        encoding = connection.execute("SHOW server_encoding").fetchone()
        if encoding != ("UTF8",):
            raise StateError(
                f"The database of {place} is not in UTF-8; create one with ENCODING 'UTF8' TEMPLATE template0"
            )
        if connection.execute(f"SELECT to_regnamespace('{SCHEMA}')").fetchone() == (None,):
            connection.execute(f"CREATE SCHEMA {SCHEMA}")
        is_new = connection.execute(f"SELECT to_regclass('{SCHEMA}.meta')").fetchone() == (None,)
        before = 0 if is_new else _version(connection)
        if before > newest:
            _require_version(before, place)
        for migration in MIGRATIONS[before:]:
            for statement in migration:
                connection.execute(in_postgresql(statement))
        save_meta(connection, "schema", str(newest))
    return before, newest


def save_meta(connection: ServerConnection, name: str, value: str) -> None:
    """Save what the server's tables say of themselves."""
    connection.execute(
        "INSERT INTO meta VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = :value",
        {"name": name, "value": value},
    )


def _version(connection: ServerConnection) -> int:
    """Return the number of the schema of the tables. Raises OddValue."""
    row = connection.execute(f"SELECT value FROM {SCHEMA}.meta WHERE name = 'schema'").fetchone()
    if row is None or not row[0].isdecimal():
        raise OddValue("its schema has no number")
    return int(row[0])


def _ahead(connection: ServerConnection) -> timedelta:
    """Return how far the server's clock is ahead of this machine's; nothing where an answer takes as long."""
    row = connection.execute("SELECT extract(epoch FROM clock_timestamp())").fetchone()
    seconds = float(row[0]) - time.time() if row else 0.0
    return timedelta(seconds=round(seconds)) if abs(seconds) > CLOCK_SECONDS else timedelta(0)


def _require_version(version: int, place: ServerAddress) -> None:
    newest = len(MIGRATIONS)
    if version > newest:
        raise StateError(
            f"The ledger {place} was written by a newer syncer (schema {version}, this one knows {newest}); upgrade"
            " syncer"
        )
    if version < newest:
        raise StateError(
            f"The ledger {place} is of an older syncer (schema {version}, this one needs {newest}); run `syncer fleet"
            " init`, which updates it"
        )
