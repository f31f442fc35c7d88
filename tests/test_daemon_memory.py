"""Memory that a sync has freed is returned to the system."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

TAKEN = 50
"""Megabytes."""

IN_A_PROCESS = """
import os
import sys
import threading

from syncer.daemon.memory import give_back, share_one_arena


class Circle:
    pass


def megabytes():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20


def take():
    circle = Circle()
    circle.itself = circle
    circle.pieces = [bytes(50_000) for _ in range(TAKEN * 20)]
    last.append(bytes(50_000))  # above them: glibc gives back the end of its heap by itself
    print(megabytes() - before)


last = []
share_one_arena()
before = megabytes()
thread = threading.Thread(target=take)
thread.start()
thread.join()
give_back()
print(megabytes() - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="only glibc can give memory back")
def test_memory_that_is_free_goes_back_to_the_system_also_what_hangs_together_in_a_circle() -> None:
    taken, kept = map(int, _printed(IN_A_PROCESS.replace("TAKEN", str(TAKEN))).split())
    assert taken > TAKEN / 2, "or there is nothing to give back"
    assert kept < TAKEN / 5


def _printed(code: str) -> str:
    """What a Python of its own prints, which has loaded nothing before."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=True).stdout
