"""Rounds, end to end: with `write.at_most_every`, pages are written and commits made at most this often."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pytest

from syncer.decide.thresholds import HeldBackCounts, Reason, Round
from syncer.simulator.server import Simulator
from syncer.state.writes import last_round
from syncer.sync.options import Options
from tests.policies import DAY, OTHER, PAGE, A, B, Story, held
from tests.repository import in_git
from tests.site import COLLECTIONS, NOON, Run, Site, plain


@pytest.fixture
def story(site: Site, youtube: Simulator) -> Story:
    site.put(PAGE, plain(A, 1000, 100))
    return Story(site, youtube)


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


def test_an_undo_is_not_held_back_and_begins_no_round(story: Story) -> None:
    story.site.configure(write="at_most_every: 12d, min_change: 25")
    first = story.at(0, {A: (2000, 200)})
    assert story.site.undo(first.sync, NOON + DAY).changed_counts == 2
    assert story.page() == plain(A, 1000, 100)
    assert story.at(12, {A: (2000, 200)}).changed_counts == 0, "the number that was undone"
    assert story.at(12.5, {A: (2001, 200)}).changed_counts == 1
    with story.state() as database:
        assert last_round(database) == Round(NOON + 12.5 * DAY, complete=True, written=NOON + 12.5 * DAY)


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


KEY_SET, KEY_ABSENT = "at_most_every: 12d", "in_place: true"


@pytest.mark.parametrize("before", [(), ((-30, KEY_SET),)], ids=["never set before", "set, and removed"])
@pytest.mark.parametrize("undone", [False, True])
def test_a_sync_that_wrote_pages_without_the_key_counts_as_the_last_round(
    story: Story, before: Sequence[tuple[int, str]], *, undone: bool
) -> None:
    for days, policy in (*before, (0, KEY_ABSENT)):
        story.site.configure(write=policy)
        assert story.at(days, {A: (2000 + days, 200 + days)}).changed_counts == 2
    story.site.configure(write=KEY_SET)
    for later in (1, 1.5, 11.9):
        for options in (Options(dry_run=True), Options(everything=True)):
            report = story.at(later, {A: (3000, 300)}, options)
            assert (report.changed_counts, held(report)) == (0, {Reason.AT_MOST_EVERY: 2})
            assert report.held_back
            assert report.held_back.until == {Reason.AT_MOST_EVERY: NOON + 12 * DAY}
        if undone and later == 1:
            story.site.undo(str(story.site.log_lines()[-1]["sync"]), NOON + 1.2 * DAY)
    assert story.at(12, {A: (3001, 301)}).changed_counts == 2


def test_without_the_key_no_round_is_stored(story: Story) -> None:
    story.site.configure(write="min_change: 1")
    story.at(0, {A: (2000, 200)})
    with story.state() as database:
        assert last_round(database) is None
