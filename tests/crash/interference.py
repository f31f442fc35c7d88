"""Watches what a process does to a site's files, and interferes at a given call: a kill, a fault, a power cut.

It replaces functions of `os`, `io`, `ctypes` and `sqlite3` in the process that it is installed in; the program under
test knows nothing of it. Only calls on files below the site are counted.
"""

from __future__ import annotations

import builtins
import ctypes
import errno
import fcntl
import io
import json
import os
import re
import select
import signal
import sqlite3
import struct
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")

BY_PATH = ("open", "replace", "rename", "unlink", "remove", "mkdir", "rmdir", "chmod", "chown", "truncate", "link")
BY_DESCRIPTOR = ("write", "pwrite", "fsync", "fdatasync", "fchmod", "fchown", "ftruncate", "close")
READS = ("read", "pread", "fstat")
LOOKS = ("stat", "lstat")
"""What changes nothing; watched only where the calls on one file are counted."""

LEASES = "fcntl"
"""How the calls about leases are called."""
BY_EITHER = ("setxattr", "removexattr")
FROM_C = ("syncfs", "renameat2")
STATEMENT = "commit"
"""How a statement is called that makes something durable in the database."""

FAILS = {"open", "create", "write", "pwrite", "fsync", "fdatasync", "syncfs", "replace", "rename", "renameat2", "mkdir"}
FAILS |= {"ftruncate", "fchmod", "fchown", "setxattr", "unlink", STATEMENT}
"""What a disk can refuse."""

TAKES_NO_ROOM = {"open", "unlink"}
"""What a full disk grants."""

MARK = b"\na mark\n"
"""What an edit leaves at the end of a page."""

HOLDS = 60.0
"""Seconds after which a program that has a page open gives up."""

SHUTDOWN = 0x8004587D
"""FS_IOC_SHUTDOWN of Linux, known to ext4, XFS and others: the file system stops as in a power cut."""

_NUMBER = re.compile(r"\.syncer-[0-9a-f]{8}~")
_DURABLE = re.compile(
    r"\s*(COMMIT|END|INSERT|UPDATE|DELETE|REPLACE|CREATE|DROP|VACUUM|PRAGMA (wal_ch|journal_mode|user_v))",
    re.IGNORECASE,
)


class Call(NamedTuple):
    """One call: what, on which file (`*` for the digits of a temporary one), and when by the monotonic clock."""

    name: str
    place: str
    at: float


