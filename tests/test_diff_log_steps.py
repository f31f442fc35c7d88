"""Old lines of the diff log are deleted in small steps, over as many syncs as it takes."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.diff_log.lines import entry_of, is_older, read_log, time_of
from syncer.diff_log.log import DiffLog, forget_older
from syncer.model import Change, Count, VideoId, Why
from tests.examples import examples

START = datetime(2026, 11, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Forty lines, one a day, in a log that is copied in steps of two lines and a bit."""
    monkeypatch.setattr("syncer.diff_log.log.COPIED_BYTES", 700)
    path = tmp_path / "diff.jsonl"
    append(path, *(START + day * DAY for day in range(40)))
    return path


def append(path: Path, *times: datetime) -> None:
    with DiffLog(path, 0) as opened:
        for at in times:
            number = opened.last_seq + 1
            change = Change(f"{number}.md", VideoId("5HjkiQJx-CY"), "n", Count.VIEWS, "1", "2", at, Why.CHANGED)
            opened.append("20261122T150003Z-9f2c", at, [entry_of(change)], number)


def forget(path: Path, before: datetime, steps: int | None = None) -> int:
    return len(list(islice(forget_older(path, before), steps)))


def test_all_lines_before_a_time_leave_and_the_others_stay_byte_for_byte(log: Path) -> None:
    lines = log.read_bytes().splitlines(keepends=True)
    log.chmod(0o600)
    assert forget(log, START + 10 * DAY) > 5
    assert log.read_bytes() == b"".join(lines[10:])
    assert (log.stat().st_mode & 0o777, os.listdir(log.parent)) == (0o600, ["diff.jsonl"])
    forget(log, START + 99 * DAY)
    assert log.read_bytes() == b""


def test_what_was_copied_is_not_copied_again_and_lines_that_came_meanwhile_stay(log: Path) -> None:
    every = log.read_bytes().splitlines(keepends=True)
    steps = forget(log, START + 10 * DAY, 3)
    assert log.read_bytes() == b"".join(every), "until all is copied, the log is as it was"
    while (log.parent / ".syncer-diff-log~").exists():
        append(log, START + 40 * DAY)
        every = log.read_bytes().splitlines(keepends=True)
        steps += forget(log, START + 12 * DAY, 3)
    assert log.read_bytes() == b"".join(every[10:]), "the next call goes on with the time of the first one"
    assert steps <= len(log.read_bytes()) // 700 + 12
    forget(log, START + 12 * DAY)
    assert log.read_bytes() == b"".join(every[12:])


@pytest.mark.parametrize("damage", ["torn", "zeros", "another log", "nothing", "rubbish"])
def test_a_copy_that_is_not_a_part_of_the_log_is_made_again(log: Path, damage: str) -> None:
    forget(log, START + 10 * DAY, 4)
    copy = log.parent / ".syncer-diff-log~"
    content = copy.read_bytes()
    copy.write_bytes(
        {
            "torn": content[:-9],
            "zeros": content[:-300] + bytes(300),
            "another log": content.replace(b'"new": "2"', b'"new": "3"'),
            "nothing": b"",
            "rubbish": b"x" * 9000,
        }[damage]
    )
    lines = log.read_bytes().splitlines(keepends=True)
    forget(log, START + 10 * DAY)
    assert log.read_bytes() == b"".join(lines[10:])


@given(st.lists(st.integers(-3, 9), max_size=60), st.integers(-5, 60))
@examples(200)
def test_no_line_that_is_newer_leaves(tmp_path_factory: pytest.TempPathFactory, days: list[int], cut: int) -> None:
    """After a clock was set back, an old line may stay for a while."""
    path = tmp_path_factory.mktemp("log") / "diff.jsonl"
    at, times = START, []
    for step in days:
        at += step * DAY
        times.append(at)
    append(path, *times)
    before, every = START + cut * DAY, list(read_log(path))
    forget(path, before)
    kept = list(read_log(path))
    assert kept == every[len(every) - len(kept) :], "the log loses lines at its start only"
    gone = every[: len(every) - len(kept)]
    assert not gone or is_older(gone[-1], before)
    if times == sorted(times):
        assert all(time_of(line) >= before for line in kept)
