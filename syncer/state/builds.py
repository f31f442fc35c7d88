"""What the build hook waits for: the pages that changed since its last call, and the calls so far."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from sqlite3 import Connection

from syncer.decide.due_build import HookCall, Unbuilt
from syncer.model import Change
from syncer.state.damage import OddValue, moment
from syncer.state.database import Database
from syncer.state.naming_pages import pages_of_videos

CALLS_KEPT = 1000
"""How many calls are kept, and the largest `at_most_per_day`. They are not deleted by their time: it may be wrong."""

_NUMBERS = ("changed_since", "changed_last", "unpushed", "site_pages")
"""Rows of `meta`: two times, whether a push is needed, and the pages of the site."""


def pages_to_build(database: Database, changes: Sequence[Change], data_file: str | None) -> set[str]:
    """Return the pages that these changes concern: of a change in the data file of `write.to`, those of its video."""
    paths = {change.path for change in changes}
    if data_file in paths:
        videos = {change.video_id for change in changes if change.path == data_file}
        named = pages_of_videos(database, videos, with_embeds=False)
        pages = {path for of_video in named.values() for path in of_video}
        paths = paths - {data_file} | (pages or {data_file})  # no whole sync has noted yet which pages there are
    return paths


def note_changed_pages(connection: Connection, paths: Iterable[str], at: datetime) -> None:
    """Record, in the transaction that marks them as written, that these pages changed."""
    connection.executemany("INSERT OR IGNORE INTO unbuilt VALUES (?)", ((path,) for path in paths))
    seconds = str(_rounded_up(at))
    connection.execute("INSERT OR IGNORE INTO meta VALUES ('changed_since', ?)", (seconds,))
    connection.execute(
        "INSERT OR REPLACE INTO meta VALUES ('changed_last', ?), ('unpushed', '1')",
        (seconds,),
    )


def note_pushed(database: Database) -> None:
    """Record that all changes are pushed."""
    with database.transaction() as connection:
        connection.execute("DELETE FROM meta WHERE name = 'unpushed'")


def note_site_pages(database: Database, pages: int) -> None:
    """Record how many pages with videos a whole sync found."""
    with database.transaction() as connection:
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('site_pages', ?)", (str(pages),))


def unbuilt_pages(database: Database, *, pushes: bool) -> Unbuilt:
    """Return what waits for a call. `pushes`: syncs push what they commit. Raises OddValue."""
    with database.read() as connection:
        (changed,) = connection.execute("SELECT count(*) FROM unbuilt").fetchone()
        noted = dict(connection.execute(f"SELECT name, value FROM meta WHERE name IN {_NUMBERS}"))
        rows = connection.execute("SELECT at, status FROM builds ORDER BY call").fetchall()
        if not all(text.isdecimal() and len(text) < 16 for text in noted.values()):
            raise OddValue("what the build hook waits for is not valid")
        since, last = (moment(int(noted[name])) if name in noted else None for name in _NUMBERS[:2])
        calls = [HookCall(moment(at), status) for at, status in rows]
    pages = int(noted.get("site_pages", 0))
    return Unbuilt(changed, pages, since, last, pushes and "unpushed" in noted, calls)


def set_back_times(database: Database, now: datetime) -> None:
    """Set all times that are later than `now` to it: they were noted before the clock was set back.

    Without that, one day on which the clock was years ahead would hold up the calls of years.
    """
    seconds = _rounded_up(now)
    with database.transaction() as connection:
        connection.execute("UPDATE builds SET at = :now WHERE at > :now", {"now": seconds})
        connection.execute(
            "UPDATE meta SET value = :now WHERE name IN ('changed_since', 'changed_last')"
            " AND CAST(value AS INTEGER) > :now",
            {"now": seconds},
        )


def begin_call(database: Database, at: datetime) -> int:
    """Record durably that a call is about to be made; return its number. Without that, a crash could repeat it."""
    with database.transaction(durable=True) as connection:
        cursor = connection.execute("INSERT INTO builds (at) VALUES (?)", (_rounded_up(at),))
        call = int(cursor.lastrowid or 0)
        connection.execute("DELETE FROM builds WHERE call <= ?", (call - CALLS_KEPT,))
    return call


def end_call(database: Database, call: int, status: int) -> None:
    """Record what a call returned, an HTTP status or 0; after one that succeeded, no page waits any more."""
    with database.transaction(durable=True) as connection:
        connection.execute("UPDATE builds SET status = ? WHERE call = ?", (status, call))
        if HookCall(moment(0), status).succeeded:
            connection.execute("DELETE FROM unbuilt")
            connection.execute("DELETE FROM meta WHERE name IN ('changed_since', 'changed_last', 'unpushed')")


def _rounded_up(at: datetime) -> int:
    """Return a time in whole seconds: rounded down, the next call could come a second too early."""
    return int(at.timestamp()) + 1
