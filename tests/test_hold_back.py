"""Counts that are held back, end to end: `write.min_change`, `rounding`, `at_least_every` and `at_most_every`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import timedelta

import pytest

from syncer.decide.thresholds import HeldBackCounts, Reason, Round
from syncer.simulator.server import Simulator
from syncer.simulator.world import Video, World
from syncer.state.database import Database, open_to_read
from syncer.state.directory import DATABASE_FILE
from syncer.state.writes import held_back_counts, last_round, last_writes
from syncer.status.report import SyncReport
from syncer.sync.options import Options
from tests.repository import in_git
from tests.site import COLLECTIONS, NOON, Run, Site, ids, plain
from tests.steered import served

DAY = timedelta(days=1)
A, B = ids(2, seed=16)
PAGE, OTHER = "content/a.md", "content/b.md"


class Story:
    """A site whose videos have the counts that a test gives them, and the time of its syncs."""

    def __init__(self, site: Site, youtube: Simulator) -> None:
        self.site, self._youtube = site, youtube

    def at(
        self,
        days: float,
        counts: Mapping[str, tuple[int, int]],
        options: Options | None = None,
        sleep: Callable[[float], object] = lambda _: None,
    ) -> SyncReport:
        """Makes a sync so many days after noon, with these views and likes on YouTube."""
        videos = {
            video: Video(counts={"viewCount": views, "likeCount": likes, "commentCount": 1})
            for video, (views, likes) in counts.items()
        }
        self._youtube.world = World(videos=videos, start=self._youtube.clock.now())
        return self.site.sync(NOON + days * DAY, options, sleep=sleep)

    def page(self, path: str = PAGE) -> bytes:
        return (self.site.root / path).read_bytes()

    def state(self) -> Database:
        database = open_to_read(self.site.state, str(self.site.root.resolve()))
        assert database
        return database


@pytest.fixture
def story(site: Site, youtube: Simulator) -> Story:
    site.put(PAGE, plain(A, 1000, 100))
    return Story(site, youtube)


def held(report: SyncReport) -> Mapping[Reason, int]:
    assert report.held_back
    return report.held_back.counts


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


def test_pages_are_written_at_most_this_often_and_all_together(story: Story) -> None:
    story.site.configure(write="at_most_every: 12d")
    story.site.put(OTHER, plain(B, 5, 5))
    assert story.at(0, {A: (2000, 200), B: (5, 5)}).changed_pages == 1
    for days in (0.25, 6, 11.9):
        report = story.at(days, {A: (2000, 201), B: (700, 70)})
        assert (report.changed_counts, held(report)) == (0, {Reason.AT_MOST_EVERY: 3})
        assert report.held_back == HeldBackCounts(held(report), {Reason.AT_MOST_EVERY: NOON + 12 * DAY}, 2)
    assert story.at(12, {A: (2000, 202), B: (701, 70)}).changed_pages == 2
    assert (story.page(), story.page(OTHER)) == (plain(A, 2000, 202), plain(B, 701, 70))


def test_a_page_that_was_edited_by_hand_is_repaired_in_the_next_round(story: Story) -> None:
    story.site.configure(write="at_most_every: 12d, min_change: 25")
    story.at(0, {A: (2000, 100)})
    story.site.put(PAGE, plain(A, 9, 90))
    assert story.at(1, {A: (2000, 100)}).changed_counts == 0
    assert story.at(12, {A: (2000, 100)}).changed_counts == 1
    assert story.page() == plain(A, 2000, 90), "90 differs by no more than 25"


def test_one_off_and_narrowed_syncs_keep_the_round(story: Story) -> None:
    story.site.configure(write="at_most_every: 12d")
    story.site.put(OTHER, plain(B, 5, 5))
    world = {A: (2000, 200), B: (700, 70)}
    assert story.at(0, world, Options(paths=(PAGE,))).changed_pages == 1
    assert story.at(0.1, world).changed_pages == 1, "the round is completed with the pages that were not named"
    for options in (Options(), Options(paths=(PAGE,)), Options(everything=True, accept=True)):
        assert story.at(5, {A: (9000, 900)}, options).changed_counts == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who has a page open")
def test_a_page_that_is_open_elsewhere_in_a_round_is_written_by_the_next_sync(story: Story) -> None:
    story.site.configure(write="at_most_every: 12d")
    other = story.site.put(OTHER, plain(B, 5, 5))
    with other.open("r+b"):
        assert story.at(0, {A: (2000, 200), B: (700, 70)}).changed_pages == 1
    assert story.at(0.25, {A: (2000, 200), B: (700, 70)}).changed_pages == 1
    assert story.page(OTHER) == plain(B, 700, 70)
    assert story.at(1, {A: (2001, 201), B: (701, 71)}).changed_pages == 0, "the round is complete"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who has a page open")
def test_a_page_that_stays_open_elsewhere_does_not_keep_the_round_open(story: Story) -> None:
    story.site.configure(write="at_most_every: 12d")
    other = story.site.put(OTHER, plain(B, 5, 5))
    with other.open("r+b"):
        written = [story.at(days, {A: (2000 + days, 200), B: (700, 70)}).changed_pages for days in range(6)]
    assert written == [1, 1, 1, 0, 0, 0]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who has a page open")
def test_a_page_that_is_saved_during_a_round_is_written_by_the_next_sync(story: Story) -> None:
    story.site.configure(write="at_most_every: 12d")
    author = story.site.put(OTHER, plain(B, 5, 5)).open("ab")

    def save(_: float) -> None:
        author.write(b"one more line\n")
        author.close()

    report = story.at(0, {A: (2000, 200), B: (700, 70)}, sleep=save)
    assert (report.changed_pages, [problem.kind.value for problem in report.problems]) == (1, ["edited-meanwhile"])
    assert story.at(0.25, {A: (2000, 200), B: (700, 70)}).changed_pages == 1
    assert story.page(OTHER) == plain(B, 700, 70) + b"one more line\n"


def test_a_data_file_that_was_deleted_does_not_wait_for_the_round(story: Story) -> None:
    story.site.configure(write="at_most_every: 12d, to: data_file, file: _data/counts.yml")
    story.at(0, {A: (2000, 200)})
    file = story.site.root / "_data/counts.yml"
    file.unlink()
    assert story.at(1, {A: (2001, 200)}).changed_counts == 2
    assert f'"{A}": {{viewcount: 2001, likeCount: 200}}' in file.read_text()
    assert story.at(12.5, {A: (2002, 200)}).changed_counts == 0, "it began a round"


def test_an_entry_that_is_removed_from_the_data_file_begins_a_round(story: Story) -> None:
    story.site.configure(write="at_most_every: 12d, to: data_file, file: _data/counts.yml")
    other = story.site.put(OTHER, plain(B, 5, 5))
    story.at(0, {A: (2000, 200), B: (700, 70)})
    other.unlink()
    assert story.at(11, {A: (2000, 200)}).changed_pages == 0
    assert story.at(13, {A: (2000, 200)}, Options(dry_run=True)).changed_pages == 1
    assert story.at(13, {A: (2000, 200)}).changed_pages == 1
    assert story.at(14, {A: (2001, 201)}).changed_pages == 0
    assert story.at(25, {A: (2001, 201)}).changed_pages == 1


def test_a_clock_that_ran_ahead_does_not_hold_pages_back(story: Story) -> None:
    story.site.configure(write="at_most_every: 12d")
    story.at(1000, {A: (2000, 200)})
    assert story.at(0, {A: (3000, 300)}).changed_counts == 2


def test_another_policy_is_settled_by_the_next_sync(story: Story) -> None:
    policies = ["in_place: true", "min_change: 50%", "at_most_every: 12d", "rounding: display", "in_place: true"]
    written = []
    for days, policy in enumerate(policies):
        story.site.configure(write=policy)
        written.append(story.at(days, {A: (1001 + days, 101 + days)}).changed_counts)
    assert written == [2, 0, 2, 1, 2], "below 1,000 every count is shown exactly"
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


def test_an_undo_is_not_held_back_and_begins_no_round(story: Story) -> None:
    story.site.configure(write="at_most_every: 12d, min_change: 25")
    first = story.at(0, {A: (2000, 200)})
    assert story.site.undo(first.sync, NOON + DAY).changed_counts == 2
    assert story.page() == plain(A, 1000, 100)
    assert story.at(12, {A: (2000, 200)}).changed_counts == 0, "the number that was undone"
    assert story.at(12.5, {A: (2001, 200)}).changed_counts == 1
    with story.state() as database:
        assert last_round(database) == Round(NOON + 12.5 * DAY, complete=True)


def test_commits_are_made_at_most_this_often_and_hold_all_that_was_due(story: Story) -> None:
    story.site.configure(write="at_most_every: 12d", git="commit: true")
    story.site.put(OTHER, plain(B, 5, 5))
    repository = in_git(story.site)
    repository.commit_all()
    commits = [
        days for days in range(0, 40, 3) if story.at(days, {A: (2000 + days, 200), B: (700, 70 + days // 6)}).commit
    ]
    assert commits == [0, 12, 24, 36]
    assert (repository.show(PAGE), repository.show(OTHER)) == (story.page(), story.page(OTHER))
    assert story.page() == plain(A, 2036, 200)


def test_a_commit_that_was_not_made_in_the_round_is_made_by_the_next_sync(story: Story) -> None:
    story.site.configure(write="at_most_every: 12d")
    in_git(story.site).commit_all()
    story.at(0, {A: (2000, 200)})
    story.site.configure(write="at_most_every: 12d", git="commit: true")
    assert story.at(1, {A: (2001, 200)}).commit
    assert story.at(2, {A: (2002, 200)}).commit is None


def test_what_an_undo_did_is_committed_by_the_next_sync(story: Story) -> None:
    story.site.configure(write="at_most_every: 12d", git="commit: true")
    repository = in_git(story.site)
    repository.commit_all()
    name = story.at(0, {A: (2000, 200)}).sync
    story.site.undo(name, NOON + DAY)
    assert story.at(2, {A: (2000, 200)}).commit
    assert repository.show(PAGE) == plain(A, 1000, 100)


def test_a_drop_is_not_held_back_and_the_next_number_waits_for_the_round(story: Story, syncer: Run) -> None:
    story.site.configure(write="at_most_every: 12d")
    in_git(story.site).commit_all()
    story.at(0, {A: (2000, 200)})
    assert "Restored 2 counts on 1 page." in syncer("review", "--drop", PAGE).out
    assert story.page() == plain(A, 1000, 100)
    assert held(story.at(11, {A: (2001, 201)})) == {Reason.AT_MOST_EVERY: 2}
    assert story.at(12, {A: (2001, 201)}).changed_counts == 2


def test_a_missing_count_is_inserted_in_the_next_round(story: Story) -> None:
    collections = COLLECTIONS.replace("likeCount}", "likeCount}\n      insert_missing: true")
    story.site.configure(write="at_most_every: 12d", collections=collections)
    story.at(0, {A: (2000, 200)})
    story.site.put(OTHER, f"---\nvid_id: {B}\n---\n".encode())
    assert held(story.at(1, {A: (2000, 200), B: (7, 7)})) == {Reason.AT_MOST_EVERY: 2}
    assert story.at(12, {A: (2000, 200), B: (7, 7)}).changed_counts == 2


def test_a_restored_state_writes_nothing_older(story: Story) -> None:
    story.site.configure(write="at_most_every: 12d, min_change: 25, at_least_every: 28d")
    story.at(0, {A: (2000, 200)})
    backup = {file.name: file.read_bytes() for file in story.site.state.glob(f"{DATABASE_FILE}*")}
    story.at(12, {A: (3000, 300)})
    for name, content in backup.items():
        (story.site.state / name).write_bytes(content)
    assert story.at(13, {A: (3100, 300)}).changed_counts == 1, "the last round that this state knows is long ago"
    assert story.page() == plain(A, 3100, 300)
    assert story.at(14, {A: (4000, 300)}).changed_counts == 0


def test_every_output_says_how_many_counts_are_held_back_why_and_until_when(story: Story, syncer: Run) -> None:
    story.site.configure(write="at_most_every: 12d, min_change: 10%, at_least_every: 28d")
    in_git(story.site).commit_all()
    story.at(0, {A: (2000, 200)})
    line = "Held back 2 counts on 1 page: 1 by write.at_most_every (until 2026-12-04 20:00:00 UTC)"
    line += ", 1 by write.min_change (the first until 2026-12-20 20:00:00 UTC)."
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
