"""`fields.checked_at`: the day of a reading in the page, written together with a changed count, and undone with it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from syncer.simulator.server import Simulator
from tests.site import Site, counts, ids

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
A, B = ids(2, seed=16)

DATED = """\
  - directory: content
    exclude: ["/lists/"]
    fields:
      video_id: vid_id
      counts: {viewCount: viewcount, likeCount: likeCount}
      checked_at: viewsUpdated
  - directory: content/lists
    fields:
      video_id: "videos[].id"
      counts: {viewCount: viewcount}
      checked_at: updated
"""


def page(views: int | str, likes: int | str, date: str, video: str = A) -> bytes:
    return (
        f'---\nvid_id: "{video}"\nviewcount: "{views}"\nlikeCount: {likes}\n'
        f"viewsUpdated: {date} # by syncer\ndate: 2026-01-01\n---\nBody.\n"
    ).encode()


@pytest.fixture
def dated(site: Site) -> Site:
    site.configure(collections=DATED)
    return site


@pytest.mark.parametrize("form", ['"{}"', "'{}'", "{}"])
def test_the_date_of_the_reading_is_written_with_a_changed_count_and_keeps_its_form(
    dated: Site, youtube: Simulator, form: str
) -> None:
    file = dated.put("content/a.md", page(1, 2, form.format("2026-10-01")))
    report = dated.sync()

    assert file.read_bytes() == page(*counts(youtube, A), form.format("2026-11-22"))
    assert (report.changed_pages, report.changed_counts, report.changed_dates) == (1, 2, 1)
    line = dated.log_lines()[-1]
    assert list(line) == [
        *("seq", "sync", "at", "path", "video_id", "field", "count", "old", "new", "as_of", "why"),
    ]
    assert {name: line[name] for name in ("seq", "video_id", "field", "count", "old", "new", "why")} == {
        "seq": 3,
        "video_id": A,
        "field": "viewsUpdated",
        "count": None,
        "old": "2026-10-01",
        "new": "2026-11-22",
        "why": "checked",
    }


def test_a_date_alone_is_never_written(dated: Site, youtube: Simulator) -> None:
    file = dated.put("content/a.md", page(*counts(youtube, A), '"2026-10-01"'))
    dated.sync()
    assert file.read_bytes() == page(*counts(youtube, A), '"2026-10-01"')
    assert dated.log_lines() == []


def test_each_video_of_a_list_has_its_own_date(dated: Site, youtube: Simulator) -> None:
    def both(first: tuple[int, str], second: tuple[int, str]) -> bytes:
        return (
            f"---\nvideos:\n- {{id: '{A}', viewcount: {first[0]}, updated: '{first[1]}'}}\n"
            f"- id: '{B}'\n  viewcount: {second[0]}\n  updated: {second[1]}\n---\n"
        ).encode()

    views = counts(youtube, B)[0]
    file = dated.put("content/lists/two.md", both((7, "2026-01-01"), (views, "2026-01-02")))
    dated.sync()
    assert file.read_bytes() == both((counts(youtube, A)[0], "2026-11-22"), (views, "2026-01-02"))
    assert [line["field"] for line in dated.log_lines()] == ["videos[0].viewcount", "videos[0].updated"]
