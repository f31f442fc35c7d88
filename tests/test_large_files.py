"""A file with many videos is read, judged and written in parts: each count once, and an edit in between wins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from syncer.config.parse import parse_config
from syncer.content import replace
from syncer.control import Stage
from syncer.decide import plan
from syncer.front_matter import data, json_pieces, packed_slots
from syncer.model import Change, ProblemKind
from syncer.simulator.server import Simulator
from syncer.status.report import SyncReport
from syncer.sync import write
from syncer.sync.make import make_sync
from syncer.sync.options import Environment, Listener, Options
from tests.site import KEY, NOON, Site, counts, crlf, ids

VIDEOS = ids(130, seed=17)
"""Four batches of two parts, the last one together with a page."""

COLLECTIONS = """\
  - directory: _data
    include: ["/library.*"]
    fields: {video_id: "ID", counts: {viewCount: views, likeCount: likes}}
  - directory: content
    fields: {video_id: vid_id, counts: {viewCount: viewcount, likeCount: likeCount}}
"""


@dataclass(frozen=True)
class Large:
    """A site with a file of many videos, and a page with one of them."""

    site: Site
    path: str
    collections: str
    form: str
    """Of a line of the file."""

    @property
    def file(self) -> Path:
        return self.site.root / self.path

    def line(self, video: str, views: int, likes: int) -> str:
        return self.form.format(video, views, likes)

    def library(self, shown: Callable[[str], tuple[int, int]]) -> bytes:
        """The file of all videos with these counts."""
        lines = [self.line(video, *shown(video)) for video in VIDEOS]
        if self.path.endswith(".json"):
            joined = ",\n".join(lines)
            return f"[\n{joined}\n]\n".encode()
        return "\n".join(["id,views,likes", *lines, ""]).encode()

    def lines(self) -> list[str]:
        """The lines of the file as it is, without commas at the end."""
        return [line.rstrip(",") for line in self.file.read_text(encoding="utf-8").splitlines()[1:][: len(VIDEOS)]]


@pytest.fixture(params=["csv", "json"])
def large(request: pytest.FixtureRequest, site: Site, monkeypatch: pytest.MonkeyPatch) -> Large:
    """A file that all that is done to large files is done to, in batches of 40 videos."""
    monkeypatch.setattr(write, "PAGES_AT_ONCE", 2)
    monkeypatch.setattr(replace, "LARGE_BYTES", 0)
    monkeypatch.setattr(packed_slots, "FEW_SLOTS", 7)
    monkeypatch.setattr(data, "LARGE_JSON_BYTES", 0)
    monkeypatch.setattr(json_pieces, "PIECE_ITEMS", 9)
    key, form = {"csv": ("id", "{},{},{}"), "json": ("[].id", '{{"id": "{}", "views": {}, "likes": "{}"}}')}[
        request.param
    ]
    found = Large(site, f"_data/library.{request.param}", COLLECTIONS.replace("ID", key), form)
    site.configure(collections=found.collections)
    site.put(found.path, found.library(lambda _: (1, 2)))
    site.put("content/a.md", crlf(VIDEOS[60], 1, 2))
    return found


def sync(
    large: Large,
    hour: int = 0,
    after: Callable[[int], object] = lambda _: None,
    *,
    dry_run: bool = False,
    before_time: Callable[[], object] = lambda: None,
) -> tuple[SyncReport, list[int]]:
    """Sync; return the report and how many counts each batch changed.

    `after` is called after each batch, with its number; `before_time` whenever the sync looks at the clock.
    """
    written: list[int] = []

    def changed(changes: Sequence[Change]) -> None:
        written.append(len(changes))
        after(len(written))

    def clock() -> datetime:
        before_time()
        return NOON + timedelta(hours=hour)

    config = parse_config(large.site.config.read_text(encoding="utf-8"), large.site.config)
    environment = Environment(key=KEY, clock=clock, sleep=lambda _: None)
    shown: list[tuple[Stage, int, int | None]] = []
    listener = Listener(changed=changed, progress=lambda *progress: shown.append(progress))
    report = make_sync(config, Options(dry_run=dry_run), environment, listener)
    assert max(done for stage, done, _ in shown if stage == "write") == 2, "it is one page"
    return report, written


@pytest.mark.parametrize("window", [50, 5000])
def test_each_count_of_a_large_file_is_written_and_logged_once_and_undone(
    large: Large, youtube: Simulator, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    monkeypatch.setattr(plan, "WINDOW_VIDEOS", window)
    before = large.file.read_bytes()
    preview, previewed = sync(large, dry_run=True)
    assert (preview.changed_pages, preview.changed_counts, sum(previewed)) == (2, 262, 262)
    assert large.file.read_bytes() == before
    report, written = sync(large)
    assert (report.problems, report.pages, report.videos) == ((), 2, 130)
    assert (report.changed_pages, report.changed_counts, sum(written)) == (2, 262, 262)
    assert max(written) == 80, "memory holds the changes of one batch"
    assert large.file.read_bytes() == large.library(lambda video: counts(youtube, video))
    lines = large.site.log_lines()
    assert [line["seq"] for line in lines] == list(range(1, 263))
    assert len({(line["path"], line["field"]) for line in lines}) == 262
    assert sync(large, 1)[0].changed_counts == 0
    large.site.undo(report.sync)
    assert large.file.read_bytes() == before
    again, _ = sync(large, 2)
    assert (again.changed_counts, again.suppressed) == (0, 262)


def test_an_edit_between_two_parts_wins_and_the_next_sync_writes_the_rest(large: Large, youtube: Simulator) -> None:
    """The author changes a count further down; what is written already stays."""

    def edit(batch: int) -> None:
        if batch == 1:
            own, new = (large.line(VIDEOS[70], views, 2).encode() for views in (1, 7))
            large.file.write_bytes(large.file.read_bytes().replace(own, new))

    report, _ = sync(large, after=edit)
    shown = large.lines()
    assert [(each.kind, each.subject) for each in report.problems] == [(ProblemKind.EDITED_MEANWHILE, large.path)]
    assert shown[:40] == [large.line(video, *counts(youtube, video)) for video in VIDEOS[:40]]
    assert shown[70] == large.line(VIDEOS[70], 7, 2)
    assert shown[129] == large.line(VIDEOS[129], 1, 2), "the rest of the file is left to the next sync"
    assert sync(large, 1)[0].problems == ()
    assert large.file.read_bytes() == large.library(lambda video: counts(youtube, video))
    lines = [line for line in large.site.log_lines() if line["path"] == large.path]
    assert len({line["field"] for line in lines}) == len(lines) == 260
    assert next(line["old"] for line in lines if line["field"] == "[70].views") == "7"


def test_an_edit_elsewhere_in_the_file_between_two_parts_is_kept(large: Large, youtube: Simulator) -> None:
    def edit(batch: int) -> None:
        if batch == 1:
            large.file.write_bytes(large.file.read_bytes() + b"\n")

    report, _ = sync(large, after=edit)
    assert (report.problems, report.changed_counts) == ((), 262)
    assert large.file.read_bytes() == large.library(lambda video: counts(youtube, video)) + b"\n"


class Killed(BaseException):
    """Ends the process, as far as a sync can tell."""


def test_what_a_stopped_sync_has_written_of_a_large_file_is_logged_once(large: Large, youtube: Simulator) -> None:
    def kill(batch: int) -> None:
        if batch == 2:
            raise Killed

    with pytest.raises(Killed):
        sync(large, after=kill)
    assert len(large.site.log_lines()) == 160
    report, _ = sync(large, 1)
    assert (report.problems, report.changed_counts) == ((), 102)
    assert large.file.read_bytes() == large.library(lambda video: counts(youtube, video))
    assert [line["seq"] for line in large.site.log_lines()] == list(range(1, 263))


def test_a_part_that_is_written_but_not_logged_when_the_sync_stops_is_logged_by_the_next(
    large: Large, youtube: Simulator
) -> None:
    def kill() -> None:
        if large.lines()[50] != large.line(VIDEOS[50], 1, 2):  # the second part is on disk
            raise Killed

    with pytest.raises(Killed):
        sync(large, before_time=kill)
    assert len(large.site.log_lines()) == 80
    report, _ = sync(large, 1)
    assert (report.problems, report.changed_counts) == ((), 102)
    assert large.file.read_bytes() == large.library(lambda video: counts(youtube, video))
    lines = large.site.log_lines()
    assert [line["seq"] for line in lines] == list(range(1, 263))
    assert len({(line["path"], line["field"]) for line in lines}) == 262


def test_a_large_file_that_cannot_be_written_is_one_problem(large: Large) -> None:
    large.file.chmod(0o444)
    report, _ = sync(large)
    assert [(each.kind, each.subject) for each in report.problems] == [(ProblemKind.UNWRITABLE, large.path)]
    assert report.changed_pages == 1


def test_a_large_file_whose_counts_are_held_back_is_one_page(large: Large) -> None:
    collections = large.collections.replace(
        "likeCount: likes}}", "likeCount: likes}}\n    write: {min_change: 1000000000}"
    )
    large.site.configure(collections=collections)
    report, written = sync(large)
    assert (sum(written), report.held_back and report.held_back.pages) == (2, 1)
