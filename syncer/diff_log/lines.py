"""The lines of the diff log: writes their text, and reads them from either end or for one sync."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache, partial
from itertools import islice, takewhile
from pathlib import Path
from typing import BinaryIO

from syncer.model import COUNT_PATTERN, LARGEST_COUNT, Change, ValueKind, Why, count_in_log
from syncer.own_files import as_state_error, open_to_read

Line = Mapping[str, str | int | None]
"""One line of the log, in the order of its keys."""

LOG = "diff.jsonl"
"""The log's name in the state directory."""

SYNC_TIME_CHARACTERS = len("20261122T150003Z")
"""The length of the start time in a sync's ID."""

_NAMED = re.compile(rb'"path": "([^"\\\\]*)"')
"""A line's path, if it has no JSON escapes."""

_AT = re.compile(rb'"at": "([^"]*)"')
"""When a line was written."""

SOUGHT_PAGES = 8
"""With at most this many pages, a block of the log is searched for their paths before its lines are parsed."""

TAIL_BYTES = 1 << 16
"""Bytes read from the end at first to find the last line: longer than almost any line."""

LONGEST_LINE_BYTES = 1 << 20
"""Bytes. A longer line is not valid, and is never read into memory whole."""

LONGEST_TAIL_BYTES = 16 * LONGEST_LINE_BYTES
"""If this many bytes at the end have no valid line, the whole log counts as damaged."""

LARGEST_SEQ = 2**53
"""The largest number of a line."""

TEXTS = ("sync", "at", "path", "video_id", "field", "as_of", "why")
"""The keys whose values are texts."""

KEYS = {"seq", "count", "old", "new", *TEXTS}

_COUNT = re.compile(COUNT_PATTERN)

_ENCODER = json.JSONEncoder(ensure_ascii=False)
"""Kept, because creating an encoder takes longer than encoding a line."""

log = logging.getLogger("syncer.diff_log")


def line_of(sync: str, at: datetime, change: Change) -> Line:
    """Return the log line of a change, without the number."""
    return {
        "sync": sync,
        "at": timestamp(at),
        "path": change.path,
        "video_id": change.video_id,
        "field": change.field,
        "count": count_in_log(change.kind),
        "old": change.old,
        "new": change.new or None,
        "as_of": timestamp(change.as_of),
        "why": change.why.value,
    }


def entry_of(change: Change) -> str:
    """Return the part of a line that is known before the change is made: a JSON object without number, sync and time.

    Formatting it by hand takes a sixth of the encoder's time: only paths and fields can need JSON escapes, and most of
    a sync's entries share the rest.
    """
    path, video_id, field, kind, old, new, as_of, why = change
    quoted, now = "null" if old is None else f'"{old}"', f'"{new}"' if new else "null"
    return (
        f'{{"path": {_quoted(path)}, "video_id": "{video_id}", {_field(field, kind)}, '
        f'"old": {quoted}, "new": {now}, {_reason(as_of, why)}}}'
    )


@lru_cache(maxsize=1024)
def timestamp(at: datetime) -> str:
    """Return a time in the log's format: `2026-11-22T15:00:07Z`."""
    return f"{at.astimezone(UTC).isoformat(timespec='seconds').removesuffix('+00:00')}Z"


def read_log(path: Path) -> Iterator[Line]:
    """Yield the log's lines, oldest first, without an incomplete last line. Yield nothing if there is no log.

    Damaged lines are skipped with a warning. Raises StateError if the log cannot be read.
    """
    with open_log(path) as file:
        if file is not None:
            yield from _lines_from_here(file, path)


def last_lines(path: Path, limit: int) -> list[Line]:
    """Return the last lines of the log, newest first, without reading the others. Raises StateError."""
    with open_log(path) as file:
        if file is None:
            return []
        size = file.seek(0, os.SEEK_END)
        length = TAIL_BYTES
        while True:
            start = max(0, size - length)
            file.seek(start)
            raws = file.read(size - start).splitlines(keepends=True)[0 if start == 0 else 1 :]
            found: list[Line] = [line for raw in raws if raw.endswith(b"\n") and (line := parse_line(raw))]
            if start == 0 or len(found) >= limit or length > LONGEST_TAIL_BYTES:
                return found[::-1][:limit]
            length *= 2


