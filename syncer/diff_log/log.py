"""The diff log: one JSON line for each changed count, numbered, appended only."""

from __future__ import annotations

import json
import logging
import os
import re
import stat
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime
from functools import lru_cache, partial
from itertools import count, islice, takewhile
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from syncer.diff_log.line import parse_line
from syncer.model import Change
from syncer.own_files import PUBLIC, as_state_error, open_own, open_to_read, remove_own

Line = Mapping[str, str | int | None]
"""One line of the log, in the order of its keys."""

LOG = "diff.jsonl"
"""The log's name in the state directory."""

SECOND = len("20261122T150003Z")
"""How much of a sync's name says when it began."""

_NAMED = re.compile(rb'"path": "([^"\\\\]*)"')
"""A line's path, if JSON has escaped nothing in it."""

_AT = re.compile(rb'"at": "([^"]*)"')
"""When a line was written."""

FEW = 8
"""Names that are looked for in a block of the log before its lines are."""

TAIL = 1 << 16
"""Bytes read from the end at first to find the last line: longer than any but the oddest."""

LONGEST_LINE = 1 << 20
"""Bytes. A longer line is not ours, and is never read into memory whole."""

LONGEST_TAIL = 16 * LONGEST_LINE
"""Bytes at the end without one line of ours after which all of it is taken for damaged."""

log = logging.getLogger("syncer.diff_log")


class DiffLog:
    """The log, open for appending. Opening it cuts a last line that a crash tore, and sets aside damaged ones there."""

    def __init__(self, path: Path, last_seq: int) -> None:
        """Open the log; `last_seq` is the last number that the state knows of. Raises StateError."""
        with _writing(path):
            self._written = _repair(path)
            self._descriptor = open_own(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, PUBLIC)
        self.last_seq = max(last_seq, self._written)
        self._path = path
        self.size = os.fstat(self._descriptor).st_size
        """As it was when it was opened, in bytes."""

    def append(self, sync: str, at: datetime, entries: Sequence[str], first: int) -> None:
        """Append a line for each of a sync's entries, durably; `first` is the first one's number. Raises StateError.

        What the log has already is not said again: of entries that a crash cut short, the rest is appended.
        """
        common = f'"sync": "{sync}", "at": "{timestamp(at)}"'
        lines = [
            f'{{"seq": {seq}, {common}, {entry[1:]}\n'
            for seq, entry in enumerate(entries, first)
            if seq > self._written
        ]
        rest = memoryview("".join(lines).encode())
        with _writing(self._path):
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            if lines:
                os.fsync(self._descriptor)
        self._written = max(self._written, first + len(entries) - 1)
        self.last_seq = max(self.last_seq, self._written)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._descriptor)


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
def _quoted(text: str) -> str:
    return _ENCODER.encode(text)


@lru_cache(maxsize=1024)
def timestamp(at: datetime) -> str:
    """Return a time in the log's form: `2026-11-22T15:00:07Z`."""
    return f"{at.astimezone(UTC).isoformat(timespec='seconds').removesuffix('+00:00')}Z"


def read_log(path: Path) -> Iterator[Line]:
    """Yield the log's lines, oldest first; a torn last line is left out. Yields nothing where there is no log.

    A line that is none of ours is skipped, and the program's log says so. Raises StateError where the log cannot be
    read.
    """
    with _opened(path) as file:
        if file is not None:
            yield from _lines_from_here(file, path)


