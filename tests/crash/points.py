"""The points at which a sync can be disturbed: every call that it makes on the site's files and its database."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from random import Random
from typing import NamedTuple

import pytest

from tests.crash.ground import Ground
from tests.crash.interference import Call

PROVING = "SYNCER_PROVE" in os.environ
RENAMES = {"replace", "rename", "renameat2"}
either_way = pytest.mark.parametrize("in_place", [True, False], ids=["in-place", "swapped"])
"""Runs a test with pages that are changed in place, and with pages that are swapped."""


class Point(NamedTuple):
    """A call, and what happens there: see `Interference`."""

    number: int
    act: str


def traced(site: Ground, *arguments: str, restored: bool = True, only: str = "") -> list[Call]:
    """What an undisturbed sync, or another command, calls: of the restored site, or of the site as it is.

    `only`: what it calls on this one file, with its reads and looks.
    """
    if restored:
        site.restore()
    file = site.room / "trace"
    ended = site.run(*(arguments or ("sync", "--json")), trace=str(file), only=only)
    assert ended.code == 0, f"undisturbed: {ended}"
    return [Call(*call) for call in json.loads(file.read_text(encoding="utf-8"))]


def kills(calls: Sequence[Call]) -> list[Point]:
    """All kills that could leave something else behind than the one before; after reading, none does."""
    found = []
    for number, call in enumerate(calls, 1):
        if call.name not in {"open", "close"}:
            found += [Point(number, "before"), Point(number, "after")]
        if call.name == "write":  # a kill never tears a write within a sector, as those into pages are
            found.append(Point(number, "half"))
    return found


def writes(calls: Sequence[Call]) -> list[int]:
    """The numbers of the calls by which pages get their new counts: swaps, or writes into them."""
    return [
        number
        for number, call in enumerate(calls, 1)
        if call.place.startswith("content/")
        and (call.name == "pwrite" or (call.name in RENAMES and ".syncer-" in call.place))
    ]


def chosen(points: Sequence[Point], sample: int) -> Sequence[Point]:
    """All points when proving, else a sample that is the same each time."""
    if PROVING or len(points) <= sample:
        return points
    return sorted(Random(sample).sample(points, sample))


@contextmanager
def located(point: Point, calls: Sequence[Call]) -> Iterator[None]:
    """Add to a failure at which call the sync was disturbed."""
    try:
        yield
    except AssertionError as error:
        name, place, _ = calls[point.number - 1]
        raise AssertionError(f"{point.act} at call {point.number}, {name} {place}: {error}") from error
