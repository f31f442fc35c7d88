"""The diff log's form, its numbers, and how it is read and mended after a crash or a clumsy hand."""

from __future__ import annotations

import json
import os
import stat
import threading
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.diff_log.lines import (
    TAIL_BYTES,
    Line,
    entry_of,
    last_lines,
    line_of,
    lines_backwards,
    lines_of_sync,
    oldest_time,
    read_log,
    time_of,
)
from syncer.diff_log.log import DiffLog, forget_lines
from syncer.errors import StateError
from syncer.model import Change, Count, VideoId, Why
from tests.examples import examples

AT = datetime(2026, 11, 22, 15, 0, 7, tzinfo=UTC)
SYNC = "20261122T150003Z-9f2c"


def change(
    path: str = "content/_posts/facet-joints.md",
    new: str = "31250",
    old: str | None = "31147",
    video: str = "5HjkiQJx-CY",
    why: Why = Why.CHANGED,
    field: str = "viewcount",
) -> Change:
    return Change(path, VideoId(video), field, Count.VIEWS, old, new, AT - timedelta(seconds=2), why)


def append(log: Path, *changes: Change, last_seq: int = 0, at: datetime = AT) -> int:
    with DiffLog(log, last_seq) as diff_log:
        diff_log.append(SYNC, at, [entry_of(one) for one in changes], diff_log.last_seq + 1)
        return diff_log.last_seq


def numbers(log: Path) -> list[str | int | None]:
    return [line["seq"] for line in read_log(log)]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "diff.jsonl"


@given(st.text(), st.text(), st.none() | st.integers(0, 2**63 - 1).map(str), st.sampled_from(Why))
def test_an_entry_is_the_line_without_number_sync_and_time(path: str, field: str, old: str | None, why: Why) -> None:
    one = change(path=path, field=field, old=old, why=why)
    line = line_of(SYNC, AT, one)

    entry = json.loads(entry_of(one))
    assert list(line.items()) == [("sync", SYNC), ("at", line["at"]), *entry.items()]


def test_a_line_has_exactly_the_promised_form(log: Path) -> None:
    append(log, change(), last_seq=40)

    assert log.read_text(encoding="utf-8") == (
        '{"seq": 41, "sync": "20261122T150003Z-9f2c", "at": "2026-11-22T15:00:07Z", '
        '"path": "content/_posts/facet-joints.md", "video_id": "5HjkiQJx-CY", "field": "viewcount", '
        '"count": "viewCount", "old": "31147", "new": "31250", "as_of": "2026-11-22T15:00:05Z", "why": "changed"}\n'
    )


def test_an_empty_or_absent_count_was_null(log: Path) -> None:
    append(log, change(old=None, why=Why.INSERTED, field="videos[1].viewcount"))

    (line,) = read_log(log)

    assert (line["old"], line["why"], line["field"]) == (None, "inserted", "videos[1].viewcount")


def test_names_are_plain_utf8(log: Path) -> None:
    append(log, change(path='content/Ünï/日本 "q"\n.md'))

    assert "content/Ünï/日本 ".encode() in log.read_bytes()
    assert log.read_bytes().count(b"\n") == 1
    assert [line["path"] for line in read_log(log)] == ['content/Ünï/日本 "q"\n.md']


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1), max_size=5))
@examples(50)
def test_every_path_is_read_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, paths: list[str]) -> None:
    log = tmp_path_factory.mktemp("log") / "diff.jsonl"
    append(log, *(change(path) for path in paths))

    assert [line["path"] for line in read_log(log)] == paths
    assert numbers(log) == list(range(1, len(paths) + 1))


def test_numbers_go_on_from_line_to_line_and_sync_to_sync(log: Path) -> None:
    append(log, change(), change())
    append(log)
    append(log, change())

    assert numbers(log) == [1, 2, 3]


def test_numbers_go_on_when_the_state_was_lost(log: Path) -> None:
    append(log, change(), last_seq=76)

    assert append(log, change(), last_seq=0) == 78


