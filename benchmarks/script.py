"""The script that a user would write, and what syncer is measured against: short, and neither careful nor durable.

It holds every page in memory, trusts every response, and writes each page over the old one.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import frontmatter
from googleapiclient.discovery import build

BATCH = 50


def update(site: Path, endpoint: str, connections: int = 1) -> int:
    """Bring all pages of the site up to date; return how many changed."""
    local = threading.local()

    def connect() -> None:
        local.youtube = build("youtube", "v3", developerKey="benchmark", client_options={"api_endpoint": endpoint})

    def ask(ids: Sequence[str]) -> Any:
        return local.youtube.videos().list(part="statistics", id=",".join(ids)).execute()["items"]

    posts = {path: frontmatter.load(path) for path in sorted((site / "content").rglob("*.md"))}
    ids = [str(post["vid_id"]) for post in posts.values()]
    batches = [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]
    with ThreadPoolExecutor(connections, initializer=connect) as pool:
        statistics = {item["id"]: item["statistics"] for items in pool.map(ask, batches) for item in items}
    changed = 0
    for path, post in posts.items():
        counts = statistics.get(str(post["vid_id"]))
        if counts and (post["viewcount"], post["likeCount"]) != (counts["viewCount"], counts["likeCount"]):
            post["viewcount"], post["likeCount"] = counts["viewCount"], counts["likeCount"]
            path.write_text(frontmatter.dumps(post), encoding="utf-8")
            changed += 1
    return changed


if __name__ == "__main__":
    update(Path(sys.argv[1]), sys.argv[2])
