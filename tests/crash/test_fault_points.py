"""A kill before, after or within each step of a sync, wherever it touches a file or the database."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.crash.conftest import Make
from tests.crash.ground import Versions
from tests.crash.interference import LEASES, STATEMENT, Call
from tests.crash.points import RENAMES, chosen, either_way, kills, located, traced, writes

PAGES = 12


@either_way
@pytest.mark.parametrize("sample", [3, pytest.param(6, marks=pytest.mark.storm)])
def test_a_sync_that_is_killed_at_any_step_loses_nothing_and_tears_nothing(
    ground: Make, sample: int, *, in_place: bool
) -> None:
    site = ground(PAGES, in_place=in_place)
    calls = traced(site)
    for point in chosen(kills(calls), sample):
        site.restore()
        with located(point, calls):
            assert site.run(at=point.number, act=point.act).killed
            site.new_pages()
            site.assert_recovered()


@either_way
@pytest.mark.parametrize("sample", [1, pytest.param(2, marks=pytest.mark.storm)])
def test_a_recovery_that_is_killed_at_any_step_is_made_by_the_next_one(
    ground: Make, sample: int, *, in_place: bool
) -> None:
    """The first sync is killed in the middle of the writes, or before the log: then there is most to recover."""
    site = ground(PAGES, in_place=in_place)
    calls = traced(site)
    written = writes(calls)
    for first in (written[0], written[len(written) // 2], written[-1]):
        site.restore()
        assert site.run(at=first, act="after").killed
        recovering = traced(site, restored=False)
        for point in chosen(kills(recovering), sample):
            site.restore()
            assert site.run(at=first, act="after").killed
            with located(point, recovering):
                assert site.run(at=point.number, act=point.act).killed
                site.assert_recovered()


def test_the_order_of_changes_in_place_is_one_that_a_crash_cannot_hurt(ground: Make) -> None:
    """Intents are durable, pages are written and durable, and only then logged; no disk is waited for in a lease."""
    site = ground(PAGES)
    calls = traced(site)
    steps = [step(call) for call in calls]
    written = writes(calls)
    assert len(written) == PAGES
    first, last = written[0] - 1, written[-1] - 1
    assert steps[:first].count("commit") >= 4, "the unit, the answer, the judgement, the intents"
    assert "commit" not in steps[first:last], "the intents of a batch are durable before its first write"
    for number in written:
        page = calls[number - 1].place
        near = [call.name for call in calls[number - 4 : number + 2] if call.place == page]
        assert near == ["open", LEASES, LEASES, "pwrite", LEASES, "close"], "nothing slow comes while a lease is held"
    durable = next(number for number in range(last, len(calls)) if calls[number].name in {"fsync", "syncfs"})
    assert calls[durable].place.startswith("content/")
    assert "commit" in steps[durable : steps.index("log")], "what is done is noted before it is logged"
    assert steps.index("log") < steps.index("log durable") < len(steps) - 1 - steps[::-1].index("commit")


def test_the_order_of_swaps_is_one_that_a_crash_cannot_hurt(ground: Make) -> None:
    """Answers are saved, intents are durable, new files are durable: then pages are renamed, and only then logged."""
    site = ground(PAGES, in_place=False)
    calls = traced(site)
    steps = [step(call) for call in calls]
    first = {name: steps.index(name) for name in set(steps)}
    last = {name: len(steps) - 1 - steps[::-1].index(name) for name in set(steps)}
    assert steps[: first["new file"]].count("commit") >= 4, "the unit, the answer, the judgement, the intents"
    assert last["new file"] < first["new file durable"] < first["rename"]
    assert last["new file durable"] < first["rename"]
    assert all(
        {step(call) for call in calls[number + 1 : number + 4]} == {"last look"} and calls[number + 4].name == "unlink"
        for number in indexes(steps, "rename")
    ), "nothing comes between the swap of a page, the last look at it, and its end"
    assert last["rename"] < first["directory durable"] <= last["directory durable"] < first["log"]
    assert "commit" in steps[last["directory durable"] : first["log"]], "what is done is noted before it is logged"
    assert first["log"] < first["log durable"] < last["commit"], "the sync ends when its log is durable"


def test_counts_in_two_sectors_of_a_page_are_written_at_once_so_a_kill_leaves_it_whole(ground: Make) -> None:
    base, path = ground(PAGES), "content/lists/two.md"
    versions = base.pages[path]
    old, new = (apart(page) for page in (versions.old, versions.new))
    site = base.with_page(path, Versions(old, new, versions.changes))
    calls = traced(site, only=path)
    [number] = [number for number, call in enumerate(calls, 1) if call.name == "pwrite"]
    for act, left in (("before", old), ("after", new)):
        site.restore()
        assert site.run(at=number, act=act, only=path).killed
        assert (site.site.root / path).read_bytes() == left
        site.assert_recovered()
    site.restore()


def apart(page: bytes) -> bytes:
    """Return a page whose second video is in another sector than the first."""
    return page.replace(b"videos:\n", b"videos:\n" + b"# far apart\n" * 10).replace(
        b'\n  - id: "', b"\n" + b"# far apart\n" * 50 + b'  - id: "'
    )


def step(call: Call) -> str:
    """The step of the design that a call belongs to; `` for what is none."""
    if call.name == STATEMENT:
        return "commit"
    place = Path(call.place)
    if call.name == LEASES:
        return "last look"
    if place.name == ".syncer-*~":
        names = {"create": "new file", "fsync": "new file durable", "syncfs": "new file durable"}
        names |= dict.fromkeys(RENAMES, "rename")
        return names.get(call.name, "")
    if place.name == "diff.jsonl":
        return {"write": "log", "fsync": "log durable"}.get(call.name, "")
    return "directory durable" if place.parts[:1] == ("content",) and call.name in {"fsync", "syncfs"} else ""


def indexes(steps: Sequence[str], name: str) -> list[int]:
    return [number for number, one in enumerate(steps) if one == name]
