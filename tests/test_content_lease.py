"""What another program has open for writing is left alone; what it only reads is not; its own lease is waited for."""

from __future__ import annotations

import fcntl
import mmap
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from syncer import own_files
from syncer.content.lease import Lease, give_lease_back, is_open_for_writing, is_waited_for, take_lease
from syncer.content.replace import preview
from syncer.own_files import open_file
from tests.places import page, put, scanned
from tests.test_content_replace import NEW, edits, left_over, replace
from tests.waiting import TIMEOUT, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has leases")

OPEN = "open-elsewhere"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return put(tmp_path / "content/a.md", page())


def write_only(stack: ExitStack, file: Path) -> None:
    stack.callback(os.close, os.open(file, os.O_WRONLY))


def read_and_write(stack: ExitStack, file: Path) -> None:
    stack.enter_context(file.open("r+b"))


def append(stack: ExitStack, file: Path) -> None:
    stack.enter_context(file.open("ab"))


def a_copy_of_the_descriptor(stack: ExitStack, file: Path) -> None:
    first = os.open(file, os.O_RDWR)
    stack.callback(os.close, os.dup(first))
    os.close(first)


def a_map_that_is_written_to(stack: ExitStack, file: Path) -> None:
    with file.open("r+b") as opened:
        stack.enter_context(mmap.mmap(opened.fileno(), 0))


