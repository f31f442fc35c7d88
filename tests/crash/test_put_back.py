"""An undo or a drop that is killed at any step: what is back stays back, the rest can still be, all is logged once."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import dataclass

import pytest

from tests.crash.conftest import Make
from tests.crash.ground import SAVED, Ground, leftovers
from tests.crash.points import Point, chosen, either_way, kills, located, traced, writes
from tests.repository import in_git

pytestmark = pytest.mark.storm

PAGES = 12
SYNCED = "state-synced"


@dataclass(frozen=True)
class Synced:
    """A ground whose pages a sync has written, and what puts them back."""

    ground: Ground
    command: tuple[str, ...]
    why: str
    """What the log says of it."""

    def restore(self) -> None:
        """Put everything back as the sync left it."""
        for path, versions in self.ground.pages.items():
            (self.ground.site.root / path).write_bytes(versions.new)
        self.ground.age(SAVED + 1)  # for git, which finds changes by time
        for file in leftovers(self.ground.site.root):
            (self.ground.site.root / file).unlink()
        shutil.rmtree(self.ground.site.state)
        shutil.copytree(self.ground.room / SYNCED, self.ground.site.state)

    def back(self) -> set[str]:
        """The pages that are as before the sync; fails where one is neither that nor as the sync wrote it."""
        now = {path: (self.ground.site.root / path).read_bytes() for path in self.ground.pages}
        back = {path for path, page in now.items() if page == self.ground.pages[path].old}
        torn = {path for path, page in now.items() if path not in back and page != self.ground.pages[path].new}
        assert torn == set()
        return back

    def logged(self) -> Counter[tuple[str, str, str, str]]:
        """What the log says was put back, by whichever command."""
        lines = self.ground.site.log_lines()
        assert [line["seq"] for line in lines] == list(range(lines[0]["seq"], lines[0]["seq"] + len(lines)))
        return Counter((n["path"], n["field"], n["new"], n["old"]) for n in lines if n["why"] == self.why)

    def due(self, paths: set[str]) -> Counter[tuple[str, str, str, str]]:
        """What the log must say of these pages."""
        return Counter((path, *change) for path in paths for change in self.ground.pages[path].changes)

    def require_that_it_stays(self) -> None:
        """What was replaced is suppressed while YouTube gives the same numbers; nothing else changes either."""
        back = self.back()
        ended = self.ground.run("sync")
        assert (ended.code, "Changed 0 counts" in ended.out) == (0, True), ended
        assert self.back() == back
        assert self.logged() == self.due(back)
        assert leftovers(self.ground.site.root) == []


def synced(ground: Ground, why: str) -> Synced:
    ground.restore()
    if not (ground.site.root / ".git").exists():
        in_git(ground.site)
    assert ground.run("sync").code == 0
    shutil.rmtree(ground.room / SYNCED, ignore_errors=True)
    shutil.copytree(ground.site.state, ground.room / SYNCED)
    sync = ground.site.log_lines()[-1]["sync"]
    return Synced(ground, ("undo", sync) if why == "undo" else ("review", "--drop", "content"), why)


@either_way
@pytest.mark.parametrize("why", ["undo", "dropped"])
def test_what_puts_back_and_is_killed_at_any_step_holds_what_is_back_and_can_be_made_again(
    ground: Make, why: str, *, in_place: bool
) -> None:
    site = synced(ground(PAGES, in_place=in_place), why)
    site.restore()
    calls = traced(site.ground, *site.command, restored=False)
    assert len(site.back()) == PAGES
    written = writes(calls)
    middle = [Point(number, "after") for number in (written[0], written[len(written) // 2], written[-1])]
    for point in [*middle, *chosen(kills(calls), 2)]:
        site.restore()
        with located(point, calls):
            assert site.ground.run(*site.command, at=point.number, act=point.act).killed
            site.require_that_it_stays()
            assert site.ground.run(*site.command).code == 0
            assert len(site.back()) == PAGES
            site.require_that_it_stays()
