"""File systems of their own for tests: each in a file, mounted for as long as the test takes."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.waiting import until

SIZES: Mapping[str, int] = {"ext4": 64 << 20, "xfs": 320 << 20, "btrfs": 128 << 20, "tmpfs": 64 << 20}
OPTIONS: Mapping[str, str] = {"ext4": "loop,noauto_da_alloc", "xfs": "loop", "btrfs": "loop"}
"""ext4's own remedy for programs that rename without a sync is off."""


@dataclass(frozen=True)
class Disk:
    """A file system in a file."""

    kind: str
    image: Path
    place: Path

    def mount(self) -> None:
        how = ["-t", self.kind, "-o", OPTIONS[self.kind]]
        subprocess.run(["mount", *how, str(self.image), str(self.place)], check=True)

    def unmount(self) -> None:
        """Unmount it, once the last process that was killed is gone from it.

        Another program may have taken a copy of all mounts (a container, a sandbox): until that ends, to mount the file
        again would give the same file system again, although it was stopped.
        """
        command = ["umount", str(self.place)]
        until(lambda: subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode == 0)
        until(lambda: not self._is_in_use())

    def _is_in_use(self) -> bool:
        devices = Path("/sys/block").glob("loop*/loop/backing_file")
        files = []
        for device in devices:
            with suppress(OSError):  # it is no device any more
                files.append(device.read_text(encoding="utf-8").strip())
        return str(self.image) in files

    def cut_and_mounted_again(self) -> None:
        self.unmount()
        self.mount()

    def flush(self) -> None:
        """What is on it now, the power cut does not touch."""
        subprocess.run(["sync", "--file-system", str(self.place)], check=True)


@contextmanager
def disk(kind: str, room: Path) -> Iterator[Disk]:
    """Give a disk of its own; skip the test where there can be none."""
    if sys.platform != "linux" or os.geteuid() != 0 or (kind != "tmpfs" and shutil.which(f"mkfs.{kind}") is None):
        pytest.skip(f"only root on Linux with mkfs.{kind} can make and mount such a disk")
    made = Disk(kind, room / f"{kind}-image", room / f"{kind}-disk")
    made.place.mkdir()
    with mounted(made):
        yield made


@contextmanager
def mounted(made: Disk) -> Iterator[None]:
    if made.kind == "tmpfs":
        mount(["-t", "tmpfs", "-o", f"size={SIZES['tmpfs']}", "tmpfs"], made.place)
    else:
        with made.image.open("wb") as file:
            file.truncate(SIZES[made.kind])
        subprocess.run([f"mkfs.{made.kind}", "-q", str(made.image)], check=True)
        mount(["-t", made.kind, "-o", OPTIONS[made.kind], str(made.image)], made.place)
    try:
        yield
    finally:
        made.unmount()
        made.image.unlink(missing_ok=True)


@contextmanager
def read_only(place: Path, spare: Path) -> Iterator[None]:
    """Cover a directory by itself, read-only.

    It is made read-only at a spare place first: where files are open for writing, the kernel refuses that (EBUSY).
    """
    spare.mkdir()
    run = partial(subprocess.run, check=True)
    with ExitStack() as stack:
        run(["mount", "--bind", place, spare])
        stack.callback(run, ["umount", "--lazy", spare])
        run(["mount", "-o", "remount,bind,ro", spare])
        run(["mount", "--bind", spare, place])
        stack.callback(run, ["umount", "--lazy", place])
        yield


@contextmanager
def dead(place: Path) -> Iterator[None]:
    """Cover a directory by a file system that never responds, as when its server is gone: whoever looks at it hangs."""
    if sys.platform != "linux" or os.geteuid() != 0 or not os.path.exists("/dev/fuse"):
        pytest.skip("only root on Linux with FUSE can make such a disk")
    descriptor = os.open("/dev/fuse", os.O_RDWR)
    try:
        options = f"fd={descriptor},rootmode=40000,user_id=0,group_id=0".encode()
        if ctypes.CDLL(None).mount(b"dead", os.fsencode(place), b"fuse", 0, options):
            pytest.skip("FUSE cannot be mounted here")
        try:
            yield
        finally:
            os.close(descriptor)  # who hangs gets an error
            descriptor = -1
            subprocess.run(["umount", "--lazy", str(place)], check=True)
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def mount(how: list[str], place: Path) -> None:
    """Mount something, or skip the test where that is impossible."""
    done = subprocess.run(["mount", *how, str(place)], check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"cannot be mounted here: {done.stderr.strip()}")
