"""A state that was put back from a backup: what the diff log has from a later reading is not written over."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from syncer.simulator.faults import parse_fault
from syncer.simulator.server import Simulator
from syncer.state.directory import DATABASE_FILE
from syncer.sync.options import Options
from tests.site import NOON, Run, Site, counts, crlf, ids, pair

DAY = timedelta(days=1)


class Restored:
    """A site that was synced three times, and whose state is that of the first sync again."""

    def __init__(self, site: Site, youtube: Simulator, pages: int) -> None:
        self.site, self.youtube = site, youtube
        self.videos = ids(pages + 2)
        self.pages = [site.put(f"content/p{n}.md", crlf(v, 1, 2)) for n, v in enumerate(self.videos[2:])]
        self.pages.append(site.put("content/lists/two.md", pair((self.videos[0], 1, 2), (self.videos[1], 1, 2))))
        site.sync(NOON)
        backup = (site.state / DATABASE_FILE).read_bytes()
        for days in (1, 2):
            youtube.clock.advance(DAY)
            assert site.sync(NOON + days * DAY).changed_counts
        (site.state / DATABASE_FILE).write_bytes(backup)
        for name in ("-wal", "-shm"):
            (site.state / f"{DATABASE_FILE}{name}").unlink(missing_ok=True)
        self.newest = self.texts()

    def texts(self) -> list[bytes]:
        return [page.read_bytes() for page in self.pages]


@pytest.fixture(params=[1, 30])
def restored(site: Site, youtube: Simulator, request: pytest.FixtureRequest) -> Restored:
    return Restored(site, youtube, request.param)


def test_pages_keep_the_newer_counts_while_youtube_does_not_answer(restored: Restored) -> None:
    restored.youtube.faults = [parse_fault("backend-503")]
    log = restored.site.log_lines()
    for days, options in ((3, Options()), (4, Options(dry_run=True)), (5, Options(accept=True))):
        report = restored.site.sync(NOON + days * DAY, options)
        assert (report.changed_counts, report.exit) == (0, 3)
    assert restored.texts() == restored.newest
    assert restored.site.log_lines() == log


def test_pages_are_updated_as_soon_as_youtube_answers(restored: Restored) -> None:
    restored.youtube.clock.advance(DAY)
    report = restored.site.sync(NOON + 3 * DAY)

    assert report.exit == 0
    said = [(video, *counts(restored.youtube, video)) for video in restored.videos]
    assert restored.texts() == [*(crlf(*one) for one in said[2:]), pair(*said[:2])]
    assert restored.texts() != restored.newest


def test_a_count_that_was_edited_since_stays_so_until_youtube_answers(restored: Restored) -> None:
    """The log has a later reading of it: an older one is no truth to go back to."""
    edited = crlf(restored.videos[2], 5, 5)
    restored.pages[0].write_bytes(edited)
    restored.youtube.faults = [parse_fault("backend-503")]
    restored.site.sync(NOON + 3 * DAY)

    assert restored.pages[0].read_bytes() == edited


def test_an_edited_count_is_corrected_from_the_state_where_that_is_not_older(site: Site, youtube: Simulator) -> None:
    video = ids(1)[0]
    page = site.put("content/a.md", crlf(video, 1, 2))
    site.sync(NOON)
    right = page.read_bytes()
    page.write_bytes(crlf(video, 7, 7))
    youtube.faults = [parse_fault("backend-503")]
    site.sync(NOON + 9 * DAY)

    assert page.read_bytes() == right


def test_lines_from_a_time_to_come_hold_nothing_back(site: Site, youtube: Simulator) -> None:
    """The clock was a year ahead in one sync: its readings are not the newest for a year."""
    video = ids(1)[0]
    page = site.put("content/a.md", crlf(video, 1, 2))
    site.sync(NOON + timedelta(days=365))
    youtube.clock.advance(DAY)
    (site.state / DATABASE_FILE).unlink()  # or the video would be fresh for a year, which is another matter
    site.sync(NOON)

    assert page.read_bytes() == crlf(video, *counts(youtube, video))


def test_counts_that_are_not_written_are_logged(restored: Restored, syncer: Run, tmp_path: Path) -> None:
    restored.youtube.faults = [parse_fault("backend-503")]
    ran = syncer("-v", "sync")
    assert "the diff log has them from a later reading than the state" in ran.err
