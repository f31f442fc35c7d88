"""One writer at a time for each state directory, whatever becomes of the writers."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from syncer.errors import Locked, StateError, Stopped
from syncer.state.lock import POLL_SECONDS, DaemonAddress, DaemonLock, daemon_address, hold_lock
from tests.places import everybodys_directory, fill, run_python, small_disk

HOLDER = """
import sys
from pathlib import Path
from syncer.state.lock import hold_lock
with hold_lock(Path(sys.argv[1]), timeout=0, sleep=None):
    print("held", flush=True)
    sys.stdin.read()
"""

COUNTER = """
import sys
from pathlib import Path
from time import sleep
from syncer.state.lock import hold_lock
total = Path(sys.argv[1]).with_name("total")
for _ in range(25):
    with hold_lock(Path(sys.argv[1]), timeout=60, sleep=lambda seconds: sleep(seconds / 100)):
        total.write_text(str(int(total.read_text()) + 1))
"""


@contextmanager
def another_writer(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that holds the lock until its input ends."""
    command = [sys.executable, "-c", HOLDER, str(directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def try_lock(directory: Path, timeout: float = 0) -> list[float]:
    waits: list[float] = []
    with hold_lock(directory, timeout=timeout, sleep=waits.append):
        return waits


def test_the_error_of_a_second_writer_names_the_first_one(tmp_path: Path) -> None:
    with another_writer(tmp_path) as first, pytest.raises(Locked, match=f"process {first.pid}\\)"):
        try_lock(tmp_path)
    assert Locked.exit_code == 4


def test_nothing_of_an_earlier_holder_is_taken_for_the_present_one(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("99999999999999\nrest")

    with hold_lock(tmp_path, timeout=0, sleep=lambda _: None):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_a_second_writer_waits_until_its_timeout(tmp_path: Path) -> None:
    waits: list[float] = []
    with another_writer(tmp_path), pytest.raises(Locked), hold_lock(tmp_path, timeout=60, sleep=waits.append):
        pass
    assert sum(waits) == pytest.approx(60, abs=2 * POLL_SECONDS)


def test_a_second_writer_that_is_stopped_stops_waiting(tmp_path: Path) -> None:
    waits: list[float] = []

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) == 3

    with another_writer(tmp_path), pytest.raises(Stopped) as stopped, hold_lock(tmp_path, timeout=60, sleep=wait):
        pass
    assert (len(waits), stopped.value.exit_code) == (3, 130)


def test_a_second_writer_continues_when_the_first_has_finished(tmp_path: Path) -> None:
    with another_writer(tmp_path) as first:
        waits: list[float] = []

        def wait(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 3:
                first.communicate()

        with hold_lock(tmp_path, timeout=60, sleep=wait):
            assert len(waits) == 3


def test_a_killed_writer_leaves_the_lock_free(tmp_path: Path) -> None:
    with another_writer(tmp_path) as first:
        first.send_signal(signal.SIGKILL)
        first.wait()
        assert try_lock(tmp_path) == []


def test_many_writers_take_turns(tmp_path: Path) -> None:
    (tmp_path / "total").write_text("0")
    command = [sys.executable, "-c", COUNTER, str(tmp_path / ".syncer")]
    writers = [subprocess.Popen(command) for _ in range(4)]

    assert [writer.wait(timeout=60) for writer in writers] == [0] * 4
    assert (tmp_path / "total").read_text() == "100"


def test_the_lock_is_free_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), hold_lock(tmp_path, timeout=0, sleep=lambda _: None):
        raise ZeroDivisionError
    assert try_lock(tmp_path) == []


def test_two_holders_in_one_process_exclude_each_other(tmp_path: Path) -> None:
    with hold_lock(tmp_path, timeout=0, sleep=lambda _: None), pytest.raises(Locked, match=f"process {os.getpid()}"):
        try_lock(tmp_path)


def test_two_state_directories_know_nothing_of_each_other(tmp_path: Path) -> None:
    with another_writer(tmp_path / "one"):
        assert try_lock(tmp_path / "two") == []


def test_a_child_process_does_not_inherit_the_lock(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print(flush=True); import sys; sys.stdin.read()"]
    with hold_lock(tmp_path, timeout=0, sleep=lambda _: None):
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False)
    with child:
        assert child.stdout is not None
        child.stdout.readline()  # it runs: what it was not to inherit is closed
        assert try_lock(tmp_path) == []
        child.kill()


def test_the_directory_is_made_and_kept_out_of_commits(tmp_path: Path) -> None:
    try_lock(tmp_path / ".syncer")

    assert (tmp_path / ".syncer/.gitignore").read_text() == "*\n"


def test_a_gitignore_that_was_edited_is_kept(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("!diff.jsonl\n")

    try_lock(tmp_path)

    assert (tmp_path / ".gitignore").read_text() == "!diff.jsonl\n"


def test_a_directory_that_cannot_be_created_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StateError, match=f"{tmp_path}/file is not a directory; move it away"):
        try_lock(tmp_path / "file")
    with pytest.raises(StateError, match=f"Cannot write to {tmp_path}/file/below: Not a directory; check its perm"):
        try_lock(tmp_path / "file/below")


def test_a_directory_that_may_not_be_written_is_an_error_that_names_it() -> None:
    with everybodys_directory() as directory:
        directory.chmod(0o555)
        code = (
            "import sys\nfrom pathlib import Path\nfrom syncer.errors import StateError\n"
            "from syncer.state.lock import hold_lock\nfrom tests.places import drop_powers\ndrop_powers()\n"
            "try:\n    with hold_lock(Path(sys.argv[1], '.syncer'), timeout=0, sleep=None): print('held')\n"
            "except StateError as error: print(error)"
        )
        printed = run_python(code, directory)
        directory.chmod(0o755)

    assert printed.startswith(f"Cannot write to {directory}/.syncer: Permission denied; check its permissions")


UNMOUNTED = """
import os, sys
from pathlib import Path
from syncer.errors import StateError
from syncer.state.lock import DaemonLock
lock = DaemonLock(Path(sys.argv[1]))
lock.keep()
assert os.system(f"umount -l {sys.argv[1]}") == 0
try:
    lock.keep()
except StateError as error:
    print(error)
"""
"""Run in a name space of its own, where a disk may be mounted and taken away."""


def test_a_state_whose_disk_was_taken_away_is_an_error_and_no_new_state(tmp_path: Path) -> None:
    script = 'mount -t tmpfs none "$1" && exec "$2" -c "$3" "$1"'
    command = ["unshare", "-m", "sh", "-c", script, "sh", str(tmp_path), sys.executable, UNMOUNTED]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("needs unshare")
    if "Operation not permitted" in ran.stderr or "permission denied" in ran.stderr:
        pytest.skip("needs the right to mount")
    assert "is no longer on the disk where the daemon started" in ran.stdout, ran.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("prefix", ["", "/sites/caf%C3%A9"])
def test_the_address_of_a_daemon_is_its_socket_and_the_prefix_of_the_site_and_survives_a_removed_state(
    tmp_path: Path, prefix: str
) -> None:
    state, named = tmp_path / "state", tmp_path / "s"
    with closing(DaemonLock(state)) as lock, socket.socket(socket.AF_UNIX) as made:
        made.bind(str(named))
        lock.name_socket(named, prefix)
        written = (state / "daemon.address").read_bytes()
        assert daemon_address(state) == DaemonAddress(named, prefix)
        shutil.rmtree(state)
        lock.keep()
        assert daemon_address(state) == DaemonAddress(named, prefix)
    assert written == os.fsencode(named) + (b"\0" + prefix.encode() if prefix else b"")


def test_a_daemon_that_could_not_start_on_a_full_disk_holds_no_lock_and_starts_once_there_is_room(
    tmp_path: Path,
) -> None:
    """The process that failed to note its number kept the lock, and took itself for another daemon."""
    with small_disk(tmp_path / "disk", 100) as disk:
        state, named = disk / "state", tmp_path / "s"
        DaemonLock(state).close()
        os.truncate(state / "daemon.lock", 0)
        filler = fill(disk)
        with pytest.raises(StateError, match="No space left"):
            DaemonLock(state)
        filler.unlink()
        with closing(DaemonLock(state)) as lock, socket.socket(socket.AF_UNIX) as made:
            made.bind(str(named))
            filler = fill(disk)
            with pytest.raises(StateError, match="No space left"):
                lock.name_socket(named)
            filler.unlink()
            lock.keep()
            assert daemon_address(state) == DaemonAddress(named)


def test_a_link_that_a_killed_daemon_left_and_that_leads_to_our_socket_through_another_sites_link_is_replaced(
    tmp_path: Path,
) -> None:
    named, once_first, link = tmp_path / "s", tmp_path / "b", tmp_path / "c"
    link.symlink_to(once_first)  # the socket of the daemon that was killed was the one of b
    once_first.symlink_to(named)  # which is a link by now
    with closing(DaemonLock(tmp_path / "state")) as lock, socket.socket(socket.AF_UNIX) as made:
        made.bind(str(named))
        made.listen()
        lock.name_socket(named, "/sites/c", link)
        assert link.readlink() == named
        foreign = tmp_path / "d"
        foreign.symlink_to(tmp_path / "other")
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(tmp_path / "other"))
            other.listen()
            with pytest.raises(StateError, match="another daemon's socket"):
                lock.name_socket(named, "/sites/d", foreign)


def test_a_released_lock_is_free_also_while_a_program_that_is_being_started_has_a_copy_of_it(tmp_path: Path) -> None:
    """Between fork and exec: then a site whose config was renamed met the lock of its own daemon."""
    lock = DaemonLock(tmp_path / "state")
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    try:
        lock.close()
        DaemonLock(tmp_path / "state").close()
    finally:
        os.close(writer)
        os.close(reader)
        os.waitpid(child, 0)
