"""`fields.checked_at`: the day of a reading in the page, written together with a changed count, and undone with it."""

from __future__ import annotations

import os
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from syncer.commit.message import form
from syncer.config.parse import parse_config
from syncer.content.page_file import signature_of
from syncer.content.replace import replace_pages
from syncer.decide.diff import diff
from syncer.front_matter.find import find
from syncer.model import Count, Edit, Page, ProblemKind, Reading, Signature, VideoId
from syncer.review.put_back import SkippedCount
from syncer.review.undo import INSERTED
from syncer.simulator.faults import parse_fault
from syncer.simulator.server import Simulator
from syncer.simulator.world import START, World
from syncer.state.directory import DATABASE_FILE
from tests.repository import in_git
from tests.site import NOON, Run, Site, counts, ids

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
A, B = ids(2, seed=16)
EDITED = ProblemKind.EDITED_MEANWHILE

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


def test_the_day_is_that_of_the_reading_in_utc_not_that_of_the_write(dated: Site, youtube: Simulator) -> None:
    """A repair writes from the state: the page says when YouTube said it."""
    views, likes = counts(youtube, A)
    file = dated.put("content/a.md", page(1, 2, "2026-10-01"))
    dated.sync(datetime(2026, 11, 22, 23, 59, 50, tzinfo=UTC))
    file.write_bytes(page(views + 5, likes, "2026-11-22"))
    youtube.faults = [parse_fault("backend-503")]
    report = dated.sync(NOON + 2 * DAY)
    assert (report.changed_counts, report.changed_dates) == (1, 0)
    assert file.read_bytes() == page(views, likes, "2026-11-22")


def test_a_date_that_a_person_edits_stays_until_a_count_changes(dated: Site, youtube: Simulator) -> None:
    file = dated.put("content/a.md", page(1, 2, "2026-10-01"))
    dated.sync()
    edited = page(*counts(youtube, A), "2031-01-01")
    file.write_bytes(edited)
    assert dated.sync(NOON + DAY).changed_pages == 0
    assert file.read_bytes() == edited
    youtube.clock.advance(30 * DAY)
    dated.sync(NOON + 30 * DAY)
    assert file.read_bytes() == page(*counts(youtube, A), "2026-12-22")


def test_a_page_that_says_already_what_it_is_to_say_is_done_and_one_without_the_date_is_edited(
    dated: Site, youtube: Simulator
) -> None:
    """Somebody writes the very counts during the sync: with the date that is what the sync wants, without it not."""
    fields = parse_config(dated.config.read_text("utf-8"), dated.config).collection_models()[0].fields
    views, likes = counts(youtube, A)
    for text, kind in ((page(views, likes, "2026-11-22"), None), (page(views, likes, "2026-10-01"), EDITED)):
        before = page(1, 2, "2026-10-01")
        file = dated.put("content/a.md", before)
        (slot,) = find(before, fields, "").slots
        reading = {VideoId(A): Reading(VideoId(A), NOON, {Count.VIEWS: views, Count.LIKES: likes})}
        changes = diff(Page("content/a.md", Signature(0), fields, (slot,)), reading)
        file.write_bytes(text)
        edit = Edit("content/a.md", signature_of(file.stat()), ((fields, changes),))
        (problem,) = replace_pages(str(dated.root), [edit]).problems
        assert (problem and problem.kind) == kind
        assert file.read_bytes() == text


def test_an_undo_puts_the_dates_back_with_the_counts_and_can_be_undone(dated: Site, youtube: Simulator) -> None:
    before = page(1, 2, '"2026-10-01"')
    file = dated.put("content/a.md", before)
    report, skipped = dated.undo_and_list(dated.sync().sync, NOON + HOUR)
    assert (file.read_bytes(), report.changed_counts, report.changed_dates, skipped) == (before, 2, 1, [])
    line = dated.log_lines()[-1]
    assert (line["count"], line["old"], line["new"], line["why"]) == (None, "2026-11-22", "2026-10-01", "undo")

    assert dated.sync(NOON + 2 * HOUR).changed_pages == 0, "the counts are suppressed, and so the date stays"
    dated.undo(report.sync, NOON + 3 * HOUR)
    assert file.read_bytes() == page(*counts(youtube, A), '"2026-11-22"')


def test_a_date_stays_where_a_count_of_its_video_is_not_put_back(dated: Site, youtube: Simulator) -> None:
    """A later sync of the same day changed a count and no date: the count is of that day."""
    file = dated.put("content/a.md", page(1, 2, "2026-10-01"))
    first = dated.sync(NOON - 8 * HOUR).sync
    likes = counts(youtube, A)[1]
    youtube.clock.advance(DAY)
    dated.sync(NOON)
    views = counts(youtube, A)[0]
    file.write_bytes(page(views, likes, "2026-11-22"))

    report, skipped = dated.undo_and_list(first, NOON + HOUR)
    assert (report.changed_counts, report.changed_dates) == (1, 0)
    assert skipped == [
        SkippedCount("content/a.md", "viewcount", f"it has changed since, to {views}"),
        SkippedCount("content/a.md", "viewsUpdated", "it is the date of a count that is not restored"),
    ]
    assert file.read_bytes() == page(views, 2, "2026-11-22")


