"""A file with many videos is read, judged and written in parts: each count once, and an edit in between wins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from syncer.config.parse import parse_config
from syncer.decide import plan
from syncer.model import Change, ProblemKind
from syncer.simulator.server import Simulator
from syncer.status.report import SyncReport
from syncer.sync import write
from syncer.sync.make import make_sync
from syncer.sync.options import Environment, Listener, Options
from tests.site import KEY, NOON, Site, counts, crlf, ids

VIDEOS = ids(130, seed=17)
"""Four batches of two parts, the last one together with a page."""

LIBRARY = "_data/library.csv"

COLLECTIONS = """\
  - directory: _data
    include: ["**/*.csv"]
    fields: {video_id: id, counts: {viewCount: views, likeCount: likes}}
  - directory: content
    fields: {video_id: vid_id, counts: {viewCount: viewcount, likeCount: likeCount}}
"""


def library(shown: Callable[[str], tuple[int, int]]) -> bytes:
    """A table of all videos with these counts."""
    rows = ("{},{},{}\n".format(video, *shown(video)) for video in VIDEOS)
    return f"id,views,likes\n{''.join(rows)}".encode()


@pytest.fixture
def large(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site with a table of many videos, and a page with one of them."""
    monkeypatch.setattr(write, "PAGES_AT_ONCE", 2)
    site.configure(collections=COLLECTIONS)
    site.put(LIBRARY, library(lambda _: (1, 2)))
    site.put("content/a.md", crlf(VIDEOS[60], 1, 2))
    return site


def sync(
    site: Site, hour: int = 0, after: Callable[[int], object] = lambda _: None, *, dry_run: bool = False
) -> tuple[SyncReport, list[int]]:
    """Sync; return the report and how many counts each batch changed. `after` is called after each, with its number."""
    written: list[int] = []

    def changed(changes: Sequence[Change]) -> None:
        written.append(len(changes))
        after(len(written))

    config, at = parse_config(site.config.read_text(encoding="utf-8"), site.config), NOON + timedelta(hours=hour)
    environment = Environment(key=KEY, clock=lambda: at, sleep=lambda _: None)
    return make_sync(config, Options(dry_run=dry_run), environment, Listener(changed=changed)), written


@pytest.mark.parametrize("window", [50, 5000])
def test_each_count_of_a_large_file_is_written_and_logged_once_and_undone(
    large: Site, youtube: Simulator, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    monkeypatch.setattr(plan, "WINDOW_VIDEOS", window)
    before = (large.root / LIBRARY).read_bytes()
    preview, previewed = sync(large, dry_run=True)
    assert (preview.changed_pages, preview.changed_counts, sum(previewed)) == (2, 262, 262)
    assert (large.root / LIBRARY).read_bytes() == before
    report, written = sync(large)
    assert (report.problems, report.pages, report.videos) == ((), 2, 130)
    assert (report.changed_pages, report.changed_counts, sum(written)) == (2, 262, 262)
    assert max(written) == 80, "memory holds the changes of one batch"
    assert (large.root / LIBRARY).read_bytes() == library(lambda video: counts(youtube, video))
    lines = large.log_lines()
    assert [line["seq"] for line in lines] == list(range(1, 263))
    assert len({(line["path"], line["field"]) for line in lines}) == 262
    assert sync(large, 1)[0].changed_counts == 0
    large.undo(report.sync)
    assert (large.root / LIBRARY).read_bytes() == before


def test_an_edit_between_two_parts_wins_and_the_next_sync_writes_the_rest(large: Site, youtube: Simulator) -> None:
    """The author changes a count and a title further down; what is written already stays."""
    file = large.root / LIBRARY

    def edit(batch: int) -> None:
        if batch == 1:
            row = f"{VIDEOS[70]},1,2\n".encode()
            file.write_bytes(file.read_bytes().replace(row, f"{VIDEOS[70]},7,2\n".encode()))

    report, _ = sync(large, after=edit)
    shown = file.read_bytes().decode().splitlines()[1:]
    assert [(each.kind, each.subject) for each in report.problems] == [(ProblemKind.EDITED_MEANWHILE, LIBRARY)]
    assert shown[70] == f"{VIDEOS[70]},7,2"
    assert all(
        row == "{},{},{}".format(video, *counts(youtube, video)) for row, video in zip(shown[:40], VIDEOS, strict=False)
    )
    assert shown[129] == f"{VIDEOS[129]},1,2", "the rest of the file is left to the next sync"
    assert sync(large, 1)[0].problems == ()
    assert file.read_bytes() == library(lambda video: counts(youtube, video))
    lines = [line for line in large.log_lines() if line["path"] == LIBRARY]
    assert len({line["field"] for line in lines}) == len(lines) == 260
    assert next(line["old"] for line in lines if line["field"] == "[70].views") == "7"


def test_what_a_stopped_sync_has_written_of_a_large_file_is_logged_once(large: Site, youtube: Simulator) -> None:
    class Killed(BaseException):
        """Ends the process, as far as a sync can tell."""

    def kill(batch: int) -> None:
        if batch == 2:
            raise Killed

    with pytest.raises(Killed):
        sync(large, after=kill)
    assert len(large.log_lines()) == 160
    report, _ = sync(large, 1)
    assert (report.problems, report.changed_counts) == ((), 102)
    assert (large.root / LIBRARY).read_bytes() == library(lambda video: counts(youtube, video))
    assert [line["seq"] for line in large.log_lines()] == list(range(1, 263))


def test_a_large_file_that_cannot_be_written_is_one_problem(large: Site) -> None:
    (large.root / LIBRARY).chmod(0o444)
    report, _ = sync(large)
    assert [(each.kind, each.subject) for each in report.problems] == [(ProblemKind.UNWRITABLE, LIBRARY)]
    assert report.changed_pages == 1
