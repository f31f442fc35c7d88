"""The diff log: one JSON line for each changed count, numbered, appended only."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice, takewhile
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from syncer.errors import StateError
from syncer.model import Change

Line = Mapping[str, str | int | None]
"""One line of the log, in the order of its keys."""

KEYS = {"seq", "sync", "at", "path", "video_id", "field", "count", "old", "new", "as_of", "why"}

LOG = "diff.jsonl"
"""The log's name in the state directory."""

SECOND = len("20261122T150003Z")
"""How much of a sync's name says when it began."""

_NAMED = re.compile(rb'"path": "([^"\\\\]*)"')
"""A line's path, if JSON has escaped nothing in it."""

FEW = 8
"""Names that are looked for in a block of the log before its lines are."""

TAIL = 1 << 16
"""Bytes read from the end at first to find the last line: longer than any but the oddest."""


class DiffLog:
    """The log, open for appending. Opening it cuts a last line that a crash tore."""

    def __init__(self, path: Path, last_seq: int) -> None:
        """Open the log; `last_seq` is the last number that the state knows of. Raises StateError."""
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            self._written = _repair(self._descriptor, path)
        except BaseException:
            os.close(self._descriptor)
            raise
        self.last_seq = max(last_seq, self._written)
        self._path = path

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
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            if lines:
                os.fsync(self._descriptor)
        except OSError as error:
            raise _unwritable(self._path, error) from error
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

    Raises StateError where the log cannot be read, or a line is none of ours.
    """
    with _opened(path) as file:
        for number, raw in enumerate(file or (), start=1):
            if not raw.endswith(b"\n"):
                return  # the writer is at it; what follows would be the rest of this line
            yield _parse(raw, path, number)


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
            whole = [raw for raw in raws if raw.endswith(b"\n")]
            if start == 0 or len(whole) >= most:
                return [_parse(raw, path, None) for raw in reversed(whole[-most:] if most else [])]
            length *= 2


def lines_backwards(path: Path, pages: Collection[str]) -> Iterator[Line]:
    """Yield the log's lines about these pages, newest first, one block of the file in memory at a time.

    Pages that are taken from the collection meanwhile are looked for no longer, and what is about others is passed over
    quickly: the log may be long. Raises StateError.
    """
    with _opened(path) as file:
        if file is None:
            return
        place, rest = file.seek(0, os.SEEK_END), b""
        while place and pages:
            start = max(0, place - TAIL)
            file.seek(start)
            block = file.read(place - start) + rest
            first = block.find(b"\n") + 1 if start else 0
            place, rest = start, block[:first]
            if len(pages) > FEW or any(_quoted(page).encode() in block for page in pages):
                for raw in reversed(block[first:].splitlines(keepends=True)):
                    if raw.endswith(b"\n") and _is_about(raw, pages):
                        yield _parse(raw, path, None)


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
        _go_to_line(file, middle)
        line = next(_lines_from_here(file, path), None)
        if line is None or _second_of(line) >= sync[:SECOND]:
            high = middle
        else:
            low = middle + 1
    _go_to_line(file, low)
    return file.tell()


def _go_to_line(file: BinaryIO, place: int) -> None:
    """Go to where a line begins, at `place` or after it."""
    file.seek(max(0, place - 1))
    if place:
        file.readline()


def _lines_from_here(file: BinaryIO, path: Path) -> Iterator[Line]:
    return (_parse(raw, path, None) for raw in iter(file.readline, b"") if raw.endswith(b"\n"))


def _second_of(line: Line) -> str:
    return str(line["sync"])[:SECOND]


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO | None]:
    """Open the log for reading; None where there is none. Raises StateError."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        yield None
        return
    except OSError as error:
        raise StateError(f"{path}: the diff log cannot be read: {error.strerror}; allow it") from error
    with file:
        yield file


def time_of(line: Line) -> datetime:
    """Return when a line's count was written."""
    return datetime.fromisoformat(str(line["at"]))


def oldest_time(path: Path) -> datetime | None:
    """Return when the log's first line was written; None where there is none."""
    return next((time_of(line) for line in read_log(path)), None)


def forget_lines(path: Path, forget: Callable[[Line], bool], *, dry_run: bool = False) -> int:
    """Write the log anew without the lines that `forget` names; return how many those are. Raises StateError."""
    lines = sum(1 for line in read_log(path) if forget(line))
    if lines and not dry_run:
        kept = (line for line in read_log(path) if not forget(line))
        try:
            _write_anew(path, kept)
        except OSError as error:
            raise _unwritable(path, error) from error
    return lines


def _unwritable(path: Path, error: OSError) -> StateError:
    return StateError(f"{path}: the diff log cannot be written: {error.strerror}; allow it, or make room")


def _in_json(line: Line) -> str:
    return f"{_ENCODER.encode(line)}\n"


_ENCODER = json.JSONEncoder(ensure_ascii=False)
"""Kept, because to make one takes longer than to encode a line."""


def _write_anew(path: Path, lines: Iterable[Line]) -> None:
    new = path.with_name(".syncer-diff-log~")
    with new.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(_in_json(line) for line in lines)
        file.flush()
        os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))
        os.fsync(file.fileno())
    new.replace(path)


def _repair(descriptor: int, path: Path) -> int:
    """Cut a torn last line; return the last number, or 0."""
    try:
        size = os.fstat(descriptor).st_size
        whole, newline, torn = _tail(descriptor, size).rpartition(b"\n")
        if torn:
            os.ftruncate(descriptor, size - len(torn))
    except OSError as error:
        raise _unwritable(path, error) from error
    return int(str(_parse(whole.rpartition(b"\n")[2], path, None)["seq"])) if newline else 0


def _tail(descriptor: int, size: int) -> bytes:
    """Return the end of the log: at least its last whole line and what is torn after it."""
    length = TAIL
    while True:
        tail = os.pread(descriptor, length, max(0, size - length))
        if length >= size or tail.count(b"\n") > 1:
            return tail
        length *= 2


def _parse(raw: bytes, path: Path, number: int | None) -> Line:
    """Return a line of the log; `number` is None for the last."""
    with suppress(ValueError):  # bytes that are no text, or text that is no JSON
        line: Line = json.loads(raw)
        if isinstance(line, dict) and line.keys() >= KEYS and isinstance(line["seq"], int):
            time_of(line)
            return line
    place = "its last line" if number is None else f"line {number}"
    raise StateError(f"{path}: {place} is damaged; mend or remove it, or move the file away: a new one goes on")
