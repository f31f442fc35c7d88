"""Two syncs in two threads of one process: what belongs to the whole process serves both, or stays as it is."""

from __future__ import annotations

import gc
import linecache
import os
import signal
import stat
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import CodeType

import pytest
from pathspec import GitIgnoreSpec

from syncer.config.formats import check_pattern
from syncer.content import lease
from syncer.front_matter.find import find
from syncer.git.run import git
from syncer.model import Count, Fields
from syncer.status_page.sockets import listening
from tests.places import page, put
from tests.site import ids
from tests.test_content_replace import NEW, edits, replace
from tests.waiting import TIMEOUT, until

in_place = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has leases")


def in_a_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def waits_in(thread: threading.Thread, code: CodeType, call: str) -> bool:
    """Whether the thread is at a line of this function that has this call."""
    frame = sys._current_frames().get(thread.ident or 0)
    return (
        frame is not None
        and frame.f_code is code
        and call in linecache.getline(frame.f_code.co_filename, frame.f_lineno)
    )


def two_sites(root: Path) -> list[Path]:
    """Two sites with a page each that may be changed in place."""
    sites = [root / "one", root / "two"]
    for site in sites:
        file = put(site / "content/a.md", page())
        os.utime(file, (time.time() - 60, time.time() - 60))
    return sites


@in_place
def test_no_sync_ends_the_timer_of_another_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The timer ends a process that was stopped while it writes under a lease."""
    one, two = two_sites(tmp_path)
    waiting, real, write = edits(two), signal.setitimer, os.pwrite
    timers, others, left = list[tuple[str, bool]](), list[threading.Thread](), list[float]()

    def setitimer(which: int, seconds: float) -> tuple[float, float]:
        timers.append((threading.current_thread().name, seconds > 0))
        return real(which, seconds)

    def pwrite(descriptor: int, text: bytes, at: int) -> int:
        if not others:
            others.append(in_a_thread(lambda: replace(two, waiting, in_place=True)))
            until(lambda: not others[0].is_alive() or waits_in(others[0], lease.Patcher.patch.__code__, "acquire("))
        left.append(signal.getitimer(signal.ITIMER_REAL)[0])
        return write(descriptor, text, at)

    monkeypatch.setattr(signal, "setitimer", setitimer)
    monkeypatch.setattr(os, "pwrite", pwrite)
    monkeypatch.setattr(lease, "TIMER_WAIT_SECONDS", TIMEOUT)
    inodes = [(site / "content/a.md").stat().st_ino for site in (one, two)]
    assert replace(one, in_place=True) == [None]
    others[0].join()
    own, other = threading.current_thread().name, others[0].name
    assert timers == [(own, True), (own, False), (other, True), (other, False)]
    assert all(seconds > 0 for seconds in left)
    assert len(left) == 2
    assert [(site / "content/a.md").stat().st_ino for site in (one, two)] == inodes
    assert all((site / "content/a.md").read_bytes() == page(views=NEW) for site in (one, two))


@in_place
def test_a_page_does_not_wait_for_a_site_whose_disk_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = two_sites(tmp_path)
    waiting, write, found = edits(two), os.pwrite, list[bytes]()
    inode = (two / "content/a.md").stat().st_ino

    def pwrite(descriptor: int, text: bytes, at: int) -> int:
        if not found:
            found.append(b"")
            in_a_thread(lambda: replace(two, waiting, in_place=True)).join(TIMEOUT)
            found.append((two / "content/a.md").read_bytes())
        return write(descriptor, text, at)

    monkeypatch.setattr(os, "pwrite", pwrite)
    monkeypatch.setattr(lease, "TIMER_WAIT_SECONDS", 0.01)
    assert replace(one, in_place=True) == [None]
    assert found[1] == page(views=NEW)
    assert (two / "content/a.md").stat().st_ino != inode


def test_the_collector_runs_again_after_files_that_were_read_at_the_same_time() -> None:
    """One file begins while the other is read, and ends after it."""
    data = "".join(f"- {{id: {video}, views: 1}}\n" for video in ids(200)).encode()
    fields = Fields("[].id", {Count.VIEWS: "views"})
    assert gc.isenabled()
    interval, threads = sys.getswitchinterval(), 2
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(20):
            running = [in_a_thread(lambda: find(data, fields, "a.yml")) for _ in range(threads)]
            for thread in running:
                thread.join()
            assert gc.isenabled()
    finally:
        sys.setswitchinterval(interval)
        gc.enable()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_warning_in_a_sync_is_no_error_while_a_config_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    real, raised = GitIgnoreSpec.from_lines, list[Warning]()

    def warn() -> None:
        try:
            warnings.warn("from a library", DeprecationWarning, stacklevel=1)
        except Warning as error:
            raised.append(error)

    def from_lines(lines: list[str]) -> GitIgnoreSpec:
        in_a_thread(warn).join()
        return real(lines)

    monkeypatch.setattr(GitIgnoreSpec, "from_lines", from_lines)
    assert check_pattern("*.md") == "*.md"
    assert raised == []


def test_git_starts_while_another_thread_removes_variables(tmp_path: Path) -> None:
    """A config that is read again takes its key out of the environment."""
    names, ended, interval = (
        [f"SYNCER_TEST_{number}" for number in range(50)],
        threading.Event(),
        sys.getswitchinterval(),
    )

    def change() -> None:
        while not ended.is_set():
            for name in names:
                os.environ[name] = "1"
            for name in names:
                os.environ.pop(name)

    sys.setswitchinterval(1e-6)
    thread = in_a_thread(change)
    try:
        for _ in range(10):
            assert git(tmp_path, "version").startswith("git version")
    finally:
        ended.set()
        thread.join()
        sys.setswitchinterval(interval)


def test_a_socket_is_made_without_another_umask_for_the_files_of_a_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    masks, path = list[int](), tmp_path / "daemon.sock"
    monkeypatch.setattr(os, "umask", masks.append)
    with listening(None, path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert masks == []
