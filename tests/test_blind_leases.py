"""Where a lease does not see who has a page open below, or above, pages are swapped; and no signal ends a sync."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.disks import disk, mount
from tests.places import need, page, put, run_python
from tests.test_content_in_place import aged
from tests.test_content_replace import NEW, replace
from tests.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has leases")


@contextmanager
def bindfs(under: Path, over: Path) -> Iterator[None]:
    """Show a directory in another place, through FUSE."""
    need("bindfs")
    over.mkdir()
    with subprocess.Popen(["bindfs", "-f", str(under), str(over)], stderr=subprocess.DEVNULL) as process:
        until(lambda: over.is_mount() or process.poll() is not None)
        if process.poll() is not None:
            pytest.skip("no FUSE here")
        try:
            yield
        finally:
            subprocess.run(["umount", str(over)], check=True)


@contextmanager
def overlay(under: Path, over: Path) -> Iterator[None]:
    """Show a directory as the upper one of an overlay, as in a container."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    for name in ("over", "lower", "work"):
        (under.parent / name).mkdir()
    options = f"lowerdir={under.parent / 'lower'},upperdir={under},workdir={under.parent / 'work'}"
    mount(["-t", "overlay", "-o", options, "overlay"], over)
    try:
        yield
    finally:
        subprocess.run(["umount", str(over)], check=True)


@pytest.mark.parametrize("shown", [bindfs, overlay])
def test_through_another_file_system_a_page_is_swapped(tmp_path: Path, shown: object) -> None:
    """A lease is granted there although a program has the page open in the directory itself."""
    assert callable(shown)
    with disk("ext4", tmp_path) as made:
        under, over = made.place / "under", made.place / "over"
        page_under = aged(put(under / "content/a.md", page()))
        inode = page_under.stat().st_ino
        with shown(under, over):
            assert replace(over, in_place=True) == [None]
        assert page_under.read_bytes() == page(views=NEW)
        assert page_under.stat().st_ino != inode, "it was changed in place"


WORKER = """
import os, subprocess, sys, threading, time
from pathlib import Path
from tests.crash.interference import waits_for_a_lease
from tests.test_content_replace import replace

real, page, shell = os.pwrite, Path(sys.argv[1], "content/a.md"), "exec 3<>$1"
def pwrite(*arguments):
    waits.append(subprocess.Popen(["sh", "-c", shell, "sh", page]))
    while not waits_for_a_lease(waits[0].pid):
        assert waits[0].poll() is None, "it did not wait"
        time.sleep(0.001)
    return real(*arguments)

waits, outcomes, inode = [], [], page.stat().st_ino
os.pwrite = pwrite
thread = threading.Thread(target=lambda: outcomes.append(replace(Path(sys.argv[1]), in_place=True)))
thread.start()
thread.join()
print(outcomes, waits[0].wait(), page.stat().st_ino == inode)
"""
"""A program opens the page for writing while a thread of ours has a lease on it, so that we get the lease's signal."""


def test_the_signal_that_somebody_waits_does_not_end_a_sync_in_a_thread(tmp_path: Path) -> None:
    aged(put(tmp_path / "content/a.md", page()))
    assert run_python(WORKER, tmp_path) == "[[None]] 0 True\n"
    assert (tmp_path / "content/a.md").read_bytes() == page(views=NEW)