def last_lines(path: Path, most: int) -> list[Line]:
    """Return the last lines of the log, newest first, without reading the others. Raises StateError."""
    with _opened(path) as file:
        if file is None:
            return []
        size = file.seek(0, os.SEEK_END)
        length = TAIL
        while True:
            start = max(0, size - length)
            file.seek(start)
            raws = file.read(size - start).splitlines(keepends=True)[0 if start == 0 else 1 :]
            found: list[Line] = [line for raw in raws if raw.endswith(b"\n") and (line := parse_line(raw))]
            if start == 0 or len(found) >= most or length > LONGEST_TAIL:
                return found[::-1][:most]
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
    with _opened(path) as file:
        if file is None:
            return
        place, rest, at = file.seek(0, os.SEEK_END) if end is None else end, b"", None
        while place and pages and (at is None or at[1] > oldest):
            start = max(0, place - TAIL)
            file.seek(start)
            block = file.read(place - start) + rest
            first = block.find(b"\n") + 1 if start else 0
            place, rest, at = start, block[:first][:LONGEST_LINE], _AT.search(block, first)
            if len(pages) > FEW or any(_quoted(page).encode() in block for page in pages):
                for raw in reversed(block[first:].splitlines(keepends=True)):
                    if raw.endswith(b"\n") and _is_about(raw, pages) and (line := parse_line(raw)):
                        yield line


def _is_about(raw: bytes, pages: Collection[str]) -> bool:
    named = _NAMED.search(raw)
    return named is None or named[1].decode(errors="replace") in pages


def lines_of_sync(path: Path, sync: str, *, most: int, after: int = 0) -> list[Line]:
    """Return a sync's lines in their order: at most so many, `after` so many. Raises StateError."""
    with closing(each_line_of_sync(path, sync)) as lines:
        return list(islice(lines, after, after + most))


def each_line_of_sync(path: Path, sync: str) -> Generator[Line]:
    """Yield a sync's lines in their order. Raises StateError.

    Names of syncs begin with their times, so the place is found by halving. Where the clock was set back, the log is
    not in their order, and all of it is looked through.
    """
    with _opened(path) as file:
        if file is None:
            return
        file.seek(_place_of(file, path, sync))
        near = takewhile(lambda line: _second_of(line) <= sync[:SECOND], _lines_from_here(file, path))
        found = False
        for line in near:
            if line["sync"] == sync:
                found = True
                yield line
        if not found:
            file.seek(0)
            yield from (line for line in _lines_from_here(file, path) if line["sync"] == sync)


def _place_of(file: BinaryIO, path: Path, sync: str) -> int:
    """Return where the first line begins of a sync that began in this one's second or later."""
    low, high = 0, file.seek(0, os.SEEK_END)
    while low < high:
        middle = (low + high) // 2
        line = _line_at(file, path, middle)
        if line is None or _second_of(line) >= sync[:SECOND]:
            high = middle
        else:
            low = middle + 1
    _go_to_line(file, low)
    return file.tell()


def _line_at(file: BinaryIO, path: Path, place: int) -> Line | None:
    """Return the first line of ours that begins at `place` or after it."""
    _go_to_line(file, place)
    return next(_lines_from_here(file, path), None)


def _go_to_line(file: BinaryIO, place: int) -> None:
    """Go to where a line begins, at `place` or after it."""
    file.seek(max(0, place - 1))
    if place:
        file.readline()


def _lines_from_here(file: BinaryIO, path: Path) -> Iterator[Line]:
    """Yield the lines from here on that are ours."""
    return (line for _, line in _raw_lines(file, path) if line)


def _raw_lines(file: BinaryIO, path: Path) -> Iterator[tuple[bytes, Line | None]]:
    """Yield each whole line from here on, as bytes and as what it says; None for one that is none of ours.

    The first of these is reported in the program's log.
    """
    is_logged = False
    for raw in iter(partial(file.readline, LONGEST_LINE), b""):
        is_whole = raw.endswith(b"\n")
        if not is_whole and len(raw) < LONGEST_LINE:
            return  # the writer is at it; what follows would be the rest of this line
        line = parse_line(raw) if is_whole else None
        if line is None and not is_logged:
            is_logged = True
            message = "%s: a line of the diff log is damaged (before byte %d) and is skipped"
            log.warning(message, path, file.tell(), extra={"event": "log-damaged"})
        yield raw, line


