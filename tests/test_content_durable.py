"""What is flushed: one file system for many files, each file where they are few, and every failure by its file."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from syncer.content.page_file import FSYNC_FILES, NewFile, flush_directories, flush_files

COUNTS = (1, FSYNC_FILES, FSYNC_FILES + 1, 300)


def files(directory: Path, count: int) -> list[NewFile]:
    paths = [directory / f"{number}.md" for number in range(count)]
    for path in paths:
        path.write_bytes(b"new")
    return [NewFile(str(path), path.stat().st_dev, path.stat().st_ino) for path in paths]


@pytest.mark.parametrize("count", COUNTS)
def test_every_file_gets_an_outcome_in_order(tmp_path: Path, count: int) -> None:
    """A file that was deleted meanwhile is found by its own flush; with the whole file system, nobody looks for it."""
    new = files(tmp_path, count)
    os.unlink(new[0].path)
    lost, *flushed = flush_files(new)
    assert flushed == [None] * (count - 1)
    if count <= FSYNC_FILES or sys.platform != "linux":
        assert isinstance(lost, FileNotFoundError)
    else:
        assert lost is None


def test_nothing_is_flushed_without_files() -> None:
    assert flush_files([]) == []


def test_a_directory_that_was_removed_does_not_keep_others_from_being_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: flushed.append(os.fstat(descriptor).st_ino))
    flush_directories([str(tmp_path / "gone"), str(tmp_path)])
    assert flushed == [tmp_path.stat().st_ino]
