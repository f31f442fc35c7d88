"""Builds sites for the tests that go end to end: pages in several forms, a config, ids, and what a command did."""

from __future__ import annotations

import json
import logging
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from syncer.config.parse import parse_config
from syncer.review.put_back import SkippedCount
from syncer.review.undo import undo
from syncer.simulator.server import Simulator
from syncer.simulator.world import Video, VideoState, World
from syncer.status.report import SyncReport
from syncer.sync.make import make_sync
from syncer.sync.options import NO_LISTENER, Environment, Listener, Options

KEY = "s3cret-key-of-the-tests-Zq81xWm4"
"""The simulator takes any key; this one is looked for wherever it must not be."""

NOON = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
"""Noon in California, where quota days begin at midnight."""

COLLECTIONS = """\
  - directory: content
    exclude: ["/lists/"]
    fields:
      video_id: vid_id
      counts: {viewCount: viewcount, likeCount: likeCount}
  - directory: content/lists
    fields:
      video_id: "videos[].id"
      counts: {viewCount: viewcount, likeCount: likeCount}
"""

DATED_COLLECTIONS = COLLECTIONS.replace("likeCount}\n", "likeCount}\n      checked_at: viewsUpdated\n", 1)
"""The same, with a date beside the counts of pages that have its key; no page with a list has one."""

QUICK = "timeout: 5s, retry: {attempts: 1, longest_wait: 1s, deadline: 5s}"
"""One try: a test of a failure need not wait for the second."""

Form = Callable[[str, int | str, int | str], bytes]
"""A page of one video with these counts: called twice, it gives the page before a sync and the one after it."""


@dataclass(frozen=True)
class Ran:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:  # JSON as it comes
        return json.loads(self.out)


Run = Callable[..., Ran]


@contextmanager
def kept_log() -> Iterator[None]:
    """Leave the log as it was before the block, in which the command line starts one of its own in this process."""
    root = logging.getLogger()
    loggers = [root, *(logging.getLogger(name) for name in ("syncer", "syncer.daemon", "syncer.deploy"))]
    handlers, levels = root.handlers[:], [each.level for each in loggers]
    try:
        yield
    finally:
        root.handlers[:] = handlers
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)


@dataclass(frozen=True)
class Site:
    """A site on disk, whose config names a simulator."""

    root: Path
    url: str

    @property
    def config(self) -> Path:
        return self.root / "config" / "syncer.yaml"

    @property
    def state(self) -> Path:
        return self.root / ".syncer"

    def configure(self, *, collections: str = COLLECTIONS, youtube: str = QUICK, **sections: str) -> None:
        """Writes the config; each section in YAML's flow form, without the braces."""
        # a free port: tests run side by side; and only the tests about it ask whether videos play
        sections = {"status_page": "listen: '127.0.0.1:0'", "availability": "every: null", **sections}
        lines = [f"{name}: {{{text}}}" for name, text in sections.items()]
        text = "\n".join([f"collections:\n{collections}", f"youtube: {{endpoint: '{self.url}', {youtube}}}", *lines])
        self.config.parent.mkdir(parents=True, exist_ok=True)
        self.config.write_text(f"{text}\n", encoding="utf-8")

    def put(self, path: str, page: bytes) -> Path:
        """Writes a page; the path is seen from the site's root."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(page)
        return file

    def log_lines(self) -> list[dict[str, Any]]:
        """The diff log as it stands on disk."""
        log = self.state / "diff.jsonl"
        return [json.loads(line) for line in log.read_bytes().splitlines()] if log.exists() else []

    def sync(
        self,
        at: datetime = NOON,
        options: Options | None = None,
        key: str = KEY,
        sleep: Callable[[float], object] | None = None,
    ) -> SyncReport:
        """Makes a sync at a time of one's own."""
        config = parse_config(self.config.read_text(encoding="utf-8"), self.config)
        return make_sync(config, options or Options(), Environment(key=key, clock=lambda: at, sleep=sleep or _never))

    def undo(self, name: str, at: datetime = NOON, listener: Listener = NO_LISTENER, **environment: Any) -> SyncReport:
        """Undoes a sync at a time of one's own."""
        return self.undo_and_list(name, at, listener, **environment)[0]

    def undo_and_list(
        self,
        name: str,
        at: datetime = NOON,
        listener: Listener = NO_LISTENER,
        limit: int = 1000,
        **environment: Any,
    ) -> tuple[SyncReport, Sequence[SkippedCount]]:
        """Undoes a sync at a time of one's own; returns the report and the first counts that were left."""
        config = parse_config(self.config.read_text(encoding="utf-8"), self.config)
        environment = {"key": "", "clock": lambda: at, "sleep": _never, **environment}
        return undo(config, name, Environment(**environment), listener, limit)


