"""A sync and its undo leave no trace in pages of any form, whatever is edited beside the counts meanwhile."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from syncer.simulator.server import Simulator
from syncer.simulator.world import World
from tests.examples import examples
from tests.front_matter.drawing import pages
from tests.site import Site

COLLECTIONS = """\
  - {directory: content, fields: {video_id: vid_id, counts: {viewCount: viewcount}, checked_at: updated}}
  - {directory: content, fields: {video_id: "videos[].id", counts: {viewCount: viewcount}, checked_at: updated}}
"""

sites = st.lists(
    st.tuples(pages(), st.sampled_from([b"", b"", b"\nan edit", b"\r\n---\r\nviewcount: 5\r\n"])), max_size=6
)
"""Pages, and what a person appends to each between the sync and the undo."""


@examples(60)
@given(sites)
def test_a_sync_and_its_undo_leave_the_pages_as_they_were(drawn: list[tuple[bytes, bytes]]) -> None:
    with Simulator(World()) as youtube, TemporaryDirectory() as directory:
        site = Site(Path(directory), youtube.url)
        site.configure(collections=COLLECTIONS)
        (site.root / "content").mkdir()
        files = [site.put(f"content/{number}.md", page) for number, (page, _) in enumerate(drawn)]
        report = site.sync()
        name = report.sync
        lines = site.log_lines()
        assert {line["why"] for line in lines if line["count"] is None} <= {"checked"}
        empty = {line["path"] for line in lines if line["old"] is None and line["count"]}
        stay = [line for line in lines if line["path"] in empty or line["old"] is None]
        expected = []
        for file, (page, more) in zip(files, drawn, strict=True):
            synced, path = file.read_bytes(), str(file.relative_to(site.root))
            dates = [line["new"] for line in stay if line["path"] == path and path not in empty]
            expected.append((synced if path in empty else filled(page, dates)) + more)
            file.write_bytes(synced + more)
        if lines:
            assert site.undo(name).exit == bool(stay)
        assert [file.read_bytes() for file in files] == expected
        assert len(site.log_lines()) == 2 * len(lines) - len(stay)
        if not report.unconfirmed:  # else the next sync requests these again, and may confirm them
            assert site.sync().changed_counts == 0
            assert [file.read_bytes() for file in files] == expected


def filled(page: bytes, dates: list[str]) -> bytes:
    """Return a page with its only empty date filled, if there is a date for it."""
    return re.sub(rb'(updated"?(?: =|:) )""', rb'\1"%b"' % dates[0].encode(), page, count=1) if dates else page