def test_a_date_that_the_sync_filled_stays_and_is_named(dated: Site) -> None:
    file = dated.put("content/a.md", page(1, 2, '""'))
    report, skipped = dated.undo_and_list(dated.sync().sync, NOON + HOUR)
    assert (report.exit, file.read_bytes()) == (1, page(1, 2, '"2026-11-22"'))
    assert skipped == [SkippedCount("content/a.md", "viewsUpdated", INSERTED)]


def test_after_a_restored_state_no_date_goes_back(dated: Site, youtube: Simulator) -> None:
    file = dated.put("content/a.md", page(1, 2, "2026-10-01"))
    dated.sync(NOON)
    backup = (dated.state / DATABASE_FILE).read_bytes()
    youtube.clock.advance(DAY)
    dated.sync(NOON + DAY)
    (dated.state / DATABASE_FILE).write_bytes(backup)
    for name in ("-wal", "-shm"):
        (dated.state / f"{DATABASE_FILE}{name}").unlink(missing_ok=True)
    newest, log = file.read_bytes(), dated.log_lines()
    youtube.faults = [parse_fault("backend-503")]
    dated.sync(NOON + 2 * DAY)
    assert (file.read_bytes(), dated.log_lines()) == (newest, log)


@pytest.mark.parametrize("in_place", [True, False])
def test_a_date_is_changed_in_place_with_its_counts_or_swapped(dated: Site, *, in_place: bool) -> None:
    dated.configure(collections=DATED, write=f"in_place: {str(in_place).lower()}")
    views, likes = ("0" * len(str(count)) for count in counts_of_world(A))
    file = dated.put("content/a.md", page(views, f"'{likes}'", "2026-10-01"))
    os.utime(file, (1, 1))
    node = file.stat().st_ino
    dated.sync()
    assert b"viewsUpdated: 2026-11-22 # by syncer" in file.read_bytes()
    assert (file.stat().st_ino == node) is (in_place and sys.platform == "linux")


def test_a_review_shows_a_date_with_its_page_and_counts_it_apart(dated: Site, syncer: Run) -> None:
    dated.put("content/a.md", page(1, 2, '"2026-10-01"'))
    repository = in_git(dated)
    dated.sync()
    (shown,) = syncer("review", "--json").document["pages"]
    assert shown["other_lines"] == 0
    assert shown["counts"][-1] == {
        "video_id": A,
        "field": "viewsUpdated",
        "count": None,
        "old": "2026-10-01",
        "new": "2026-11-22",
        "relative": None,
        "large_change": False,
        "ours": True,
    }
    text = syncer("review").out
    assert re.search("viewsUpdated +2026-10-01 +2026-11-22 +-\n", text)
    assert "Not committed: 2 counts and 1 date on 1 page" in text

    assert syncer("review", "--keep", "content/a.md").out.startswith("Committed 2 counts on 1 page as ")
    assert repository.status() == []
    message = repository.git("log", "-1", "--format=%B")
    assert "\nIn all: 2 counts on 1 page.\n" in message
    assert "viewsUpdated" not in message


def test_a_drop_puts_the_date_of_the_commit_back(dated: Site, syncer: Run) -> None:
    before = page(1, 2, '"2026-10-01"')
    file = dated.put("content/a.md", before)
    repository = in_git(dated)
    dated.sync()
    assert syncer("review", "--drop", "content/a.md").out.startswith("Restored 2 counts and 1 date on 1 page.")
    assert (file.read_bytes(), repository.status()) == (before, [])
    assert [(line["count"], line["why"]) for line in dated.log_lines()[-3:]] == [
        ("viewCount", "dropped"), ("likeCount", "dropped"), (None, "dropped"),
    ]  # fmt: skip


