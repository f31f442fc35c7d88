"""A disk that refuses, at any call: a clear sentence or a problem of one page, and the next sync mends all."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from random import Random

import pytest

from syncer.simulator.server import Simulator
from tests.crash.conftest import Make
from tests.crash.ground import CONTRACT, Ground, prepare
from tests.crash.interference import FAILS, Call
from tests.crash.points import PROVING, Point, chosen, either_way, located, traced
from tests.crash.warm import Ended, Warm
from tests.places import fill, small_disk

pytestmark = pytest.mark.storm

PAGES = 12
ACTS = ("ENOSPC", "EDQUOT", "EIO", "ENOSPC+", "EIO+")
"""A disk may refuse once, or from some moment on."""
BLOCK = 4096
"""Bytes that a small file takes."""
FULL_DISK_PAGES = 30
SYNCFS_PAGES = 150
"""So many pages that the whole file system is flushed at once."""


@either_way
def test_a_disk_that_refuses_any_call_costs_a_sentence_and_no_page(ground: Make, *, in_place: bool) -> None:
    site = ground(PAGES, in_place=in_place)
    calls = traced(site)
    for point in chosen(faults(calls), 6):
        assert_fault_survived(site, calls, point)


@either_way
def test_a_file_system_that_cannot_be_flushed_costs_a_sentence_and_no_page(ground: Make, *, in_place: bool) -> None:
    site = ground(SYNCFS_PAGES, in_place=in_place)
    calls = traced(site)
    flushes = [number for number, call in enumerate(calls, 1) if call.name == "syncfs"]
    if sys.platform == "linux":
        assert flushes
    for number in flushes:
        for act in ACTS if PROVING else Random(number).sample(ACTS, 2):
            assert_fault_survived(site, calls, Point(number, act))


@pytest.mark.parametrize("beside", [True, False], ids=["state-beside", "state-elsewhere"])
@pytest.mark.parametrize("spare", [0, 1, 5, 40])
def test_on_a_disk_without_room_for_all_new_files_what_fits_is_done(
    spare: int, beside: bool, warm: Warm, later: Simulator, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", 8000) as disk:
        site = ground_on(disk, warm, later, tmp_path, beside=beside)
        filler = fill(disk)
        os.truncate(filler, filler.stat().st_size - spare * BLOCK)
        assert_what_fits_is_done(site, spare, beside=beside)
        filler.unlink()
        site.assert_recovered()


@pytest.mark.parametrize("beside", [True, False], ids=["state-beside", "state-elsewhere"])
@pytest.mark.parametrize("spare", [0, 1, 5, 40])
def test_on_a_disk_that_takes_few_more_files_what_fits_is_done(
    spare: int, beside: bool, warm: Warm, later: Simulator, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", 8000, files=600) as disk:
        site = ground_on(disk, warm, later, tmp_path, beside=beside)
        fillers = fill_with_files(disk / "filler")
        for _ in range(spare):
            fillers.pop().unlink()
        assert_what_fits_is_done(site, spare, beside=beside)
        for file in fillers:
            file.unlink()
        site.assert_recovered()


def assert_fault_survived(site: Ground, calls: Sequence[Call], point: Point) -> None:
    """Make a sync that meets this fault, and one that mends it."""
    site.restore()
    with located(point, calls):
        assert_contract(site.run("sync", "--json", at=point.number, act=point.act))
        site.new_pages()
        site.assert_recovered()


def assert_contract(ended: Ended) -> None:
    """Fail unless it ended as the contract says: an exit code of it, one document, no traceback."""
    assert ended.code in CONTRACT, f"exit {ended.code}: {ended.err[-900:]}"
    assert "Traceback" not in ended.err, ended.err[-900:]
    document = json.loads(ended.out)
    assert document["exit"] == ended.code, f"{document} and exit {ended.code}"
    if "error" in document:
        message = document["error"]["message"]
        assert message, "no sentence"
        assert "\n" not in message, f"more than a sentence: {message}"


def ground_on(disk: Path, warm: Warm, later: Simulator, room: Path, *, beside: bool) -> Ground:
    """Make a site on the disk whose pages need new files; its state lies on it, too, or elsewhere."""
    site = prepare(warm, later, room.resolve(), FULL_DISK_PAGES, aged=False, root=disk / "site", in_place=False)
    if not beside:
        text = site.site.config.read_text(encoding="utf-8")
        site.site.config.write_text(f"{text}state: {{directory: {room / 'state'}}}\n", encoding="utf-8")
        (site.site.root / ".syncer").symlink_to(room / "state")
    return site


def fill_with_files(directory: Path) -> list[Path]:
    """Make files until the disk takes no more; return them."""
    directory.mkdir()
    made: list[Path] = []
    with suppress(OSError):
        for number in count():
            file = directory / str(number)
            file.touch()
            made.append(file)
    return made


def assert_what_fits_is_done(site: Ground, spare: int, *, beside: bool) -> None:
    """Fail unless the sync ends as it should, and does what fits; a state on the full disk can be what fits not."""
    ended = site.run("sync", "--json")
    assert_contract(ended)
    done = site.new_pages()
    if not beside:
        report = json.loads(ended.out)
        assert ended.code == (0 if done == len(site.pages) else 1)
        assert bool(done) == bool(spare), f"{done} pages are new"
        assert report["changed_pages"] == done
        assert done + len(report["problems"]) == len(site.pages), "what does not fit is a problem of its page"


def faults(calls: Sequence[Call]) -> list[Point]:
    """Every fault at every call that can fail."""
    return [Point(number, act) for number, call in enumerate(calls, 1) if call.name in FAILS for act in ACTS]
