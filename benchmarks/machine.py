"""Names the machine that figures come from."""

from __future__ import annotations

import os
import platform
from pathlib import Path

JOURNALS = Path("/proc/fs/jbd2")
"""Linux lists the journals of mounted ext4 here, by device."""


def machine(directory: Path) -> str:
    """Return processor, cores, memory, system, Python, and the file system that holds `directory`."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB; {platform.system()} {platform.release()};"
        f" {platform.python_implementation()} {platform.python_version()}; {_file_system(directory)}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _file_system(directory: Path) -> str:
    try:
        mounts = [line.split()[:4] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    except FileNotFoundError:
        return "unknown file system"
    parents = {str(path) for path in (directory.resolve(), *directory.resolve().parents)}
    _, device, kind, options = max(
        (point, device, kind, options) for device, point, kind, options in mounts if point in parents
    )
    journal = _journal(directory) if kind == "ext4" else ""
    discard = ", discard" if "discard" in options.split(",") else ""
    return kind + journal + discard + (", loop-mounted" if device.startswith("/dev/loop") else "")


def _journal(directory: Path) -> str:
    """Return whether an ext4 has a journal, where that can be seen."""
    number = directory.stat().st_dev
    name = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve().name
    try:
        found = any(journal.name.rpartition("-")[0] == name for journal in JOURNALS.iterdir())
    except FileNotFoundError:
        return ""
    return " with a journal" if found else " without a journal"
