"""The pages that another program had open for writing, and in how many syncs in a row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress

from syncer.state.damage import OddValue
from syncer.state.database import Database

_NAME = "open_pages"


def open_pages(database: Database) -> dict[str, int]:
    """Return the pages that the last sync could not write, by path, with the number of syncs in a row."""
    with database.read() as connection:
        row = connection.execute("SELECT value FROM meta WHERE name = ?", (_NAME,)).fetchone()
        return _pages(row[0]) if row else {}


def save_open_pages(database: Database, pages: Mapping[str, int]) -> None:
    """Note them for the next sync."""
    if pages != open_pages(database):
        with database.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_NAME, json.dumps(pages)))


def _pages(text: str) -> dict[str, int]:
    """Return what is noted. Raises OddValue."""
    with suppress(ValueError, RecursionError):
        pages = json.loads(text)
        if isinstance(pages, dict) and all(type(number) is int for number in pages.values()):
            return pages
    raise OddValue("the pages that were open are not those that syncer stored")
