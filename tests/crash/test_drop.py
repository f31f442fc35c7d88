"""A drop that is killed at any of its steps: pages are old or new, and the next command settles the rest."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from syncer.simulator.server import Simulator
from tests.crash.ground import leftovers
from tests.crash.interference import Call
from tests.crash.points import PROVING, chosen, kills, told
from tests.crash.warm import Ended, Order, Warm
from tests.repository import in_git
from tests.site import FORMS, Site, ids

KILLS = 12
DROP = ("review", "--drop", "content", "--json")


@dataclass
class Drop:
    """A site in git, in which the counts of a page of each form wait to be dropped."""

    warm: Warm
    site: Site
    room: Path
    old: dict[str, bytes]
    new: dict[str, bytes]
    lines: int
    """Of the diff log, before the drop."""

    def restore(self) -> None:
        """Put pages and state back as they were."""
        for path, page in self.new.items():
            (self.site.root / path).write_bytes(page)
        shutil.rmtree(self.site.state)
        shutil.copytree(self.room / "state", self.site.state)

    def run(self, *arguments: str, at: int = 0, act: str = "", trace: str = "") -> Ended:
        """Run a command to its end, whatever that is."""
        out, err = str(self.room / "out"), str(self.room / "err")
        return self.warm.start(Order(arguments, str(self.site.root), out, err, at, act, trace)).ended()

    def dropped(self) -> int:
        """Count the pages that are dropped; fail where one is neither as it was nor as it is to be."""
        for path in self.old:
            assert (self.site.root / path).read_bytes() in {self.old[path], self.new[path]}, path
        return sum((self.site.root / path).read_bytes() == old for path, old in self.old.items())


@pytest.fixture
def drop(warm: Warm, site: Site, youtube: Simulator, tmp_path: Path) -> Drop:
    old = {f"content/{video}.md": FORMS[number % len(FORMS)](video, 1, 2) for number, video in enumerate(ids(5))}
    for path, page in old.items():
        site.put(path, page)
    in_git(site)
    assert site.sync().exit == 0
    shutil.copytree(site.state, tmp_path / "state")
    new = {path: (site.root / path).read_bytes() for path in old}
    return Drop(warm, site, tmp_path, old, new, len(site.log_lines()))


def test_a_drop_that_is_killed_at_any_step_is_finished_by_the_next_one(drop: Drop) -> None:
    trace = drop.room / "trace"
    assert drop.run(*DROP, trace=str(trace)).code == 0
    assert drop.dropped() == len(drop.old)
    calls = [Call(*call) for call in json.loads(trace.read_text(encoding="utf-8"))]
    done: Counter[int] = Counter()
    for point in chosen(kills(calls), KILLS):
        with told(point, calls):
            drop.restore()
            assert drop.run(*DROP, at=point.number, act=point.act).killed
            done[drop.dropped()] += 1
            ended = drop.run(*DROP)
            assert ended.code == 0, ended
            settled(drop)
    assert not PROVING or {0, len(drop.old)} < done.keys(), "kills fall in all phases"


def settled(drop: Drop) -> None:
    """Fail unless all is dropped, logged once and in order, held back, and nothing is left lying about."""
    assert drop.dropped() == len(drop.old)
    assert leftovers(drop.site.root) == []
    lines = drop.site.log_lines()
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    wrote = Counter((line["path"], line["field"], line["new"], line["old"]) for line in lines[: drop.lines])
    assert Counter((line["path"], line["field"], line["old"], line["new"]) for line in lines[drop.lines :]) == wrote
    assert {line["why"] for line in lines[drop.lines :]} == {"dropped"}
    ended = drop.run("sync", "--json", "--all")
    assert (ended.code, json.loads(ended.out)["changed_counts"]) == (0, 0), "what was dropped is held back"
