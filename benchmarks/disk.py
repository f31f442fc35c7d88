"""The file system below the sites: how much it still takes, and a journalled ext4 of our own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BYTES_A_PAGE = 5_000
"""A block, an inode, and the state's and the log's share, rounded up."""

IMAGE_SIZE = 24 * 2**30
"""The image has holes: it takes of the disk what is written into it."""

BYTES_AN_INODE = 4096
"""Files are small here: by default there would be inodes for a quarter of them."""


def shortage(directory: Path, pages: int) -> str | None:
    """Return what is lacking for so many pages more, or None."""
    left = os.statvfs(directory)
    needed, free = pages * BYTES_A_PAGE, left.f_bavail * left.f_frsize
    if needed > free:
        return f"needs {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free"
    if left.f_files and pages > left.f_favail:
        return f"needs {pages:,} files, and the file system takes {left.f_favail:,} more"
    return None


@contextmanager
def journalled(directory: Path) -> Iterator[Path]:
    """Give a directory on a new ext4 with a journal, in a file below `directory`; it is unmounted in the end.

    Raises SystemExit where that cannot be had: it takes root, Linux, mkfs.ext4 and a free loop device.
    """
    image, point = directory / "ext4.img", directory / "ext4"
    point.mkdir()
    with image.open("wb") as file:
        free = shutil.disk_usage(directory).free
        file.truncate(min(IMAGE_SIZE, free // 10 * 9))  # with more, a full disk would be an I/O error in there
    options = ("-i", str(BYTES_AN_INODE), "-E", "lazy_itable_init=0,lazy_journal_init=0")  # no work left for later
    _call("mkfs.ext4", "-q", *options, str(image))
    _call("mount", "-o", "loop", str(image), str(point))
    try:
        yield point
    finally:
        subprocess.run(["umount", "--lazy", str(point)], check=True)


def _call(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise SystemExit(f"--journal: {command[0]} is not on the PATH ({error})") from error
    if done.returncode:
        raise SystemExit(f"--journal: {command[0]} failed: {done.stderr.strip()}")