@dataclass
class Interference:
    """What happens at which call. Numbers count from 1; 0 is never."""

    site: str
    at: int = 0
    act: str = ""
    """`before` or `after`: kill; `half`: write the half of it, then kill; `ENOSPC` and the like: fail once;
    `ENOSPC+`: fail from here on; `stop:FLAGS:DIRECTORY`: shut the file system of this directory down; `cut:...`: the
    same, then kill; `leak:...:PAGES`: the same, but before that the bytes of pages reach the disk; `edit:MANNER:PAGE`:
    edit a page; `vanish:DIRECTORY:TO`: move it away; `pause:WORD`: wait until the file WORD is there; `sleep`: be
    stopped by a signal, until somebody continues us. `+pause` and `+sleep` come after the call."""
    also: Sequence[tuple[int, str]] = ()
    """What is done before other calls, each with its number: `edit:...`, or `hold:PAGE:WORD`, which opens a page for
    writing in a process of its own, and edits it when the file WORD is there."""
    only: str = ""
    """If given: only calls on this file are counted, and its reads and looks at it are calls too."""
    trace: list[Call] = field(default_factory=list)
    _resting: bool = False
    _names: dict[int, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def install(self) -> None:
        """Replace what is to be watched, in this process and for good."""
        for name in BY_PATH:
            setattr(os, name, self._by_path(name, getattr(os, name)))
        for name in BY_DESCRIPTOR:
            setattr(os, name, self._by_descriptor(name, getattr(os, name)))
        fcntl.fcntl = self._by_descriptor(LEASES, fcntl.fcntl)
        if self.only:
            for name in READS:
                setattr(os, name, self._by_descriptor(name, getattr(os, name)))
            for name in LOOKS:
                setattr(os, name, self._by_path(name, getattr(os, name)))
        for name in BY_EITHER:
            setattr(os, name, self._by_either(name, getattr(os, name)))
        io.open = builtins.open = self._open(io.open)
        ctypes.CDLL = self._library()  # type: ignore[misc]
        _watch_sqlite(self)

    def save(self, path: str) -> None:
        """Write down what was called."""
        Path(path).write_text(json.dumps(self.trace), encoding="utf-8")

    def meet(self, name: str, path: str | None, do: Callable[[], T], half: Callable[[], object] | None = None) -> T:
        """Do what was called, unless this is the call to interfere at."""
        if path is None or self._resting or (self.only and self._place(path) != self.only):
            return do()
        with self._lock:
            self.trace.append(Call(name, self._place(path), time.monotonic()))
            number = len(self.trace)
        for deed in (act for at, act in self.also if at == number):
            self._do(deed)
        lasting = self.act.endswith("+") and name in FAILS and (name not in TAKES_NO_ROOM or self.act == "EIO+")
        if not self.at or number < self.at or (number > self.at and not lasting):
            return do()
        if self.act in {"before", "half", "after"}:
            _kill(do if self.act == "after" else half if self.act == "half" else None)
        if self.act.startswith("+"):
            done = do()
            self._do(self.act[1:])
            return done
        if self.act.partition(":")[0] in _DEEDS:
            self._do(self.act)
        elif name in FAILS:
            raise _refusal(name, getattr(errno, self.act.rstrip("+")), path)
        return do()

    def _do(self, act: str) -> None:
        """Do it, and count no call of that."""
        kind, _, rest = act.partition(":")
        self._resting = True
        _DEEDS[kind](*(rest.split(":") if rest else ()))
        self._resting = False

    def _place(self, path: str) -> str:
        return _NUMBER.sub(".syncer-*~", os.path.relpath(path, self.site))

    def _below(self, path: object, directory: int | None = None) -> str | None:
        """Return the path, perhaps of something in an open directory, if it is below the site."""
        if isinstance(path, int):
            return self._names.get(path)
        above = "" if directory is None else self._names.get(directory, "")
        name = os.path.abspath(os.path.join(above, os.fsdecode(path)))  # type: ignore[arg-type]
        return name if name == self.site or name.startswith(self.site + "/") else None

    def _by_path(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *arguments: Any, **options: Any) -> Any:
            made = bool(name == "open" and arguments and arguments[0] & os.O_CREAT)
            below = self._below(path, options.get("dir_fd", options.get("src_dir_fd")))
            done = self.meet("create" if made else name, below, lambda: real(path, *arguments, **options))
            if name == "open" and below:
                self._names[done] = below
            return done

        return call

    def _by_descriptor(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(descriptor: int, *arguments: Any) -> Any:
            half = None
            if name in {"write", "pwrite"}:
                rest = arguments[1:]
                half = lambda: real(descriptor, bytes(arguments[0])[: len(arguments[0]) // 2], *rest)  # noqa: E731
            path = self._names.get(descriptor)
            if name == "close":
                self._names.pop(descriptor, None)
            return self.meet(name, path, lambda: real(descriptor, *arguments), half)

        return call

    def _by_either(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(file: Any, *arguments: Any, **options: Any) -> Any:
            return self.meet(name, self._below(file), lambda: real(file, *arguments, **options))

        return call

    def _open(self, real: Callable[..., Any]) -> Callable[..., Any]:
        """Return an `open` whose files for writing are watched, too."""
        watch = self

        class Raw(io.FileIO):
            def write(self, data: Any) -> int:
                whole = bytes(data)
                return watch.meet(
                    "write",
                    watch._below(self.name),
                    lambda: io.FileIO.write(self, whole) or 0,
                    lambda: io.FileIO.write(self, whole[: len(whole) // 2]),
                )

        def call(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
            path = None if isinstance(file, int) or not set(mode) & set("wax") else self._below(file)
            if path is None:
                return real(file, mode, *arguments, **options)
            raw = self.meet("create", path, lambda: Raw(path, mode.replace("b", "").replace("t", "")))
            self._names[raw.fileno()] = path
            if "b" in mode:
                return raw if arguments[:1] == (0,) or options.get("buffering") == 0 else io.BufferedWriter(raw)
            kept = {name: options[name] for name in ("encoding", "errors", "newline") if name in options}
            return io.TextIOWrapper(io.BufferedWriter(raw), **kept)

        return call

    def _library(self) -> type[ctypes.CDLL]:
        watch = self

        class Library(ctypes.CDLL):
            def __getattr__(self, name: str) -> Any:
                if name in FROM_C:
                    return watch._from_c(name, self[name])
                return super().__getattr__(name)

        return Library

    def _from_c(self, name: str, real: Callable[..., int]) -> Callable[..., int]:
        def call(*arguments: Any) -> int:
            path = self._below(arguments[0]) if name == "syncfs" else self._below(arguments[3], arguments[2])
            try:
                return self.meet(name, path, lambda: real(*arguments))
            except OSError as error:
                ctypes.set_errno(error.errno or 0)
                return -1

        return call


def edited(page: bytes, manner: str) -> bytes:
    """Return a page with a mark in its body, or in its front matter before everything else."""
    return page.replace(b"\n", b"\n# a mark\n", 1) if manner == "in-front" else page + MARK


def edit(manner: str, path: str) -> None:
    """Edit a page as an editor does: `anew` writes a new file and renames it, all else writes into the old one."""
    page = Path(path)
    text = edited(page.read_bytes(), manner)
    if manner == "anew":
        other = page.with_name("editors-copy")
        other.write_bytes(text)
        other.replace(page)
    else:
        page.write_bytes(text)


def _edit_beside(manner: str, path: str) -> None:
    """Edit a page in a process of its own, as editors are; return once that is done, or waits for a lease of ours."""
    child = os.fork()
    if child == 0:
        try:
            os.closerange(3, 256)
            edit(manner, path)
        finally:
            os._exit(0)
    while os.waitpid(child, os.WNOHANG)[0] == 0 and not waits_for_a_lease(child):
        time.sleep(0.0002)


def waits_for_a_lease(process: int) -> bool:
    try:
        return "break_lease" in Path(f"/proc/{process}/wchan").read_text(encoding="ascii")
    except OSError:
        return False


def _watch_sqlite(watch: Interference) -> None:
    real = sqlite3.connect

    class Connection(sqlite3.Connection):
        path: str | None

        def _meet(self, sql: str, do: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
            starts = _DURABLE.match(sql)
            if starts is None or (self.in_transaction and starts[1].upper() not in {"COMMIT", "END"}):
                return do()
            try:
                return watch.meet(STATEMENT, self.path, do)
            except sqlite3.OperationalError:
                if self.in_transaction and watch.act.startswith("EIO"):  # SQLite rolls back by itself, or leaves it
                    super().execute("ROLLBACK")
                raise

        def execute(self, sql: str, *rest: Any) -> sqlite3.Cursor:
            return self._meet(sql, lambda: super(Connection, self).execute(sql, *rest))

        def executemany(self, sql: str, *rest: Any) -> sqlite3.Cursor:
            return self._meet(sql, lambda: super(Connection, self).executemany(sql, *rest))

        def executescript(self, sql: str) -> sqlite3.Cursor:
            return self._meet("COMMIT", lambda: super(Connection, self).executescript(sql))

    def connect(database: str, **options: Any) -> sqlite3.Connection:
        connection = real(database, factory=Connection, **options)
        connection.path = watch._below(database.removeprefix("file://").partition("?")[0])
        return connection

    sqlite3.connect = connect  # type: ignore[assignment]


def _refusal(name: str, code: int, path: str) -> Exception:
    if name == STATEMENT:
        return sqlite3.OperationalError("disk I/O error" if code == errno.EIO else "database or disk is full")
    return OSError(code, os.strerror(code), path)


def _stop(flags: str, directory: str) -> None:
    """Shut a file system down, as the power does when it fails."""
    descriptor = os.open(directory, os.O_RDONLY)
    fcntl.ioctl(descriptor, SHUTDOWN, struct.pack("I", int(flags)))
    os.close(descriptor)


def _cut(flags: str, directory: str) -> None:
    _stop(flags, directory)
    _kill(None)


def _leak(flags: str, directory: str, pages: str) -> None:
    """Have the bytes of all pages written to the disk, as a kernel may at any time, but not their times and sizes."""
    libc = ctypes.CDLL(None, use_errno=True)
    for page in Path(pages).rglob("*.md"):
        with suppress(BlockingIOError):  # the page that is written just now
            descriptor = os.open(page, os.O_RDONLY | os.O_NONBLOCK)
            assert libc.sync_file_range(descriptor, ctypes.c_int64(0), ctypes.c_int64(0), 7) == 0
    _cut(flags, directory)


def _hold(page: str, word: str) -> None:
    """Open a page for writing in a process of its own, which writes and ends when it gets the word."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child:
        os.close(theirs)
        while not select.select([ours], [], [], 0.0002)[0] and not waits_for_a_lease(child):
            pass
        os.close(ours)
        return
    try:
        os.dup2(theirs, 1)
        os.closerange(2, 256)  # a copy of a file with a lease would keep us waiting for ourselves
        file = os.open(page, os.O_WRONLY | os.O_APPEND)
        with suppress(BrokenPipeError):  # it had to wait for a lease, and nobody listens any more
            os.write(1, b"x")
        end = time.monotonic() + HOLDS
        while not os.access(word, os.F_OK) and time.monotonic() < end:
            time.sleep(0.001)
        os.write(file, MARK)
        os.rename(word, f"{word}-done")
    finally:
        os._exit(0)


def _vanish(directory: str, to: str) -> None:
    os.rename(directory, to)


def _pause(word: str) -> None:
    Path(f"{word}-reached").touch()
    end = time.monotonic() + HOLDS
    while not os.access(word, os.F_OK) and time.monotonic() < end:
        time.sleep(0.0005)


def _sleep() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _kill(last: Callable[[], object] | None) -> None:
    """Do a last thing, however it ends, and die as by `kill -9`."""
    try:
        if last:
            last()
    finally:
        os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)  # the signal comes; no step may be taken until it does


_DEEDS: Mapping[str, Callable[..., None]] = {
    "stop": _stop,
    "cut": _cut,
    "leak": _leak,
    "edit": _edit_beside,
    "hold": _hold,
    "vanish": _vanish,
    "pause": _pause,
    "sleep": _sleep,
}
