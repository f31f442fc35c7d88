"""Reads a site's pages in the least that Python can do, and brings them into the page cache or out of it."""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.measured import Task

READ_SIZE = 1 << 16

DROP_CACHES = Path("/proc/sys/vm/drop_caches")
"""What root writes to so that Linux forgets the files that it holds in memory."""


def page_paths(site: Path) -> list[Path]:
    """Return the paths of all pages, in order."""
    return sorted((site / "content").rglob("*.md"))


def settle(task: Task) -> None:
    """Bring all pages into the page cache, or, for a cold run, all files of the machine out of it."""
    if task.cold:
        os.sync()
        DROP_CACHES.write_text("3", encoding="ascii")
    else:
        read_all(task.root)


def read_all(site: Path) -> int:
    """Walk and read all pages; return how many there are."""
    pages = 0
    pending = [str(site / "content")]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                elif entry.name.endswith(".md"):
                    _read(entry.path)
                    pages += 1
    return pages


def _read(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.fstat(descriptor)
    os.read(descriptor, READ_SIZE)
    os.close(descriptor)