def lines_backwards(
    path: Path, pages: Collection[str] | None, *, end: int | None = None, since: datetime | None = None
) -> Generator[Line]:
    """Yield the log's lines about these pages (None: all), newest first, one block of the file in memory at a time.

    `end`: read only the log's first bytes up to this size; `since`: stop at lines older than this time. The caller can
    remove pages from the collection to stop the search for them. Lines about other pages are skipped quickly, because
    the log can be long. Raises StateError.
    """
    oldest = timestamp(since).encode() if since else b""
    with open_log(path) as file:
        if file is None:
            return
        offset, rest, at = file.seek(0, os.SEEK_END) if end is None else end, b"", None
        while offset and (pages is None or pages) and (at is None or at[1] > oldest):
            start = max(0, offset - TAIL_BYTES)
            file.seek(start)
            block = file.read(offset - start) + rest
            last = _AT.search(block, max(0, block.rfind(b'"at": "')))
            if last and last[1] <= oldest:
                return  # none of it has to be parsed: in most syncs, the log is older than what YouTube returned
            first = block.find(b"\n") + 1 if start else 0
            offset, rest, at = start, block[:first][:LONGEST_LINE_BYTES], _AT.search(block, first)
            if pages is None or len(pages) > SOUGHT_PAGES or any(_quoted(page).encode() in block for page in pages):
                for raw in reversed(block[first:].splitlines(keepends=True)):
                    named = _NAMED.search(raw)
                    is_about_them = named is None or pages is None or named[1].decode(errors="replace") in pages
                    if is_about_them and raw.endswith(b"\n") and (line := parse_line(raw)):
                        yield line


def lines_of_sync(path: Path, sync: str, *, limit: int, offset: int = 0) -> list[Line]:
    """Return a sync's lines in their order: at most `limit`, after the first `offset`. Raises StateError."""
    with closing(each_line_of_sync(path, sync)) as lines:
        return list(islice(lines, offset, offset + limit))


def each_line_of_sync(path: Path, sync: str) -> Generator[Line]:
    """Yield a sync's lines in their order. Raises StateError.

    Sync IDs start with their time, so a binary search finds the lines. If the clock was set back, the log is not in
    that order, and all of it is searched.
    """
    with open_log(path) as file:
        if file is None:
            return
        file.seek(_offset_of(file, path, sync))
        near = takewhile(lambda line: _second_of(line) <= sync[:SYNC_TIME_CHARACTERS], _lines_from_here(file, path))
        found = False
        for line in near:
            if line["sync"] == sync:
                found = True
                yield line
        if not found:
            file.seek(0)
            yield from (line for line in _lines_from_here(file, path) if line["sync"] == sync)


def time_of(line: Line) -> datetime:
    """Return when a line's count was written."""
    return datetime.fromisoformat(str(line["at"]))


