"""An editor in a process of its own, who changes the pages of a site all the time and remembers every mark.

Arguments: the content directory, the manner (`in-place` or `anew`), the seconds between two edits. It ends when its
standard input does, and then prints the marks of each page as JSON.
"""

from __future__ import annotations

import json
import select
import sys
from collections import defaultdict
from pathlib import Path
from random import Random


def main() -> None:
    content, manner, pause = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    random, marks = Random(5), defaultdict[str, list[str]](list)
    pages = sorted(content.glob("*.md"))
    number = 0
    sys.stdout.write("editing\n")
    sys.stdout.flush()
    while not select.select([sys.stdin], [], [], pause)[0]:
        number += 1
        page, mark = random.choice(pages), f"mark-{number:07}"
        save(page, marked(page.read_bytes(), mark, front=number % 2 == 0), manner)
        marks[page.name].append(mark)
    sys.stdout.write(json.dumps(marks))


def marked(page: bytes, mark: str, *, front: bool) -> bytes:
    """Leave a mark at the end of the body, or in the front matter, where it moves everything below it."""
    if front:
        return page.replace(b"---\n", f"---\n# {mark}\n".encode(), 1)
    return page + f"{mark}\n".encode()


def save(page: Path, text: bytes, manner: str) -> None:
    """Write the page."""
    if manner == "anew":
        other = page.with_name(f"#{page.name}#")
        other.write_bytes(text)
        other.replace(page)
    else:
        page.write_bytes(text)


if __name__ == "__main__":
    main()
