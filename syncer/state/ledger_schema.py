"""The tables of a shared ledger, from its first version to the newest: the same in a file and on a server."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    import sqlite3

    from syncer.state.ledger_connection import ServerConnection

LedgerConnection: TypeAlias = "sqlite3.Connection | ServerConnection"
"""Takes SQL that SQLite and PostgreSQL understand, with `:name` for a parameter."""

LargeTables: TypeAlias = Callable[[], AbstractContextManager[LedgerConnection]]
"""Returns a connection, for queries that belong together, to the tables that a copy lacks."""

APPLICATION: Final = 0x53594E43
"""The `application_id` of a ledger: `SYNC`."""

SCHEMA_1 = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "INSERT INTO meta VALUES ('salt', lower(hex(randomblob(16))))",  # of the keys' fingerprints
    """CREATE TABLE sites (
        site TEXT PRIMARY KEY,             -- its real path
        name TEXT NOT NULL,
        stats INTEGER,                     -- the units a day that its config states; null: none
        general INTEGER,
        share INTEGER,                     -- percent; null: none
        key TEXT,                          -- a salted fingerprint of the API key that it used last
        seen INTEGER                       -- when its last sync began; null: it has not synced yet
    ) WITHOUT ROWID""",
    """CREATE TABLE units (
        day TEXT NOT NULL,                 -- the Pacific day
        bucket TEXT NOT NULL,
        site TEXT NOT NULL,
        spent INTEGER NOT NULL,
        PRIMARY KEY (day, bucket, site)
    ) WITHOUT ROWID""",
    "CREATE TABLE parked (bucket TEXT PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE refused (bucket TEXT PRIMARY KEY, day TEXT NOT NULL, units INTEGER NOT NULL) WITHOUT ROWID",
    """CREATE TABLE claims (
        site TEXT PRIMARY KEY,
        drifts TEXT NOT NULL,              -- JSON: pairs of a drift, as a power of two, and how many videos have it
        every INTEGER NOT NULL,            -- seconds
        refresh_within INTEGER NOT NULL,
        needed INTEGER NOT NULL,           -- units on the day of `made`
        made INTEGER NOT NULL,
        next_at INTEGER NOT NULL           -- when the site syncs next
    ) WITHOUT ROWID""",
    """CREATE TABLE readings (
        id TEXT NOT NULL,                  -- the video
        endpoint TEXT NOT NULL,            -- who was asked: YouTube, or a simulator
        at INTEGER NOT NULL,               -- when it was last asked about the video, by any site
        present INTEGER NOT NULL,          -- 0: both methods left it out
        views INTEGER, likes INTEGER, comments INTEGER,
        PRIMARY KEY (id, endpoint)
    ) WITHOUT ROWID""",
    "CREATE INDEX readings_by_time ON readings (at)",
)

SCHEMA_2 = (
    """CREATE TABLE checks (
        id TEXT NOT NULL,                  -- the video
        endpoint TEXT NOT NULL,            -- who was asked
        regions TEXT NOT NULL,             -- whose blocks count
        at INTEGER NOT NULL,               -- when it was last asked, by any site
        state TEXT NOT NULL,               -- whether the video plays
        facts TEXT NOT NULL,               -- what else was said, as in a site's state
        PRIMARY KEY (id, endpoint, regions)
    ) WITHOUT ROWID""",
    "CREATE INDEX checks_by_time ON checks (at)",
)

MIGRATIONS: Final = (SCHEMA_1, SCHEMA_2)
"""Forward only: migration N updates schema N-1 to N, in one transaction. In the words of SQLite."""

COPIED: Final = ("meta", "sites", "units", "parked", "refused", "claims")
"""The tables that a copy has. The others are too large."""

SCHEMA: Final = "syncer"
"""The schema of PostgreSQL that has the tables."""

_IN_POSTGRESQL: Final = (
    ("INTEGER", "bigint"),
    (" WITHOUT ROWID", ""),
    ("lower(hex(randomblob(16)))", "replace(CAST(gen_random_uuid() AS text), '-', '')"),
)


def in_postgresql(statement: str) -> str:
    """Return a statement of a migration in the words of PostgreSQL."""
    for ours, theirs in _IN_POSTGRESQL:
        statement = statement.replace(ours, theirs)
    return statement
