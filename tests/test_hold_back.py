"""Counts that are held back by `write.min_change`, `rounding` and `at_least_every`, end to end; and what says so."""

from __future__ import annotations

from contextlib import closing

import pytest

from syncer.decide.thresholds import HeldBackCounts, Reason
from syncer.simulator.server import Simulator
from syncer.state.directory import DATABASE_FILE
from syncer.state.writes import held_back_counts, last_writes
from syncer.sync.options import Options
from tests.policies import DAY, PAGE, A, B, Story, held
from tests.repository import in_git
from tests.site import COLLECTIONS, NOON, Run, Site, plain
from tests.steered import served


@pytest.fixture
def story(site: Site, youtube: Simulator) -> Story:
    site.put(PAGE, plain(A, 1000, 100))
    return Story(site, youtube)


def test_without_a_policy_nothing_is_held_back_and_nothing_is_remembered(story: Story) -> None:
    report = story.at(0, {A: (1001, 101)})
    assert (report.changed_counts, report.held_back) == (2, None)
    with closing(story.state()._connection) as connection:
        assert connection.execute("SELECT count(*) FROM written").fetchone() == (0,)
        assert connection.execute("SELECT name FROM meta WHERE name IN ('round', 'held_back')").fetchall() == []


def test_small_differences_wait_and_the_state_knows_the_exact_count(story: Story) -> None:
    story.site.configure(write="min_change: {viewCount: 1%, likeCount: 5}")
    report = story.at(0, {A: (1010, 106)})
    assert (report.changed_counts, held(report)) == (1, {Reason.MIN_CHANGE: 1})
    assert story.page() == plain(A, 1000, 106)
    assert [line["why"] for line in story.site.log_lines()] == ["changed"]
    report = story.at(1, {A: (1011, 106)})
    assert (report.changed_counts, held(report), story.page()) == (1, {}, plain(A, 1011, 106))


def test_with_rounding_the_exact_number_is_written(story: Story) -> None:
    story.site.configure(write="rounding: display")
    assert story.at(0, {A: (1099, 100)}).changed_counts == 0
    assert story.at(1, {A: (1103, 100)}).changed_counts == 1
    assert story.page() == plain(A, 1103, 100)


def test_an_absent_or_empty_count_is_written_however_small_it_is(story: Story) -> None:
    story.site.configure(
        write="min_change: 25", collections=COLLECTIONS.replace("likeCount}", "likeCount}\n      insert_missing: true")
    )
    story.site.put(PAGE, f"---\nvid_id: {A}\nviewcount:\n---\n".encode())
    assert story.at(0, {A: (3, 2)}).changed_counts == 2
    assert [line["why"] for line in story.site.log_lines()] == ["changed", "inserted"]


def test_a_small_difference_is_written_after_at_least_every(story: Story) -> None:
    story.site.configure(write="min_change: 10%, at_least_every: 28d")
    assert story.at(0, {A: (2000, 100)}).changed_counts == 1
    for days in (1, 27.9):
        report = story.at(days, {A: (2001, 100)})
        assert (report.changed_counts, held(report)) == (0, {Reason.MIN_CHANGE: 1})
        assert report.held_back.until == {Reason.MIN_CHANGE: NOON + 28 * DAY}  # type: ignore[union-attr]
    assert story.at(28, {A: (2002, 100)}).changed_counts == 1
    assert story.page() == plain(A, 2002, 100)
    assert [line["why"] for line in story.site.log_lines()] == ["changed", "heartbeat"]
    assert story.at(29, {A: (2003, 100)}).changed_counts == 0
    story.at(57, {A: (2002, 100)})
    with story.state() as database:
        assert last_writes(database, [PAGE]) == {}, "no record says the same as one that is too old"


def test_after_a_lost_state_the_interval_counts_from_the_next_write(story: Story) -> None:
    story.site.configure(write="min_change: 10%, at_least_every: 28d")
    story.at(0, {A: (2000, 100)})
    for file in story.site.state.glob(f"{DATABASE_FILE}*"):
        file.unlink()
    assert story.at(1, {A: (2001, 100)}).changed_counts == 1
    assert story.at(2, {A: (2002, 100)}).changed_counts == 0
    assert story.at(29, {A: (2002, 100)}).changed_counts == 1


def test_another_policy_is_settled_by_the_next_sync(story: Story) -> None:
    policies = ["in_place: true", "min_change: 50%", "at_most_every: 12d", "rounding: display", "in_place: true"]
    written = []
    for days, policy in enumerate(policies):
        story.site.configure(write=policy)
        written.append(story.at(days, {A: (1001 + days, 101 + days)}).changed_counts)
    assert written == [2, 0, 0, 1, 2], "the first sync began a round; below 1,000 every count is shown exactly"
    assert story.page() == plain(A, 1005, 105)


def test_a_collection_overrides_write_key_by_key(story: Story) -> None:
    lists = "  - directory: content/lists\n"
    own = "    write: {min_change: 0}\n"
    story.site.configure(
        write="min_change: 1%, at_least_every: 28d", collections=COLLECTIONS.replace(lists, lists + own)
    )
    story.site.put("content/lists/l.md", f"---\nvideos:\n- id: {B}\n  viewcount: 1000\n---\n".encode())
    story.at(0, {A: (1500, 150), B: (1500, 1)})
    report = story.at(1, {A: (1501, 150), B: (1501, 1)})
    assert (report.changed_counts, held(report)) == (1, {Reason.MIN_CHANGE: 1})
    assert b"viewcount: 1501" in story.page("content/lists/l.md")


