"""Pages that are changed in place: under a lease, where nobody sees them half done; else a new file is swapped in."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import signal
import stat
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from syncer import own_files
from syncer.content import lease
from syncer.content.page_file import FSYNC_FILES
from syncer.simulator.server import Simulator
from tests.places import OTHER_ID, collection, page, pages, put
from tests.site import Site, counts, crlf, ids
from tests.test_content_lease import READERS, WRITERS, Holder, a_lease_on, a_name_without_access, one_who_wrote
from tests.test_content_replace import ACCESS_LIST, BOTH, NEW, edit_of, edits, left_over, note, replace
from tests.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has leases")

EDITED = page(body="Gates, paddles and patientia\n")
"""As long as the page."""

Act = Callable[[Path], object]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return aged(put(tmp_path / "content/a.md", page()))


def aged(file: Path) -> Path:
    """Make it look as if the page was last saved a minute ago."""
    os.utime(file, (time.time() - 60, time.time() - 60))
    return file


def patched(site: Path, file: Path) -> bool:
    """Replace the pages of a site; whether this one was changed in place."""
    inode = file.stat().st_ino
    assert replace(site, in_place=True) == [None]
    assert left_over(site) == []
    return file.stat().st_ino == inode


def at_write(monkeypatch: pytest.MonkeyPatch, before: Act | None = None, after: Act | None = None) -> list[bytes]:
    """Let something happen before or after the first write to a page; return what is written."""
    real, written = os.pwrite, list[bytes]()

    def pwrite(descriptor: int, text: bytes, at: int) -> int:
        written.append(text)
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if before and len(written) == 1:
            before(path)
        length = real(descriptor, text, at)
        if after and len(written) == 1:
            after(path)
        return length

    monkeypatch.setattr(os, "pwrite", pwrite)
    return written


# --- what is kept, and what others see --------------------------------------------------------------------------------


def test_counts_of_the_same_length_are_written_into_the_page_and_all_else_is_kept(tmp_path: Path, file: Path) -> None:
    note(file, "user.note", b"proofread")
    note(file, "system.posix_acl_access", ACCESS_LIST)
    before = file.stat()

    assert patched(tmp_path, file)

    after = file.stat()
    assert file.read_bytes() == page(views=NEW)
    assert os.getxattr(file, "user.note") == b"proofread"
    assert os.getxattr(file, "system.posix_acl_access") == ACCESS_LIST
    assert (after[:7], before.st_mtime + 50 < after.st_mtime) == (before[:7], True)


def test_a_watcher_of_the_directory_sees_one_change_and_no_new_file(tmp_path: Path, file: Path) -> None:
    waiting = edits(tmp_path)
    with watching(file.parent) as events:
        assert replace(tmp_path, waiting, in_place=True) == [None]
    seen = events()
    modify, close_write = 0x2, 0x8
    assert [mask for mask in seen if mask & 0xFCE] == [modify, close_write], "no other event of a change"


def add_a_name(file: Path) -> None:
    os.link(file, file.parent.parent / "other.md")


def forbid_writing(file: Path) -> None:
    file.chmod(0o444)


@pytest.mark.parametrize("forbid", [add_a_name, forbid_writing])
def test_a_page_that_is_left_alone_in_each_sync_tells_no_watcher_of_a_write(
    tmp_path: Path, file: Path, forbid: Act
) -> None:
    forbid(file)
    waiting = edits(tmp_path)
    with watching(file.parent) as events:
        assert replace(tmp_path, waiting, in_place=True) == ["unwritable"]
    assert not [mask for mask in events() if mask & 0xFCE]


def test_no_new_file_is_made_for_a_page_that_a_writer_has_open(tmp_path: Path, file: Path) -> None:
    waiting = edits(tmp_path)
    with file.open("ab"), watching(file.parent) as events:
        assert replace(tmp_path, waiting, in_place=True) == ["open-elsewhere"]
    created, deleted = 0x100, 0x200
    assert not [mask for mask in events() if mask & (created | deleted)]


@pytest.mark.parametrize("bit", [stat.S_ISGID, stat.S_ISUID])
def test_a_page_with_a_mode_that_the_kernel_takes_away_from_what_is_written_gets_a_new_file(
    tmp_path: Path, file: Path, bit: int
) -> None:
    file.chmod(0o755 | bit)
    assert not patched(tmp_path, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o755 | bit


def test_the_first_process_of_a_container_changes_no_page_in_place() -> None:
    """No signal with its default effect ends it, so the timer would not."""
    ask = [sys.executable, "-c", "from syncer.content.lease import patcher; print(patcher())"]
    inside = subprocess.run(["unshare", "--pid", "--fork", *ask], check=False, capture_output=True, text=True)
    if inside.returncode:
        pytest.skip("no namespace may be made here")
    assert inside.stdout == "None\n"
    assert subprocess.check_output(ask, text=True).startswith("Patcher(")


@contextmanager
def watching(directory: Path) -> Iterator[Callable[[], list[int]]]:
    """Watch a directory (inotify); what is given returns the events."""
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init1(os.O_NONBLOCK)
    seen: list[int] = []
    libc.inotify_add_watch(watch, os.fsencode(directory), 0xFFF)
    yield lambda: seen
    data = os.read(watch, 1 << 16)
    os.close(watch)
    while data:
        _, mask, _, length = struct.unpack_from("iIII", data)
        seen.append(mask & 0xFFF)
        data = data[16 + length :]


def test_who_opens_the_page_while_it_is_written_waits_and_gets_the_new_one(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signal that tells the holder of the lease does not end this process: the kernel's default, SIGIO, would."""
    readers: list[subprocess.Popen[bytes]] = []

    def read(path: Path) -> None:
        readers.append(subprocess.Popen(["cat", path], stdout=subprocess.PIPE))
        wchan = Path(f"/proc/{readers[0].pid}/wchan")
        until(lambda: "break_lease" in wchan.read_text(encoding="ascii"))

    at_write(monkeypatch, before=read)
    assert patched(tmp_path, file)
    assert readers[0].communicate()[0] == page(views=NEW)