def _second_of(line: Line) -> str:
    return str(line["sync"])[:SECOND]


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO | None]:
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


def time_of(line: Line) -> datetime:
    """Return when a line's count was written."""
    return datetime.fromisoformat(str(line["at"]))


def oldest_time(path: Path) -> datetime | None:
    """Return the earliest time in the log, of a long one in samples; a clock that ran ahead may have begun it."""
    with _opened(path) as file:
        size = file.seek(0, os.SEEK_END) if file else 0
        places = range(0, size, max(128, size // 256))  # no line is so short, and 256 are enough
        lines = (_line_at(file, path, place) for place in places if file)
        return min((time_of(line) for line in lines if line), default=None)


def forget_lines(path: Path, forget: Callable[[Line], bool], *, dry_run: bool = False) -> int:
    """Write the log anew without the lines that `forget` names; return how many those are. Raises StateError.

    A damaged line goes, or stays, with the one before it.
    """
    lines = sum(1 for line in read_log(path) if forget(line))
    if lines and not dry_run:
        with _writing(path), _opened(path) as file:
            if file is not None:
                _write_anew(path, _kept(file, path, forget))
    return lines


def _kept(file: BinaryIO, path: Path, forget: Callable[[Line], bool]) -> Iterator[bytes]:
    keep = False
    for raw, line in _raw_lines(file, path):
        if line is not None:
            keep = not forget(line)
        if keep:
            yield raw


def _writing(path: Path) -> AbstractContextManager[None]:
    return as_state_error(f"{path}: the diff log cannot be written", "allow it, or make room")


_ENCODER = json.JSONEncoder(ensure_ascii=False)
"""Kept, because to make one takes longer than to encode a line."""


def _write_anew(path: Path, lines: Iterable[bytes]) -> None:
    new = path.with_name(".syncer-diff-log~")
    remove_own(new)
    with open(open_own(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
        file.writelines(lines)
        file.flush()
        os.fchmod(file.fileno(), stat.S_IMODE(path.lstat().st_mode))
        os.fsync(file.fileno())
    new.replace(path)


def _repair(path: Path) -> int:
    """Cut a torn last line, and set aside what is damaged at the end; return the last number, or 0. Raises OSError."""
    with open(open_own(path, os.O_RDWR | os.O_CREAT, PUBLIC), "r+b", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        end, last = _sound_end(file.fileno(), size)
        if size - end > LONGEST_TAIL:
            path.rename(_aside(path))
        elif end < size:
            _keep_damaged(os.pread(file.fileno(), size - end, end), path)
            file.truncate(end)
    return last


def _sound_end(descriptor: int, size: int) -> tuple[int, int]:
    """Return where the last line of ours ends, and its number; twice 0 where there is none near the end."""
    length = TAIL
    while True:
        start, end = max(0, size - length), size
        for raw in reversed(os.pread(descriptor, size - start, start).splitlines(keepends=True)[1 if start else 0 :]):
            line = parse_line(raw) if raw.endswith(b"\n") else None
            if line:
                return end, int(str(line["seq"]))
            end -= len(raw)
        if start == 0 or length > LONGEST_TAIL:
            return 0, 0
        length *= 2


def _keep_damaged(end: bytes, path: Path) -> None:
    """Keep the end of the log in a file beside it, but for a line that a crash tore: that was never logged."""
    if b"\n" not in end:
        return
    aside = _aside(path)
    with open(open_own(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
        file.write(end)
        file.flush()
        os.fsync(file.fileno())
    lines = end.count(b"\n")
    log.warning(
        "%s: the last %s damaged, and now in %s",
        path,
        f"{lines:,} lines are" if lines > 1 else "line is",
        aside.name,
        extra={"event": "log-damaged"},
    )


def _aside(path: Path) -> Path:
    names = (path.with_name(f"{path.name}.damaged-{number}") for number in count(1))
    return next(name for name in names if not os.path.lexists(name))
