"""An editor in a process of its own, who changes the pages of a site all the time and remembers every mark.

Arguments: the content directory, the manner (a key of `MANNERS`), the seconds between two edits. It ends when its
standard input does, and then prints the marks of each page as JSON.
"""

from __future__ import annotations

import json
import mmap
import os
import select
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from random import Random

HELD_SECONDS = 0.003
"""How long at most a page is held open."""

random = Random(5)


def main() -> None:
    content, manner, pause = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    save, marks = MANNERS[manner], defaultdict[str, list[str]](list)
    pages = sorted(content.glob("*.md"))
    number = 0
    sys.stdout.write("editing\n")
    sys.stdout.flush()
    while not select.select([sys.stdin], [], [], pause)[0]:
        number += 1
        page, mark = random.choice(pages), f"mark-{number:07}"
        save(page, mark, number % 2 == 0)
        if manner == "mapped":
            marks[page.name].clear()
        marks[page.name].append(mark)
    sys.stdout.write(json.dumps(marks))


def marked(page: bytes, mark: str, *, front: bool) -> bytes:
    """Leave a mark at the end of the body, or in the front matter, where it moves everything below it."""
    if front:
        return page.replace(b"---\n", f"---\n# {mark}\n".encode(), 1)
    return page + f"{mark}\n".encode()


def in_place(page: Path, mark: str, front: bool) -> None:
    page.write_bytes(marked(page.read_bytes(), mark, front=front))


def anew(page: Path, mark: str, front: bool) -> None:
    other = page.with_name(f"#{page.name}#")
    other.write_bytes(marked(page.read_bytes(), mark, front=front))
    other.replace(page)


def append(page: Path, mark: str, _front: bool) -> None:
    with page.open("ab", 0) as file:
        file.write(f"{mark}\n".encode())


def held(page: Path, mark: str, front: bool) -> None:
    """Have it open for a while before and after it is read, and write all of it."""
    with page.open("r+b", 0) as file:
        time.sleep(random.uniform(0, HELD_SECONDS))  # how long is what is tried
        text = file.readall()
        time.sleep(random.uniform(0, HELD_SECONDS))
        os.pwrite(file.fileno(), marked(text, mark, front=front), 0)


def mapped(page: Path, mark: str, _front: bool) -> None:
    """Write over the first mark, which the page must have, through a map."""
    with page.open("r+b") as file, mmap.mmap(file.fileno(), 0) as text:
        at = text.find(b"mark-")
        time.sleep(random.uniform(0, HELD_SECONDS))
        text[at : at + len(mark)] = mark.encode()


MANNERS: dict[str, Callable[[Path, str, bool], None]] = {
    "in-place": in_place,
    "anew": anew,
    "append": append,
    "held": held,
    "mapped": mapped,
}

if __name__ == "__main__":
    main()
