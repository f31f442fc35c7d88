"""A sync writes its pages window by window: one progress, one log, and the pages that were open come last."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from syncer.config.parse import parse_config
from syncer.content.pages import Pages
from syncer.content.scan import read_pages
from syncer.content.walk import walk
from syncer.control import Stage
from syncer.decide.unconfirmed import NOTHING_COMPARED
from syncer.model import Count, Reading, VideoId
from syncer.simulator.server import Simulator
from syncer.state.syncs import begin_sync, open_pages, save_open_pages
from syncer.state.videos import accepted_readings, save_readings
from syncer.sync import write
from syncer.sync.open_state import begin, open_for_writing
from syncer.sync.options import Environment, Listener, Options, Sync
from syncer.sync.readings import judge_window
from syncer.sync.write import finish_writing, write_pages
from tests.site import NOON, Site, counts, crlf, ids

VIDEOS = ids(6)


@pytest.fixture
def changed(site: Site) -> Site:
    """A site whose state has all counts, and whose pages have old ones."""
    for _ in range(2):
        for number, video in enumerate(VIDEOS):
            site.put(f"content/{number}.md", crlf(video, 1, 2))
        if not site.state.exists():
            site.sync(NOON)
    return site


@contextmanager
def judged(site: Site, listener: Listener, *, cancelled: bool = False) -> Iterator[tuple[Sync, Pages]]:
    """Gives a sync that is about to write, and its pages."""
    config = parse_config(site.config.read_text(encoding="utf-8"), site.config)
    environment = Environment(
        key="", clock=lambda: NOON + timedelta(hours=1), sleep=lambda _: None, cancelled=lambda: cancelled
    )
    root = os.path.realpath(site.root)
    pages = Pages()
    assert list(read_pages(root, walk(root, config.collection_models()), pages)) == []
    with open_for_writing(config, clock=environment.clock, sleep=environment.sleep) as state:
        sync = begin(config, Options(), environment, listener, state, started=environment.clock())
        sync.tally.pages = len(pages)
        yield sync, pages


def test_windows_are_one_sync_with_one_progress(
    changed: Site, youtube: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "PAGES_AT_ONCE", 2)
    shown: list[tuple[Stage, int, int | None]] = []
    listener = Listener(progress=lambda *progress: shown.append(progress))
    with judged(changed, listener) as (sync, pages):
        for window in (range(3), range(0), range(3, 6)):
            write_pages(sync, pages, window, save_arrived=lambda: shown.append(("ask", len(shown), None)))
        finish_writing(sync)
    assert [done for stage, done, total in shown if stage == "write" and total == 6] == [2, 3, 5, 6]
    assert [stage for stage, _, _ in shown] == ["ask", "write"] * 4, "what has come is saved before each batch"
    for number, video in enumerate(VIDEOS):
        assert (changed.root / f"content/{number}.md").read_bytes() == crlf(video, *counts(youtube, video))
    assert [line["seq"] for line in changed.log_lines()] == list(range(1, 25))
    assert len({line["sync"] for line in changed.log_lines()}) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who has a page open")
def test_a_page_that_was_open_in_the_first_window_is_written_after_the_last(changed: Site) -> None:
    written: list[list[str]] = []
    listener = Listener(changed=lambda changes: written.append([change.path for change in changes]))
    author = (changed.root / "content/0.md").open("ab")
    with judged(changed, listener) as (sync, pages):
        write_pages(sync, pages, range(3))
        write_pages(sync, pages, range(3, 6))
        author.close()
        finish_writing(sync)
    assert written[-1] == ["content/0.md"] * 2
    assert len(written) == 3


@pytest.mark.parametrize(("windows", "kept"), [(1, {"content/elsewhere.md": 2}), (2, {})])
def test_what_was_open_is_remembered_until_all_pages_were_compared(
    changed: Site, windows: int, kept: dict[str, int]
) -> None:
    with judged(changed, Listener()) as (sync, pages):
        save_open_pages(sync.database, {"content/elsewhere.md": 2})
        for window in (range(3), range(3, 6))[:windows]:
            write_pages(sync, pages, window)
        finish_writing(sync)
        assert open_pages(sync.database) == kept


def test_a_cancelled_sync_writes_no_window(changed: Site) -> None:
    with judged(changed, Listener(), cancelled=True) as (sync, pages):
        write_pages(sync, pages, range(6))
        finish_writing(sync)
    assert len(changed.log_lines()) == 12


def test_the_readings_at_hand_after_judging_are_those_that_the_state_has_as_accepted(changed: Site) -> None:
    videos = [VideoId(video) for video in VIDEOS]
    with judged(changed, Listener()) as (sync, pages):
        before = accepted_readings(sync.database, videos)
        number, at = begin_sync(sync.database, sync.tally.sync, sync.tally.started), sync.tally.started
        new = (None, {Count.VIEWS: 0}, {Count.LIKES: 10**9}, before[videos[3]].statistics)
        readings = [Reading(video, at, given) for video, given in zip(videos, new, strict=False)]
        save_readings(sync.database, number, readings)
        judgement, accepted = judge_window(sync, pages, NOTHING_COMPARED, lambda _: False, last=True)
        now = {video: mapped(sync, reading) for video, reading in accepted_readings(sync.database, videos).items()}
    assert (judgement.brake, set(judgement.unconfirmed)) == (None, {videos[1]})
    assert accepted == {video: now[video] for video in videos[2:4]}
    assert now == {**{video: mapped(sync, reading) for video, reading in before.items()}, **accepted}


def mapped(sync: Sync, reading: Reading) -> Reading:
    """Return a reading with the counts that the site maps: no others are read again to judge it."""
    given = reading.statistics or {}
    return reading._replace(statistics={count: given[count] for count in sync.config.mapped_counts & given.keys()})
