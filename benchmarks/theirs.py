"""What syncer is measured against: the least that Python can do, python-frontmatter, and the user's script."""

from __future__ import annotations

import ctypes
import gzip
import http.client
import json
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode, urlsplit

from benchmarks.measured import Measured, Task, measuring
from benchmarks.pages import READ_SIZE, page_paths, read_all, settle
from benchmarks.site import true_counts, up_to_date, video_ids
from syncer.model import BATCH_SIZE

RENAMED_AT_ONCE = 5000
"""Pages that the bare rewrite makes durable with one syncfs."""

HEADERS = {"x-goog-api-key": "benchmark", "accept-encoding": "gzip", "user-agent": "benchmark (gzip)"}


def bare_loop(task: Task) -> Measured:
    """Walk and read all pages in the least that Python can do."""
    settle(task)
    with measuring() as measured:
        measured.pages = read_all(task.root)
    return measured


def frontmatter_load(task: Task) -> Measured:
    """Load all pages with python-frontmatter, and keep them, as its users do."""
    import frontmatter

    settle(task)
    with measuring() as measured:
        measured.pages = len([frontmatter.load(path) for path in page_paths(task.root)])
    return measured


def bare_rewrite(task: Task) -> Measured:
    """Put a new file with the same bytes in each page's place, in the least that keeps each whole in a power cut."""
    paths = [str(path) for path in page_paths(task.root)]
    settle(task)
    with measuring() as measured:
        for start in range(0, len(paths), RENAMED_AT_ONCE):
            batch = paths[start : start + RENAMED_AT_ONCE]
            temporaries = [_write_beside(path, number) for number, path in enumerate(batch)]
            _sync_file_system(task.site)
            for temporary, path in zip(temporaries, batch, strict=True):
                os.rename(temporary, path)
        _sync_file_system(task.site)
        measured.pages = len(paths)
    return measured


def overwrite(task: Task) -> Measured:
    """Read each page, and write the same bytes over it: nothing is durable, and a reader can see half a page."""
    paths = [str(path) for path in page_paths(task.root)]
    settle(task)
    with measuring() as measured:
        for path in paths:
            page = _read(path)
            descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC)
            os.write(descriptor, page)
            os.close(descriptor)
        measured.pages = len(paths)
    return measured


def frontmatter_rewrite(task: Task) -> Measured:
    """Load each page with python-frontmatter, set its counts, and dump it over the old one."""
    import frontmatter

    true, paths = true_counts(task.root), page_paths(task.root)
    settle(task)
    with measuring() as measured:
        for path in paths:
            post = frontmatter.load(path)
            counts = true[str(post["vid_id"])]
            post["viewcount"], post["likeCount"] = str(counts["viewCount"]), str(counts["likeCount"])
            path.write_text(frontmatter.dumps(post), encoding="utf-8")
    measured.pages = up_to_date(task.root)
    return measured


def user_script(task: Task) -> Measured:
    """Run the script that a user would write."""
    from benchmarks.script import update

    with measuring() as measured:
        changed = update(task.root, task.endpoint, task.connections)
    measured.pages = min(changed, up_to_date(task.root))
    return measured


def bare_fetch(task: Task) -> Measured:
    """Ask with http.client, gzip and json: no retry, no ledger, nothing checked."""
    videos = video_ids(task.pages)
    local = threading.local()

    def ask(batch: Sequence[str]) -> int:
        if not hasattr(local, "connection"):
            local.connection = http.client.HTTPConnection(urlsplit(task.endpoint).netloc)
        query = urlencode({"part": "statistics", "id": ",".join(batch), "prettyPrint": "false"})
        local.connection.request("GET", f"/youtube/v3/videos:batchGetStats?{query}", headers=HEADERS)
        answer = json.loads(gzip.decompress(local.connection.getresponse().read()))
        return len([int(item["statistics"]["viewCount"]) for item in answer["items"]])

    with measuring() as measured, ThreadPoolExecutor(task.connections) as pool:
        batches = [videos[start : start + BATCH_SIZE] for start in range(0, len(videos), BATCH_SIZE)]
        measured.pages = sum(pool.map(ask, batches))
    return measured


def _write_beside(path: str, number: int) -> str:
    temporary = f"{os.path.dirname(path)}/.bare-{number:08x}~"
    page = _read(path)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    os.write(descriptor, page)
    os.close(descriptor)
    return temporary


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY)
    page = os.read(descriptor, READ_SIZE)
    os.close(descriptor)
    return page


def _sync_file_system(site: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "syncfs"):
        os.sync()
        return
    descriptor = os.open(site, os.O_RDONLY)
    if libc.syncfs(descriptor) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), site)
    os.close(descriptor)