def test_a_page_of_two_collections_follows_for_each_count_the_one_that_writes_it(story: Story) -> None:
    collections = """\
  - directory: content
    fields: {video_id: vid_id, counts: {viewCount: viewcount}}
    write: {min_change: 50%}
  - directory: content
    fields: {video_id: vid_id, counts: {likeCount: likeCount}}
"""
    story.site.configure(collections=collections)
    assert story.at(0, {A: (1100, 101)}).changed_counts == 1
    assert story.page() == plain(A, 1000, 101)


def test_a_restored_state_writes_nothing_older(story: Story) -> None:
    story.site.configure(write="at_most_every: 12d, min_change: 25, at_least_every: 28d")
    story.at(0, {A: (2000, 200)})
    backup = {file.name: file.read_bytes() for file in story.site.state.glob(f"{DATABASE_FILE}*")}
    story.at(12, {A: (3000, 300)})
    for name, content in backup.items():
        (story.site.state / name).write_bytes(content)
    assert story.at(13, {A: (3100, 300)}).changed_counts == 0, "the log knows the last round"
    assert story.at(24, {A: (3100, 300)}).changed_counts == 1
    assert story.page() == plain(A, 3100, 300)
    assert story.at(25, {A: (4000, 300)}).changed_counts == 0


def test_every_output_says_how_many_counts_are_held_back_why_and_until_when(story: Story, syncer: Run) -> None:
    story.site.configure(write="at_most_every: 12d, min_change: 10%, at_least_every: 28d")
    in_git(story.site).commit_all()
    story.at(0, {A: (2000, 200)})
    line = "Held back 2 counts on 1 page: 1 by write.at_most_every (until 2026-12-04 20:00:00 UTC)"
    line += ", 1 by write.min_change (the first is due at 2026-12-20 20:00:00 UTC)."
    report = story.at(1, {A: (9000, 201)})
    assert held(report) == {Reason.AT_MOST_EVERY: 1, Reason.MIN_CHANGE: 1}
    assert line in syncer("status").out
    assert line in syncer("review").out
    assert line in syncer("plan").out
    document = {
        "counts": {"at_most_every": 1, "min_change": 1},
        "pages": 1,
        "until": {"at_most_every": "2026-12-04T20:00:00Z", "min_change": "2026-12-20T20:00:00Z"},
    }
    assert syncer("status", "--json").document["held_back"] == document
    assert syncer("review", "--json").document["held_back"] == document
    assert syncer("plan", "--json").document["held_back"] == document
    with served(story.site) as page:
        assert f"<dt>Held back</dt><dd>{line.removeprefix('Held back ').removesuffix('.')}</dd>" in page.get("/").text


def test_after_a_purge_of_all_nothing_is_held_back_until_the_next_sync(story: Story, syncer: Run) -> None:
    story.site.configure(write="min_change: 1%, at_least_every: 12d")
    story.at(0, {A: (2000, 200)})
    story.at(1, {A: (2001, 201)})
    assert syncer("status", "--json").document["held_back"]["counts"] == {"min_change": 2}
    assert syncer("purge", "--all").code == 0
    assert syncer("status", "--json").document["held_back"]["counts"] == {}
    assert last_writes(story.state(), {PAGE}) == {}


def test_a_sync_prints_a_line_about_what_it_holds_back(story: Story, syncer: Run) -> None:
    story.site.configure(write="min_change: 100%")
    story.at(0, {A: (1001, 101)})
    held_back = "Held back 2 counts on 1 page: 2 by write.min_change."
    assert held_back in syncer("sync").out
    assert held_back.replace("Held", "Would hold") in syncer("sync", "--dry-run").out
    assert "held_back" not in syncer("sync", "--json").document
    assert syncer("sync").code == 0


def test_a_date_is_written_only_with_a_count_that_is_not_held_back(story: Story) -> None:
    dated = COLLECTIONS.replace("likeCount: likeCount}\n", "likeCount: likeCount}\n      checked_at: updated\n", 1)
    story.site.configure(write="min_change: {viewCount: 1%, likeCount: 5}", collections=dated)

    def page(views: int, likes: int, day: str) -> bytes:
        return f"---\nvid_id: {A}\nviewcount: {views}\nlikeCount: {likes}\nupdated: {day}\n---\n".encode()

    story.site.put(PAGE, page(1000, 100, "2026-01-01"))
    assert story.at(0, {A: (1001, 101)}).changed_counts == 0
    assert story.page() == page(1000, 100, "2026-01-01")
    assert story.at(1, {A: (1100, 101)}).changed_counts == 1
    assert story.page() == page(1100, 100, "2026-11-23")


def test_a_dry_run_shows_what_is_held_back_and_records_nothing(story: Story) -> None:
    story.site.configure(write="at_most_every: 12d, min_change: 10%, at_least_every: 28d")
    report = story.at(0, {A: (1001, 300)}, Options(dry_run=True))
    assert report.changed_counts == 2
    story.at(0, {A: (1001, 300)})
    report = story.at(1, {A: (9000, 301)}, Options(dry_run=True))
    assert held(report) == {Reason.AT_MOST_EVERY: 1, Reason.MIN_CHANGE: 1}
    with story.state() as database:
        assert held_back_counts(database) == HeldBackCounts({}, {}, 0)
        assert set(last_writes(database, [PAGE]).values()) == {NOON}
