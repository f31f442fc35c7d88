"""Kills a process again and again that changes a page in place at full speed, and looks at what is left each time.

Arguments: the page, the first byte of what is changed, the byte after it, the number of kills, at least. It prints how
often the page was old, and new, and neither; that ends it.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

from syncer.content.lease import OpenPage, Patched, patcher

MOST_SECONDS = 0.003
"""After so much time at most the process is killed."""

MORE = 20
"""So many times as many kills there are at most, until the page was old and new: on a busy machine, most come early."""


def main() -> None:
    page, start, stop, kills = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    old = page.read_bytes()
    new = old[:start] + b"2" * (stop - start) + old[stop:]
    seen = [0, 0, 0]
    for number in range(MORE * kills):
        if number >= kills and seen[0] and seen[1]:
            break
        child = os.fork()
        if child == 0:
            write_all_the_time(page, old, new, start, stop)
        time.sleep(random.uniform(0, MOST_SECONDS))  # the moment is what is tried
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        left = page.read_bytes()
        seen[0 if left == old else 1 if left == new else 2] += 1
        page.write_bytes(old)
        if seen[2]:
            break
    sys.stdout.write(" ".join(map(str, seen)))


def write_all_the_time(page: Path, old: bytes, new: bytes, start: int, stop: int) -> None:
    directory = os.open(page.parent, os.O_RDONLY)
    patches = patcher()
    assert patches
    while True:
        for text, other in ((old, new), (new, old)):
            file = os.open(page, os.O_RDWR)
            opened = OpenPage(file, page.name, directory, os.fstat(file))
            assert patches.patch(opened, text, (start, stop, other[start:stop])) is Patched.DONE
            os.close(file)


if __name__ == "__main__":
    main()