def crlf(video: str, views: int | str, likes: int | str) -> bytes:
    """The form that this program was made for."""
    return (
        '---\r\ntitle: "Caf\u00e9: a \\"tour\\""\r\nimage: "https:\\/\\/i.ytimg.com\\/vi\\/' + video + '\\/hq.jpg"\r\n'
        f'vid_id: "{video}"\r\ntags: ["salt","bread"]\r\nduration: "PT5M23S"\r\nviewcount: "{views}"\r\n'
        f'likeCount: "{likes}"\r\ndislikeCount: ""\r\n---\r\n'
        '{% raw %}Body, viewcount: "1"<br />\r\n---\r\nend{% endraw %}'
    ).encode()


def plain(video: str, views: int | str, likes: int | str) -> bytes:
    """Plain integers, comments, another order, and a key in quotes."""
    return (
        f"---\nlikeCount:   {likes}   # by hand\n\n'viewcount': {views}\nvid_id: https://youtu.be/{video}?t=3\n...\n\n"
        "viewcount: 7\n"
    ).encode()


def toml(video: str, views: int | str, likes: int | str) -> bytes:
    return f"+++\nvid_id = '{video}'\nviewcount = {views} # so far\nlikeCount = \"{likes}\"\n+++\r\nBody.\n".encode()


def hugo_json(video: str, views: int | str, likes: int | str) -> bytes:
    return (
        f'{{\n\t"vid_id": "https:\\/\\/www.youtube.com\\/watch?v={video}",\n'
        f'\t"viewcount":{views},"likeCount" : "{likes}"\n}}\nBody\n'
    ).encode()


def bom(video: str, views: int | str, likes: int | str) -> bytes:
    """A byte order mark, a body that is not UTF-8, and no newline at the end."""
    return f"\ufeff---\nvid_id: {video}\nviewcount: '{views}'\nlikeCount: '{likes}'\n---\n".encode() + b"\xff\xfe body"


def with_date(page: bytes, date: str) -> bytes:
    """A page of one of the forms, with a date for `DATED_COLLECTIONS` above its ID."""
    if page.startswith(b"{"):
        return page.replace(b'"vid_id"', b'"viewsUpdated": "%b", "vid_id"' % date.encode(), 1)
    end = b"\r\n" if b"\r\nvid_id" in page else b"\n"
    mark = b" =" if page.startswith(b"+++") else b":"
    return page.replace(b"vid_id", b"viewsUpdated%b %b%bvid_id" % (mark, date.encode(), end), 1)


def pair(first: tuple[str, int, int], second: tuple[str, int, int]) -> bytes:
    """A list of two videos."""
    items = "".join(
        f'  - id: "{video}"\n    viewcount: {views}\n    likeCount: {likes}\n'
        for video, views, likes in (first, second)
    )
    return f"---\ntitle: Two\nvideos:\n{items}---\n".encode()


FORMS: Sequence[Form] = (crlf, plain, toml, hugo_json, bom)


def ids(number: int, seed: int = 1) -> list[str]:
    """Ids that YouTube can have given out."""
    random = Random(seed)
    return [urlsafe_b64encode(random.randbytes(8)).decode().rstrip("=") for _ in range(number)]


def counts(youtube: Simulator, video: str) -> tuple[int, int]:
    """Views and likes as the simulator says them now."""
    given = youtube.world.statistics(video, youtube.clock.now())
    assert given is not None
    return given["viewCount"], given["likeCount"]


def world_with(states: Mapping[str, VideoState]) -> World:
    """A world in which these videos are in another state than public."""
    return World(videos={video: Video(state) for video, state in states.items()})


def tree(root: Path) -> Mapping[str, tuple[bytes | None, int, int]]:
    """Everything below a directory: content, mode, and time of the last change."""
    found: dict[str, tuple[bytes | None, int, int]] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() else None
        found[path.relative_to(root).as_posix()] = content, status.st_mode, status.st_mtime_ns
    return found


def _never(seconds: float) -> None:
    raise AssertionError(f"a sync that should not wait wanted to wait {seconds} seconds")
