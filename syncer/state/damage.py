"""Finds damage in a state: a file that is not a database, tables that do not match the schema, values of wrong types.

It cannot find a flipped bit that turns a number into another number.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import TypeVar

from syncer.model import LARGEST_COUNT

Member = TypeVar("Member", bound=StrEnum)

Shape = dict[str, list[tuple[str, str, int, int]]]
"""The columns of each table: name, type, whether it is NOT NULL, position in the primary key."""

LARGEST_NUMBER = 2**53
"""The largest number of a sync, a batch or a line."""

YEAR_10000_SECONDS = 253_402_300_800
"""Seconds from 1970 to the year 10000: Python has no times from then on."""

LARGEST_VALUES = dict.fromkeys(
    (
        "at",
        "checked_at",
        "done_at",
        "due_at",
        "missed_at",
        "missed_since",
        "unsure_since",
        "missing_since",
        "read_at",
        "since",
        "started",
        "until",
    ),
    YEAR_10000_SECONDS,
) | dict.fromkeys(("comments", "likes", "number", "views"), LARGEST_COUNT)
"""The largest values of columns with times and counts."""

LARGE_TABLE = "readings"
"""The table whose rows are checked when they are read, and not each time the state is opened."""

MACHINE_ERRORS = {
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
}
"""Errors of the machine, not of the file's content."""


class OddValue(ValueError):
    """A value in the state is not one that syncer stores."""


def member(kind: type[Member], text: str) -> Member:
    """Return the member that a stored text names. Raises OddValue."""
    try:
        return kind(text)
    except ValueError as error:
        raise OddValue(str(error)) from error


@lru_cache(maxsize=1024)
def moment(seconds: int) -> datetime:
    """Return the time of a stored number. Raises OddValue."""
    if type(seconds) is not int or not 0 <= seconds < YEAR_10000_SECONDS:
        raise OddValue(f"{seconds!r} is not a time")
    return datetime.fromtimestamp(seconds, UTC)


def moment_or_none(seconds: int | None) -> datetime | None:
    """Return the time of a stored number; None for none. Raises OddValue."""
    return None if seconds is None else moment(seconds)


def shape_of(connection: sqlite3.Connection, tables: Collection[str]) -> Shape:
    """Return the shape of those of these tables that exist."""
    return {
        table: [(name, kind, notnull, key) for _, name, kind, notnull, _, key in columns]
        for table in tables
        if (columns := connection.execute(f"PRAGMA table_info({table})").fetchall())
    }


def odd_rows(connection: sqlite3.Connection, shape: Shape) -> str | None:
    """Return which of these tables has a row with invalid values; None if there is none."""
    for table, columns in shape.items():
        odd = []
        for column, kind, notnull, key in columns:
            types = {kind.lower()} if notnull or key else {kind.lower(), "null"}
            odd.append(f"typeof({column}) NOT IN ({', '.join(repr(each) for each in sorted(types))})")
            if kind == "INTEGER":
                odd.append(f"{column} NOT BETWEEN 0 AND {LARGEST_VALUES.get(column, LARGEST_NUMBER)}")
        if connection.execute(f"SELECT EXISTS (SELECT 1 FROM {table} WHERE {' OR '.join(odd)})").fetchone()[0]:
            return f"the table {table} has values of the wrong type"
    return None


def find_damage(connection: sqlite3.Connection, shape: Shape) -> str | None:
    """Check everything, and return what is damaged; None if nothing is. Raises sqlite3.DatabaseError."""
    try:
        verdict = str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
        if verdict != "ok":
            return verdict
        if shape_of(connection, shape) != shape:
            return "its tables do not match the schema"
        for table in shape.keys() - {LARGE_TABLE}:
            for _ in connection.execute(f"SELECT * FROM {table}"):  # a text that is not UTF-8 is an error
                pass
        return odd_rows(connection, shape)
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if is_of_the_machine(error):
            raise
        return str(error)


def is_of_the_machine(error: Exception) -> bool:
    """Whether an error says nothing about the file's content."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in MACHINE_ERRORS


def is_busy(error: Exception) -> bool:
    """Whether another program had the database locked for too long."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def is_damage(error: Exception) -> bool:
    """Whether only a damaged file can cause an error."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return isinstance(error, OddValue) or code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
