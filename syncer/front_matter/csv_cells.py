"""Splits a CSV or TSV file into records and cells, by their offsets: nothing is decoded, and no list of all is kept.

Quotes are as in RFC 4180. What Python's `csv`, Ruby's, Go's `encoding/csv` or the packages of npm would split in
different ways is refused (decision record 0034).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from syncer.front_matter.tree import Conflict
from syncer.model import ProblemKind

MAX_RECORD_BYTES = 1 << 20
"""A longer record is refused: parsers hold a whole line in memory."""

MAX_COLUMNS = 16_384
"""As many as a spreadsheet has."""

Span = tuple[int, int]
"""Where a cell or a record is: from the first offset to before the second one. A cell has its quotes in it."""

_LINE_BREAKS = re.compile(rb"[\r\n]*")
_LONE_CR = re.compile(rb"\r(?!\n)")
_LINE_END = re.compile(rb"\r?(?:\n|\Z)")


class Ragged(NamedTuple):
    """A record that does not have as many cells as the first line."""

    spans: Sequence[Span]
    """As of another record, up to the first column that it lacks."""
    width: int
    """How many cells it has."""


class Record(NamedTuple):
    """The first record of a file."""

    cells: list[Span]
    width: int
    """How many cells the record has: `cells` may be fewer."""
    stop: int
    """Where the next record begins."""


def read_record(data: bytes, start: int, delimiter: bytes, limit: int = MAX_COLUMNS) -> Record | Conflict:
    """Return the cells of the record at this offset, at most `limit`, or why readers do not agree on them."""
    cells: list[Span] = []
    width, at = 0, start
    while True:
        stop = _end_of_cell(data, at, delimiter)
        if isinstance(stop, Conflict):
            return stop
        width += 1
        if width <= limit:
            cells.append((at, stop))
        if not data.startswith(delimiter, stop):
            break
        at = stop + 1
    end = _LINE_END.match(data, stop)
    if end is None and data.startswith(b'"', at):
        return _invalid("there is text after a closing quote", stop)
    if end is None:
        message = (
            "A carriage return (U+000D) without a line feed ends a line for some CSV readers, and not for others: "
            "save the file with LF or CRLF line ends."
        )
        return Conflict(ProblemKind.READERS_DISAGREE, message, stop)
    if end.end() - start > MAX_RECORD_BYTES:
        message = "The record on this line is larger than 1 MiB: shorten it."
        return Conflict(ProblemKind.TOO_LARGE, message, start)
    return Record(cells, width, end.end())


def read_records(
    data: bytes, start: int, delimiter: bytes, width: int, columns: Sequence[int]
) -> Iterator[tuple[Span, ...] | Ragged | Conflict]:
    """Yield the records from this offset on: the span of each, then those of its cells in the `columns`, in order.

    Blank lines are no records. `columns` are sorted, without repetition. After a Conflict, nothing more is yielded:
    where the next record begins is not certain.
    """
    pattern = _plain_record(delimiter, width, tuple(columns))
    while True:
        start = after_blank_lines(data, start)
        if start == len(data):
            return
        plain = pattern.match(data, start)
        if plain and plain.end() - start <= MAX_RECORD_BYTES:
            yield plain.regs
            start = plain.end()
            continue
        record = read_record(data, start, delimiter, width)
        if isinstance(record, Conflict):
            yield record
            return
        cells = record.cells
        spans = ((start, record.stop), *(cells[column] for column in columns if column < len(cells)))
        yield spans if record.width == width else Ragged(spans, record.width)
        start = record.stop


def after_blank_lines(data: bytes, start: int) -> int:
    """Return the offset after the blank lines at this one. A repeated group would take 120 bytes for each of them."""
    breaks = _LINE_BREAKS.match(data, start)
    assert breaks is not None  # it matches none
    lone = _LONE_CR.search(data, start, breaks.end()) if breaks.end() > start else None
    return lone.start() if lone else breaks.end()


def text_of(data: bytes, cell: Span) -> bytes:
    """Return what is in a cell, without its quotes."""
    text = data[slice(*cell)]
    return text[1:-1].replace(b'""', b'"') if text.startswith(b'"') else text


def _end_of_cell(data: bytes, start: int, delimiter: bytes) -> int | Conflict:
    if not data.startswith(b'"', start):
        bare = _bare(delimiter).match(data, start)
        assert bare is not None  # it matches an empty cell
        if bare[1]:
            message = "Some CSV readers skip the spaces before these quotes, and others do not: remove the spaces."
            return Conflict(ProblemKind.READERS_DISAGREE, message, start)
        return bare.end()
    quote = data.find(b'"', start + 1)
    while quote >= 0 and data.startswith(b'"', quote + 1):
        quote = data.find(b'"', quote + 2)
    return _invalid("a quote is not closed", start) if quote < 0 else quote + 1


def _invalid(reason: str, at: int) -> Conflict:
    return Conflict(ProblemKind.INVALID_FRONT_MATTER, f"Invalid CSV: {reason}. Fix this line.", at)


@lru_cache(maxsize=8)
def _bare(delimiter: bytes) -> re.Pattern[bytes]:
    """Return the pattern of a cell that does not begin with a quote; the group: it does after spaces."""
    return re.compile(rb'(?:[%b]++("))?[^%b\r\n]*+' % (b" \t".replace(delimiter, b""), delimiter))


@lru_cache(maxsize=8)
def _plain_record(delimiter: bytes, width: int, columns: tuple[int, ...]) -> re.Pattern[bytes]:
    """Return the pattern of a record without quotes in its cells: only faster. It captures those columns."""
    cell, between = rb'(?:"[^"]*+"|[^"%b\r\n]*+)' % delimiter, re.escape(delimiter)
    parts, done = [], 0
    for column in columns:
        parts += [b"(?:%b%b){%d}" % (cell, between, column - done), b"(%b)" % cell, between]
        done = column + 1
    parts[-1] = b"(?:%b%b){%d}" % (between, cell, width - done)
    return re.compile(b"".join(parts) + _LINE_END.pattern)
