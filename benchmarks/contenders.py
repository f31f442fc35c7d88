"""What is measured, each in a process of its own: `python -m benchmarks.contenders NAME SITE [ENDPOINT]`.

Prints one line of JSON: seconds of wall and processor time, peak memory, and how many pages were handled.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

READ_SIZE = 1 << 16


@dataclass(slots=True)
class Measured:
    """What one run of a contender took."""

    pages: int = 0
    """Read, or changed by what changes pages: a run that did less than the whole work is no measurement."""
    seconds: float = 0.0
    cpu: float = 0.0
    """Seconds of processor time, of all threads."""
    peak: int = 0
    """Most memory that the process ever held, in bytes: interpreter and libraries included."""


def bare_loop(site: Path, _endpoint: str) -> Measured:
    """Walk and read all pages in the least that Python can do."""
    _read_all(site)  # so that the files are in the page cache
    with _measured() as measured:
        measured.pages = _read_all(site)
    return measured


def our_scan(site: Path, endpoint: str) -> Measured:
    """Walk and read all pages as a sync does, and keep what it keeps."""
    from benchmarks.site import write_config
    from syncer.config.parse import parse_config
    from syncer.content.scan import Candidate, keeping_pages, read_pages, walk

    config = parse_config(write_config(site, endpoint).read_text(encoding="utf-8"), site / "config" / "syncer.yaml")
    collections = [collection.as_model() for collection in config.collections]
    root = os.path.realpath(site)
    _read_all(site)
    with _measured() as measured, keeping_pages():
        candidates = (found for found in walk(root, collections) if isinstance(found, Candidate))
        measured.pages = len(list(read_pages(root, candidates)))
    return measured


def frontmatter_load(site: Path, _endpoint: str) -> Measured:
    """Load all pages with python-frontmatter, and keep them, as its users do."""
    import frontmatter

    _read_all(site)
    with _measured() as measured:
        measured.pages = len([frontmatter.load(path) for path in sorted((site / "content").rglob("*.md"))])
    return measured


def our_sync(site: Path, endpoint: str) -> Measured:
    """Make one whole sync, fresh videos too, by the real client over real HTTP."""
    from benchmarks.site import write_config
    from syncer.config.parse import parse_config
    from syncer.sync.make import make_sync
    from syncer.sync.options import Options, Surroundings

    path = write_config(site, endpoint)
    config = parse_config(path.read_text(encoding="utf-8"), path)
    world = Surroundings(key="benchmark", clock=lambda: datetime.now(UTC), sleep=time.sleep)
    with _measured() as measured:
        report = make_sync(config, Options(everything=True), world)
        measured.pages = report.changed_pages
    if report.exit or report.answered != report.pages:
        raise SystemExit(f"the sync ended with {report.exit}: {report.answered} answers for {report.pages} pages")
    return measured


def user_script(site: Path, endpoint: str) -> Measured:
    """Run the script that a user would write."""
    from benchmarks.script import update

    with _measured() as measured:
        measured.pages = update(site, endpoint)
    return measured


def our_fetch(site: Path, endpoint: str) -> Measured:
    """Ask about as many videos as the site has pages, over eight connections."""
    import googleapiclient.discovery  # noqa: F401 - loaded beforehand, as the least there is has loaded all it needs

    from benchmarks.asking import ask_with_our_client, ids

    videos = ids(_read_all(site))
    with _measured() as measured:
        measured.pages = ask_with_our_client(site, endpoint, videos)
    return measured


def bare_fetch(site: Path, endpoint: str) -> Measured:
    """Ask the same with http.client and json."""
    from benchmarks.asking import ask_with_nothing, ids

    videos = ids(_read_all(site))
    with _measured() as measured:
        measured.pages = ask_with_nothing(endpoint, videos)
    return measured


CONTENDERS: Mapping[str, Callable[[Path, str], Measured]] = {
    contender.__name__: contender
    for contender in (bare_loop, our_scan, frontmatter_load, our_sync, user_script, our_fetch, bare_fetch)
}


@contextmanager
def _measured() -> Iterator[Measured]:
    """Time the block. It sees the same object that is filled in at its end."""
    measured = Measured()
    start, cpu = time.perf_counter(), time.process_time()
    yield measured
    measured.seconds, measured.cpu = time.perf_counter() - start, time.process_time() - cpu
    unit = 1 if sys.platform == "darwin" else 1024
    measured.peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _read_all(site: Path) -> int:
    pages = 0
    pending = [str(site / "content")]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                elif entry.name.endswith(".md"):
                    _read(entry.path)
                    pages += 1
    return pages


def _read(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.fstat(descriptor)
    os.read(descriptor, READ_SIZE)
    os.close(descriptor)


if __name__ == "__main__":
    name, where, *rest = sys.argv[1:]
    print(json.dumps(asdict(CONTENDERS[name](Path(where), rest[0] if rest else "http://127.0.0.1:9/"))))
