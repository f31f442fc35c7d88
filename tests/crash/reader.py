"""A generator in a process of its own, which reads all pages of a site all the time.

Argument: the content directory. It ends when its standard input does, and then prints the texts that it saw of each
page as JSON.
"""

from __future__ import annotations

import json
import select
import sys
from collections import defaultdict
from pathlib import Path


def main() -> None:
    pages = sorted(Path(sys.argv[1]).glob("*.md"))
    seen = defaultdict[str, set[str]](set)
    sys.stdout.write("reading\n")
    sys.stdout.flush()
    while not select.select([sys.stdin], [], [], 0)[0]:
        for page in pages:
            seen[page.stem].add(page.read_text(encoding="utf-8"))
    sys.stdout.write(json.dumps({video: sorted(texts) for video, texts in seen.items()}))


if __name__ == "__main__":
    main()
