"""`syncer undo` puts back what a sync replaced, where it still stands, and says why it leaves the rest."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from syncer.diff_log.log import DiffLog
from syncer.model import Edit
from syncer.review import put_back
from syncer.review.put_back import SkippedCount
from syncer.simulator.server import Simulator
from syncer.state.database import open_to_read
from syncer.state.syncs import last_whole_sync, past_sync
from syncer.sync.options import Listener, Options, Sync
from syncer.sync.write import write_edits
from tests.site import COLLECTIONS, FORMS, NOON, Run, Site, counts, crlf, ids, pair, plain, tree

HOUR = timedelta(hours=1)
A, B, C = ids(3, seed=6)


def pages(site: Site) -> Mapping[str, bytes]:
    content = site.root / "content"
    return {str(file.relative_to(content)): file.read_bytes() for file in sorted(content.rglob("*.md"))}


def undone(site: Site, name: str, at: datetime = NOON + HOUR) -> tuple[int, list[SkippedCount]]:
    """Undo a sync; return the exit code, and what was left."""
    report, skipped = site.undo_and_list(name, at)
    assert report.left == len(skipped)
    return report.exit, list(skipped)


@pytest.fixture
def full(site: Site) -> Site:
    """A page in each form, and one of two videos."""
    for number, (form, video) in enumerate(zip(FORMS, ids(len(FORMS)), strict=True)):
        site.put(f"content/{number}.md", form(video, 7, 8))
    site.put("content/lists/two.md", pair((A, 1, 2), (ids(1)[0], 7, 8)))
    return site


def test_every_count_comes_back_byte_for_byte_in_every_form(full: Site) -> None:
    before = pages(full)
    synced = full.sync()
    assert all(now != before[path] for path, now in pages(full).items())

    assert undone(full, synced.sync) == (0, [])
    assert pages(full) == before


def test_an_undo_is_a_sync_in_the_log_with_each_count_the_other_way_round(full: Site) -> None:
    synced = full.sync()
    there = full.log_lines()
    report = full.undo(synced.sync, NOON + HOUR)

    back = full.log_lines()[len(there) :]
    assert [line["seq"] for line in back] == list(range(len(there) + 1, 2 * len(there) + 1))
    assert {(line["sync"], line["at"], line["why"]) for line in back} == {(report.sync, "2026-11-22T21:00:00Z", "undo")}
    assert [
        (line["path"], line["video_id"], line["field"], line["count"], line["new"], line["old"]) for line in there
    ] == [(line["path"], line["video_id"], line["field"], line["count"], line["old"], line["new"]) for line in back]
    assert (report.pages, report.videos, report.changed_pages, report.changed_counts) == (6, 6, 6, 14)


def test_status_calls_an_undo_by_name_and_says_how_it_went(full: Site, syncer: Run) -> None:
    name = full.sync().sync
    full.undo(name, NOON + HOUR)
    full.sync(NOON + 2 * HOUR)
    (full.root / full.log_lines()[0]["path"]).unlink()
    full.undo(name, NOON + 3 * HOUR)
    head, *rows = syncer("status").out.splitlines()[:5]
    assert head.split()[-1] == "result"
    found = [re.split("  +", row)[-1] for row in rows]
    assert re.fullmatch(r"undo, \d+ values not restored", found[0])
    assert found[1:] == ["complete", "undo", "complete"]
    assert [sync["result"] for sync in syncer("status", "--json").document["syncs"]] == found


def test_an_undo_can_be_undone_and_that_again(full: Site) -> None:
    before = pages(full)
    name = full.sync().sync
    after = pages(full)
    for expected in (before, after, before, after):
        name = full.undo(name, NOON + HOUR).sync
        assert pages(full) == expected


def test_what_a_later_sync_wrote_is_left_and_the_rest_is_put_back(site: Site, youtube: Simulator) -> None:
    site.put("content/a.md", crlf(A, 1, 2))
    site.put("content/b.md", crlf(B, 1, 2))
    first = site.sync().sync
    youtube.clock.advance(timedelta(days=30))
    site.sync(NOON + HOUR, Options(paths=("content/a.md",)))
    views, likes = counts(youtube, A)

    assert undone(site, first) == (
        1,
        [
            SkippedCount("content/a.md", "viewcount", f"it has changed since, to {views}"),
            SkippedCount("content/a.md", "likeCount", f"it has changed since, to {likes}"),
        ],
    )
    assert pages(site) == {"a.md": crlf(A, views, likes), "b.md": crlf(B, 1, 2)}


def test_a_count_changed_by_hand_is_not_restored_and_other_edits_stay(site: Site, youtube: Simulator) -> None:
    page = site.put("content/a.md", plain(A, 1, 2))
    name = site.sync().sync
    likes = counts(youtube, A)[1]
    page.write_bytes(plain(A, 12345, likes).replace(b"by hand", b"by hand, mostly") + b"A new line.\n")

    assert undone(site, name) == (1, [SkippedCount("content/a.md", "viewcount", "it has changed since, to 12345")])
    assert page.read_bytes() == plain(A, 12345, 2).replace(b"by hand", b"by hand, mostly") + b"A new line.\n"


def test_a_count_removed_by_hand_is_not_restored(site: Site, youtube: Simulator) -> None:
    site.put("content/a.md", crlf(A, 1, 2))
    site.put("content/b.md", crlf(B, 1, 2))
    name = site.sync().sync
    site.put("content/a.md", crlf(A, "", 5).replace(b"likeCount", b"likes"))
    site.put("content/b.md", crlf(B, 1, 2).replace(B.encode(), C.encode()))

    gone = "the page no longer has this count"
    assert undone(site, name)[1] == [
        SkippedCount("content/a.md", "viewcount", "it has been removed since"),
        SkippedCount("content/a.md", "likeCount", gone),
        SkippedCount("content/b.md", "viewcount", gone),
        SkippedCount("content/b.md", "likeCount", gone),
    ]


def test_an_inserted_count_is_not_removed(site: Site, youtube: Simulator) -> None:
    site.configure(
        collections="  - directory: content\n    fields: {video_id: vid_id, insert_missing: true, "
        "counts: {viewCount: viewcount, likeCount: likeCount, commentCount: comments}}\n"
    )
    site.put("content/a.md", crlf(A, "", 2))
    name = site.sync().sync
    assert [line["why"] for line in site.log_lines()] == ["changed", "changed", "inserted"]
    page = pages(site)["a.md"]

    before = "the sync added it; there was nothing before"
    assert undone(site, name) == (
        1,
        [SkippedCount("content/a.md", "viewcount", before), SkippedCount("content/a.md", "comments", before)],
    )
    assert pages(site)["a.md"] == page.replace(f'"{counts(youtube, A)[1]}"'.encode(), b'"2"')


def test_how_to_remove_an_inserted_count_is_shown_only_for_inserted_counts(site: Site, syncer: Run) -> None:
    site.put("content/a.md", crlf(A, "", 2))
    ran = syncer("undo", site.sync().sync)
    assert "Remove them by hand: delete the key and its value; in a table, empty the\ncell." in ran.out
    assert "`git restore PAGE`" in ran.out
    site.put("content/b.md", crlf(A, 1, 2))
    name = site.sync().sync
    (site.root / "content/b.md").unlink()
    ran = syncer("undo", name)
    assert ran.out.startswith("Not restored: 2 values")
    assert "git restore" not in ran.out


def remove(site: Site) -> None:
    (site.root / "content/a.md").unlink()


def move_away(site: Site) -> None:
    (site.root / "content").rename(site.root / "pages")


def exclude(site: Site) -> None:
    site.configure(
        collections="  - {directory: content, exclude: [a.md], fields: {video_id: v, counts: {viewCount: w}}}\n"
    )
    forget_the_mappings(site)


def map_another_count(site: Site) -> None:
    likes = COLLECTIONS.replace(
        "viewCount: viewcount, likeCount: likeCount", "commentCount: viewcount, viewCount: likeCount"
    )
    site.configure(collections=likes)
    forget_the_mappings(site)


def forget_the_mappings(site: Site) -> None:
    (site.state / "state.sqlite3").unlink()


def break_it(site: Site) -> None:
    site.put("content/a.md", b"---\nvid_id: [\n---\n")


def put_a_directory_there(site: Site) -> None:
    remove(site)
    (site.root / "content/a.md").mkdir()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (remove, "the page no longer exists"),
        (move_away, "the page no longer exists"),
        (exclude, "the page is not in any collection of the config"),
        (map_another_count, "the page no longer has this count"),
        (break_it, "Invalid YAML in front matter"),
        (put_a_directory_there, "the page no longer has this count"),
    ],
)
def test_a_page_that_cannot_be_restored_is_listed_with_the_reason(
    site: Site, spoil: Callable[[Site], None], why: str
) -> None:
    site.put("content/a.md", crlf(A, 1, 2))
    name = site.sync().sync
    spoil(site)

    code, skipped = undone(site, name)
    assert (code, [(count.path, count.field) for count in skipped]) == (
        1,
        [("content/a.md", "viewcount"), ("content/a.md", "likeCount")],
    )
    assert all(count.why.startswith(why) for count in skipped), skipped


def test_a_read_only_page_is_a_problem_and_can_be_undone_later(site: Site, syncer: Run) -> None:
    page = site.put("content/a.md", crlf(A, 1, 2))
    name = site.sync().sync
    page.chmod(0o444)

    ran = syncer("undo", name)
    assert (ran.code, ran.out.splitlines()) == (
        1,
        [
            "Problems: 1",
            "  content/a.md: The page is read-only: make it writable, or exclude it. [unwritable]",
            f"Run `syncer undo {name}` again to restore the remaining values.",
        ],
    )
    page.chmod(0o644)
    assert undone(site, name) == (0, [])


def test_an_edit_during_the_undo_wins_and_nothing_is_suppressed(
    site: Site, syncer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.put("content/a.md", crlf(A, 1, 2))
    site.put("content/b.md", crlf(B, "", 2))
    name = site.sync().sync
    edited = (site.root / "content/a.md").read_bytes() + b"\r\nan edit"

    def edit_and_write(sync: Sync, diff_log: DiffLog, edits: Sequence[Edit]) -> int:
        site.put("content/a.md", edited)
        return write_edits(sync, diff_log, edits)

    monkeypatch.setattr(put_back, "write_edits", edit_and_write)
    report = site.undo(name)
    assert [(problem.kind, problem.subject) for problem in report.problems] == [("edited-meanwhile", "content/a.md")]
    assert pages(site)["a.md"] == edited
    assert syncer("status", "--json").document["held_by_undo"] == 1


def test_counts_that_have_their_old_values_need_nothing(site: Site, syncer: Run) -> None:
    site.put("content/a.md", crlf(A, 1, 2))
    name = site.sync().sync
    site.undo(name)
    lines = site.log_lines()

    ran = syncer("undo", name)
    assert (ran.code, ran.out) == (0, "Nothing to restore: the pages already have the old values.\n")
    assert site.log_lines() == lines


def test_a_page_behind_a_link_and_one_of_two_collections_are_put_back_too(site: Site) -> None:
    site.configure(
        collections="  - {directory: content, fields: {video_id: vid_id, counts: {viewCount: viewcount}}}\n"
        "  - {directory: content/both, fields: {video_id: other, counts: {viewCount: views, likeCount: likeCount}}}\n"
    )
    shared = site.put("shared/real.md", crlf(A, 1, 2))
    (site.root / "content" / "a.md").symlink_to(shared)
    both = site.put(
        "content/both/b.md", f"---\nvid_id: {A}\nviewcount: 3\nother: {B}\nviews: 4\nlikeCount: 5\n---\n".encode()
    )
    before = shared.read_bytes(), both.read_bytes()
    report = site.sync()
    assert report.changed_counts == 4
    assert shared.read_bytes() != before[0]

    assert undone(site, report.sync) == (0, [])
    assert (shared.read_bytes(), both.read_bytes()) == before


def test_each_line_says_when_youtube_said_the_number_that_is_back(site: Site, youtube: Simulator) -> None:
    site.put("content/a.md", crlf(A, 1, 2))
    first = site.sync(NOON)
    youtube.clock.advance(timedelta(days=30))
    second = site.sync(NOON + HOUR)

    def told(name: str) -> set[str]:
        new = site.undo(name, NOON + 9 * HOUR).sync
        return {line["as_of"] for line in site.log_lines() if line["sync"] == new}

    at_first = {line["as_of"] for line in site.log_lines() if line["sync"] == first.sync}
    at_second = {line["as_of"] for line in site.log_lines() if line["sync"] == second.sync}
    assert at_first != at_second
    assert told(second.sync) == at_first
    assert told(first.sync) == at_first, "nobody knows when YouTube said what a person had typed"


@pytest.mark.parametrize("name", ["20261122T200000Z-0000", "nothing", "-1", "../diff"])
def test_a_sync_that_wrote_nothing_is_exit_2_and_nothing_is_done(full: Site, syncer: Run, name: str) -> None:
    ran = syncer("undo", "--", name)
    assert (ran.code, ran.out, full.state.exists()) == (2, "", False)
    assert ran.err == f"syncer: the diff log has no changes of a sync {name}; run `syncer log` to see its syncs\n"
    full.sync()
    before = tree(full.root / "content")
    for wrong in (name, full.log_lines()[0]["sync"][:-1], full.sync().sync):
        assert syncer("undo", "--", wrong).code == 2
    assert tree(full.root / "content") == before
    assert len(full.log_lines()) == 14


def test_the_command_shows_what_it_restored_what_it_did_not_and_how_to_reverse_it(full: Site, syncer: Run) -> None:
    before = pages(full)
    name = full.sync().sync
    full.put("content/1.md", before["1.md"] + b"new")
    (full.root / "content" / "2.md").unlink()

    ran = syncer("undo", name)
    mine = full.log_lines()[-1]["sync"]
    assert (ran.code, ran.err) == (1, "")
    lines = [line.split() for line in ran.out.splitlines()]
    assert lines[0] == ["page", "count", "old", "new"]
    assert lines[1][0::3] == ["content/0.md", "7"]
    assert "Restored 10 counts on 4 pages. A sync changes them only when YouTube returns different numbers." in ran.out
    assert f"To reverse this, run `syncer undo {mine}`." in ran.out
    assert "Not restored: 2 values" in ran.out
    assert ["content/2.md", "viewcount", "the", "page", "no", "longer", "exists"] in lines
    assert syncer("-q", "undo", mine).out.startswith("Not restored") is False
    assert syncer("undo", "--help").out.startswith("Usage: syncer undo [OPTIONS] SYNC\n")


def test_an_undo_is_recorded_as_a_sync_and_the_schedule_does_not_count_it(site: Site, syncer: Run) -> None:
    site.put("content/a.md", crlf(A, "", 2))
    name = site.sync().sync
    report = site.undo(name, NOON + HOUR)

    status = syncer("status", "--json").document
    assert [(sync["sync"], sync["changed_counts"], sync["exit"]) for sync in status["syncs"]] == [
        (report.sync, 1, 1),
        (name, 2, 0),
    ]
    assert [line["why"] for line in syncer("log", "--json", "--sync", report.sync).document] == ["undo"]
    assert len(syncer("history", "--json", A).document["readings"]) == 1
    with open_to_read(site.state, str(site.root.resolve())) as database:  # type: ignore[union-attr]
        past = past_sync(database, report.sync)
        assert past
        assert (json.loads(past.report)["left"], past.whole, last_whole_sync(database)) == (1, False, NOON)


def test_the_shell_is_offered_the_syncs_that_can_be_undone(site: Site) -> None:
    def offered(begun: str) -> list[str]:
        asked = {"_SYNCER_COMPLETE": "bash_complete", "COMP_WORDS": f"syncer undo {begun}", "COMP_CWORD": "2"}
        environment = {**os.environ, **asked, "PYTHONPATH": str(Path(__file__).parent.parent)}
        command = [sys.executable, "-c", "from syncer.cli.main import main; main()"]
        return subprocess.check_output(command, cwd=site.root, env=environment, text=True).split()

    site.put("content/a.md", crlf(A, 1, 2))
    name = site.sync().sync
    site.sync(NOON + HOUR)
    undo = site.undo(name, NOON + 2 * HOUR).sync
    assert offered("2") == [f"plain,{undo}", f"plain,{name}"]
    assert offered("3") == []
    site.config.unlink()
    assert offered("2") == []


def test_an_undo_that_is_stopped_finishes_the_current_pages_and_can_be_repeated(
    full: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = pages(full)
    name = full.sync().sync
    monkeypatch.setattr(put_back, "PAGES_AT_ONCE", 1)
    written: list[str] = []
    listener = Listener(changed=lambda changes: written.extend(change.path for change in changes))

    report = full.undo(name, listener=listener, cancelled=lambda: len(written) >= 4)
    assert (report.exit, report.changed_pages) == (130, 2)
    assert sum(now == before[path] for path, now in pages(full).items()) == 2
    assert undone(full, name) == (0, [])
    assert pages(full) == before


def test_pages_are_read_when_it_is_their_turn_so_memory_holds_few_of_them(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        site.put(f"content/{name}.md", crlf(A, 1, 2))
    synced = site.sync().sync
    monkeypatch.setattr(put_back, "PAGES_AT_ONCE", 1)

    edit = Listener(changed=lambda _: site.put("content/b.md", crlf(A, 3, 4)))
    _, skipped = site.undo_and_list(synced, listener=edit)
    assert [count.why for count in skipped] == ["it has changed since, to 3", "it has changed since, to 4"]
    assert pages(site) == {"a.md": crlf(A, 1, 2), "b.md": crlf(A, 3, 4)}


def test_of_the_counts_that_are_left_only_the_first_are_listed_and_all_are_counted(site: Site) -> None:
    for name in "abc":
        site.put(f"content/{name}.md", crlf(A, "", ""))
    report, skipped = site.undo_and_list(site.sync().sync, limit=3)
    assert [(count.path, count.field) for count in skipped] == [
        ("content/a.md", "viewcount"),
        ("content/a.md", "likeCount"),
        ("content/b.md", "viewcount"),
    ]
    assert report.left == 6


def test_an_undo_waits_for_nobody_asks_nobody_and_needs_no_key(
    full: Site, youtube: Simulator, syncer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = full.sync().sync
    asked = youtube.requests
    monkeypatch.delenv("YOUTUBE_API_KEY")
    assert syncer("undo", name).code == 0
    assert youtube.requests == asked


def test_after_a_lost_state_the_log_is_enough_for_an_undo(full: Site) -> None:
    before = pages(full)
    name = full.sync().sync
    for file in full.state.glob("state.sqlite3*"):
        file.unlink()

    report = full.undo(name)
    assert [problem.kind for problem in report.problems] == ["state-lost"]
    assert pages(full) == before
    full.sync()
    assert pages(full) == before, "it is suppressed all the same"
