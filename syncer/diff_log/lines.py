"""The lines of the diff log: their form, and how they are read, from either end or for one sync."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import lru_cache, partial
from itertools import islice, takewhile
from pathlib import Path
from typing import BinaryIO

from syncer.model import COUNT_PATTERN, LARGEST_COUNT, Change
from syncer.own_files import as_state_error, open_to_read

Line = Mapping[str, str | int | None]
"""One line of the log, in the order of its keys."""

LOG = "diff.jsonl"
"""The log's name in the state directory."""

SYNC_TIME_CHARACTERS = len("20261122T150003Z")
"""How many characters of a sync's name say when it began."""

_NAMED = re.compile(rb'"path": "([^"\\\\]*)"')
"""A line's path, if JSON has escaped nothing in it."""

_AT = re.compile(rb'"at": "([^"]*)"')
"""When a line was written."""

SOUGHT_PAGES = 8
"""Up to so many pages are looked for in a block of the log before its lines are."""

TAIL_BYTES = 1 << 16
"""Bytes read from the end at first to find the last line: longer than any but the oddest."""

LONGEST_LINE_BYTES = 1 << 20
"""Bytes. A longer line is not ours, and is never read into memory whole."""

LONGEST_TAIL_BYTES = 16 * LONGEST_LINE_BYTES
"""Bytes at the end without one line of ours after which all of it is taken for damaged."""

LARGEST_SEQ = 2**53
"""Above it no number is one that we gave."""

TEXTS = ("sync", "at", "path", "video_id", "field", "as_of", "why")
"""The keys whose values are texts."""

KEYS = {"seq", "count", "old", "new", *TEXTS}

_COUNT = re.compile(COUNT_PATTERN)

_ENCODER = json.JSONEncoder(ensure_ascii=False)
"""Kept, because to make one takes longer than to encode a line."""

log = logging.getLogger("syncer.diff_log")


def line_of(sync: str, at: datetime, change: Change) -> Line:
    """Return a change as the log says it, without the number."""
    return {
        "sync": sync,
        "at": timestamp(at),
        "path": change.path,
        "video_id": change.video_id,
        "field": change.field,
        "count": change.count.value,
        "old": change.old,
        "new": change.new,
        "as_of": timestamp(change.as_of),
        "why": change.why.value,
    }


def entry_of(change: Change) -> str:
    """Return what is known of a line before the change is made: a JSON object that lacks number, sync and time.

    Made by hand, a third of the encoder's time: only paths and fields hold what JSON must escape.
    """
    old = "null" if change.old is None else f'"{change.old}"'
    return (
        f'{{"path": {_quoted(change.path)}, "video_id": "{change.video_id}", "field": {_quoted(change.field)}, '
        f'"count": "{change.count}", "old": {old}, "new": "{change.new}", '
        f'"as_of": "{timestamp(change.as_of)}", "why": "{change.why}"}}'
    )


@lru_cache(maxsize=1024)
def timestamp(at: datetime) -> str:
    """Return a time in the log's form: `2026-11-22T15:00:07Z`."""
    return f"{at.astimezone(UTC).isoformat(timespec='seconds').removesuffix('+00:00')}Z"


def read_log(path: Path) -> Iterator[Line]:
    """Yield the log's lines, oldest first; a torn last line is left out. Yields nothing where there is no log.

    A line that is none of ours is skipped, and the program's log says so. Raises StateError where the log cannot be
    read.
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
    path: Path, pages: Collection[str], *, end: int | None = None, since: datetime | None = None
) -> Iterator[Line]:
    """Yield the log's lines about these pages, newest first, one block of the file in memory at a time.

    `end`: the log's size at a time, to leave out what came later; `since`: look no further back than lines of this
    time. Pages that are taken from the collection meanwhile are looked for no longer, and what is about others is
    skipped quickly: the log may be long. Raises StateError.
    """
    oldest = timestamp(since).encode() if since else b""
    with open_log(path) as file:
        if file is None:
            return
        offset, rest, at = file.seek(0, os.SEEK_END) if end is None else end, b"", None
        while offset and pages and (at is None or at[1] > oldest):
            start = max(0, offset - TAIL_BYTES)
            file.seek(start)
            block = file.read(offset - start) + rest
            first = block.find(b"\n") + 1 if start else 0
            offset, rest, at = start, block[:first][:LONGEST_LINE_BYTES], _AT.search(block, first)
            if len(pages) > SOUGHT_PAGES or any(_quoted(page).encode() in block for page in pages):
                for raw in reversed(block[first:].splitlines(keepends=True)):
                    named = _NAMED.search(raw)
                    is_about_them = named is None or named[1].decode(errors="replace") in pages
                    if is_about_them and raw.endswith(b"\n") and (line := parse_line(raw)):
                        yield line


def lines_of_sync(path: Path, sync: str, *, limit: int, offset: int = 0) -> list[Line]:
    """Return a sync's lines in their order: at most `limit`, after the first `offset`. Raises StateError."""
    with closing(each_line_of_sync(path, sync)) as lines:
        return list(islice(lines, offset, offset + limit))