def a_child(stack: ExitStack, file: Path) -> None:
    command = [sys.executable, "-c", "import sys; f = open(sys.argv[1], 'r+b'); print(flush=True); sys.stdin.read()"]
    child = stack.enter_context(
        subprocess.Popen([*command, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    )
    assert child.stdout
    assert child.stdout.readline() == b"\n"


WRITERS = (write_only, read_and_write, append, a_copy_of_the_descriptor, a_map_that_is_written_to, a_child)


def read_only(stack: ExitStack, file: Path) -> None:
    stack.enter_context(file.open("rb"))


def a_map_that_is_read(stack: ExitStack, file: Path) -> None:
    with file.open("rb") as opened:
        stack.enter_context(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))


def a_name_without_access(stack: ExitStack, file: Path) -> None:
    stack.callback(os.close, os.open(file, os.O_PATH))


def one_who_wrote(_: ExitStack, file: Path) -> None:
    with file.open("r+b"):
        pass


READERS = (read_only, a_map_that_is_read, a_name_without_access, one_who_wrote)
Holder = Callable[[ExitStack, Path], None]


@pytest.mark.parametrize("holder", WRITERS)
def test_a_page_that_a_writer_has_open_is_left_as_it_was_and_written_once_that_has_ended(
    tmp_path: Path, file: Path, holder: Holder
) -> None:
    inode = file.stat().st_ino
    with ExitStack() as stack:
        holder(stack, file)
        assert replace(tmp_path) == [OPEN]
        assert (file.read_bytes(), file.stat().st_ino, left_over(tmp_path)) == (page(), inode, [])
    assert replace(tmp_path) == [None]
    assert file.read_bytes() == page(views=NEW)


@pytest.mark.parametrize("holder", READERS)
def test_a_page_that_is_only_read_is_written(tmp_path: Path, file: Path, holder: Holder) -> None:
    with ExitStack() as stack:
        holder(stack, file)
        assert replace(tmp_path) == [None]
    assert file.read_bytes() == page(views=NEW)


def test_what_a_writer_writes_after_the_sync_is_in_the_page(tmp_path: Path, file: Path) -> None:
    with file.open("ab") as author:
        replace(tmp_path)
        author.write(b"one more line\n")
    assert file.read_bytes().endswith(b"one more line\n")


def test_the_other_pages_of_the_batch_are_written_and_a_page_that_is_closed_meanwhile_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second try comes when all others are in place: here it is what closes the page."""
    files = [put(tmp_path / f"content/{number}.md") for number in range(3)]
    waiting = edits(tmp_path)
    author = files[0].open("r+b")
    exchanged: list[str] = []
    real = sys.modules["syncer.content.swap"].exchange

    def exchange(one: str, other: str, directory: int) -> bool:
        exchanged.append(one)
        if one == "2.md":
            author.close()
        return bool(real(one, other, directory))

    monkeypatch.setattr("syncer.content.swap.exchange", exchange)
    assert replace(tmp_path, waiting) == [None, None, None]
    assert exchanged == ["1.md", "2.md", "0.md"]
    assert {file.read_bytes() for file in files} == {page(views=NEW)}


def test_a_writer_who_opens_the_page_right_before_the_swap_gets_it_back(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the test and the swap: the swap is taken back, and what is written afterwards is in the page."""
    real = sys.modules["syncer.content.swap"].exchange
    authors: list[BinaryIO] = []

    def exchange(one: str, other: str, directory: int) -> bool:
        if not authors:
            authors.append(file.open("ab"))
        return bool(real(one, other, directory))

    monkeypatch.setattr("syncer.content.swap.exchange", exchange)
    assert replace(tmp_path) == [OPEN]
    with authors[0] as author:
        author.write(b"one more line\n")
    assert file.read_bytes() == page() + b"one more line\n"
    assert left_over(tmp_path) == []


def test_a_writer_who_had_found_the_page_before_the_swap_and_opens_it_after_that_gets_it_back(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel finds a name first and then opens the file; a descriptor without access refers to the file it found.

    The writer waits for our lease, and we see that: its file gets its name back, and only then may it go on. The
    second try comes when it has written.
    """
    found = os.open(file, os.O_PATH)
    author = threading.Thread(target=lambda: add(Path(f"/proc/self/fd/{found}")))

    def look(page: int) -> bool:
        author.start()
        until(lambda: is_waited_for(page))
        return True

    def give_back(page: int) -> None:
        give_lease_back(page)
        author.join(TIMEOUT)

    monkeypatch.setattr("syncer.content.swap.is_waited_for", look)
    monkeypatch.setattr("syncer.content.swap.give_lease_back", give_back)
    assert replace(tmp_path) == ["edited-meanwhile"], "the second try finds what it has written"
    os.close(found)
    assert (file.read_bytes(), left_over(tmp_path)) == (page() + b"one more line\n", [])


def add(file: Path) -> None:
    with file.open("ab") as author:
        author.write(b"one more line\n")


def test_a_dry_run_ignores_a_writer(tmp_path: Path, file: Path) -> None:
    (edit,) = edits(tmp_path)
    with file.open("r+b"):
        assert preview(str(tmp_path), edit) == (page(), page(views=NEW))


# --- the lease -------------------------------------------------------------------------------------------------------


@contextmanager
def opened(file: Path) -> Iterator[int]:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def test_who_wants_to_write_waits_until_the_lease_is_given_back_and_its_holder_can_see_it(file: Path) -> None:
    """The signal that tells the holder does not kill this process: the kernel's default would."""
    with opened(file) as descriptor:
        assert take_lease(descriptor) is Lease.HELD
        assert not is_waited_for(descriptor)
        author = threading.Thread(target=lambda: file.write_bytes(b"edited"))
        author.start()
        until(lambda: is_waited_for(descriptor))
        assert file.read_bytes() == page(), "readers do not wait, and it is not written yet"
        give_lease_back(descriptor)
        author.join(10)
    assert file.read_bytes() == b"edited"


def test_after_the_question_nothing_of_a_lease_is_left(file: Path) -> None:
    with opened(file) as descriptor:
        assert not is_open_for_writing(descriptor)
        os.close(os.open(file, os.O_WRONLY | os.O_NONBLOCK))  # would fail at once
        assert fcntl.fcntl(descriptor, fcntl.F_GETLEASE) == fcntl.F_UNLCK


def test_a_lease_that_was_taken_away_may_be_given_back(file: Path) -> None:
    with opened(file) as descriptor:
        give_lease_back(descriptor)
        assert fcntl.fcntl(descriptor, fcntl.F_GETLEASE) == fcntl.F_UNLCK


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_without_leases_no_page_counts_as_open_for_writing(tmp_path: Path) -> None:
    directory, pipe = tmp_path / "directory", tmp_path / "pipe"
    directory.mkdir()
    os.mkfifo(pipe)
    for one in (directory, pipe):
        descriptor = open_file(str(one))
        assert (take_lease(descriptor), is_open_for_writing(descriptor)) == (Lease.NONE, False)
        os.close(descriptor)


# --- somebody else's lease -------------------------------------------------------------------------------------------

LESSEE = """
import fcntl, os, signal, sys, time
held = os.open(sys.argv[1], os.O_RDWR)
asked = []
signal.signal(signal.SIGUSR1, lambda *_: asked.append(1))
fcntl.fcntl(held, fcntl.F_SETSIG, signal.SIGUSR1)
fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print(flush=True)
while not asked:
    time.sleep(0.001)
time.sleep(float(sys.argv[2]))  # how long it keeps the page is what is tried
fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_UNLCK)
os.close(held)
"""
"""A program that has a page for itself, and gives it back so many seconds after somebody asked for it."""


@contextmanager
def a_lease_on(file: Path, keeps: float) -> Iterator[None]:
    command = [sys.executable, "-c", LESSEE, str(file), str(keeps)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as lessee:
        assert lessee.stdout
        assert lessee.stdout.readline() == b"\n"
        try:
            yield
        finally:
            lessee.send_signal(signal.SIGKILL)


def test_a_scan_waits_for_a_page_that_another_program_has_a_lease_on(tmp_path: Path, file: Path) -> None:
    with a_lease_on(file, keeps=0.3):
        assert len(edits(tmp_path)) == 1


def test_a_replacement_waits_for_it_too(tmp_path: Path, file: Path) -> None:
    waiting = edits(tmp_path)
    with a_lease_on(file, keeps=0.3):
        assert replace(tmp_path, waiting) == [None]
    assert file.read_bytes() == page(views=NEW)


def test_a_page_that_is_not_given_back_is_a_problem_and_the_others_are_read(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 1.5 < sum(own_files.LEASE_PAUSES_SECONDS) <= 2
    monkeypatch.setattr(own_files, "LEASE_PAUSES_SECONDS", (0.01, 0.01))
    put(tmp_path / "content/b.md")
    with a_lease_on(file, keeps=60):
        held, other = scanned(tmp_path)
    assert held.kind.value == "unreadable"  # type: ignore[union-attr]
    assert "another program has a lease on it" in held.message  # type: ignore[union-attr]
    assert other.path == "content/b.md"  # type: ignore[union-attr]