def test_numbers_go_on_when_the_log_was_lost_or_emptied(log: Path) -> None:
    assert append(log, change(), last_seq=500) == 501
    log.write_bytes(b"")
    assert append(log, change(), last_seq=501) == 502


def test_where_there_is_no_log_there_are_no_lines(log: Path) -> None:
    assert list(read_log(log)) == []
    assert oldest_time(log) is None
    assert forget_lines(log, lambda _: True) == 0
    assert not log.exists()


def test_an_empty_log_has_no_lines_and_begins_with_one(log: Path) -> None:
    log.touch()

    assert list(read_log(log)) == []
    assert append(log, change()) == 1


# --- after a crash ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("whole", [0, 1, 3])
@pytest.mark.parametrize("torn", [1, 20, -1])
def test_a_torn_last_line_is_cut_and_the_whole_ones_stay(log: Path, whole: int, torn: int) -> None:
    append(log, *(change() for _ in range(whole)))
    intact = log.read_bytes()
    append(log, change(new="99999"))
    log.write_bytes(log.read_bytes()[: len(intact) + torn] if torn > 0 else log.read_bytes()[:-1])

    assert len(list(read_log(log))) == whole
    with DiffLog(log, 0):
        assert log.read_bytes() == intact
    append(log, change())
    assert numbers(log) == list(range(1, whole + 2))


def test_zeros_that_a_power_cut_left_at_the_end_are_cut(log: Path) -> None:
    append(log, change())
    intact = log.read_bytes()
    log.write_bytes(intact + bytes(4096))

    with DiffLog(log, 0) as diff_log:
        assert diff_log.last_seq == 1
    assert log.read_bytes() == intact


