"""A page is edited and the sync is killed, both around one write: what the author wrote is in the page, or saved."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import pytest

from syncer.state.directory import saved_edits
from tests.crash.conftest import Make
from tests.crash.ground import Ground, leftovers
from tests.crash.interference import MARK, Call, edited
from tests.crash.points import PROVING, either_way, traced, writes
from tests.crash.test_races import MANNERS
from tests.waiting import until

pytestmark = pytest.mark.storm

PAGES = 6
PAGE = "content/0/0.md"
AROUND = 5
"""Calls before the write and after it at which something happens: to open, to look, to remove are among them."""

SAMPLE = 2
"""How many pairs of an edit and a kill, or kills of a recovery, are tried of each manner and ground, unless all are."""

Pair = tuple[int, int, str]
"""The call before which the page is edited, the one at which the sync is killed, and whether before or after it."""


@pytest.mark.parametrize("manner", MANNERS)
@either_way
def test_an_edit_and_a_kill_around_a_write_lose_no_word(ground: Make, manner: str, *, in_place: bool) -> None:
    site = ground(PAGES, in_place=in_place)
    for edit, kill, act in pairs(traced(site)):
        site.restore()
        deed = (edit, f"edit:{manner}:{site.site.root / PAGE}")
        assert site.run("sync", at=kill, act=act, also=(deed,)).killed
        recover(site, (edit, kill, act), edited(site.pages[PAGE].old, manner))


@either_way
@pytest.mark.parametrize("manner", MANNERS)
def test_nor_does_a_kill_of_the_recovery(ground: Make, manner: str, *, in_place: bool) -> None:
    """The edit comes right before the write and the first kill right after it: then there is most to put back."""
    site = ground(PAGES, in_place=in_place)
    calls = traced(site)
    swap = writes(calls)[0]
    deed = (swap, f"edit:{manner}:{site.site.root / PAGE}")
    site.restore()
    assert site.run("sync", at=swap, act="after", also=(deed,)).killed
    recovering = traced(site, restored=False)
    points = [number for number, call in enumerate(recovering, 1) if call.name not in {"open", "close"}]
    for number in points if PROVING else Random(2).sample(points, min(SAMPLE, len(points))):
        site.restore()
        assert site.run("sync", at=swap, act="after", also=(deed,)).killed
        assert site.run("sync", at=number, act="after").killed
        recover(site, (swap, number, "after, of the recovery"), edited(site.pages[PAGE].old, manner))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who has a page open")
@either_way
@pytest.mark.parametrize("late", [False, True], ids=["before-the-recovery", "after-the-recovery"])
def test_what_a_program_writes_that_had_the_page_open_is_not_lost(ground: Make, *, late: bool, in_place: bool) -> None:
    site = ground(PAGES, in_place=in_place)
    word = site.room / "word"
    for hold, kill, act in pairs(traced(site)):
        site.restore()
        word.with_name("word-done").unlink(missing_ok=True)
        deed = (hold, f"hold:{site.site.root / PAGE}:{word}")
        assert site.run("sync", at=kill, act=act, also=(deed,)).killed
        if late:
            assert site.run("sync").code == 0
        word.touch()
        until(word.with_name("word-done").exists)
        recover(site, (hold, kill, act), site.pages[PAGE].old + MARK)


def pairs(calls: Sequence[Call]) -> Sequence[Pair]:
    swap = writes(calls)[0]
    around = range(swap - AROUND, swap + AROUND + 1)
    every: list[Pair] = [(one, other, act) for one in around for other in around if one <= other for act in ACTS]
    return every if PROVING else sorted([*Random(3).sample(every, SAMPLE), (swap, swap, "after")])


ACTS = ("before", "after")


def recover(site: Ground, when: Pair, authors: bytes) -> None:
    """Make the sync afterwards, and another one for what an edit kept from it; then all is there, and up to date."""
    for _ in range(2):
        ended = site.run("sync", "--json")
        assert ended.code in {0, 1}, (when, ended)
        kinds = {problem["kind"] for problem in json.loads(ended.out)["problems"]}
        assert kinds <= {"edit-saved", "edited-meanwhile"}, (when, kinds)
        if not kinds:
            break
    assert leftovers(site.site.root) == [], when
    page, versions = (site.site.root / PAGE).read_bytes(), site.pages[PAGE]
    for text in (authors, *versions_of(authors, versions.old, versions.new)):
        if page == text:
            return
    saved = [edit.file.read_bytes() for edit in saved_edits(Path(site.site.state))]
    assert authors in saved, (when, page, saved)


def versions_of(authors: bytes, old: bytes, new: bytes) -> Iterator[bytes]:
    """What the page is with the author's words and the new counts."""
    for manner in MANNERS:
        if edited(old, manner) == authors:
            yield edited(new, manner)
