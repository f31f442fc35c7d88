"""Reading a part of the diff log: the last lines, and those of one sync, without reading all the others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from syncer.diff_log import log as diff_log
from syncer.diff_log.lines import Line, last_lines, lines_of_sync, parse_line

SYNCS = [f"202611{day:02}T150003Z-{day * 7919 % 65536:04x}" for day in range(1, 29)]


def lines(syncs: Sequence[str], each: int) -> list[dict[str, object]]:
    rest = {"video_id": "v", "field": "f", "count": "viewCount", "old": "1", "new": "2", "why": "changed"}
    times = {"at": "2026-11-22T15:00:07Z", "as_of": "2026-11-22T15:00:05Z"}
    return [
        {"seq": seq, "sync": sync, "path": "é" * (seq % 9), **times, **rest}
        for seq, sync in enumerate((sync for sync in syncs for _ in range(each)), 1)
    ]


def write(log: Path, written: Sequence[dict[str, object]], torn: str = "") -> None:
    log.write_text("".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in written) + torn, encoding="utf-8")


def of(written: Sequence[dict[str, object]], sync: str) -> list[dict[str, object]]:
    return [line for line in written if line["sync"] == sync]


@pytest.mark.parametrize("each", [1, 3, 40])
def test_the_lines_of_every_sync_are_found(tmp_path: Path, each: int) -> None:
    log, written = tmp_path / "diff.jsonl", lines(SYNCS, each)
    write(log, written, torn='{"seq": 9')
    for sync in SYNCS:
        assert lines_of_sync(log, sync, limit=999) == of(written, sync)
    assert lines_of_sync(log, SYNCS[3], limit=2, offset=1) == of(written, SYNCS[3])[1:3]
    assert lines_of_sync(log, "20261115T000000Z-0000", limit=9) == []


def test_they_are_found_without_reading_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, written = tmp_path / "diff.jsonl", lines(SYNCS, 400)
    write(log, written)
    parsed: list[object] = []

    def counting(raw: bytes) -> Line | None:
        parsed.append(raw)
        return parse_line(raw)

    monkeypatch.setattr(diff_log, "parse_line", counting)
    assert lines_of_sync(log, SYNCS[20], limit=5) == of(written, SYNCS[20])[:5]
    assert len(parsed) < 40


def test_two_syncs_of_one_second_are_distinguished_in_any_order(tmp_path: Path) -> None:
    twins = ["20261110T150003Z-ffff", "20261110T150003Z-0000"]
    log, written = tmp_path / "diff.jsonl", lines([*SYNCS[:9], *twins, *SYNCS[10:]], 2)
    write(log, written)
    for sync in twins:
        assert lines_of_sync(log, sync, limit=9) == of(written, sync)


def test_they_are_found_in_a_log_over_which_the_clock_was_set_back(tmp_path: Path) -> None:
    log, written = tmp_path / "diff.jsonl", lines([*SYNCS[14:], *SYNCS[:14]], 2)
    write(log, written)
    for sync in SYNCS:
        assert lines_of_sync(log, sync, limit=9) == of(written, sync)


@pytest.mark.parametrize("tail", [1, 100, 1 << 16])
def test_the_last_lines_come_newest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tail: int) -> None:
    monkeypatch.setattr(diff_log, "TAIL_BYTES", tail)
    log, written = tmp_path / "diff.jsonl", lines(SYNCS, 2)
    write(log, written, torn='{"seq": 9')
    assert last_lines(log, 5) == written[:-6:-1]
    assert last_lines(log, 999) == written[::-1]
    assert last_lines(log, 0) == []


def test_where_there_is_no_log_there_is_no_line(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "none", 5) == lines_of_sync(tmp_path / "none", SYNCS[0], limit=5) == []
