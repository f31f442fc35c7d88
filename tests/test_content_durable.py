"""What is flushed: one file system for many files, each file where they are few, and every failure by its file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from syncer.content.syscalls import SYNCFS_FILES, flush_directories, flush_files

COUNTS = (1, SYNCFS_FILES - 1, SYNCFS_FILES, 3 * SYNCFS_FILES)


def files(directory: Path, count: int) -> list[str]:
    paths = [directory / f"{number}.md" for number in range(count)]
    for path in paths:
        path.write_bytes(b"new")
    return [str(path) for path in paths]


@pytest.mark.parametrize("count", COUNTS)
def test_every_file_gets_an_outcome_in_order(tmp_path: Path, count: int) -> None:
    paths = files(tmp_path, count)
    os.unlink(paths[-1])
    *flushed, lost = flush_files(paths)
    assert flushed == [None] * (count - 1)
    assert isinstance(lost, FileNotFoundError)


def test_nothing_is_flushed_without_files() -> None:
    assert flush_files([]) == []


def test_a_directory_that_was_removed_does_not_keep_others_from_being_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: flushed.append(os.fstat(descriptor).st_ino))
    flush_directories([str(tmp_path / "gone"), str(tmp_path)])
    assert flushed == [tmp_path.stat().st_ino]
