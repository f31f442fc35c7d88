"""Pages that are changed in place: under a lease, where nobody sees them half done; else a new file is swapped in."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.places import page, put
from tests.test_content_replace import NEW, left_over, replace

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has leases")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return aged(put(tmp_path / "content/a.md", page()))


def aged(file: Path, seconds: float = 60) -> Path:
    """Make it look as if the page was last saved a minute ago."""
    status = file.stat()
    os.utime(file, (status.st_atime, status.st_mtime - seconds))
    return file


def patched(site: Path, file: Path) -> bool:
    """Replace the pages of a site; whether this one was changed in place."""
    inode = file.stat().st_ino
    assert replace(site, in_place=True) == [None]
    assert left_over(site) == []
    return file.stat().st_ino == inode


def test_counts_of_the_same_length_are_written_into_the_page(tmp_path: Path, file: Path) -> None:
    assert patched(tmp_path, file)
    assert file.read_bytes() == page(views=NEW)


def test_a_page_that_was_saved_in_this_second_gets_a_new_file(tmp_path: Path, file: Path) -> None:
    os.utime(file)
    assert not patched(tmp_path, file)
    assert file.read_bytes() == page(views=NEW)
