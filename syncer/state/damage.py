"""Finds what is damaged in a state: a file that is no database, another shape than the schema's, values of other types.

A flipped bit in a number that stays a number cannot be found.
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
"""Of each table the columns: name, type, whether null is refused, place in the key."""

LARGEST_NUMBER = 2**53
"""Above it no number of a sync, a batch or a line is one that we gave."""

YEAR_10000_SECONDS = 253_402_300_800
"""Since 1970: Python knows no time from then on."""

LARGEST_VALUES = dict.fromkeys(
    ("at", "done_at", "missed_at", "missing_since", "read_at", "started", "until"), YEAR_10000_SECONDS
) | dict.fromkeys(("comments", "likes", "number", "views"), LARGEST_COUNT)
"""Of the columns that hold times and counts."""

LARGE_TABLE = "readings"
"""The table whose rows are looked at when they are read, and not whenever the state is opened."""

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
"""Errors about the machine, not about what is in the file."""


class OddValue(ValueError):
    """A value in the state is not one that we stored."""


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
        raise OddValue(f"{seconds!r} is no time")
    return datetime.fromtimestamp(seconds, UTC)


def shape_of(connection: sqlite3.Connection, tables: Collection[str]) -> Shape:
    """Return the shape of these tables, as far as they are there."""
    return {
        table: [(name, kind, notnull, key) for _, name, kind, notnull, _, key in columns]
        for table in tables
        if (columns := connection.execute(f"PRAGMA table_info({table})").fetchall())
    }


def odd_rows(connection: sqlite3.Connection, shape: Shape) -> str | None:
    """Return in which of these tables a row holds what its columns do not take; None where all is well."""
    for table, columns in shape.items():
        odd = []
        for column, kind, notnull, key in columns:
            types = {kind.lower()} if notnull or key else {kind.lower(), "null"}
            odd.append(f"typeof({column}) NOT IN ({', '.join(repr(each) for each in sorted(types))})")
            if kind == "INTEGER":
                odd.append(f"{column} NOT BETWEEN 0 AND {LARGEST_VALUES.get(column, LARGEST_NUMBER)}")
        if connection.execute(f"SELECT EXISTS (SELECT 1 FROM {table} WHERE {' OR '.join(odd)})").fetchone()[0]:
            return f"the table {table} holds values of another type"
    return None


def find_damage(connection: sqlite3.Connection, shape: Shape) -> str | None:
    """Look through everything, and return what is damaged; None where nothing is. Raises sqlite3.DatabaseError."""
    try:
        verdict = str(connection.execute("PRAGMA integrity_check(1)").fetchone()[0])
        if verdict != "ok":
            return verdict
        if shape_of(connection, shape) != shape:
            return "its tables are not those of the schema"
        for table in shape.keys() - {LARGE_TABLE}:
            for _ in connection.execute(f"SELECT * FROM {table}"):  # a text that is no UTF-8 is an error
                pass
        return odd_rows(connection, shape)
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if is_of_the_machine(error):
            raise
        return str(error)


def is_of_the_machine(error: Exception) -> bool:
    """Whether an error says nothing about what is in the file."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in MACHINE_ERRORS


def is_damage(error: Exception) -> bool:
    """Whether an error can come of a damaged file only."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return isinstance(error, OddValue) or code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
