"""Finds the videos of a CSV or TSV file and their counts, and changes single cells of it.

The first line names the columns; a record that names a video is a slot. The file is gone through record by record, so
that a million of them need little memory besides what is found.
"""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict, deque
from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import BinaryIO, NamedTuple

from syncer.front_matter.block import LARGEST_PAGE_BYTES
from syncer.front_matter.csv_cells import MAX_RECORD_BYTES, Ragged, Span, read_records, text_of
from syncer.front_matter.csv_header import Header, MappedColumn, read_header
from syncer.front_matter.forms import FORMS, describe_wrong
from syncer.front_matter.keys import NO_VIDEO, PageContents
from syncer.front_matter.packed_slots import Findings, pack
from syncer.front_matter.plain import Splice
from syncer.front_matter.spliced import Spliced
from syncer.front_matter.tree import Conflict
from syncer.front_matter.video_id import parse_video_id
from syncer.model import (
    LARGEST_COUNT,
    Change,
    Count,
    Fields,
    Problem,
    ProblemKind,
    Slot,
    ValueField,
    ValueKind,
    VideoId,
)

MAX_RECORDS = 1_000_000

CellEdit = tuple[int, int, str, str]
"""A record and a column, from 0, and the old and the new text there."""

_NO_VIDEO = NO_VIDEO | {"null", "Null", "NULL"}
_RECORD = re.compile(r"\[([0-9]{1,7})\]\.")
"""The number of a record in a field."""

_PATTERNS = {kind: re.compile(rb'"?[ \t]*((?:%b)?)[ \t]*"?' % form.pattern.encode()) for kind, form in FORMS.items()}


class _Value(NamedTuple):
    """A count or a detail in a cell."""

    column: MappedColumn
    field: str
    text: str | None
    start: int
    stop: int
    """`[start:stop]` is the text, without quotes and the spaces around it."""
    quoted: bool
    empty: bool
    """Nothing is in the cell, not even quotes."""


class _Row(NamedTuple):
    """A record that names a video."""

    number: int
    """Among the records, from 0."""
    line: int
    video_id: VideoId
    values: Sequence[_Value]
    problems: Sequence[Problem]


def find_in_table(data: bytes, fields: Fields, path: str, *, tabs: bool = False) -> PageContents:
    """Return the slots of a file, one for each record with a video, and what is wrong with it.

    A file that not all readers split alike has no slots. `tabs` is as for `read_header`.
    """
    header = read_header(data, fields, path, tabs=tabs)
    if isinstance(header, PageContents):
        return header
    findings = Findings(path, header.problems)
    return findings.contents(pack(_slots(data, header, findings)))


def _slots(data: bytes, header: Header, findings: Findings) -> Iterator[Slot]:
    """Yield the slots of the records."""
    for row in _rows(data, header, findings.path):
        if isinstance(row, Conflict):
            line = 1 + data.count(b"\n", 0, row.start)
            findings.refusal = Problem(row.kind, findings.path, row.message, line)
            return
        if isinstance(row, _Row):
            own = tuple([ValueField(value.column.kind, value.field, present=True) for value in row.values])
            yield Slot(row.video_id, row.line, own, tuple([value.text for value in row.values]))
        for problem in row.problems if isinstance(row, _Row) else (row,):
            findings.add(problem)


def table_splices(
    data: bytes, fields: Fields, changes: Sequence[Change], path: str, *, tabs: bool = False
) -> list[Splice] | Problem | None:
    """Return what the changes replace, in order; None if the file no longer has their videos and old values.

    A record is found by its video. If a video has several, a change is made in the one that its field names if that
    has the old value, else in the next one that has it. An empty cell gets quotes if the first filled cell of its
    column has them. Before the result is returned, Python's `csv` reads the old file and the new one.
    """
    header = read_header(data, fields, path, tabs=tabs)
    if isinstance(header, PageContents):
        return None
    wanted = {change.video_id for change in changes}
    named = {int(item[1]) for change in changes if (item := _RECORD.match(change.field))}
    assigned = None
    for numbers in (named, None):  # usually nothing has moved
        found = dict[tuple[VideoId, str], tuple[int, _Value]]()
        for row in _rows(data, header, path, numbers) if assigned is None else ():
            if isinstance(row, Conflict):
                return None
            if isinstance(row, _Row) and row.video_id in wanted:
                found |= {(row.video_id, value.field): (row.number, value) for value in row.values}
        assigned = _assign(found, changes) if assigned is None else assigned
    if assigned is None:
        return None
    quotes = _quotes(_rows(data, header, path), header) if any(value.empty for _, (_, value) in assigned) else {}
    splices: list[Splice] = []
    edits: list[CellEdit] = []
    while assigned:  # what takes its place is no larger: of 50,000 records, each kilobyte counts
        change, (number, value) = assigned.pop()
        mark = quotes.get(value.column.kind, b"") if value.empty else b""
        splices.append((value.start, value.stop, b"%b%b%b" % (mark, change.new.encode(), mark)))
        edits.append((number, value.column.number, change.old or "", change.new))
    splices.sort()
    new = Spliced(data, splices)
    if len(new) > LARGEST_PAGE_BYTES:
        limit = LARGEST_PAGE_BYTES >> 20
        message = f"With the new counts, the file would be larger than {limit} MiB: split it into several files."
        return Problem(ProblemKind.TOO_LARGE, path, message)
    if not changes_only(data, new, header.delimiter.decode(), edits):
        message = "syncer cannot change only the counts in this file: write it in a simpler form."
        return Problem(ProblemKind.CANNOT_PLACE, path, message)
    return splices