def sync_time(line: Line) -> datetime:
    """Return when the sync of a line started, which its ID says; if it does not, when the line was written."""
    with suppress(ValueError):
        return datetime.strptime(_second_of(line), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return time_of(line)


def oldest_time(path: Path) -> datetime | None:
    """Return the earliest time in the log; in a long log, of a sample. The first line may come from a wrong clock."""
    with open_log(path) as file:
        lines = (_line_at(file, path, offset) for offset in _samples(file) if file)
        return min((time_of(line) for line in lines if line), default=None)


def is_older(line: Line, before: datetime) -> bool:
    """Whether a line was written before a time, and not by a clock that was far behind: before YouTube's answer."""
    return time_of(line) < before and str(line["as_of"]) <= str(line["at"])


def end_of_older(file: BinaryIO, path: Path, before: datetime) -> int:
    """Return the offset after the last line that is older than a time. In a long log, a sample leads to it.

    The lines before it are no newer, whatever their times: the clock was ahead.
    """
    offsets = [*_samples(file), file.seek(0, os.SEEK_END)]
    lines = [_line_at(file, path, offset) for offset in offsets[:-1]]
    old = [number for number, line in enumerate(lines) if line and is_older(line, before)]
    if not old:
        return 0
    low, high = offsets[old[-1]], offsets[old[-1] + 1]
    return _first_offset(file, path, low, high, lambda line: not is_older(line, before))


def offset_of_line(file: BinaryIO, path: Path, line: Line) -> int | None:
    """Return where a line is in the log, found by its number; None if it is not there."""
    size = file.seek(0, os.SEEK_END)
    offset = _first_offset(file, path, 0, size, lambda other: int(str(other["seq"])) >= int(str(line["seq"])))
    return offset if _line_at(file, path, offset) == line else None


def raw_lines(file: BinaryIO, path: Path) -> Iterator[tuple[bytes, Line | None]]:
    """Yield each complete line from here on, as bytes and parsed; None for a damaged one.

    The first damaged line is logged as a warning.
    """
    is_logged = False
    for raw in iter(partial(file.readline, LONGEST_LINE_BYTES), b""):
        is_whole = raw.endswith(b"\n")
        if not is_whole and len(raw) < LONGEST_LINE_BYTES:
            return  # the writer is writing it: the rest of this line comes next
        line = parse_line(raw) if is_whole else None
        if line is None and not is_logged:
            is_logged = True
            message = "Skipped a damaged line of the diff log: %s, before byte %d"
            log.warning(message, path, file.tell(), extra={"event": "log-damaged"})
        yield raw, line


def parse_line(raw: bytes) -> Line | None:
    """Return a parsed line; None if it is damaged: cut, not JSON, or with values that syncer does not write."""
    try:
        line = json.loads(raw)
        if not isinstance(line, dict) or not line.keys() >= KEYS or not _is_valid(line):
            return None
        if b"\\u" in raw:  # file names have no lone surrogates and no NUL
            return None if b"\0" in "".join(line[key] for key in TEXTS).encode() else line
    except (ValueError, RecursionError):
        return None
    return line


@contextmanager
def open_log(path: Path) -> Iterator[BinaryIO | None]:
    """Open the log for reading; None if there is none. Raises StateError."""
    with as_state_error(f"Cannot read the diff log {path}", "check its permissions"):
        try:
            descriptor = open_to_read(path)
        except FileNotFoundError:
            descriptor = None
    if descriptor is None:
        yield None
        return
    with open(descriptor, "rb") as file:
        yield file


@lru_cache(maxsize=1024)
def _quoted(text: str) -> str:
    return _ENCODER.encode(text)


@lru_cache(maxsize=1024)
def _field(field: str, kind: ValueKind) -> str:
    return f'"field": {_ENCODER.encode(field)}, "count": {_ENCODER.encode(count_in_log(kind))}'


@lru_cache(maxsize=1024)
def _reason(as_of: datetime, why: Why) -> str:
    return f'"as_of": "{timestamp(as_of)}", "why": "{why}"'


def _lines_from_here(file: BinaryIO, path: Path) -> Iterator[Line]:
    """Yield the valid lines from here on."""
    return (line for _, line in raw_lines(file, path) if line)


def _offset_of(file: BinaryIO, path: Path, sync: str) -> int:
    """Return the offset of the first line of a sync that started in this one's second or later."""
    second = sync[:SYNC_TIME_CHARACTERS]
    return _first_offset(file, path, 0, file.seek(0, os.SEEK_END), lambda line: _second_of(line) >= second)


def _first_offset(file: BinaryIO, path: Path, low: int, high: int, is_late: Callable[[Line], bool]) -> int:
    """Return the offset of the first line between two offsets for which `is_late` is true, as it is for all later."""
    while low < high:
        middle = (low + high) // 2
        line = _line_at(file, path, middle)
        if line is None or is_late(line):
            high = middle
        else:
            low = middle + 1
    _go_to_line(file, low)
    return file.tell()


def _line_at(file: BinaryIO, path: Path, offset: int) -> Line | None:
    """Return the first valid line that starts at `offset` or after it."""
    _go_to_line(file, offset)
    return next(_lines_from_here(file, path), None)


def _samples(file: BinaryIO | None) -> range:
    """Return 256 offsets in a log, or fewer: lines are longer than 128 bytes."""
    size = file.seek(0, os.SEEK_END) if file else 0
    return range(0, size, max(128, size // 256))


def _go_to_line(file: BinaryIO, offset: int) -> None:
    """Seek to the start of a line, at `offset` or after it."""
    file.seek(max(0, offset - 1))
    if offset:
        file.readline()


def _second_of(line: Line) -> str:
    return str(line["sync"])[:SYNC_TIME_CHARACTERS]


def _is_valid(line: Mapping[str, object]) -> bool:
    """Whether syncer could have written these values. A date has no `count`, and its values may be any text."""
    seq, name, old, new = line["seq"], line["count"], line["old"], line["new"]
    if type(seq) is not int or not 0 < seq < LARGEST_SEQ or not all(isinstance(line[key], str) for key in TEXTS):
        return False
    if not (_is_time(line["at"]) and _is_time(line["as_of"])):
        return False
    if name is None:
        return isinstance(old, str | None) and isinstance(new, str | None)
    return isinstance(name, str) and (old is None or _is_count(old)) and _is_count(new)


def _is_count(value: object) -> bool:
    return isinstance(value, str) and _COUNT.fullmatch(value) is not None and int(value) <= LARGEST_COUNT


@lru_cache(maxsize=1024)
def _is_time(value: object) -> bool:
    """Whether a text is a time with a zone. Raises ValueError if it is not a time."""
    return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
