"""The numbers of a site's ledger, as tests compare them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from syncer.decide.quota import BucketStatus
from syncer.model import Bucket, LedgerPlace, ServerAddress
from syncer.state.database import Database
from syncer.state.ledger import OwnLedger


def ledger_of(database: Database, limit: int = 10_000, reserve: int = 0) -> OwnLedger:
    """Gives a site's own ledger, with as many units in each bucket."""
    return OwnLedger(database, dict.fromkeys(Bucket, limit), reserve)


def balances(database: Database, at: datetime) -> Mapping[Bucket, BucketStatus]:
    return ledger_of(database).balances(at)


def spent_units(database: Database, at: datetime) -> Mapping[Bucket, int]:
    """Returns the units spent on this time's Pacific day, by bucket."""
    return {bucket: status.spent for bucket, status in balances(database, at).items()}


def parked_buckets(database: Database, at: datetime) -> Mapping[Bucket, datetime]:
    """Returns the buckets that are closed at this time, and until when."""
    found = balances(database, at).items()
    return {bucket: status.parked_until for bucket, status in found if status.parked_until}


def place_of(text: str) -> LedgerPlace:
    """Where a shared ledger is, from an argument of a program."""
    return ServerAddress(text) if "://" in text else Path(text)


def rows_of(place: LedgerPlace, query: str) -> list[Any]:
    """What a query finds in a shared ledger, without the program."""
    if isinstance(place, Path):
        with closing(sqlite3.connect(place)) as connection:
            return connection.execute(query).fetchall()
    import psycopg

    with closing(psycopg.connect(place, options="-c search_path=syncer")) as server:
        rows: list[Any] = server.execute(query.encode()).fetchall()
        return rows


def change_ledger(place: LedgerPlace, statement: str) -> None:
    """Changes a shared ledger, without the program."""
    if isinstance(place, Path):
        with closing(sqlite3.connect(place)) as connection, connection:
            connection.execute(statement)
        return
    import psycopg

    with closing(psycopg.connect(place, options="-c search_path=syncer", autocommit=True)) as server:
        server.execute(statement.encode())


def refuse_odd_types(place: LedgerPlace, change: str, odd: Sequence[str]) -> None:
    """Skips a test of a value that only a file takes."""
    if not isinstance(place, Path) and change in odd:
        pytest.skip("PostgreSQL refuses values of other types")
