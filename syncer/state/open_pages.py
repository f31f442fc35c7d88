"""The pages that another program had open for writing, and in how many syncs in a row."""

from __future__ import annotations

import json
from collections.abc import Mapping

from syncer.state.database import Database

_NAME = "open_pages"


def open_pages(database: Database) -> dict[str, int]:
    """Return the pages that the last sync could not write, by path, with the number of syncs in a row."""
    with database.read() as connection:
        row = connection.execute("SELECT value FROM meta WHERE name = ?", (_NAME,)).fetchone()
    return json.loads(row[0]) if row else {}


def save_open_pages(database: Database, pages: Mapping[str, int]) -> None:
    """Note them for the next sync."""
    if pages != open_pages(database):
        with database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_NAME, json.dumps(pages)))
