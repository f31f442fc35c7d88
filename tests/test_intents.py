"""Intents: what a sync is about to write is in the state, whole and in order, until the diff log has it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from syncer.diff_log.lines import entry_of
from syncer.errors import StateDamaged
from syncer.model import Change, Count, Detail, Fields, VideoId, Why
from syncer.state.database import Database, open_database
from syncer.state.intents import ROW_ENTRIES, forget_intents, mark_done, record_intents, unsettled_batches

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
VIDEO = VideoId("dQw4w9WgXcQ")
POSTS = Fields("vid_id", {Count.VIEWS: "viewcount"})
TALKS = Fields("youtube", {Count.VIEWS: "views"}, insert_missing=True)

LINE_BREAKS = "a\nb\r\v\f\x1c\x1d\x1e\x85\u2028\u2029c"
"""All that Python takes for the end of a line."""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with open_database(tmp_path / ".syncer", tmp_path) as opened:
        yield opened


def change(path: str, new: int) -> Change:
    return Change(path, VIDEO, "viewcount", Count.VIEWS, None, str(new), NOON, Why.CHANGED)


def entries(*changes: Change) -> list[str]:
    return [entry_of(one) for one in changes]


def rows(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute("SELECT count(*) FROM intents").fetchone()[0])


CHANGES = [change(f"{number}.md", number) for number in range(6)]


def recorded(database: Database) -> int:
    """Record six intents: two of posts, then two of talks, then two of posts again."""
    runs = [(POSTS, CHANGES[:2]), (TALKS, CHANGES[2:4]), (POSTS, CHANGES[4:])]
    return record_intents(database, "s", [(fields, entries(*changes)) for fields, changes in runs])


def test_intents_come_back_in_their_order_each_with_its_mapping(database: Database) -> None:
    recorded(database)
    (batch,) = unsettled_batches(database)
    assert list(batch.changes.items()) == list(enumerate(CHANGES))
    of_each = [batch.mappings[intent.mapping] for intent in batch.intents.values()]
    assert of_each == [POSTS, POSTS, TALKS, TALKS, POSTS, POSTS]
    assert [intent.entry for intent in batch.intents.values()] == entries(*CHANGES)


def test_dates_come_back_as_what_their_mapping_calls_the_field(database: Database) -> None:
    single = Fields("vid_id", {Count.VIEWS: "views"}, details={Detail.CHECKED_AT: "meta.day"})
    listed = Fields("videos[].id", {Count.VIEWS: "views"}, details={Detail.CHECKED_AT: "meta.day"})
    day, new = Detail.CHECKED_AT, "2026-11-22"
    dates = [
        Change("a.md", VIDEO, "meta.day", day, None, new, NOON, Why.CHECKED),
        Change("b.md", VIDEO, "videos[12].meta.day", day, "2026-11-21", new, NOON, Why.UNDO),
    ]
    record_intents(database, "s", [(single, entries(dates[0])), (listed, entries(dates[1]))])
    (batch,) = unsettled_batches(database)
    assert (list(batch.changes.values()), batch.mappings) == (dates, (single, listed))


def test_a_date_in_a_field_that_its_mapping_does_not_know_is_damage(database: Database) -> None:
    record_intents(
        database, "s", [(POSTS, entries(Change("a.md", VIDEO, "day", Detail.CHECKED_AT, None, "x", NOON, Why.CHECKED)))]
    )
    with pytest.raises(StateDamaged):
        unsettled_batches(database)


def test_intents_of_a_version_without_dates_are_read(database: Database) -> None:
    recorded(database)
    with database.transaction() as connection:
        connection.execute(
            """UPDATE intent_batches SET mappings = '[["vid_id", {"viewCount": "viewcount"}, false],'"""
            """ || '["youtube", {"viewCount": "views"}, true]]'"""
        )
    (batch,) = unsettled_batches(database)
    assert batch.mappings == (POSTS, TALKS)
    assert list(batch.changes.values()) == CHANGES


def test_entries_of_one_mapping_that_follow_each_other_share_rows(database: Database) -> None:
    recorded(database)
    assert rows(database) == 3
    many = [change(f"{number}.md", number) for number in range(2 * ROW_ENTRIES + 1)]
    record_intents(database, "s", [(POSTS, entries(*many))])
    assert rows(database) == 6
    assert list(unsettled_batches(database)[1].changes.values()) == many


@pytest.mark.parametrize("not_done", [(), (0,), (1, 2, 5), range(6)])
def test_a_batch_that_is_done_has_only_what_was_written(database: Database, not_done: Sequence[int]) -> None:
    mark_done(database, recorded(database), not_done, NOON, 7, suppressed=())
    (batch,) = unsettled_batches(database)
    written = [one for number, one in enumerate(CHANGES) if number not in not_done]
    assert (list(batch.changes.values()), batch.done_at, batch.first_seq) == (written, NOON, 7)
    mappings = [batch.mappings[intent.mapping] for intent in batch.intents.values()]
    assert mappings == [TALKS if one in CHANGES[2:4] else POSTS for one in written]


def test_a_path_may_hold_whatever_ends_a_line(database: Database) -> None:
    odd = [change(LINE_BREAKS, 1), change(f"{LINE_BREAKS}.md", 2)]
    record_intents(database, "s", [(POSTS, entries(*odd))])
    (batch,) = unsettled_batches(database)
    assert list(batch.changes.values()) == odd


def test_forgotten_intents_leave_no_row(database: Database) -> None:
    forget_intents(database, recorded(database))
    assert (rows(database), unsettled_batches(database)) == (0, [])


@pytest.mark.parametrize(
    "damage",
    [
        "entries || char(10)",
        "char(10) || entries",
        "replace(entries, char(10), '')",
        "substr(entries, 1, length(entries) - 1)",
        "''",
        "replace(entries, '\"path\"', '\"page\"')",
    ],
)
def test_a_damaged_row_of_intents_is_damage_of_the_state(database: Database, damage: str) -> None:
    recorded(database)
    with database.transaction() as connection:
        connection.execute(f"UPDATE intents SET entries = {damage} WHERE number = 1")
    with pytest.raises(StateDamaged):
        unsettled_batches(database)