def _quotes(rows: Iterable[_Row | Problem | Conflict], header: Header) -> dict[ValueKind, bytes]:
    """Return the quotes of the first filled cell of each column, of those that have one."""
    quotes: dict[ValueKind, bytes] = {}
    for row in rows:
        for value in row.values if isinstance(row, _Row) else ():
            if value.text or value.quoted:
                quotes.setdefault(value.column.kind, b'"' if value.quoted else b"")
        if len(quotes) == len(header.mapped):
            break
    return quotes


def changes_only(old: bytes, new: bytes | Spliced, delimiter: str, edits: Sequence[CellEdit]) -> bool:
    """Return whether Python's `csv` reads two files that differ in these cells only."""
    left = sorted(edits, reverse=True)
    after = new.open() if isinstance(new, Spliced) else io.BytesIO(new)
    rows = zip_longest(_parsed(io.BytesIO(old), delimiter), _parsed(after, delimiter))
    try:
        for number, (before, now) in enumerate(rows, -1):
            if before is None or now is None:
                return False
            while left and left[-1][0] == number:
                _, column, *texts = left.pop()
                if [before[column].strip(), now[column].strip()] != texts:
                    return False
                now[column] = before[column]
            if before != now:
                return False
    except (csv.Error, IndexError):
        return False
    return not left


def _rows(
    data: bytes, header: Header, path: str, numbers: Container[int] | None = None
) -> Iterator[_Row | Problem | Conflict]:
    """Yield the records with a video, and the Problems of those that may have one. A Conflict is the last.

    `numbers`: only of the records with these numbers.
    """
    line, done = 1, 0
    records = read_records(data, header.stop, header.delimiter, header.width, header.columns)
    for number, record in enumerate(records):
        if isinstance(record, Conflict):
            yield record
            return
        spans: Sequence[Span] = record.spans if isinstance(record, Ragged) else record
        if number == MAX_RECORDS:
            message = f"The file has more than {MAX_RECORDS:,} records: split it into several files."
            yield Conflict(ProblemKind.TOO_LARGE, message, spans[0][0])
            return
        if numbers is not None and number not in numbers:
            continue
        if len(spans) <= header.video_id or any(
            len(spans) <= span or text_of(data, spans[span]) != text for span, text in header.where
        ):
            continue
        start, stop = spans[header.video_id]
        if start == stop:
            continue
        line += data.count(b"\n", done, start)
        done = start
        text = text_of(data, (start, stop)).decode().strip()
        video_id = None if text in _NO_VIDEO else parse_video_id(text, path, line)
        if video_id is not None and isinstance(record, Ragged):
            message = (
                f"The first line has {header.width:,} columns, and this record {record.width:,}: add or remove "
                "delimiters, or quote the text that has one."
            )
            yield Problem(ProblemKind.INVALID_FRONT_MATTER, path, message, line)
        elif isinstance(video_id, Problem):
            yield video_id
        elif video_id is not None:
            read = [_value(data, spans[column.span], column, number) for column in header.mapped]
            values = [value for value in read if isinstance(value, _Value)]
            wrong = [Problem(why.kind, path, why.message, line) for why in read if isinstance(why, Conflict)]
            yield _Row(number, line, video_id, values, wrong)


def _value(data: bytes, cell: Span, column: MappedColumn, number: int) -> _Value | Conflict:
    """Return the count or date in a cell, or why the cell must not be changed."""
    match = _PATTERNS[column.kind].fullmatch(data, *cell)
    if match and (not isinstance(column.kind, Count) or int(match[1] or b"0") <= LARGEST_COUNT):
        quoted = data.startswith(b'"', cell[0])
        text, empty = match[1].decode() or None, cell[0] == cell[1]
        return _Value(column, f"[{number}].{column.name}", text, *match.span(1), quoted, empty)
    return Conflict(*describe_wrong(column.kind, column.name, text_of(data, cell).decode()), cell[0])


def _assign(
    found: dict[tuple[VideoId, str], tuple[int, _Value]], changes: Sequence[Change]
) -> list[tuple[Change, tuple[int, _Value]]] | None:
    """Return each change with the value that it changes, which `found` loses; None if there is none for one of them."""
    assigned = []
    moved: list[Change] = []
    for change in changes:
        exact = found.get((change.video_id, change.field))
        if exact and (exact[1].column.kind, exact[1].text) == (change.kind, change.old):
            assigned.append((change, found.pop((change.video_id, change.field))))
        else:
            moved.append(change)
    waiting: defaultdict[tuple[VideoId, ValueKind, str, str | None], deque[tuple[int, _Value]]] = defaultdict(deque)
    for (video, _), place in found.items() if moved else ():
        column = place[1].column
        waiting[video, column.kind, column.name, place[1].text].append(place)
    for change in moved:
        name = change.field.partition("].")[2]
        places = waiting[change.video_id, change.kind, name, change.old]
        if not places:
            return None
        assigned.append((change, places.popleft()))
    return assigned


def _parsed(file: BinaryIO | io.BufferedReader, delimiter: str) -> Iterator[list[str]]:
    """Yield the records as Python's `csv` reads them, the first line too; blank lines are none."""
    csv.field_size_limit(MAX_RECORD_BYTES)
    return filter(None, csv.reader(io.TextIOWrapper(file, "utf-8-sig", newline=""), delimiter=delimiter))
