"""Appends lines to the diff log, and deletes old ones."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from io import FileIO
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from syncer.diff_log.lines import (
    LONGEST_LINE_BYTES,
    LONGEST_TAIL_BYTES,
    TAIL_BYTES,
    Line,
    end_of_older,
    log,
    offset_of_line,
    open_log,
    parse_line,
    raw_lines,
    read_log,
    timestamp,
)
from syncer.own_files import PUBLIC_MODE, as_state_error, open_own, remove_own
from syncer.wording import counted

LINES_AT_ONCE = 1_000
"""Lines in memory at a time, beside the entries that they are made of."""


COPIED_BYTES = 8 << 20
"""Bytes that are copied at once: some hundredths of a second."""


class DiffLog:
    """The log, open for appending. Opening it removes an incomplete last line, and sets aside damage at its end."""

    def __init__(self, path: Path, last_seq: int) -> None:
        """Open the log; `last_seq` is the last number that the state has recorded. Raises StateError."""
        with _writing(path):
            self._written = _repair(path)
            self._descriptor = open_own(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, PUBLIC_MODE)
        self.last_seq = max(last_seq, self._written)
        self._path = path
        self.size = os.fstat(self._descriptor).st_size
        """In bytes, when it was opened."""

    def append(self, sync: str, at: datetime, entries: Sequence[str], first: int) -> None:
        """Append a line for each of a sync's entries, durably; `first` is the first one's number. Raises StateError.

        Lines that the log has already are not appended again: after a crash, only the rest is.
        """
        common = f'"sync": "{sync}", "at": "{timestamp(at)}"'
        known = max(0, self._written + 1 - first)
        with _writing(self._path):
            for start in range(known, len(entries), LINES_AT_ONCE):
                part = enumerate(entries[start : start + LINES_AT_ONCE], first + start)
                lines = [f'{{"seq": {seq}, {common}, {entry[1:]}\n' for seq, entry in part]
                rest = memoryview("".join(lines).encode())
                while rest:
                    rest = rest[os.write(self._descriptor, rest) :]
            if known < len(entries):
                os.fsync(self._descriptor)
        self._written = max(self._written, first + len(entries) - 1)
        self.last_seq = max(self.last_seq, self._written)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        os.close(self._descriptor)


def forget_lines(path: Path, forget: Callable[[Line], bool], *, dry_run: bool = False) -> int:
    """Rewrite the log without the lines for which `forget` returns True; return how many. Raises StateError.

    A damaged line is deleted or kept together with the line before it.
    """
    lines = sum(1 for line in read_log(path) if forget(line))
    if dry_run or not lines:
        return lines
    new, keep = path.with_name(_NEW), False
    with _writing(path), open_log(path) as old:
        if old is None:
            return 0
        remove_own(new)
        with open(open_own(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as kept:
            for raw, line in raw_lines(old, path):
                if line is not None:
                    keep = not forget(line)
                if keep:
                    kept.write(raw)
            kept.flush()
            os.fchmod(kept.fileno(), stat.S_IMODE(path.lstat().st_mode))
            os.fsync(kept.fileno())
        new.replace(path)
    return lines


def forget_older(path: Path, before: datetime) -> Generator[None]:
    """Delete the lines older than a time in small steps, and pause after each. Raises StateError.

    The rest of the log is copied to a new file, which replaces it in the end. What is copied stays for the next call:
    until then, lines can be appended to the log, but no other line can change.
    """
    new = path.with_name(_NEW)
    with _writing(path), open_log(path) as old:
        if old is None:
            return
        with open(open_own(new, os.O_RDWR | os.O_CREAT), "r+b", buffering=0) as kept:
            start = _copied_from(kept, old, path)
            if start is None:
                start = end_of_older(old, path, before)
                kept.truncate(0)
            old.seek(start + kept.seek(0, os.SEEK_END))
            while part := old.read(COPIED_BYTES):
                rest = memoryview(part)
                while rest:
                    rest = rest[kept.write(rest) :]
                os.fsync(kept.fileno())  # step by step: all at once takes long
                yield
            os.fchmod(kept.fileno(), stat.S_IMODE(path.lstat().st_mode))
        new.replace(path)


def _copied_from(kept: FileIO, old: BinaryIO, path: Path) -> int | None:
    """Return where in the log the part begins that an earlier call has copied; None: copy it from the start.

    Its end is compared with the log: a power cut may have damaged it, and a damaged end of the log was cut off.
    """
    size = kept.seek(0, os.SEEK_END)
    kept.seek(0)
    line = parse_line(kept.readline(LONGEST_LINE_BYTES))
    start = offset_of_line(old, path, line) if line else None
    if start is None:
        return None
    end = max(0, size - 2 * COPIED_BYTES)
    length = size - end
    is_same = os.pread(kept.fileno(), length, end) == os.pread(old.fileno(), length, start + end)
    return start if is_same else None


_NEW = ".syncer-diff-log~"


def _writing(path: Path) -> AbstractContextManager[None]:
    return as_state_error(f"Cannot write the diff log {path}", "check its permissions and the free disk space")


def _repair(path: Path) -> int:
    """Remove an incomplete last line, and set aside damage at the end; return the last number, or 0. Raises OSError."""
    with open(open_own(path, os.O_RDWR | os.O_CREAT, PUBLIC_MODE), "r+b", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        end, last = _sound_end(file.fileno(), size)
        if size - end > LONGEST_TAIL_BYTES:
            path.rename(_aside(path))
        elif end < size:
            _keep_damaged(os.pread(file.fileno(), size - end, end), path)
            file.truncate(end)
    return last


def _sound_end(descriptor: int, size: int) -> tuple[int, int]:
    """Return the offset after the last valid line, and its number; 0 and 0 if there is none near the end."""
    length = TAIL_BYTES
    while True:
        start, end = max(0, size - length), size
        for raw in reversed(os.pread(descriptor, size - start, start).splitlines(keepends=True)[1 if start else 0 :]):
            line = parse_line(raw) if raw.endswith(b"\n") else None
            if line:
                return end, int(str(line["seq"]))
            end -= len(raw)
        if start == 0 or length > LONGEST_TAIL_BYTES:
            return 0, 0
        length *= 2


def _keep_damaged(end: bytes, path: Path) -> None:
    """Keep the damaged end of the log in a file beside it, unless it is only an incomplete line."""
    if b"\n" not in end:
        return
    aside = _aside(path)
    with open(open_own(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file:
        file.write(end)
        file.flush()
        os.fsync(file.fileno())
    lines = end.count(b"\n")
    log.warning(
        "Moved %s from the end of the diff log %s to %s",
        counted(lines, "damaged line"),
        path,
        aside.name,
        extra={"event": "log-damaged"},
    )


def _aside(path: Path) -> Path:
    names = (path.with_name(f"{path.name}.damaged-{number}") for number in count(1))
    return next(name for name in names if not os.path.lexists(name))
