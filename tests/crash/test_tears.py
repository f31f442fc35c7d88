"""A kill tears no change in place (none crosses a page of memory), and a power cut no count (none crosses a sector)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.points import PROVING
from tests.disks import disk
from tests.places import page, put
from tests.test_content_in_place import aged
from tests.test_content_replace import NEW, replace

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has leases")

ROOT = Path(__file__).parents[2]
SECTOR, MEMORY_PAGE = 512, 4096
KILLS = 2000 if PROVING else 60
MOST_KILLS = 5000
"""A kill that tears a write across two pages of memory comes in one of thirty, on a file system in memory."""


def left_by_kills(place: Path, start: int, stop: int, kills: int) -> tuple[int, ...]:
    """How often a page was old, new and torn when a process was killed that changed these bytes."""
    file = put(place / "page", b"1" * 3 * MEMORY_PAGE)
    command = [sys.executable, "-m", "tests.crash.tearing", *map(str, (file, start, stop, kills))]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return tuple(map(int, done.stdout.split()))


@pytest.mark.storm
@pytest.mark.parametrize("kind", ["tmpfs", "ext4", "xfs", "btrfs"])
def test_a_kill_tears_no_change_within_a_page_of_memory(kind: str, tmp_path: Path) -> None:
    with disk(kind, tmp_path) as made:
        for start, stop in ((0, 20), (SECTOR - 8, SECTOR + 12), (MEMORY_PAGE, 2 * MEMORY_PAGE)):
            old, new, torn = left_by_kills(made.place, start, stop, KILLS)
            assert (old > 0, new > 0, torn) == (True, True, 0)


@pytest.mark.storm
def test_a_kill_can_tear_a_change_across_pages_of_memory(tmp_path: Path) -> None:
    """So the test above would find a tear."""
    with disk("tmpfs", tmp_path) as made:
        assert left_by_kills(made.place, MEMORY_PAGE - 8, MEMORY_PAGE + 12, MOST_KILLS)[2] == 1


@pytest.mark.parametrize("boundary", [SECTOR, 2 * SECTOR, MEMORY_PAGE])
def test_a_count_across_two_sectors_gets_a_new_file_and_one_beside_the_border_does_not(
    tmp_path: Path, boundary: int
) -> None:
    with disk("tmpfs", tmp_path) as made:
        expected, inodes = {}, {}
        for shift in range(-7, 3):
            text = padded(boundary + shift)
            name = f"content/{shift}.md"
            file = aged(put(made.place / name, text))
            expected[name] = shift >= 0 or shift + len("48210") <= 0
            inodes[name] = file.stat().st_ino
        assert replace(made.place, in_place=True) == [None] * len(expected)
        kept = {name: (made.place / name).stat().st_ino == inode for name, inode in inodes.items()}
        assert kept == expected
        for shift in range(-7, 3):
            assert (made.place / f"content/{shift}.md").read_bytes() == padded(boundary + shift, NEW)


def padded(start: int, views: int = 48210) -> bytes:
    """Return a page whose views begin at this byte."""
    text = page(views=views)
    return text.replace(b'"Locks"', b'"Locks' + b"x" * (start - text.index(str(views).encode())) + b'"')