@pytest.mark.parametrize("length", [4000, TAIL_BYTES - 300, TAIL_BYTES, TAIL_BYTES + 1, 3 * TAIL_BYTES])
def test_a_last_line_of_any_length_gives_its_number(log: Path, length: int) -> None:
    append(log, change(), change(path="\x01" * (length // 6)))

    assert append(log, change()) == 3
    assert numbers(log) == [1, 2, 3]


@pytest.mark.parametrize("length", [4000, TAIL_BYTES, TAIL_BYTES + 1, 3 * TAIL_BYTES])
def test_a_torn_line_of_any_length_is_cut_whole(log: Path, length: int) -> None:
    append(log, change(), change())
    intact = log.read_bytes()
    log.write_bytes(intact + b"x" * length)

    append(log)

    assert log.read_bytes() == intact


# --- a damaged log ---------------------------------------------------------------------------------------------------

DAMAGED = (
    b"\n",
    b"not json\n",
    b"\xff\xfe\n",
    b'"text"\n',
    b"[]\n",
    b"{}\n",
    b"41\n",
    b'{"seq": 2}\n',
    b"<<<<<<< HEAD\n",
    bytes(60) + b"\n",
)


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_line_in_the_middle_is_skipped_with_a_warning(
    log: Path, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    append(log, change(new="1"))
    first = log.read_bytes()
    log.write_bytes(first + damage + damage + first.replace(b'"seq": 1', b'"seq": 4'))

    assert numbers(log) == [1, 4]
    assert [record.levelname for record in caplog.records] == ["WARNING"], "once for each reading"
    assert str(log) in caplog.text
    assert [line["seq"] for line in last_lines(log, 9)] == [4, 1]
    assert [line["seq"] for line in lines_backwards(log, {change().path})] == [4, 1]
    assert [line["seq"] for line in lines_of_sync(log, SYNC, limit=9)] == [1, 4]


@pytest.mark.parametrize(("forgotten", "left"), [({1}, b"4"), ({4}, b"1?"), ({1, 4}, b""), (set(), b"1?4")])
def test_a_damaged_line_goes_with_the_one_before_it(log: Path, forgotten: set[int], left: bytes) -> None:
    append(log, change(new="1"))
    first = log.read_bytes()
    parts = {b"1": first, b"?": b"???\n", b"4": first.replace(b'"seq": 1', b'"seq": 4')}
    log.write_bytes(b"".join(parts.values()))

    assert forget_lines(log, lambda line: line["seq"] in forgotten) == len(forgotten)
    assert log.read_bytes() == b"".join(parts[bytes([part])] for part in left)


def test_a_damaged_line_in_the_middle_does_not_keep_the_log_from_going_on(log: Path) -> None:
    append(log, change())
    log.write_bytes(b"???\n" + log.read_bytes())

    assert append(log, change()) == 2


def aside(log: Path) -> list[bytes]:
    """What was set aside, in its order."""
    return [file.read_bytes() for file in sorted(log.parent.glob(f"{log.name}.damaged-*"))]


@pytest.mark.parametrize("damage", DAMAGED)
@pytest.mark.parametrize("whole", [0, 1, 3])
def test_damaged_lines_at_the_end_are_set_aside_and_the_log_continues(log: Path, damage: bytes, whole: int) -> None:
    append(log, *(change() for _ in range(whole)))
    intact = log.read_bytes()
    log.write_bytes(intact + damage + damage + b"torn")
    open_before = len(os.listdir("/dev/fd"))

    with DiffLog(log, 7) as diff_log:
        assert diff_log.last_seq == max(7, whole)
    assert log.read_bytes() == intact
    assert aside(log) == [damage + damage + b"torn"]
    assert len(os.listdir("/dev/fd")) == open_before
    assert append(log, change(), last_seq=7) == 8
    log.write_bytes(log.read_bytes() + damage)
    append(log)
    assert aside(log) == [damage + damage + b"torn", damage], "an earlier one is not written over"


def test_a_large_file_without_valid_lines_is_set_aside_without_being_read(log: Path) -> None:
    append(log, change())
    os.truncate(log, 1 << 40)

    assert append(log, change(), last_seq=1) == 2
    assert numbers(log) == [2]
    (huge,) = log.parent.glob("*.damaged-*")
    assert huge.stat().st_size == 1 << 40


ODD: dict[str, list[object]] = {
    "seq": ["7", 7.0, True, None, 0, -1, 2**53, 10**30, [7], {}],
    "sync": [None, 7, ["x"]],
    "at": [None, 7, "", "yesterday", "2026-11-22", "2026-11-22T15:00:07", "9" * 5000],
    "path": [None, 7, ["x"], {}, "a\0b", "\ud800"],
    "video_id": [None, 7, [], "\udfff"],
    "field": [None, 7, {}],
    "count": [7, [], {}],
    "old": [7, [], {}, "", "x", "-1", "1.5", "1_000", "\u0663", "9" * 19, "1" * 20],
    "new": [None, 7, [], "", "x", "9223372036854775808"],
    "as_of": [None, 7, "", "2026-11-22T15:00:07"],
    "why": [None, 7, []],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in ODD.items() for value in values])
def test_a_line_with_a_value_that_we_never_write_is_damaged(log: Path, key: str, value: object) -> None:
    append(log, change())
    line = {**json.loads(log.read_bytes()), key: value}
    log.write_bytes(json.dumps(line).encode() + b"\n")

    assert numbers(log) == []
    assert append(log, change()) == 1


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
@examples(100)
def test_any_json_as_the_last_line_is_survived(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    log = tmp_path_factory.mktemp("log") / "diff.jsonl"
    append(log, change())
    with log.open("ab") as file:
        file.write(json.dumps(value).encode() + b"\n")

    assert append(log, change()) == 2
    assert numbers(log) == [1, 2]


def test_brackets_deeper_than_python_reads_are_a_damaged_line(log: Path) -> None:
    append(log, change())
    with log.open("ab") as file:
        file.write(b"[" * 100_000 + b"\n")

    assert append(log, change()) == 2


def test_a_log_that_is_no_file_is_an_error_that_names_it(log: Path) -> None:
    log.mkdir()

    with pytest.raises(StateError, match=r"diff\.jsonl is a directory, not a file"):
        DiffLog(log, 0)
    with pytest.raises(StateError, match=r"diff\.jsonl is a directory, not a file"):
        list(read_log(log))


# --- reading backwards ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("others", [0, 20])
def test_what_came_before_a_time_or_after_a_size_is_not_read(log: Path, others: int) -> None:
    times = [AT + timedelta(minutes=number) for number in range(1500)]
    for at in times[:1000]:
        append(log, change(new="1"), at=at)
    size = log.stat().st_size
    for at in times[1000:]:
        append(log, change(new="1"), at=at)
    pages = {change().path, *(f"{number}.md" for number in range(others))}

    seen = [line["seq"] for line in lines_backwards(log, pages, end=size, since=times[990])]

    assert seen[:10] == list(range(1000, 990, -1))
    assert len(seen) < 500, "a block more than what is asked for, and not all"
    assert [line["seq"] for line in lines_backwards(log, pages)] == list(range(1500, 0, -1))
    assert list(lines_backwards(log, pages, since=times[-1])) == [], "all of them are older, or of this second"
    (last,) = islice(lines_backwards(log, pages, since=times[-2]), 1)
    assert last["seq"] == 1500


# --- reading beside the writer ---------------------------------------------------------------------------------------


def test_a_reader_stops_at_a_line_that_is_being_written(log: Path) -> None:
    append(log, change(), change())
    content = log.read_bytes()
    log.write_bytes(content[:-30])
    reader = read_log(log)
    assert next(reader)["seq"] == 1

    with log.open("ab") as writer:
        assert list(reader) == []
        writer.write(content[-30:])

    assert list(reader) == []
    assert numbers(log) == [1, 2]


def test_a_reader_beside_a_writer_sees_whole_lines_in_order(log: Path) -> None:
    def write() -> None:
        for _ in range(60):
            append(log, *(change(path="x" * 3000) for _ in range(5)))

    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        seen = numbers(log)
        assert seen == list(range(1, len(seen) + 1))
    writer.join()
    assert numbers(log) == list(range(1, 301))


# --- forgetting ------------------------------------------------------------------------------------------------------


def test_forgotten_lines_leave_and_the_others_stay_byte_for_byte(log: Path) -> None:
    append(log, change(new="1"), change(path="ünï.md", new="2"), change(new="3"))
    lines = log.read_bytes().splitlines(keepends=True)

    assert forget_lines(log, lambda line: line["new"] != "2") == 2
    assert log.read_bytes() == lines[1]
    assert os.listdir(log.parent) == ["diff.jsonl"]


def test_a_dry_run_counts_and_forgets_nothing(log: Path) -> None:
    append(log, change(), change())
    before = log.read_bytes(), log.stat().st_mtime_ns

    assert forget_lines(log, lambda _: True, dry_run=True) == 2
    assert (log.read_bytes(), log.stat().st_mtime_ns) == before


def test_where_nothing_is_to_be_forgotten_the_log_is_not_written(log: Path) -> None:
    append(log, change())
    before = log.stat()

    assert forget_lines(log, lambda _: False) == 0
    assert (log.stat().st_ino, log.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_log_that_others_may_not_read_stays_so(log: Path) -> None:
    append(log, change(new="1"), change(new="2"))
    log.chmod(0o600)

    forget_lines(log, lambda line: line["new"] == "1")

    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_the_oldest_time_is_found_wherever_it_is(log: Path) -> None:
    for days in (9, 0, 3):
        append(log, change(), at=AT + timedelta(days=days))

    assert oldest_time(log) == AT
    assert [time_of(line) for line in read_log(log)] == [AT + timedelta(days=days) for days in (9, 0, 3)]


def test_each_line_is_json_by_itself(log: Path) -> None:
    append(log, change(path="a\u2028b\x85c.md"), change())

    lines: list[Line] = [json.loads(raw) for raw in log.read_bytes().split(b"\n")[:-1]]

    assert lines == list(read_log(log))
