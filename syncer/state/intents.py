"""Write-ahead intents: the counts and dates that a sync is about to write, kept until the diff log has them.

A batch of intents is first *open*: some of its pages may be written. Then it is *done*: its pages are written, and its
lines have their numbers. Once the diff log has these lines, the batch is deleted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from sqlite3 import Connection
from typing import NamedTuple

from syncer.decide.diff import Suppression
from syncer.model import Change, Count, Detail, Fields, Format, ValueKind, VideoId, Why, key_of
from syncer.state.damage import OddValue, moment_or_none
from syncer.state.database import Database

_OLDER_LIST = ("video_id", "counts", "insert_as", "dates", "own_file")

ROW_ENTRIES = 1000
"""Most entries in one row: SQLite keeps some copies of a row in memory."""

_ADD = "INSERT INTO intents VALUES (?, ?, ?, ?)"
_DELETE = "DELETE FROM intents WHERE batch = ?"

Record = Callable[[Connection], None]
"""Records something else in the transaction that marks a batch as done."""


class Intent(NamedTuple):
    """One count or date that is about to be written."""

    mapping: int
    """The index of the page's mapping among those of the batch."""
    entry: str
    """The known part of its line of the diff log: a JSON object."""


@dataclass(frozen=True, slots=True)
class IntentBatch:
    """A batch that a crash left behind: open, or done but perhaps not logged."""

    number: int
    sync: str
    mappings: tuple[Fields, ...]
    intents: Mapping[int, Intent]
    """By number, in the order in which they are logged."""
    changes: Mapping[int, Change]
    """Their changes, by the same numbers."""
    done_at: datetime | None
    """None while it is open."""
    first_seq: int
    """The number of its first line in the diff log; 0 while it is open."""


def record_intents(database: Database, sync: str, entries: Sequence[tuple[Fields, Sequence[str]]]) -> int:
    """Record durably what to write, as entries with the mapping of their pages; return the batch's number.

    Entries of one mapping that follow each other share rows: a row for each of them takes three times as long.
    """
    mappings: list[Fields] = []
    for fields, _ in entries:
        if fields not in mappings:
            mappings.append(fields)
    listed = json.dumps([encode_fields(fields) for fields in mappings])
    with database.transaction(durable=True) as connection:
        cursor = connection.execute("INSERT INTO intent_batches (sync, mappings) VALUES (?, ?)", (sync, listed))
        batch = int(cursor.lastrowid or 0)
        connection.executemany(
            _ADD,
            (
                (batch, number, mappings.index(fields), "\n".join(texts[start : start + ROW_ENTRIES]))
                for number, (fields, texts, start) in enumerate(
                    (fields, texts, start) for fields, texts in entries for start in range(0, len(texts), ROW_ENTRIES)
                )
            ),
        )
    return batch


def mark_done(
    database: Database,
    batch: int,
    not_done: Collection[int],
    at: datetime,
    first_seq: int,
    *,
    suppressed: Iterable[Suppression],
    records: Iterable[Record] = (),
) -> None:
    """Mark a batch durably as done at this time, except for the intents `not_done`, by number from 0.

    Its lines in the diff log are numbered from `first_seq`. `suppressed` are the numbers that it suppresses; a crash
    before that does no harm, because open intents are settled before pages are compared. `records` record the rest.
    """
    with database.transaction(durable=True) as connection:
        if not_done:
            kept = [intent for number, intent in enumerate(_intents(connection, batch)) if number not in not_done]
            connection.execute(_DELETE, (batch,))
            connection.executemany(
                _ADD,
                ((batch, number, mapping, entry) for number, (mapping, entry) in enumerate(kept)),
            )
        connection.execute(
            "UPDATE intent_batches SET done_at = ?, first_seq = ? WHERE batch = ?",
            (int(at.timestamp()), first_seq, batch),
        )
        if numbers := list(suppressed):
            connection.executemany(
                "DELETE FROM suppressed WHERE path = ? AND field = ? AND id = ? AND number = ?",
                ((*each.place, each.restored) for each in numbers),
            )
            connection.executemany(
                "INSERT OR IGNORE INTO suppressed VALUES (?, ?, ?, ?, ?)",
                ((*each.place, each.number, each.count) for each in numbers),
            )
        for record in records:
            record(connection)


