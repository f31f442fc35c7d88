"""What somebody else does to a page while a sync is at some step of it: each act in a process of its own."""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.crash.interference import HOLDS, MARK, edited, waits_for_a_lease

STAMP = b"EDITED"
"""What is written over the last bytes of a page."""

MODE, TIME = 0o640, 1_700_000_000
MOVED = "moved.md"
LINK, TARGET = "another-name", "elsewhere"
"""Below the site's root, where no pages are."""


class Act(NamedTuple):
    """An act, and what it makes of a page."""

    do: Callable[[Path, Path], None]
    """Of the page and the word, a file that says when to end what is held."""
    edited: Callable[[bytes], bytes] = lambda page: page
    is_blind: bool = False
    """What is saved was read before the sync: whatever the sync did to the page, this is what the author wants."""
    loses_name: bool = False
    holds: bool = False


def begin(name: str, page: Path, word: Path) -> int:
    """Act in a process of its own; return that once it is done, holds the page, or waits for a lease."""
    child = os.fork()
    if child == 0:
        try:
            os.closerange(3, 256)
            ACTS[name].do(page, word)
            os._exit(0)
        finally:
            os._exit(1)
    while not (waits_for_a_lease(child) or _has_ended(child) or os.access(f"{word}-held", os.F_OK)):
        time.sleep(0.0002)
    return child


def _has_ended(child: int) -> bool:
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _append(page: Path, _: Path) -> None:
    with page.open("ab", 0) as file:
        file.write(MARK)


def _write_at_the_end(page: Path, _: Path) -> None:
    file = os.open(page, os.O_WRONLY)
    os.pwrite(file, STAMP, os.fstat(file).st_size - len(STAMP))


def _save(page: Path, _: Path) -> None:
    page.write_bytes(_marked(page.read_bytes()))


def _save_what_was_read_before(page: Path, word: Path) -> None:
    page.write_bytes(_read_before(word))


def _rename_over(page: Path, word: Path) -> None:
    other = page.with_name("editors-copy")
    other.write_bytes(_read_before(word))
    other.replace(page)


def _read_before(word: Path) -> bytes:
    return word.with_name(f"{word.name}-text").read_bytes()


def _move_away(page: Path, _: Path) -> None:
    page.rename(page.with_name(MOVED))


def _link(page: Path, _: Path) -> None:
    os.link(page, page.parents[2] / LINK)


def _unlink(page: Path, _: Path) -> None:
    page.unlink()


def _symlink_over(page: Path, word: Path) -> None:
    target, other = page.parents[2] / TARGET, page.with_name("editors-link")
    target.write_bytes(_read_before(word))
    os.utime(target, (TIME, TIME))
    other.symlink_to(target)
    other.replace(page)


def _hold_for_writing(page: Path, word: Path) -> None:
    with page.open("ab", 0) as file:
        _wait_for(word)
        file.write(MARK)


def _map_for_writing(page: Path, word: Path) -> None:
    with page.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        file.close()
        _wait_for(word)
        mapped[-len(STAMP) :] = STAMP


def _hold_for_reading(page: Path, word: Path) -> None:
    with page.open("rb", 0) as file:
        seen = file.readall()
        _wait_for(word)
        Path(f"{word}-seen").write_bytes(seen)
        Path(f"{word}-seen-again").write_bytes(os.pread(file.fileno(), 1 << 20, 0))


def _map_for_reading(page: Path, word: Path) -> None:
    with page.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        file.close()
        seen = bytes(mapped)
        _wait_for(word)
        Path(f"{word}-seen").write_bytes(seen)
        Path(f"{word}-seen-again").write_bytes(bytes(mapped))


def _wait_for(word: Path) -> None:
    Path(f"{word}-held").touch()
    end = time.monotonic() + HOLDS
    while not word.exists() and time.monotonic() < end:
        time.sleep(0.0005)


def _chmod(page: Path, _: Path) -> None:
    page.chmod(MODE)


def _utime(page: Path, _: Path) -> None:
    os.utime(page, (TIME, TIME))


def _with_end(page: bytes) -> bytes:
    return page + MARK


def _marked(page: bytes) -> bytes:
    """Mark a page in front of its counts, which moves them: what is written at their former place would do harm."""
    return edited(page, "in-front")


def _with_stamp(page: bytes) -> bytes:
    return page[: -len(STAMP)] + STAMP


ACTS: Mapping[str, Act] = {
    "append": Act(_append, _with_end),
    "write-at-an-offset": Act(_write_at_the_end, _with_stamp),
    "read-truncate-write": Act(_save, _marked),
    "truncate-write": Act(_save_what_was_read_before, _marked, is_blind=True),
    "rename-over": Act(_rename_over, _marked, is_blind=True),
    "rename-away": Act(_move_away, loses_name=True),
    "link": Act(_link),
    "unlink": Act(_unlink, loses_name=True),
    "symlink-over": Act(_symlink_over, _marked, is_blind=True),
    "hold-for-writing": Act(_hold_for_writing, _with_end, holds=True),
    "map-for-writing": Act(_map_for_writing, _with_stamp, holds=True),
    "hold-for-reading": Act(_hold_for_reading, holds=True),
    "map-for-reading": Act(_map_for_reading, holds=True),
    "chmod": Act(_chmod),
    "utime": Act(_utime),
}
