"""Two files swap their names in one step, or nothing happens."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncer.content.page_file import exchange
from tests.places import put
from tests.test_content_replace import edits, replace


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux's renameat2 is used")
def test_two_files_swap_their_names(tmp_path: Path) -> None:
    one, other = tmp_path / "one \udcff", tmp_path / "other"
    one.write_bytes(b"1")
    other.write_bytes(b"2")

    with opened(tmp_path) as directory:
        assert exchange(one.name, other.name, directory)
    assert (one.read_bytes(), other.read_bytes()) == (b"2", b"1")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux's renameat2 is used")
def test_a_name_that_is_missing_is_an_error_and_nothing_moves(tmp_path: Path) -> None:
    one = tmp_path / "one"
    one.write_bytes(b"1")

    with opened(tmp_path) as directory, pytest.raises(FileNotFoundError):
        exchange("one", "other", directory)
    assert one.read_bytes() == b"1"


WATCHED = {0x40: "moved from", 0x80: "moved to", 0x100: "created", 0x200: "deleted", 0x2: "modified"}
"""What inotify(7) tells of, by its bits."""


@contextmanager
def watching(directory: Path) -> Iterator[Callable[[], list[tuple[str, str]]]]:
    """Watch a directory as a generator does, by Linux's inotify; give what says what has happened since."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert descriptor >= 0
    assert libc.inotify_add_watch(descriptor, os.fsencode(directory), sum(WATCHED)) >= 0

    def events() -> list[tuple[str, str]]:
        raw, found = os.read(descriptor, 1 << 16), []
        while raw:
            _, mask, _, length = struct.unpack_from("iIII", raw)
            found.append((WATCHED[mask], os.fsdecode(raw[16 : 16 + length].rstrip(b"\0"))))
            raw = raw[16 + length :]
        return found

    try:
        yield events
    finally:
        os.close(descriptor)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux's renameat2 is used")
def test_a_watcher_gets_the_event_of_the_first_name_last(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).touch()
    with watching(tmp_path) as events, opened(tmp_path) as directory:
        assert exchange("one", "other", directory)
        assert events() == [
            ("moved from", "one"), ("moved to", "other"), ("moved from", "other"), ("moved to", "one"),
        ]  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux's renameat2 is used")
def test_the_last_event_of_a_replaced_page_is_that_it_was_created(tmp_path: Path) -> None:
    put(tmp_path / "content/a.md")
    waiting = edits(tmp_path)
    with watching(tmp_path / "content") as events:
        assert replace(tmp_path, waiting) == [None]
        seen = events()
    assert [what for what, name in seen if name == "a.md"] == ["moved from", "moved to"]
    assert seen[-1][0] == "deleted", "the old page, under the new file's name: no page"
    assert seen[-1][1].startswith(".syncer-")
    assert seen[-2] == ("moved to", "a.md")


@contextmanager
def opened(directory: Path) -> Iterator[int]:
    descriptor = os.open(directory, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)