# --- what gets a new file ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("views", ["7", "100000", "", "1234567890"])
def test_a_count_whose_length_changes_gets_a_new_file(tmp_path: Path, file: Path, views: str) -> None:
    aged(put(file, page(views=views)))
    assert not patched(tmp_path, file)
    assert file.read_bytes() == page(views=NEW)


@pytest.mark.parametrize("seconds", [0, 3600])
def test_a_page_that_was_saved_in_this_second_or_later_gets_a_new_file(
    tmp_path: Path, file: Path, seconds: float
) -> None:
    """Git compares whole seconds: with the same inode and size it would not see the change."""
    until(lambda: 0.1 < time.time() % 1 < 0.3)  # this second does not end before the page is looked at
    os.utime(file, (time.time() + seconds, time.time() + seconds))
    assert not patched(tmp_path, file)
    assert file.read_bytes() == page(views=NEW)


def test_git_sees_a_change_in_place_of_a_page_that_was_added_in_the_same_second(tmp_path: Path, file: Path) -> None:
    def git(*arguments: str) -> str:
        command = ["git", "-C", str(tmp_path), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    until(lambda: 0.1 < time.time() % 1 < 0.3)
    os.utime(file)
    git("add", "content")
    assert replace(tmp_path, in_place=True) == [None]
    until(lambda: time.time() % 1 < 0.1)  # in the second in which the index was written, git reads the page in any case
    assert git("status", "--porcelain").splitlines()[0] == "AM content/a.md"


@pytest.mark.parametrize("offset", [505, 507, 508, 511, 512, 1023, 1024])
@pytest.mark.parametrize("line", ["", "other: {a: 1}\n"], ids=["plain", "parsed"])
def test_a_number_that_would_cross_a_sector_gets_a_new_file(tmp_path: Path, file: Path, offset: int, line: str) -> None:
    """Bytes count, not letters. The parser's way writes the quotes again, so they are parts of the number there."""
    text = page().replace(b"Locks", "Schleuse \u00c4\u00d6".encode()).replace(b"viewcount", f"{line}viewcount".encode())
    text = text.replace(b"Schleuse", b"S" * (8 + offset - text.index(b"48210")))
    assert text.index(b"48210") == offset
    aged(put(file, text))
    quotes = 1 if line else 0
    assert patched(tmp_path, file) == ((offset - quotes) // 512 == (offset + 4 + quotes) // 512)
    assert file.read_bytes() == text.replace(b"48210", b"99999")


@pytest.mark.parametrize(
    ("between", "at_once"),
    [("", True), ("title2: " + 600 * "x" + "\n", True), ("title2: " + 4096 * "x" + "\n", False)],
    ids=["one-sector", "two-sectors", "two-memory-pages"],
)
def test_all_numbers_of_a_page_are_written_at_once_or_with_a_new_file(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch, between: str, at_once: bool
) -> None:
    """A kill between two writes would leave a page that is half old and half new."""
    filled = f"{between}likeCount".encode()
    text = page().replace(b"likeCount", filled).replace(b"517", b"518")
    aged(put(file, text))
    written = at_write(monkeypatch)

    assert patched(tmp_path, file) == at_once

    assert written == ([b'99999"\n' + filled + b': "517'] if at_once else [])
    assert file.read_bytes() == text.replace(b"48210", b"99999").replace(b'"518"', b'"517"')


def test_two_mappings_of_a_page_are_written_together(tmp_path: Path, file: Path) -> None:
    text = "---\nvid_id: kq3vT7mZ_dE\ntube: {}\nviewcount: {}\nhearts: {}\n---\n"
    aged(put(file, text.format(OTHER_ID, 11111, 222).encode()))
    found = pages(tmp_path, collection(), collection(fields=BOTH))
    inode = file.stat().st_ino

    assert replace(tmp_path, [edit_of(*found)], in_place=True) == [None]

    assert (file.stat().st_ino, file.read_bytes()) == (inode, text.format(OTHER_ID, NEW, 517).encode())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_another_users_page_gets_a_new_file_and_keeps_its_owner(tmp_path: Path, file: Path) -> None:
    os.chown(file, 1234, 4321)
    assert not patched(tmp_path, file)
    assert (file.stat().st_uid, file.read_bytes()) == (1234, page(views=NEW))


def test_a_page_that_is_a_link_gets_a_new_file_and_one_in_a_linked_directory_does_not(tmp_path: Path) -> None:
    real, other = aged(put(tmp_path / "shared/real.md")), aged(put(tmp_path / "elsewhere/b.md"))
    put(tmp_path / "content/c.txt")
    (tmp_path / "content/a.md").symlink_to(real)
    (tmp_path / "content/sub").symlink_to(other.parent)
    inodes = real.stat().st_ino, other.stat().st_ino

    assert replace(tmp_path, in_place=True) == [None, None]

    assert (real.read_bytes(), other.read_bytes()) == (page(views=NEW), page(views=NEW))
    assert (real.stat().st_ino == inodes[0], other.stat().st_ino == inodes[1]) == (False, True)


@pytest.mark.parametrize("what", ["page", "directory"])
def test_a_page_that_now_leads_out_of_the_site_is_left_alone(tmp_path: Path, what: str) -> None:
    site, outside = tmp_path / "site", aged(put(tmp_path / "site-2/a.md"))
    file = aged(put(site / "content/a.md"))
    os.utime(outside, ns=(file.stat().st_mtime_ns, file.stat().st_mtime_ns))
    waiting = edits(site)
    moved = file if what == "page" else file.parent
    moved.rename(tmp_path / "moved")
    moved.symlink_to(outside if what == "page" else outside.parent)

    assert replace(site, waiting, in_place=True) == ["outside-site"]
    assert outside.read_bytes() == page()


@pytest.mark.parametrize("holder", READERS)
def test_a_page_that_is_only_read_gets_a_new_file(tmp_path: Path, file: Path, holder: Holder) -> None:
    with ExitStack() as stack:
        holder(stack, file)
        assert patched(tmp_path, file) == (holder in {a_name_without_access, one_who_wrote})
    assert file.read_bytes() == page(views=NEW)


@pytest.mark.parametrize("holder", WRITERS)
def test_a_page_that_a_writer_has_open_is_left_for_later(tmp_path: Path, file: Path, holder: Holder) -> None:
    with ExitStack() as stack:
        holder(stack, file)
        assert replace(tmp_path, in_place=True) == ["open-elsewhere"]
        assert (file.read_bytes(), left_over(tmp_path)) == (page(), [])
    assert replace(tmp_path, in_place=True) == [None]


def test_a_lease_of_another_program_is_waited_for_and_is_never_a_problem_of_the_page(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = edits(tmp_path)
    with a_lease_on(file, keeps=0.3):
        assert replace(tmp_path, waiting, in_place=True) == [None]
    aged(put(file))
    waiting = edits(tmp_path)
    monkeypatch.setattr(own_files, "LEASE_PAUSES_SECONDS", (0.01, 0.01))
    for in_place in (True, False):
        with a_lease_on(file, keeps=60):
            assert replace(tmp_path, waiting, in_place=in_place) == ["open-elsewhere"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts file systems")
def test_on_another_file_system_a_page_gets_a_new_file(tmp_path: Path) -> None:
    """One on which nobody tried what a lease sees."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "ramfs", "none", disk], check=False, capture_output=True).returncode:
        pytest.skip("no file system may be mounted here")
    try:
        file = aged(put(disk / "content/a.md"))
        assert not patched(disk, file)
        assert file.read_bytes() == page(views=NEW)
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize(("kind", "outcome"), [("ramfs", "unwritable"), ("tmpfs", None)])
def test_a_page_that_is_a_mount_of_its_own_is_trusted_only_for_its_own_file_system(
    tmp_path: Path, file: Path, kind: str, outcome: str | None
) -> None:
    """Containers mount single files. Nor can a new file be swapped with a mount."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", kind, "none", disk], check=False, capture_output=True).returncode:
        pytest.skip("no file system may be mounted here")
    with ExitStack() as stack:
        stack.callback(lambda: subprocess.run(["umount", disk], check=True))
        other = put(disk / "a.md")
        subprocess.run(["mount", "--bind", other, file], check=True)
        stack.callback(lambda: subprocess.run(["umount", file], check=True))
        aged(file)
        assert replace(tmp_path, in_place=True) == [outcome]
        assert other.read_bytes() == (page(views=NEW) if outcome is None else page())


# --- edits by somebody else -------------------------------------------------------------------------------------------


def test_an_edit_between_the_proof_and_the_lease_wins(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fcntl.fcntl

    def lease_after_an_edit(descriptor: int, command: int, argument: int) -> int:
        if (command, argument) == (fcntl.F_SETLEASE, fcntl.F_WRLCK):
            status = file.stat()
            subprocess.run(["cp", "/dev/stdin", file], input=EDITED, check=True)
            os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
        return real(descriptor, command, argument)

    waiting = edits(tmp_path)
    monkeypatch.setattr(fcntl, "fcntl", lease_after_an_edit)
    assert replace(tmp_path, waiting, in_place=True) == ["edited-meanwhile"]
    assert file.read_bytes() == EDITED


def rename_over(path: Path) -> None:
    other = put(path.with_name("other"), EDITED)
    path.rename(path.with_name("moved"))
    other.replace(path)


def rename_away(path: Path) -> None:
    path.rename(path.with_name("moved"))


def link(path: Path) -> None:
    path.with_name("moved").hardlink_to(path)


def put_a_link_in_its_place(path: Path) -> None:
    path.rename(path.with_name("moved"))
    path.symlink_to("moved")


@pytest.mark.parametrize("act", [rename_over, rename_away, link, put_a_link_in_its_place])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_page_that_is_renamed_or_linked_while_it_is_written_gets_its_old_text_back(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch, act: Act, when: str
) -> None:
    waiting = edits(tmp_path)
    at_write(monkeypatch, **{when: act})
    assert replace(tmp_path, waiting, in_place=True) == ["edited-meanwhile"]
    assert file.with_name("moved").read_bytes() == page()
    if act is rename_over:
        assert file.read_bytes() == EDITED


def test_a_page_that_is_deleted_while_it_is_written_stays_deleted(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = edits(tmp_path)
    at_write(monkeypatch, before=Path.unlink)
    assert replace(tmp_path, waiting, in_place=True) == ["edited-meanwhile"]
    assert not file.exists()


def test_a_lease_that_the_kernel_took_away_may_be_given_back(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F_UNLCK fails with EAGAIN then."""

    def give_back(path: Path) -> None:
        for name in os.listdir("/proc/self/fd"):
            if os.path.realpath(f"/proc/self/fd/{name}") == str(path):
                fcntl.fcntl(int(name), fcntl.F_SETLEASE, fcntl.F_UNLCK)

    at_write(monkeypatch, after=give_back)
    assert patched(tmp_path, file)


# --- the clock, and the timer that ends a stopped process -------------------------------------------------------------


def test_a_process_that_was_stopped_under_its_lease_does_not_write_into_the_page(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gives the lease back, and swaps in a new file."""
    real, clock = os.pread, time.monotonic
    late: list[float] = []

    def pread(descriptor: int, length: int, at: int) -> bytes:
        late.append(30)
        return real(descriptor, length, at)

    monkeypatch.setattr(os, "pread", pread)
    monkeypatch.setattr(time, "monotonic", lambda: clock() + sum(late))
    assert not patched(tmp_path, file)
    assert file.read_bytes() == page(views=NEW)


@pytest.mark.parametrize("in_a_thread", [False, True])
def test_the_timer_runs_under_a_lease_and_at_no_other_time(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch, *, in_a_thread: bool
) -> None:
    """Pages that take long to read or to parse must not end a sync."""
    left: list[float] = []
    put(tmp_path / "content/b.md")
    read = os.read
    between: list[float] = []

    def look(descriptor: int, length: int) -> bytes:
        between.append(signal.getitimer(signal.ITIMER_REAL)[0])
        return read(descriptor, length)

    monkeypatch.setattr(os, "read", look)
    at_write(monkeypatch, before=lambda _: left.append(signal.getitimer(signal.ITIMER_REAL)[0]))
    if in_a_thread:
        thread = threading.Thread(target=replace, args=(tmp_path,), kwargs={"in_place": True})
        thread.start()
        thread.join()
    else:
        replace(tmp_path, in_place=True)
    break_seconds = int(Path(lease.BREAK_TIME).read_text(encoding="ascii"))
    assert 0 < left[0] <= break_seconds - lease.MARGIN_SECONDS
    assert set(between) == {0}
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert file.read_bytes() == page(views=NEW)


def test_a_lease_ends_although_a_child_still_has_the_page_open(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that was forked meanwhile has a copy of the descriptor: to close ours does not end the lease."""
    copies: list[int] = []

    def copy(path: Path) -> None:
        own = [int(name) for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}")]
        copies.extend(os.dup(one) for one in own if os.path.realpath(f"/proc/self/fd/{one}") == str(path))

    at_write(monkeypatch, before=copy)
    assert patched(tmp_path, file)
    assert [fcntl.fcntl(one, fcntl.F_GETLEASE) for one in copies] == [fcntl.F_UNLCK]
    for one in copies:
        os.close(one)


def test_an_interruption_under_the_lease_gives_it_back_and_ends_the_timer(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: Path) -> None:
        raise KeyboardInterrupt

    waiting = edits(tmp_path)
    at_write(monkeypatch, before=interrupt)
    with pytest.raises(KeyboardInterrupt):
        replace(tmp_path, waiting, in_place=True)
    os.close(os.open(file, os.O_RDWR | os.O_NONBLOCK))
    assert (signal.getitimer(signal.ITIMER_REAL), file.read_bytes()) == ((0, 0), page())


def test_a_program_that_handles_sigalrm_itself_gets_new_files(tmp_path: Path, file: Path) -> None:
    before = signal.signal(signal.SIGALRM, lambda *_: None)
    try:
        assert not patched(tmp_path, file)
    finally:
        signal.signal(signal.SIGALRM, before)


def test_so_does_one_that_blocks_it(tmp_path: Path, file: Path) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    try:
        assert not patched(tmp_path, file)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})


@pytest.mark.parametrize(("seconds", "in_place"), [("45", True), ("10", True), ("9", False), ("0", True), ("", False)])
def test_a_kernel_that_takes_leases_away_too_soon_gets_new_files(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch, seconds: str, *, in_place: bool
) -> None:
    monkeypatch.setattr(lease, "BREAK_TIME", str(put(tmp_path / "lease-break-time", seconds.encode())))
    assert patched(tmp_path, file) == in_place


def test_the_command_line_sets_sigalrm_to_its_default() -> None:
    """Its parent may ignore or block it, and a child inherits that."""
    code = (
        "import signal, os, sys; signal.signal(signal.SIGALRM, signal.SIG_IGN);"
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM});"
        "os.execv(sys.executable, [sys.executable, '-c', sys.argv[1]])"
    )
    child = (
        "import signal; from syncer.cli.process import prepare; prepare();"
        "print(signal.getsignal(signal.SIGALRM).name, signal.pthread_sigmask(signal.SIG_BLOCK, ()))"
    )
    ran = subprocess.run([sys.executable, "-c", code, child], check=True, capture_output=True, text=True)
    assert ran.stdout == "SIG_DFL set()\n"


# --- what fails -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fails_at", [1, 2])
def test_a_page_whose_write_fails_has_its_old_text(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    text = page().replace(b"likeCount", b"title2: " + b"x" * 600 + b"\nlikeCount").replace(b"517", b"518")
    aged(put(file, text))
    waiting = edits(tmp_path)
    real, calls = os.pwrite, list[int]()

    def pwrite(descriptor: int, new: bytes, at: int) -> int:
        calls.append(at)
        if len(calls) == fails_at:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(descriptor, new[:3] if len(calls) < fails_at else new, at)

    monkeypatch.setattr(os, "pwrite", pwrite)
    assert replace(tmp_path, waiting, in_place=True) == ["unwritable"]
    assert file.read_bytes() == text


@pytest.mark.parametrize("number", [FSYNC_FILES, FSYNC_FILES + 1])
def test_pages_that_cannot_be_made_durable_get_their_old_text_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    files = [aged(put(tmp_path / f"content/{name}.md")) for name in range(number)]
    waiting = edits(tmp_path)

    def fail(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail)
    monkeypatch.setattr("syncer.content.page_file._syncfs", fail)
    assert replace(tmp_path, waiting, in_place=True) == ["unwritable"] * number
    assert {file.read_bytes() for file in files} == {page()}


def test_a_batch_that_is_repeated_is_done_and_nothing_stays_open(tmp_path: Path, file: Path) -> None:
    for name in "bcd":
        aged(put(tmp_path / name / "content.md"))
        aged(put(tmp_path / f"content/{name}/index.md"))
    waiting = edits(tmp_path)
    before = len(os.listdir("/dev/fd"))
    for _ in range(2):
        assert set(replace(tmp_path, waiting, in_place=True)) == {None}
    assert len(os.listdir("/dev/fd")) == before
    assert file.read_bytes() == page(views=NEW)


# --- a whole sync -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("write", "in_place"), [("", True), ("in_place: true", True), ("in_place: false", False)])
def test_the_config_says_whether_pages_are_changed_in_place(
    site: Site, youtube: Simulator, caplog: pytest.LogCaptureFixture, write: str, *, in_place: bool
) -> None:
    caplog.set_level("INFO")
    site.configure(write=write)
    files = {}
    for number, video in enumerate(ids(3)):
        views, likes = counts(youtube, video)
        file = aged(site.put(f"content/{number}.md", crlf(video, views ^ 1, likes ^ 1)))
        files[file] = (file.stat().st_ino, crlf(video, views, likes))

    report = site.sync()

    assert (report.exit, report.changed_pages) == (0, 3)
    assert [file.read_bytes() for file in files] == [new for _, new in files.values()]
    assert [file.stat().st_ino == inode for file, (inode, _) in files.items()] == [in_place] * 3
    assert ("3 pages, 3 of them in place" in caplog.text) == in_place
