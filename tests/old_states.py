"""Makes a state one of an older version, as far as its tables are concerned."""

from __future__ import annotations

from contextlib import closing
from sqlite3 import Connection, connect

from syncer.state.schema import MIGRATIONS

REBUILT = ("suppressed", "written")
"""The tables whose keys schema 11 changed. They become empty."""


def back_to(state: Connection, version: int, *, without: str) -> None:
    """Bring a state back to schema 9 or 10, which lacks one table of the newest schema; none: an empty name."""
    with closing(connect(":memory:")) as old:
        for migration in MIGRATIONS[:version]:
            old.executescript(migration)
        (sql,) = old.execute(
            "SELECT group_concat(sql, '; ') FROM sqlite_master WHERE name IN (?, ?)", REBUILT
        ).fetchone()
    dropped = [*REBUILT, *([without] if without else [])]
    drops = "".join(f"DROP TABLE {table}; " for table in dropped)
    state.executescript(f"{drops} {sql}; PRAGMA user_version = {version}")
