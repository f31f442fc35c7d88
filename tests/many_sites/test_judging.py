"""The judges of the storms find each broken promise: a page, a log and the times of syncs, each with one mistake."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.many_sites.pages import LISTED, SINGLES, Sheet, Slot
from tests.many_sites.promises import Facts, Life, SyncTime, broken_promises_of, late_syncs

VIDEO, OTHER = "AAAAAAAAAAA", "BBBBBBBBBBA"
GIVEN: Mapping[tuple[str, str], set[str]] = {
    (VIDEO, "viewCount"): {"10", "20"},
    (VIDEO, "likeCount"): {"3", "4"},
    (OTHER, "viewCount"): {"77"},
}
NOW = {(VIDEO, "viewCount"): "20", (VIDEO, "likeCount"): "4"}
Lines = list[dict[str, object]]
PAGE = "content/0.md"


@pytest.fixture
def facts(tmp_path: Path) -> Facts:
    """A site with one page, whose counts changed twice, as its log says."""
    sheet = Sheet(PAGE, SINGLES[0], [Slot(VIDEO, "1", "2")], b"more words\n", {"1", "2"})
    found = Facts("blog", tmp_path, {PAGE: sheet})
    (tmp_path / "content").mkdir()
    (tmp_path / ".syncer").mkdir()
    _write(found, Slot(VIDEO, "20", "4"))
    _log(found, _good_lines())
    assert list(broken_promises_of(found, GIVEN, NOW)) == []
    return found


def _good_lines() -> Lines:
    changes = [("viewcount", "1", "10"), ("likeCount", "2", "3"), ("viewcount", "10", "20"), ("likeCount", "3", "4")]
    names = {"viewcount": "viewCount", "likeCount": "likeCount"}
    return [
        {"seq": seq, "path": PAGE, "video_id": VIDEO, "field": field, "count": names[field], "old": old, "new": new}
        for seq, (field, old, new) in enumerate(changes, 1)
    ]


def _write(facts: Facts, slot: Slot, more: bytes = b"") -> None:
    sheet = facts.sheets[PAGE]
    (facts.root / PAGE).write_bytes(sheet.form.write([slot]) + sheet.end + more)


def _log(facts: Facts, lines: Lines) -> None:
    (facts.root / ".syncer/diff.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")


@pytest.mark.parametrize("slot", [Slot(VIDEO, "10", "4"), Slot(VIDEO, "77", "4"), Slot(VIDEO, "20", "0")])
def test_a_count_that_youtube_does_not_give_for_this_video_now_is_found(facts: Facts, slot: Slot) -> None:
    _write(facts, slot)
    assert any("YouTube gives" in sentence for sentence in broken_promises_of(facts, GIVEN, NOW))


def test_a_zero_for_a_hidden_count_is_found(facts: Facts) -> None:
    hidden = {(VIDEO, "viewCount"): "20"}
    assert list(broken_promises_of(facts, GIVEN, hidden)) == []
    _write(facts, Slot(VIDEO, "20", "0"))
    assert any("never gave that" in sentence for sentence in broken_promises_of(facts, GIVEN, hidden))


def test_a_byte_beside_the_counts_and_a_file_too_many_are_found(facts: Facts) -> None:
    (facts.root / "content/.syncer-0a1b2c3d~").write_bytes(b"")
    _write(facts, Slot(VIDEO, "20", "4"), b"!")
    sentences = list(broken_promises_of(facts, GIVEN, NOW))
    assert any("left behind" in sentence for sentence in sentences)
    assert any("a byte beside the counts" in sentence for sentence in sentences)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda lines: lines.pop(0),
        lambda lines: lines.pop(2),
        lambda lines: lines.pop(3),
        lambda lines: lines.append(lines[3]),
        lambda lines: lines.insert(3, lines[2]),
        lambda lines: lines[3].update(new="77"),
        lambda lines: lines[3].update(video_id=OTHER),
        lambda lines: lines[3].update(path="content/1.md"),
    ],
    ids=["first lost", "lost", "last lost", "twice", "twice in a row", "not given", "of another video", "no page"],
)
def test_a_log_that_does_not_say_each_change_once_is_found(facts: Facts, spoil: Callable[[Lines], object]) -> None:
    lines = _good_lines()
    spoil(lines)
    _log(facts, [{**line, "seq": seq} for seq, line in enumerate(lines, 1)])
    assert list(broken_promises_of(facts, GIVEN, NOW)) != []


def test_numbers_of_lines_that_have_a_gap_are_found(facts: Facts) -> None:
    _log(facts, [{**line, "seq": int(str(line["seq"])) * 2} for line in _good_lines()])
    assert any("gaps or repeats" in sentence for sentence in broken_promises_of(facts, GIVEN, NOW))


def test_counts_that_the_author_saved_meanwhile_are_no_gap_in_the_log(facts: Facts) -> None:
    lines = _good_lines()
    lines[2]["old"] = "555"
    _log(facts, lines)
    assert list(broken_promises_of(facts, GIVEN, NOW)) != []
    facts.sheets[PAGE].by_hand.add("555")
    assert list(broken_promises_of(facts, GIVEN, NOW)) == []


@pytest.mark.parametrize("form", [*SINGLES, LISTED])
def test_the_counts_of_each_form_are_found_where_they_were_written(form: object) -> None:
    assert isinstance(form, type(LISTED))
    sheet = Sheet(PAGE, form, [Slot(VIDEO, "1", "2")] * (2 if form is LISTED else 1), b'viewcount: "9"\r\n')
    written = [slot._replace(views=f"3{number}", likes="5") for number, slot in enumerate(sheet.slots)]
    assert sheet.read(form.write(written) + sheet.end) == written
    assert sheet.read(form.write(written) + sheet.end + b" ") is None


def _syncs(*times: tuple[str, float]) -> list[SyncTime]:
    return [SyncTime(site, at, at + 0.5, 0) for site, at in times]


def _late(syncs: list[SyncTime], ended: float = 33, before: float | None = None) -> list[str]:
    life = Life(0, ended, syncs)
    return list(late_syncs(life, "blog", 10, before, [sync.ended for sync in syncs]))


def test_a_site_that_syncs_in_each_interval_is_on_time() -> None:
    assert _late(_syncs(("blog", 0), ("blog", 9), ("blog", 20))) == []
    assert _late(_syncs(("blog", 8), ("blog", 18)), before=-2, ended=20) == []


def test_a_site_that_waits_while_nothing_happens_is_late() -> None:
    assert "nothing happened" in _late(_syncs(("blog", 0), ("blog", 9), ("blog", 31)))[0]
    assert "not begun" in _late(_syncs(("blog", 0), ("blog", 9)))[0]
    assert "nothing happened" in _late(_syncs(("blog", 21), ("blog", 30)), before=-2)[0]


def test_a_site_that_waits_for_others_is_late_only_where_one_of_them_is_served_twice() -> None:
    waits = [("blog", 0.0), ("blog", 9.0), ("blog", 29.0)]
    ahead = [(f"other-{number}", 19.0 + number) for number in range(10)]
    assert _late(_syncs(*waits, *ahead)) == []
    ahead[4] = "other-6", 23.0
    assert "other-6 began twice" in _late(_syncs(*waits, *ahead))[0]
