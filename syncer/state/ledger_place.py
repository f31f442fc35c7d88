"""Opens a shared ledger where the config says that it is: in a file, or on a database server.

What a server needs is loaded only where a config names one.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from syncer.errors import StateError
from syncer.state.ledger_file import LedgerFile, copy_ledger_file, open_ledger_file, read_ledger_file

if TYPE_CHECKING:
    from syncer.model import LedgerPlace
    from syncer.state.ledger_schema import LedgerConnection
    from syncer.state.ledger_server import LedgerServer

OpenLedger: TypeAlias = "LedgerFile | LedgerServer"
"""Both have the same functions."""


def open_ledger(place: LedgerPlace) -> OpenLedger:
    """Open a ledger for writing, and create its file if needed. Raises StateError."""
    if isinstance(place, Path):
        return open_ledger_file(place)
    require_packages("psycopg")
    from syncer.state.ledger_server import open_ledger_server

    return open_ledger_server(place)


def copy_ledger(place: LedgerPlace) -> LedgerFile:
    """Return a copy in memory of the small tables of a ledger. Nothing is written to the ledger. Raises StateError."""
    if isinstance(place, Path):
        return copy_ledger_file(place)
    require_packages("psycopg")
    from syncer.state.ledger_server import copy_ledger_server

    return copy_ledger_server(place)


def read_ledger(place: LedgerPlace) -> AbstractContextManager[LedgerConnection]:
    """Return a connection that cannot write, in one transaction; close it by leaving its block. Raises StateError."""
    if isinstance(place, Path):
        return read_ledger_file(place)
    require_packages("psycopg")
    from syncer.state.ledger_server import read_ledger_server

    return read_ledger_server(place)


def require_packages(*names: str) -> None:
    """Raise StateError where one of these packages is not installed, which the extra `fleet` brings along."""
    if not all(map(find_spec, names)):
        raise StateError(
            "A ledger on a PostgreSQL server needs the extra `fleet`, which is not installed; install syncer again as"
            " you did, with `[fleet]` after its name or directory, as in `pip install '.[fleet]'`"
        )
