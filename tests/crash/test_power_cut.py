"""The file system stops in the middle of a sync, as when the power fails, and is mounted again."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from syncer.simulator.server import Simulator
from tests.crash.ground import SAVED, Ground, prepare
from tests.crash.points import PROVING, Point, either_way, kills, located, traced, writes
from tests.crash.test_bad_disk import assert_contract
from tests.crash.warm import Warm
from tests.disks import Disk, disk

pytestmark = pytest.mark.storm
proving = pytest.mark.skipif(not PROVING, reason="only ./dev prove cuts the power so often")

LOG_LOST, LOG_FLUSHED = 2, 1
"""Whether the journal comes to the disk at the cut; new data never does."""
POINTS = 60
"""Kills tried for each file system, ground and flag."""
KINDS = ("ext4", "xfs")
FEW = 5
"""Of the points around the writes, unless all are tried."""

AFTER = 10
"""Calls after the last write, until all is durable and noted."""


@proving
@either_way
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("flags", [LOG_LOST, LOG_FLUSHED], ids=["journal-lost", "journal-flushed"])
@pytest.mark.parametrize("aged", [True, False], ids=["aged", "young"])
def test_what_a_power_cut_leaves_is_old_or_new_and_the_next_sync_mends_it(
    aged: bool, flags: int, kind: str, in_place: bool, warm: Warm, later: Simulator, tmp_path: Path
) -> None:
    with disk(kind, tmp_path.resolve()) as made:
        site = prepare(warm, later, tmp_path.resolve(), 11, aged=aged, root=made.place / "site", in_place=in_place)
        calls = traced(site)
        points = [point for point in kills(calls) if point.act != "half"]
        for number, act in Random(flags).sample(points, min(POINTS, len(points))):
            cut_at(site, made, Point(number + (act == "after"), f"cut:{flags}:{made.place}"))
            with located(Point(number, act), calls):
                site.new_pages()
                site.assert_recovered()


@pytest.mark.parametrize("flags", [LOG_LOST, LOG_FLUSHED], ids=["journal-lost", "journal-flushed"])
@pytest.mark.parametrize("kind", KINDS)
def test_new_bytes_that_reach_the_disk_before_all_else_are_logged_and_get_a_new_time(
    kind: str, flags: int, warm: Warm, later: Simulator, tmp_path: Path
) -> None:
    """A page may have new bytes and its old time then, by which git, rsync and backups believe that it is unchanged."""
    with disk(kind, tmp_path.resolve()) as made:
        site = prepare(warm, later, tmp_path.resolve(), 11, aged=False, root=made.place / "site")
        calls = traced(site)
        points = [point for point in kills(calls) if writes(calls)[0] <= point.number <= writes(calls)[-1] + AFTER]
        unchanged = 0
        for point in points if PROVING else Random(flags).sample(points, FEW):
            content = site.site.root / "content"
            cut_at(site, made, Point(point.number, f"leak:{flags}:{made.place}:{content}"))
            with located(point, calls):
                new = {path for path, page in site.pages.items() if (site.site.root / path).read_bytes() == page.new}
                unchanged += len([path for path in new if mtime(site, path) == SAVED])
                site.new_pages()
                site.assert_recovered()
                assert [path for path in site.pages if mtime(site, path) == SAVED] == [], "git would see no change"
        assert unchanged or flags == LOG_FLUSHED, "no page had new bytes and its old time, so nothing was tried"


def mtime(site: Ground, path: str) -> float:
    return (site.site.root / path).stat().st_mtime


@proving
@pytest.mark.parametrize("kind", KINDS)
def test_a_sync_whose_disk_goes_away_ends_as_the_contract_says(
    kind: str, warm: Warm, later: Simulator, tmp_path: Path
) -> None:
    with disk(kind, tmp_path.resolve()) as made:
        site = prepare(warm, later, tmp_path.resolve(), 11, aged=True, root=made.place / "site")
        calls = traced(site)
        for point in Random(1).sample(kills(calls), POINTS):
            restore(site, made)
            with located(point, calls):
                ended = site.run("sync", "--json", at=point.number, act=f"stop:{LOG_LOST}:{made.place}")
                made.cut_and_mounted_again()
                assert_contract(ended)
                site.new_pages()
                site.assert_recovered()


@proving
@either_way
@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_batch_survives_a_power_cut(
    kind: str, in_place: bool, warm: Warm, later: Simulator, tmp_path: Path
) -> None:
    """So many pages that the file system is flushed, not each file."""
    with disk(kind, tmp_path.resolve()) as made:
        site = prepare(warm, later, tmp_path.resolve(), 299, aged=False, root=made.place / "site", in_place=in_place)
        calls = traced(site)
        first = writes(calls)[0]
        for point in Random(2).sample([point for point in kills(calls) if point.number > first], POINTS // 3):
            cut_at(site, made, Point(point.number, f"cut:{LOG_LOST}:{made.place}"))
            with located(point, calls):
                site.new_pages()
                site.assert_recovered()


def cut_at(site: Ground, made: Disk, point: Point) -> None:
    """Make a sync during which the power fails."""
    restore(site, made)
    ended = site.run(at=point.number, act=point.act)
    made.cut_and_mounted_again()
    assert ended.killed or ended.code == 0, ended


def restore(site: Ground, made: Disk) -> None:
    site.restore()
    made.flush()
