"""Names the machine that figures come from."""

from __future__ import annotations

import os
import platform
from pathlib import Path


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
        mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    except FileNotFoundError:
        return "unknown file system"
    parents = {str(path) for path in (directory.resolve(), *directory.resolve().parents)}
    return max((point, kind) for point, kind in mounts if point in parents)[1]
