"""After a crash, pages, state and diff log agree again as soon as anything is written, and `check` says how."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from syncer.simulator.server import Simulator
from syncer.state.database import open_to_read
from syncer.state.directory import DATABASE_FILE
from syncer.state.lock import hold_lock
from syncer.state.writes import last_round, last_writes
from tests.crash.warm import Order, Warm
from tests.site import DATED_COLLECTIONS, NOON, Run, Site, counts, crlf, ids, with_date

VIDEOS = ids(3)
SEEN = 7
"""The count on the pages before the first sync."""

OLD_DATE = "2026-10-01"
"""The date on the pages before the first sync."""

CUT = """
import importlib, os, signal
place, name, when = {where!r}
module = importlib.import_module(place.partition(":")[0])
owner = getattr(module, place.partition(":")[2]) if ":" in place else module
real = getattr(owner, name)

def cut(*arguments, **options):
    if when == "after":
        real(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)

setattr(owner, name, cut)
"""
"""Lets a syncer be killed before or after it calls one of its functions."""

Crash = Callable[[Site, str, str, str], None]

WRITTEN = (
    ("syncer.sync.write", "mark_done", "before"),
    ("syncer.sync.write", "mark_done", "after"),
    ("syncer.diff_log.log:DiffLog", "append", "after"),
    ("syncer.sync.write", "forget_intents", "after"),
)
"""Where a crash leaves the pages written."""

UNWRITTEN = (
    ("syncer.sync.write", "record_intents", "before"),
    ("syncer.sync.write", "record_intents", "after"),
    ("syncer.content.replace", "flush_files", "after"),
)
"""Where it leaves them as they were."""


@pytest.fixture
def full(site: Site) -> Site:
    site.configure(write="in_place: false", collections=DATED_COLLECTIONS)
    for number, video in enumerate(VIDEOS):
        site.put(f"content/{number}.md", with_date(crlf(video, SEEN, SEEN), OLD_DATE))
    return site


@pytest.fixture
def crash(warm: Warm) -> Crash:
    """Runs `syncer sync` and kills it before or after a call of this function in this place."""

    def run(site: Site, *where: str) -> None:
        out, err = (str(site.root.parent / name) for name in ("out", "err"))
        assert warm.start(Order(("sync",), str(site.root), out, err, first=CUT.format(where=where))).ended().killed

    return run


@pytest.mark.parametrize("where", [*WRITTEN, *UNWRITTEN], ids=" ".join)
def test_a_round_that_a_crash_cut_short_is_completed_by_the_next_sync_and_no_other_begins(
    full: Site, youtube: Simulator, crash: Crash, where: tuple[str, str, str]
) -> None:
    policy = "in_place: false, at_most_every: 12d, min_change: 25, at_least_every: 28d"
    full.configure(write=policy, collections=DATED_COLLECTIONS)
    crash(full, *where)
    now = datetime.now(UTC)
    full.sync(now)
    require_all_right(full, youtube)
    with open_to_read(full.state, str(full.root.resolve())) as database:  # type: ignore[union-attr]
        last, written = last_round(database), last_writes(database, ["content/0.md"])
    assert last
    assert last.complete
    assert abs(last.began - now) < timedelta(minutes=5)
    assert len(written) == 2
    youtube.clock.advance(timedelta(days=400))
    report = full.sync(now + timedelta(hours=6))
    assert (report.changed_counts, report.held_back and report.held_back.pages) == (0, len(VIDEOS))


def require_all_right(site: Site, youtube: Simulator) -> None:
    """Every page says what YouTube says, and the log has each count and date of it once, with numbers from 1 on."""
    lines = site.log_lines()
    dates = {line["path"]: line["new"] for line in lines if line["count"] is None}
    for number, video in enumerate(VIDEOS):
        path = f"content/{number}.md"
        assert (site.root / path).read_bytes() == with_date(crlf(video, *counts(youtube, video)), dates[path])
    assert [line["seq"] for line in lines] == list(range(1, 3 * len(VIDEOS) + 1))
    assert {(line["path"], line["field"]) for line in lines} == {
        (f"content/{number}.md", field)
        for number in range(len(VIDEOS))
        for field in ("viewcount", "likeCount", "viewsUpdated")
    }
    assert {line["old"] for line in lines} == {str(SEEN), OLD_DATE}
    assert left_over(site) == []


def left_over(site: Site) -> Sequence[Path]:
    return [path for path in site.root.rglob(".syncer-*") if path.name.endswith("~")]


@pytest.mark.parametrize(("place", "name", "when"), WRITTEN + UNWRITTEN)
def test_wherever_a_sync_is_killed_the_next_one_sets_all_right(
    full: Site, youtube: Simulator, place: str, name: str, when: str, crash: Crash
) -> None:
    crash(full, place, name, when)

    assert full.sync(NOON).exit == 0
    require_all_right(full, youtube)
    assert full.sync(NOON).changed_counts == 0


@pytest.mark.parametrize(("place", "name", "when"), WRITTEN)
def test_what_was_written_before_the_crash_is_logged_as_the_work_of_that_sync(
    full: Site, youtube: Simulator, place: str, name: str, when: str, crash: Crash
) -> None:
    crash(full, place, name, when)

    report = full.sync(NOON)
    assert report.changed_counts == 0
    assert report.sync not in {line["sync"] for line in full.log_lines()}
    require_all_right(full, youtube)


def test_a_page_that_a_recovery_finds_written_gets_a_new_modification_time(
    site: Site, youtube: Simulator, crash: Crash
) -> None:
    """After a power cut it can have its new bytes and its old time: git would take it for unchanged."""
    files = []
    for number, video in enumerate(VIDEOS):
        views, likes = counts(youtube, video)
        files.append(site.put(f"content/{number}.md", crlf(video, views ^ 1, likes ^ 1)))
    for file in files:
        age(file)
    inodes = [file.stat().st_ino for file in files]
    crash(site, "syncer.sync.write", "mark_done", "before")
    assert [file.stat().st_ino for file in files] == inodes, "changed in place"
    times = [age(file) for file in files]

    site.sync(NOON)

    assert [file.read_bytes() for file in files] == [crlf(video, *counts(youtube, video)) for video in VIDEOS]
    assert len(site.log_lines()) == 2 * len(VIDEOS)
    assert all(file.stat().st_mtime > saved + 30 for file, saved in zip(files, times, strict=True))


def age(file: Path) -> float:
    """Make it look as if the page was last saved a minute ago, and return when."""
    saved = time.time() - 60
    os.utime(file, (saved, saved))
    return saved


def test_a_crash_in_the_recovery_does_no_harm(full: Site, youtube: Simulator, crash: Crash) -> None:
    crash(full, "syncer.sync.write", "mark_done", "before")
    crash(full, "syncer.sync.open_state", "mark_done", "after")
    crash(full, "syncer.sync.open_state", "forget_intents", "before")

    assert full.sync(NOON).exit == 0
    require_all_right(full, youtube)


def test_a_line_that_the_crash_tore_is_cut_and_written_whole(full: Site, youtube: Simulator, crash: Crash) -> None:
    crash(full, "syncer.sync.write", "forget_intents", "before")
    log = full.state / "diff.jsonl"
    os.truncate(log, log.stat().st_size - 150)

    assert full.sync(NOON).exit == 0
    require_all_right(full, youtube)


def test_a_count_that_was_overwritten_before_the_recovery_is_not_logged(full: Site, crash: Crash) -> None:
    crash(full, "syncer.sync.write", "mark_done", "before")
    full.put("content/0.md", crlf(VIDEOS[0], 123456, SEEN))

    full.sync(NOON)
    first = [(line["field"], line["old"]) for line in full.log_lines() if line["path"] == "content/0.md"]
    assert first == [("viewcount", "123456"), ("likeCount", str(SEEN))]


def test_new_files_are_removed_where_they_are_also_behind_links(full: Site, crash: Crash) -> None:
    real = full.put("shared/real.md", crlf(VIDEOS[0], SEEN, SEEN))
    (full.root / "content" / "0.md").unlink()
    (full.root / "content" / "0.md").symlink_to(real)
    crash(full, "syncer.content.replace", "flush_files", "after")
    assert len(left_over(full)) == len(VIDEOS)

    assert full.sync(NOON).exit == 0
    assert left_over(full) == []


def test_a_purge_settles_what_a_crash_left_as_well(full: Site, youtube: Simulator, syncer: Run, crash: Crash) -> None:
    crash(full, "syncer.sync.write", "mark_done", "before")

    ran = syncer("purge")
    assert ran.code == 0
    assert "The last sync was interrupted. It is completed now: 6 values written, " in ran.err
    require_all_right(full, youtube)


def test_check_says_what_the_next_sync_will_settle_and_settles_nothing(full: Site, syncer: Run, crash: Crash) -> None:
    crash(full, "syncer.content.replace", "flush_files", "after")

    for _ in range(2):
        ran = syncer("check", "--offline")
        assert "discards 6 values that it had not, and removes 3 temporary files" in " ".join(ran.out.split())
    assert len(left_over(full)) == len(VIDEOS)


def test_check_takes_no_running_sync_for_a_crash(full: Site, syncer: Run, crash: Crash) -> None:
    crash(full, "syncer.content.replace", "flush_files", "after")

    with hold_lock(full.state, timeout=0, sleep=lambda _: None):
        out = syncer("check", "--offline").out
    assert "interrupted" not in out
    assert "a sync is writing now" in out


def test_check_names_files_that_no_intent_knows_of_too(full: Site, syncer: Run) -> None:
    full.put("content/lists/.syncer-0123abcd~", b"---\n")

    assert "removes 1 temporary file" in " ".join(syncer("check", "--offline").out.split())
    assert full.sync(NOON).exit == 0
    assert left_over(full) == []


def test_a_damaged_state_is_set_aside_and_a_new_one_begun(full: Site, youtube: Simulator) -> None:
    full.sync(NOON)
    (full.state / DATABASE_FILE).write_bytes(b"what is this?" * 1000)

    report = full.sync(NOON)
    assert [(problem.kind, report.exit) for problem in report.problems] == [("state-lost", 1)]
    assert "state.sqlite3.damaged-20261122T200000Z" in report.problems[0].message
    assert (full.state / "state.sqlite3.damaged-20261122T200000Z").read_bytes().startswith(b"what is this?")
    require_all_right(full, youtube)
    assert full.sync(NOON).exit == 0


def test_damage_deep_in_the_state_is_found_after_a_crash(full: Site, youtube: Simulator, crash: Crash) -> None:
    full.sync(NOON)
    crash(full, "syncer.sync.make", "judge_window", "before")
    with (full.state / DATABASE_FILE).open("r+b") as state:
        size = state.seek(0, os.SEEK_END)
        state.seek(4096)
        state.write(b"\xa5" * (size - 4096))
    (full.state / f"{DATABASE_FILE}-wal").unlink(missing_ok=True)

    assert [problem.kind for problem in full.sync(NOON).problems] == ["state-lost"]
    require_all_right(full, youtube)


def test_new_files_that_no_intent_names_are_removed_after_a_lost_state(full: Site, crash: Crash) -> None:
    crash(full, "syncer.content.replace", "flush_files", "after")
    shutil.rmtree(full.state)
    assert len(left_over(full)) == len(VIDEOS)

    assert full.sync(NOON).exit == 0
    assert left_over(full) == []


def test_after_a_lost_state_the_report_says_what_is_lost_and_the_log_continues(full: Site, syncer: Run) -> None:
    full.sync(datetime.now(UTC) - timedelta(days=1))  # the log does not keep what is older than `history.keep`
    (full.state / DATABASE_FILE).unlink()
    full.put("content/0.md", crlf(VIDEOS[0], SEEN, SEEN))

    ran = syncer("sync", "--json")
    (problem,) = ran.document["problems"]
    assert (problem["kind"], ran.code) == ("state-lost", 1)
    for lost in ("histories", "undid", "missing", "units"):
        assert lost in problem["message"]
    assert [line["seq"] for line in full.log_lines()] == list(range(1, 3 * len(VIDEOS) + 2 + 1))
    assert json.loads(syncer("sync", "--json").out)["problems"] == []