def test_a_commit_has_the_dates_and_is_ours_and_a_person_s_date_is_theirs(
    dated: Site, youtube: Simulator, syncer: Run, tmp_path: Path
) -> None:
    dated.configure(collections=DATED, git="commit: true, push: true")
    file = dated.put("content/a.md", page(1, 2, '"2026-10-01"'))
    dated.put(".gitignore", b".syncer/\n")
    repository = in_git(dated)
    remote = tmp_path / "remote.git"
    repository.git("init", "--quiet", "--bare", str(remote))
    repository.git("remote", "add", "origin", str(remote))
    repository.git("push", "--quiet", "--set-upstream", "origin", "main")
    assert dated.sync().exit == 0
    assert repository.show("content/a.md") == file.read_bytes() == page(*counts(youtube, A), '"2026-11-22"')
    assert repository.status() == []

    remote.rename(tmp_path / "away")
    youtube.clock.advance(30 * DAY)
    assert dated.sync(NOON + 30 * DAY).exit == 1, "its commit waits for the remote"
    (tmp_path / "away").rename(remote)
    assert dated.sync(NOON + 31 * DAY).exit == 0, "the commit that waits is known as ours"
    assert repository.git("rev-parse", "HEAD") == repository.git("rev-parse", "origin/main")

    file.write_bytes(file.read_bytes().replace(b"2026-12-22", b"2031-01-01"))
    (shown,) = syncer("review", "--json").document["pages"]
    assert [(count["field"], count["ours"]) for count in shown["counts"]] == [("viewsUpdated", False)]
    assert dated.sync(NOON + 32 * DAY).commit is None
    assert repository.status() == [" M content/a.md"]


def test_a_date_that_waits_alone_is_committed_as_ours(dated: Site, youtube: Simulator, syncer: Run) -> None:
    """Its author committed the counts, as `git add --patch` can."""
    file = dated.put("content/a.md", page(1, 2, '"2026-10-01"'))
    repository = in_git(dated)
    dated.sync()
    new = file.read_bytes()
    file.write_bytes(page(*counts(youtube, A), '"2026-10-01"'))
    repository.commit_all()
    file.write_bytes(new)

    assert syncer("review", "--keep", "content/a.md").out.startswith("Committed 1 date on 1 page as ")
    message = repository.git("log", "-1", "--format=%B")
    assert "\n- content/a.md: viewsUpdated 2026-10-01 -> 2026-11-22\n" in message
    assert "\nIn all: 1 date on 1 page.\n" in message
    assert form(None).fullmatch(message.rstrip("\n") + "\n")


def test_a_dry_run_lists_dates_among_its_changes_and_counts_them_apart(dated: Site, syncer: Run) -> None:
    before = page(1, 2, "2026-10-01")
    file = dated.put("content/a.md", before)
    document = syncer("sync", "--dry-run", "--json").document
    assert (document["changed_counts"], "changed_dates" in document) == (2, False)
    assert [(change["count"], change["why"]) for change in document["changes"]] == [
        ("viewCount", "changed"), ("likeCount", "changed"), (None, "checked"),
    ]  # fmt: skip
    text = syncer("sync", "--dry-run", "--all").out
    assert "-viewsUpdated: 2026-10-01 # by syncer" in text
    assert file.read_bytes() == before

    out = syncer("sync", "--all").out
    assert "viewsUpdated" not in out, "the table has counts; the log has the dates"
    assert "Changed 2 counts and 1 date on 1 page." in out
    assert "viewsUpdated  2026-10-01" in syncer("log").out


def test_two_collections_that_map_a_date_are_settled_as_for_counts(dated: Site, youtube: Simulator) -> None:
    """The first that has the key writes it, with a count of its own."""
    more = "  - directory: .\n    fields: {video_id: vid_id, counts: {likeCount: likes}, checked_at: viewsUpdated}\n"
    dated.configure(collections=DATED + more)
    text = page(1, 2, "2026-10-01").replace(b"---\nBody", b"likes: 3\n---\nBody")
    file = dated.put("content/a.md", text)
    assert dated.sync().exit == 0
    views, likes = counts(youtube, A)
    assert file.read_bytes() == page(views, likes, "2026-11-22").replace(
        b"---\nBody", f"likes: {likes}\n---\nBody".encode()
    )
    assert [line["why"] for line in dated.log_lines()].count("checked") == 1


BROKEN = [
    ("vid_id", "checked_at: is also the key of `video_id`; each needs its own key"),
    ("viewcount", "checked_at: is also the key of `viewCount`; each needs its own key"),
    ("viewcount.day", "checked_at: conflicts with `viewcount` of `viewCount`: one key would be inside the other;"),
    ("Viewcount", "checked_at: differs from `viewcount` of `viewCount` only in letter case"),
    ("dates[].day", "checked_at: is in a list but `video_id` is not; it must be beside its video ID"),
    ("a..b", "checked_at: has an empty part; join keys with single dots"),
    ("meta.day", "checked_at: cannot be inserted: with insert_missing, the key must be at the same level"),
]


@pytest.mark.parametrize(("key", "message"), BROKEN)
def test_a_key_that_cannot_hold_the_date_is_an_error_with_a_remedy(
    dated: Site, syncer: Run, key: str, message: str
) -> None:
    keys = DATED.replace("viewsUpdated", key).replace("checked_at", "insert_missing: true\n      checked_at", 1)
    dated.configure(collections=keys)
    ran = syncer("sync", "--dry-run")
    assert ran.code == 2
    assert message in ran.err


def counts_of_world(video: str) -> tuple[int, int]:
    given = World().statistics(video, START)
    assert given is not None
    return given["viewCount"], given["likeCount"]
