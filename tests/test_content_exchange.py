"""Two files swap their names in one step, or nothing happens."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncer.content.exchange import exchange


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


@contextmanager
def opened(directory: Path) -> Iterator[int]:
    descriptor = os.open(directory, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)
