"""Reads the first line of a CSV or TSV file: the delimiter, and where the mapped columns are."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from syncer.front_matter.block import LARGEST_PAGE_BYTES
from syncer.front_matter.csv_cells import MAX_COLUMNS, MAX_RECORD_BYTES, Record, after_blank_lines, read_record, text_of
from syncer.front_matter.data import is_utf16, not_utf8, utf16_problem
from syncer.front_matter.keys import PageContents, fold_key
from syncer.front_matter.tree import Conflict
from syncer.model import Fields, Problem, ProblemKind, ValueKind

_DELIMITERS = (b",", b";", b"\t", b"|")


class MappedColumn(NamedTuple):
    """A mapped column that the file has."""

    kind: ValueKind
    name: str
    number: int
    """From 0."""
    span: int
    """Which of a record's spans is its cell."""


class Header(NamedTuple):
    """What the first line says about all others."""

    delimiter: bytes
    stop: int
    """Where the records begin."""
    width: int
    """How many columns there are."""
    columns: Sequence[int]
    """The columns that are read, in order: a record has its own span, then one for each of them."""
    video_id: int
    """Which of a record's spans is the ID's cell."""
    mapped: Sequence[MappedColumn]
    where: Sequence[tuple[int, bytes]]
    """Spans of a record, and the text that a record with a video has there."""
    problems: Sequence[Problem]
    """Columns that are missing while another one has nearly the same name."""


class _First(NamedTuple):
    """The first line as it reads with one delimiter."""

    start: int
    delimiter: bytes
    record: Record
    names: list[str]
    found: int
    """How many of the mapped columns it has."""


def read_header(data: bytes, fields: Fields, path: str, *, tabs: bool) -> Header | PageContents:
    """Return what the first line says; of a file whose records are not to be read, what was found in it.

    `tabs`: the delimiter is the tab; else it is the first of `,` `;` tab and `|` with which the first line has most of
    the mapped columns. A file without the ID's column has no videos and no Problems.
    """
    mapped: list[tuple[ValueKind, str]] = [*fields.counts.items(), *fields.details.items()]
    wanted = (fields.video_id, *(name for _, name in mapped), *fields.where)
    start = after_blank_lines(data, _top(data))
    ways = list(_ways(data, start, wanted, _DELIMITERS[2:3] if tabs else _DELIMITERS))
    first = max((way for way in ways if isinstance(way, _First)), key=lambda way: way.found, default=None)
    if first is None or fields.video_id not in first.names:
        return _without_videos(data, start, ways, wanted, path)
    if problem := _refusal(data, wanted, first, path):
        return PageContents((), (problem,))
    names = first.names
    columns = sorted({names.index(name) for name in wanted if name in names})
    spans = {names[column]: span for span, column in enumerate(columns, 1)}
    near = [(name, _near(name, names)) for _, name in mapped if name not in spans]
    return Header(
        first.delimiter,
        first.record.stop,
        first.record.width,
        columns,
        spans[fields.video_id],
        [MappedColumn(kind, name, names.index(name), spans[name]) for kind, name in mapped if name in spans],
        [(spans[name], text.encode()) for name, text in fields.where.items() if name in spans]
        if all(name in spans for name in fields.where)
        else [(0, b"")],  # no record is empty
        [_misnamed(name, other, path) for name, other in near if other is not None],
    )


def _ways(data: bytes, start: int, wanted: Sequence[str], delimiters: Sequence[bytes]) -> Iterator[_First | Conflict]:
    """Yield the first line as it reads with each delimiter. One without the ID's column has found nothing."""
    for delimiter in delimiters:
        first = read_record(data, start, delimiter)
        if isinstance(first, Conflict):
            yield first
        else:
            names = [text_of(data, cell).decode(errors="replace") for cell in first.cells]
            found = sum(name in names for name in wanted) if wanted[0] in names else -1
            yield _First(start, delimiter, first, names, found)


def _without_videos(
    data: bytes, start: int, ways: Sequence[_First | Conflict], wanted: Sequence[str], path: str
) -> PageContents:
    """Return what is said of a file without the ID's column: if it may have one, why it is not found."""
    video_id = wanted[0]
    line = data[start : start + MAX_RECORD_BYTES].partition(b"\n")[0]
    if is_utf16(data) and video_id.encode() in line.replace(b"\0", b""):
        return PageContents((), (utf16_problem(path),))
    for way in ways:
        if isinstance(way, Conflict) and video_id.encode() in line:
            return PageContents((), (Problem(way.kind, path, way.message, 1 + data.count(b"\n", 0, way.start)),))
    for way in ways:
        if isinstance(way, _First) and _has_names_below(data, way, wanted):
            message = "Invalid CSV: the second line names the columns, and not the first one. Remove the first line."
            return PageContents((), (Problem(ProblemKind.INVALID_FRONT_MATTER, path, message, 1),))
    for way in ways:
        other = None if isinstance(way, Conflict) else _near(video_id, way.names)
        if other is not None and other.strip() == other:
            return PageContents(miscased_key=other)
        if other is not None:
            return PageContents((), (_misnamed(video_id, other, path),))
    return PageContents()


def _has_names_below(data: bytes, first: _First, wanted: Sequence[str]) -> bool:
    """Return whether the second line has all these names: above it is a comment, or Excel's `sep=;`."""
    second = read_record(data, first.record.stop, first.delimiter) if first.record.stop < len(data) else None
    names = [text_of(data, cell) for cell in second.cells] if isinstance(second, Record) else []
    return all(name.encode() in names for name in wanted)


def _top(data: bytes) -> int:
    return len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0


def _refusal(data: bytes, wanted: Sequence[str], first: _First, path: str) -> Problem | None:
    """Return why no record of a file with the ID's column is read."""
    if len(data) > LARGEST_PAGE_BYTES:
        message = f"The file is larger than {LARGEST_PAGE_BYTES >> 20} MiB: split it into several files."
        return Problem(ProblemKind.TOO_LARGE, path, message)
    if first.record.width > MAX_COLUMNS:
        message = f"The first line has more than {MAX_COLUMNS:,} columns: remove some."
        return Problem(ProblemKind.TOO_LARGE, path, message, 1)
    top = _top(data)
    if first.start > top:
        message = "For some CSV readers, the blank line at the top names the columns: remove it."
        return Problem(ProblemKind.READERS_DISAGREE, path, message, 1)
    if top and data.startswith(b'"', top):
        message = (
            "Some CSV readers do not skip the byte order mark at the top, and read the quotes after it as text: save "
            "the file without the mark, or remove these quotes."
        )
        return Problem(ProblemKind.READERS_DISAGREE, path, message, 1)
    for name in wanted:
        if first.names.count(name) > 1:
            message = f"The column {name!r} appears twice: remove or rename one of the two."
            return Problem(ProblemKind.DUPLICATE_KEY, path, message, 1)
    return not_utf8(data, path)


def _near(name: str, names: Sequence[str]) -> str | None:
    """Return the column whose name differs from this one in letter case or in spaces around it only."""
    folded = fold_key(name.strip())
    return next((other for other in names if fold_key(other.strip()) == folded), None)


def _misnamed(name: str, other: str, path: str) -> Problem:
    message = f"The config says {name!r}, and this file has the column {other!r}: write the same in both."
    return Problem(ProblemKind.KEY_CASE, path, message, 1)
