"""A canary for kernels: on every file system that is trusted, a write lease sees whoever has the file open or mapped.

If a kernel grants a lease beside a program that has the page open, patching in place is not safe there.
"""

from __future__ import annotations

import array
import ctypes
import fcntl
import mmap
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from syncer.content import lease
from tests.disks import disk

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has leases")

PIECE = 4096
Holder = Callable[[ExitStack, Path], None]


@pytest.fixture(scope="module", params=["here", *sorted(kind.lower() for kind in lease.TRUSTED.values())])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory on each of these file systems, and on whatever the tests' own directories are, where none is made."""
    room = tmp_path_factory.mktemp("grants")
    if request.param == "here":
        descriptor = os.open(room, os.O_RDONLY)
        is_trusted = lease.is_trusted(descriptor)
        os.close(descriptor)
        if not is_trusted:
            pytest.skip("no file system with leases that are trusted")
        yield room
        return
    with disk(request.param, room) as made:
        yield made.place


@pytest.fixture
def file(place: Path) -> Iterator[Path]:
    file = place / "page"
    file.write_bytes(bytes(PIECE))
    yield file
    for path in (file, place / "other"):
        path.unlink(missing_ok=True)


def is_granted(file: Path, stack: ExitStack) -> bool:
    """Whether the kernel grants a write lease on a file that we open for it."""
    ours = os.open(file, os.O_RDWR)
    stack.callback(os.close, ours)
    return lease_granted(ours)


def lease_granted(ours: int) -> bool:
    fcntl.fcntl(ours, fcntl.F_SETSIG, lease.LEASE_SIGNAL)
    try:
        fcntl.fcntl(ours, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except BlockingIOError:
        return False
    fcntl.fcntl(ours, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return True


def opened(flags: int) -> Holder:
    def hold(stack: ExitStack, file: Path) -> None:
        stack.callback(os.close, os.open(file, flags))

    return hold


def mapped(protection: int, kind: int, flags: int) -> Holder:
    """Map the file, and close what it was mapped from: Python's own maps keep that open."""

    def hold(stack: ExitStack, file: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
        libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        descriptor = os.open(file, flags)
        address = libc.mmap(None, PIECE, protection, kind, descriptor, 0)
        os.close(descriptor)
        assert address not in {None, ctypes.c_void_p(-1).value}
        stack.callback(libc.munmap, address, PIECE)

    return hold


def in_flight(stack: ExitStack, file: Path) -> None:
    """A descriptor that was sent to a program which has not taken it yet."""
    one, other = socket.socketpair()
    stack.enter_context(one)
    stack.enter_context(other)
    descriptor = os.open(file, os.O_RDONLY)
    one.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))])
    os.close(descriptor)


def by_another_name(stack: ExitStack, file: Path) -> None:
    os.link(file, file.with_name("other"))
    stack.callback(os.close, os.open(file.with_name("other"), os.O_RDONLY))


def in_another_process(stack: ExitStack, file: Path) -> None:
    command = [sys.executable, "-c", "import sys; f = open(sys.argv[1], 'rb'); print(flush=True); sys.stdin.read()"]
    child = stack.enter_context(
        subprocess.Popen([*command, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    )
    assert child.stdout
    assert child.stdout.readline() == b"\n"


HOLDERS = {
    "has it open for reading": opened(os.O_RDONLY),
    "has it open for writing": opened(os.O_WRONLY),
    "has it open for reading and writing": opened(os.O_RDWR),
    "has it open for appending": opened(os.O_WRONLY | os.O_APPEND),
    "has it mapped for reading": mapped(mmap.PROT_READ, mmap.MAP_SHARED, os.O_RDONLY),
    "has it mapped for writing": mapped(mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED, os.O_RDWR),
    "has it mapped privately": mapped(mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE, os.O_RDONLY),
    "is being sent a descriptor of it": in_flight,
    "has it open by another name": by_another_name,
    "has it open, another process": in_another_process,
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_no_lease_is_granted_beside_one_who_has_the_file(place: Path, file: Path, holder: str) -> None:
    with ExitStack() as stack:
        HOLDERS[holder](stack, file)
        assert not is_granted(file, stack), (
            f"Linux {platform.release()} grants a write lease on {place.name} although a program {holder}: "
            "no page can be patched in place there, so take the file system out of TRUSTED in syncer/content/lease.py"
        )
    with ExitStack() as stack:
        assert is_granted(file, stack), f"Linux {platform.release()}: refused on {place.name} when nobody has the file"


def nobody(_stack: ExitStack, _file: Path) -> None:
    """Nobody has it."""


def watched(stack: ExitStack, file: Path) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    stack.callback(os.close, descriptor)
    for path in (file, file.parent):
        assert libc.inotify_add_watch(descriptor, os.fsencode(path), 0xFFF) >= 0


def locked_before(_: ExitStack, file: Path) -> None:
    with file.open("r+b") as locked:
        fcntl.flock(locked, fcntl.LOCK_EX)


HARMLESS = {
    "nobody has it": nobody,
    "it is known by name only (O_PATH)": opened(os.O_PATH) if sys.platform == "linux" else nobody,
    "it is watched": watched,
    "its directory is open": lambda stack, file: opened(os.O_RDONLY)(stack, file.parent),
    "one who locked it has closed it": locked_before,
}


@pytest.mark.parametrize("why", HARMLESS)
def test_a_lease_is_granted_where_nobody_has_the_file(place: Path, file: Path, why: str) -> None:
    with ExitStack() as stack:
        HARMLESS[why](stack, file)
        assert is_granted(file, stack), (
            f"Linux {platform.release()} refuses a write lease on {place.name} although {why}: every page is swapped"
        )


def test_a_copy_of_our_descriptor_is_the_same_open_file(file: Path) -> None:
    ours = os.open(file, os.O_RDWR)
    copy = os.dup(ours)
    assert lease_granted(ours)
    os.close(copy)
    os.close(ours)


def test_what_is_opened_by_name_only_waits_when_it_is_opened(file: Path) -> None:
    """A program that has the name cannot read past a lease."""
    name, ours = os.open(file, os.O_PATH), os.open(file, os.O_RDWR)
    fcntl.fcntl(ours, fcntl.F_SETSIG, lease.LEASE_SIGNAL)
    fcntl.fcntl(ours, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    with pytest.raises(BlockingIOError):
        os.open(f"/proc/self/fd/{name}", os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(ours, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    os.close(ours)
    os.close(name)
