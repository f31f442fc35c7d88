"""Connects to the PostgreSQL server of a shared ledger, and says what prevents its use.

The network may be cut at any time: whoever waits for the server gives up after seconds.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus

from syncer.errors import LedgerUnreachable, StateError
from syncer.model import ServerAddress
from syncer.own_files import read_file
from syncer.state.damage import OddValue
from syncer.wording import safe

CONNECT_SECONDS: Final = 5
"""How long to wait for a connection."""

LOCK_SECONDS: Final = 10
"""How long the server has a transaction wait for others."""

STATEMENT_SECONDS: Final = 12
"""How long the server works for one statement, that wait included."""

IDLE_SECONDS: Final = 5
"""How long the server waits for the next statement of a transaction: others wait for it meanwhile."""

ANSWER_SECONDS: Final = 14
"""How long to wait for the server: longer than it takes to say that it gives up."""

KEEPALIVES: Final = {
    "keepalives": 1,
    "keepalives_idle": 3,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # milliseconds
}
"""A machine that does not answer any more is noticed within ten seconds."""

CREDENTIAL: Final = "ledger-password"
"""The name of the systemd credential (`LoadCredential=`) that holds the password."""

_LARGEST_PASSWORD: Final = 4096
"""Bytes."""

_PARAMETER = re.compile(r":(\w+)")

_WRONG = re.compile(
    r"authentication failed|no password supplied|pg_hba\.conf|"
    r"(?:database|role) \".*\" does not exist|invalid port number|root certificate file|does not support SSL|"
    r"certificate verify failed|does not match host name|invalid \w+ value|invalid integer value|"
    r"definition of service"
)
"""What no waiting repairs, in the words of a server and of its client. They have no code for what prevents a
connection; what is not in English counts as what a later try may not find any more.
"""


class ServerConnection:
    """A connection in a transaction. As with SQLite, `:name` is a parameter."""

    def __init__(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        self._connection = connection

    def execute(
        self, sql: str, parameters: Mapping[str, object] | None = None
    ) -> psycopg.Cursor[tuple[Any, ...]]:  # rows as they come
        """Run a statement; return a cursor with its rows."""
        return self._connection.execute(_translated(sql), parameters)

    def run(self, script: str) -> None:
        """Run the statements of a script as they are, without parameters."""
        self._connection.execute(script.encode())

    def executemany(self, sql: str, rows: Iterable[Mapping[str, object]]) -> None:
        """Run a statement with each of these parameters.

        All are sent at once: while a process that is stopped has sent some of them, no timeout would end its
        transaction.
        """
        cursor = psycopg.ClientCursor(self._connection)
        if text := ";".join(cursor.mogrify(_translated(sql), row) for row in rows):
            self._connection.execute(text.encode())


class InTime(psycopg.Connection[tuple[Any, ...]]):
    """A connection that waits for a server for seconds only: no side is informed when the network is cut."""

    def wait(self, gen: Generator[Any, Any, Any], interval: float = 0.1, timeout: float | None = None) -> Any:
        """Return what `gen` returns, as psycopg says. Raises psycopg.OperationalError after `ANSWER_SECONDS`."""
        try:
            return super().wait(gen, interval=interval, timeout=timeout or ANSWER_SECONDS)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
                raise
            raise psycopg.OperationalError(f"no answer for {ANSWER_SECONDS} s") from None


def connect(place: ServerAddress) -> InTime:
    """Connect to the server of a ledger. Raises StateError, and LedgerUnreachable where a later try may succeed."""
    options = connection_options()
    try:
        connection: InTime = InTime.connect(place, autocommit=True, **options)
    except psycopg.Error as error:
        server, words = error.pgconn, _words(error)
        login = bool(server and (server.needs_password or server.used_password))
        is_wrong = isinstance(error, psycopg.ProgrammingError) or bool(_WRONG.search(words))
        if server and (password := server.password.decode(errors="replace")):
            words = words.replace(password, "[password]")  # the server chooses its words
        remedy = "check `quota.ledger`" if is_wrong else "check that the server runs, and that this machine reaches it"
        if login:
            remedy += f". syncer reads the password from PGPASSWORD, ~/.pgpass or systemd's credential {CREDENTIAL}"
        kind = StateError if is_wrong else LedgerUnreachable
        raise kind(f"Cannot connect to the ledger {place}: {words}; {remedy}") from None  # it has the password
    return connection


def connection_options() -> dict[str, Any]:  # as psycopg takes them
    """Return how to connect, beside the address: with the password in systemd's credential, if any. Raises StateError.

    Nothing is prepared on the server, because a pooler may be in between.
    """
    password = find_password(os.environ)
    return {
        **KEEPALIVES,
        "client_encoding": "UTF8",
        "application_name": "syncer",
        "prepare_threshold": None,
        "connect_timeout": CONNECT_SECONDS,
        **({"password": password} if password else {}),
    }


def with_settings(place: ServerAddress, settings: Mapping[str, str]) -> str:
    """Return the options of a connection: those of the address or the environment, and these settings."""
    given = conninfo_to_dict(place).get("options") or os.environ.get("PGOPTIONS", "")
    return " ".join([str(given), *(f"-c {name}={text}" for name, text in settings.items())])


def find_password(environ: Mapping[str, str]) -> str | None:
    """Return the password in systemd's credential; None if there is none, or one in the environment is first.

    Raises StateError.
    """
    directory = environ.get("CREDENTIALS_DIRECTORY")
    if not directory or environ.get("PGPASSWORD") or environ.get("PGPASSFILE"):
        return None
    path = Path(directory, CREDENTIAL)
    if not os.path.exists(path):
        return None
    try:
        text = read_file(path, _LARGEST_PASSWORD, follow=True).decode().rstrip("\r\n")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise StateError(f"Cannot read systemd's credential {CREDENTIAL}: {reason}; check its file") from None
    if not text or "\0" in text:
        raise StateError(f"systemd's credential {CREDENTIAL} has no password; put it in its file, on one line")
    return text


@contextmanager
def explained(what: str, place: ServerAddress) -> Iterator[None]:
    """Raise what prevents the use of a ledger as LedgerUnreachable; as StateError where there are no tables."""
    try:
        yield
    except (errors.UndefinedTable, errors.InvalidSchemaName) as error:
        raise StateError(f"{place} has no ledger yet; run `syncer fleet init`") from error
    except OddValue as error:
        raise LedgerUnreachable(
            f"The ledger {place} has values that syncer does not store: {error}. Find out who else writes it"
        ) from error
    except psycopg.Error as error:
        remedy = "check that the server runs, and that this machine reaches it"
        if isinstance(error, errors.InsufficientPrivilege):
            remedy = (
                "give the user of `quota.ledger` the rights on the tables; to create or update them, run"
                " `syncer fleet init ADDRESS` with the address of their owner"
            )
        elif isinstance(error, errors.LockNotAvailable):
            remedy = f"another program has locked it for more than {LOCK_SECONDS} s: wait for it, or end it"
        raise LedgerUnreachable(f"Cannot {what} the ledger {place}: {_words(error)}; {remedy}") from error


def _words(error: psycopg.Error) -> str:
    """Return what an error says, on one line."""
    return safe(str(error).strip().partition("\n")[0]) or type(error).__name__


@lru_cache(maxsize=64)
def _translated(sql: str) -> bytes:
    return _PARAMETER.sub(r"%(\1)s", sql).encode()