def each_line_of_sync(path: Path, sync: str) -> Generator[Line]:
    """Yield a sync's lines in their order. Raises StateError.

    Names of syncs begin with their times, so the place is found by halving. Where the clock was set back, the log is
    not in their order, and all of it is looked through.
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


def oldest_time(path: Path) -> datetime | None:
    """Return the earliest time in the log, of a long one in samples; a clock that ran ahead may have begun it."""
    with open_log(path) as file:
        size = file.seek(0, os.SEEK_END) if file else 0
        offsets = range(0, size, max(128, size // 256))  # no line is so short, and 256 are enough
        lines = (_line_at(file, path, offset) for offset in offsets if file)
        return min((time_of(line) for line in lines if line), default=None)


def raw_lines(file: BinaryIO, path: Path) -> Iterator[tuple[bytes, Line | None]]:
    """Yield each whole line from here on, as bytes and as what it says; None for one that is none of ours.

    The first of these is reported in the program's log.
    """
    is_logged = False
    for raw in iter(partial(file.readline, LONGEST_LINE_BYTES), b""):
        is_whole = raw.endswith(b"\n")
        if not is_whole and len(raw) < LONGEST_LINE_BYTES:
            return  # the writer is at it; what follows would be the rest of this line
        line = parse_line(raw) if is_whole else None
        if line is None and not is_logged:
            is_logged = True
            message = "%s: a line of the diff log is damaged (before byte %d) and is skipped"
            log.warning(message, path, file.tell(), extra={"event": "log-damaged"})
        yield raw, line


def parse_line(raw: bytes) -> Line | None:
    """Return what a line says; None where it is none of ours: cut, no JSON, or with other values than we write."""
    try:
        line = json.loads(raw)
        if not isinstance(line, dict) or not line.keys() >= KEYS or not _is_ours(line):
            return None
        if b"\\u" in raw:  # half a character is in no name of a file, nor is a zero
            return None if b"\0" in "".join(line[key] for key in TEXTS).encode() else line
    except (ValueError, RecursionError):
        return None
    return line


@contextmanager
def open_log(path: Path) -> Iterator[BinaryIO | None]:
    """Open the log for reading; None where there is none. Raises StateError."""
    with as_state_error(f"{path}: the diff log cannot be read", "allow it"):
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


def _lines_from_here(file: BinaryIO, path: Path) -> Iterator[Line]:
    """Yield the lines from here on that are ours."""
    return (line for _, line in raw_lines(file, path) if line)


def _offset_of(file: BinaryIO, path: Path, sync: str) -> int:
    """Return where the first line begins of a sync that began in this one's second or later."""
    low, high = 0, file.seek(0, os.SEEK_END)
    while low < high:
        middle = (low + high) // 2
        line = _line_at(file, path, middle)
        if line is None or _second_of(line) >= sync[:SYNC_TIME_CHARACTERS]:
            high = middle
        else:
            low = middle + 1
    _go_to_line(file, low)
    return file.tell()


def _line_at(file: BinaryIO, path: Path, offset: int) -> Line | None:
    """Return the first line of ours that begins at `offset` or after it."""
    _go_to_line(file, offset)
    return next(_lines_from_here(file, path), None)


def _go_to_line(file: BinaryIO, offset: int) -> None:
    """Go to where a line begins, at `offset` or after it."""
    file.seek(max(0, offset - 1))
    if offset:
        file.readline()


def _second_of(line: Line) -> str:
    return str(line["sync"])[:SYNC_TIME_CHARACTERS]


def _is_ours(line: Mapping[str, object]) -> bool:
    """Whether the values are such as we write. Those of a date have no name of a count, and may be any text."""
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
    """Whether a text is a time that says its zone. Raises ValueError where it is no time."""
    return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
