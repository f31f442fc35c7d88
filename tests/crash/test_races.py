"""Somebody edits pages while syncs run: no edit is lost, and no count is written into other bytes than were read."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest

from syncer.simulator.clock import Clock
from syncer.simulator.server import Simulator
from syncer.simulator.world import START, World
from tests.crash.conftest import Make
from tests.crash.ground import SAVED, Ground, Versions, leftovers
from tests.crash.interference import edited
from tests.crash.points import PROVING, RENAMES, Point, chosen, either_way, located, traced
from tests.crash.test_bad_disk import assert_contract
from tests.crash.warm import Order, Warm
from tests.site import Site, counts, ids

pytestmark = pytest.mark.storm

ROOT = Path(__file__).parents[2]
log = logging.getLogger(__name__)
PAGES = 12
MANNERS = ("in-place", "in-front", "anew")
EDITED = ("content/0/0.md", "content/lists/two.md")
"""The first page of a batch, and the last."""

PAGES_OF_AN_EDITOR = 40
SECONDS = 60.0 if PROVING else 2.0
Given = Mapping[str, set[tuple[int, int]]]
"""Of each video the views and likes that YouTube said together."""
_PAGE = re.compile(
    rb"---\n((?:# mark-\d{7}\n)*)vid_id: (.{11})\nviewcount: \"(\d+)\"\nlikeCount: (\d+)\n---\n"
    rb"A body.\n((?:mark-\d{7}\n)*)"
)


@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("path", EDITED)
@either_way
def test_an_edit_at_any_step_of_a_sync_is_kept(ground: Make, path: str, manner: str, *, in_place: bool) -> None:
    site = ground(PAGES, in_place=in_place)
    calls = traced(site)
    points = [Point(number, f"edit:{manner}") for number in range(1, len(calls) + 1)]
    for point in chosen(points, 1):
        with located(point, calls):
            assert_kept(site, path, manner, point.number)


@pytest.mark.parametrize("manner", MANNERS)
def test_an_edit_right_before_and_right_after_its_page_is_swapped_is_kept(ground: Make, manner: str) -> None:
    site = ground(PAGES, in_place=False)
    calls = traced(site)
    swaps = [number for number, call in enumerate(calls, 1) if call.name in RENAMES]
    for path, number in zip(EDITED, (swaps[0], swaps[PAGES - 1]), strict=True):
        for near in (number, number + 1, number + 2, number + 3) if PROVING else (number, number + 1):
            assert_kept(site, path, manner, near)


def test_a_directory_that_vanishes_at_any_step_costs_its_pages_a_problem_and_no_more(ground: Make) -> None:
    site = ground(PAGES)
    calls = traced(site)
    directory, elsewhere = site.site.root / "content" / "1", site.room / "elsewhere"
    for point in chosen([Point(number, f"vanish:{directory}:{elsewhere}") for number in range(1, len(calls) + 1)], 5):
        with located(point, calls):
            site.restore()
            ended = site.run("sync", "--json", at=point.number, act=point.act)
            assert_contract(ended)
            elsewhere.rename(directory)
            for file in leftovers(site.site.root):  # what was away could not be cleaned
                (site.site.root / file).unlink()
            site.new_pages()
            site.assert_recovered()


def assert_kept(site: Ground, path: str, manner: str, number: int) -> None:
    """Make a sync with an edit before this call; the mark is there afterwards, and after the next sync the counts."""
    site.restore()
    versions = site.pages[path]
    marked = Versions(edited(versions.old, manner), edited(versions.new, manner), versions.changes)
    meanwhile = site.with_page(path, marked)
    ended = meanwhile.run("sync", "--json", at=number, act=f"edit:{manner}:{site.site.root / path}")
    assert ended.code in {0, 1}, ended
    meanwhile.new_pages()
    meanwhile.assert_recovered()


@pytest.mark.parametrize("manner", ["in-place", "anew", "append", "held", "mapped"])
def test_while_an_editor_is_at_work_no_mark_is_lost_and_every_count_is_youtubes(
    manner: str, warm: Warm, memory: Path
) -> None:
    with Simulator(World(), Clock(START)) as youtube:
        site = Site(memory / f"edited-{manner}", youtube.url)
        (site.root / "content" / "lists").mkdir(parents=True)
        site.configure()
        given: Given = {video: {counts(youtube, video)} for video in ids(PAGES_OF_AN_EDITOR, seed=8)}
        for video, (numbers,) in given.items():
            front = ["mark-0000000"] if manner == "mapped" else []
            site.put(f"content/{video}.md", render(front, video, numbers, []))
        with an_editor(site.root / "content", manner) as editor:
            sync_all_the_time(warm, site, youtube, given)
            marks = json.loads(editor.communicate()[0])
        lost = [check_marks(site, video, marks.get(f"{video}.md", []), said) for video, said in given.items()]
        assert [mark for page in lost for mark in page] == []
        lines = site.log_lines()
        assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
        log.info("%d edits, %d changes", sum(map(len, marks.values())), len(lines))
        assert len(lines) > PAGES_OF_AN_EDITOR, "the editor does not keep every page from being written"


def sync_all_the_time(warm: Warm, site: Site, youtube: Simulator, given: Given) -> None:
    """Make syncs, with new counts for each, until the time is over."""
    end = time.monotonic() + SECONDS
    out, err = (str(site.root.parent / f"{site.root.name}-{name}") for name in ("out", "err"))
    for saved in count(SAVED):  # another time for each sync: git finds changes by it
        if time.monotonic() > end:
            break
        youtube.clock.advance(timedelta(days=3))
        for video, said in given.items():
            said.add(counts(youtube, video))
            os.utime(site.root / f"content/{video}.md", (saved, saved))  # what was saved in this second is swapped
        order = Order(("sync", "--all", "--json"), str(site.root), out, err)
        ended = warm.start(order).ended()
        assert ended.code in {0, 1}, ended
        kinds = {problem["kind"] for problem in json.loads(ended.out)["problems"]}
        assert kinds <= {"edited-meanwhile", "unterminated-front-matter"}, kinds


def check_marks(site: Site, video: str, marks: Sequence[str], said: AbstractSet[tuple[int, int]]) -> list[str]:
    """Fail unless a page has what it had, with counts of YouTube; return the marks that it has lost."""
    page = (site.root / f"content/{video}.md").read_bytes()
    found = _PAGE.fullmatch(page)
    assert found, f"no page any more: {page!r}"
    front, body = (re.findall(r"mark-\d{7}", found[group].decode()) for group in (1, 5))
    numbers = int(found[3]), int(found[4])
    assert numbers in said, f"{numbers} were never given together, but {said}"
    assert page == render(front, video, numbers, body)
    return [mark for mark in marks if mark not in {*front, *body}]


def render(front: Sequence[str], video: str, numbers: tuple[int, int], body: Sequence[str]) -> bytes:
    comments, below = "".join(f"# {mark}\n" for mark in front), "".join(f"{mark}\n" for mark in body)
    views, likes = numbers
    return f'---\n{comments}vid_id: {video}\nviewcount: "{views}"\nlikeCount: {likes}\n---\nA body.\n{below}'.encode()


@contextmanager
def an_editor(content: Path, manner: str) -> Iterator[subprocess.Popen[str]]:
    """Give an editor who is at work."""
    command = [
        sys.executable,
        "-m",
        "tests.crash.editor",
        str(content),
        manner,
        "0.02" if manner in {"held", "mapped"} else "0.004",
    ]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "editing\n"
        try:
            yield process
        finally:
            process.kill()
