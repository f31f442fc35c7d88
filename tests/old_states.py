"""Makes a state one of an older version, as far as its tables are concerned."""

from __future__ import annotations

from contextlib import closing
from sqlite3 import Connection, connect

from syncer.state.schema import MIGRATIONS


def back_to(state: Connection, version: int) -> None:
    """Bring a state back to an older schema. Tables that it had in another form become empty."""
    with closing(connect(":memory:")) as old:
        for migration in MIGRATIONS[:version]:
            old.executescript(migration)
        before = _tables(old)
    now = _tables(state)
    for table in now.keys() - {name for name in before if before[name] == now[name]}:
        state.execute(f"DROP TABLE {table}")
    for table in before.keys() - _tables(state).keys():
        state.execute(before[table])
    state.execute(f"PRAGMA user_version = {version}")


def _tables(state: Connection) -> dict[str, str]:
    """The statement that makes each table."""
    return dict(state.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"))