def forget_intents(database: Database, batch: int) -> None:
    """Delete a batch whose lines are in the diff log."""
    with database.transaction() as connection:
        connection.execute(_DELETE, (batch,))
        connection.execute("DELETE FROM intent_batches WHERE batch = ?", (batch,))


def unsettled_batches(database: Database) -> list[IntentBatch]:
    """Return the batches that a crash left behind, oldest first: at most two or three. Raises OddValue."""
    with database.read() as connection:
        rows = connection.execute(
            "SELECT batch, sync, mappings, done_at, first_seq FROM intent_batches ORDER BY batch"
        ).fetchall()
        batches = []
        for batch, sync, mappings, at, first_seq in rows:
            fields = _from_json(mappings)
            intents = dict(enumerate(_intents(connection, batch)))
            if any(intent.mapping >= len(fields) for intent in intents.values()):
                raise OddValue("an intent is not valid")
            changes = {number: _change(intent.entry, fields[intent.mapping]) for number, intent in intents.items()}
            done_at = moment_or_none(at)
            batches.append(IntentBatch(batch, sync, fields, intents, changes, done_at, first_seq))
        return batches


def _intents(connection: Connection, batch: int) -> Iterator[Intent]:
    """Yield the intents of a batch, in the order in which they are logged."""
    rows = connection.execute("SELECT mapping, entries FROM intents WHERE batch = ? ORDER BY number", (batch,))
    return (Intent(mapping, entry) for mapping, entries in rows for entry in entries.split("\n"))


def _change(entry: str, fields: Fields) -> Change:
    """Return the change in a line of the diff log that lacks number, sync and time. Raises OddValue."""
    try:
        line = json.loads(entry)
        path, video, field, old, new = (line[key] for key in ("path", "video_id", "field", "old", "new"))
        new = "" if new is None and line["count"] is None else new
        kind: ValueKind = _date_at(field, fields) if line["count"] is None else Count(line["count"])
        is_plain = old is None or (isinstance(old, str) if isinstance(kind, Detail) else old.isdecimal())
        if is_plain and all(isinstance(text, str) for text in (path, video, field, new)):
            as_of, why = datetime.fromisoformat(line["as_of"]), Why(line["why"])
            return Change(path, VideoId(video), field, kind, old, new, as_of, why)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise OddValue("an intent is not valid") from error
    raise OddValue("an intent is not valid")


def _date_at(field: str, fields: Fields) -> Detail:
    """Return which date a field holds. Raises ValueError."""
    return Detail(next((date for date, own in fields.details.items() if own == key_of(field)), ""))


def encode_fields(fields: Fields) -> dict[str, object]:
    """Return a field mapping as JSON has it in the state; policies are the config's alone."""
    return {
        "video_id": fields.video_id,
        "counts": dict(fields.counts),
        "dates": dict(fields.details),
        "insert_as": fields.insert_as if fields.insert_missing else None,
        "own_file": fields.own_file,
        "format": fields.format,
        "where": dict(fields.where),
    }


def decode_fields(values: Mapping[str, object]) -> Fields:
    """Return the mapping that was encoded. Raises ValueError, TypeError, KeyError and AttributeError."""
    insert_as, own_format = values["insert_as"], values["format"]
    return Fields(
        str(values["video_id"]),
        {Count(count): key for count, key in _texts(values["counts"])},
        insert_missing=bool(insert_as),
        insert_as="string" if insert_as == "string" else "number",
        details={Detail(date): key for date, key in _texts(values["dates"])},
        own_file=values["own_file"] is True,
        format=None if own_format is None else Format(str(own_format)),
        where=dict(_texts(values["where"])),
    )


def _texts(values: object) -> Iterator[tuple[str, str]]:
    if not isinstance(values, dict):
        raise TypeError
    return ((str(key), str(value)) for key, value in values.items())


def _from_json(text: str) -> tuple[Fields, ...]:
    """Return the mappings in a text; in older versions each was a list, at first without dates. Raises OddValue."""
    older: dict[str, object] = {"dates": {}, "own_file": False, "format": None, "where": {}}
    try:
        return tuple(
            decode_fields(older | dict(zip(_OLDER_LIST, each, strict=False)) if isinstance(each, list) else each)
            for each in json.loads(text)
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise OddValue("the mappings of a batch are not valid") from error
