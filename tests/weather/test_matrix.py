"""Every fault, of either method, wherever it strikes: it costs what the table says, and the next good day mends all."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

import pytest

from syncer.simulator.faults import GROUPS, KINDS
from syncer.simulator.server import Simulator
from syncer.simulator.units import BucketName
from syncer.status.report import SyncReport
from tests.examples import PROVING
from tests.site import Site
from tests.weather.expected import OF_A_FAULT, OF_A_GROUP, End, Says, ends
from tests.weather.ground import (
    BATCHES,
    BUCKETS,
    DAY,
    IN_TURN,
    VIDEOS,
    Ground,
    Memory,
    Numbers,
    left_behind,
    mostly_storms,
    on_disk,
    remember,
    replayed,
    set_weather,
    sync,
    truth,
    with_key,
    youtube_at,
)

WHEN = {"first": (":1", [0]), "middle": (":2", [1]), "last": (":4", [3]), "third": (":*/3", [2]), "all": ("", range(4))}
"""Which requests are struck, and which batches that is when every batch takes one request."""
WAITING = {"stall", "stall-middle", "drip", "endless"}
"""Only a deadline ends these."""
SHORT = 1.0
"""Their deadline, in seconds."""
LONGEST = 15.0
"""Seconds that a sync may take in any weather of the matrix: twice what four batches with two tries wait at most."""


class Case(NamedTuple):
    fault: str
    bucket: BucketName
    when: str
    attempts: int

    @property
    def end(self) -> End:
        costs = ends(self.fault, self.bucket)
        return costs.always if self.when == "all" else costs.batch if self.attempts == 1 else costs.once

    def __str__(self) -> str:
        return f"{self.fault}@{self.bucket}-{self.when}-{self.attempts}"


BELOW_THE_METHODS = {name for group in ("Bodies", "Connections", "Header fields") for name in GROUPS[group]}
"""Faults that strike before a method's own form is read: each strikes one of the two, in turn."""


def cases() -> Iterator[Case]:
    for fault in KINDS:
        both = PROVING or fault not in BELOW_THE_METHODS
        for bucket in BUCKETS if both else [IN_TURN[fault]]:
            every = [Case(fault, bucket, when, attempts) for when in WHEN for attempts in (1, 2)]
            yield from every if PROVING else [Random(f"{fault}@{bucket}").choice(every)]


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return Ground.prepare(tmp_path_factory.mktemp("ground"))


@pytest.fixture(scope="module")
def never_struck(ground: Ground) -> tuple[Numbers, Memory]:
    """Pages and state of a site that had good weather on both days."""
    with youtube_at(days=1) as youtube:
        site = ground.restore(youtube.url)
        assert sync(site, youtube).exit == 0
        youtube.clock.advance(DAY)
        assert sync(site, youtube).exit == 0
        assert on_disk(site) == truth(youtube)
        return on_disk(site), remember(site, youtube.clock.now())


@pytest.mark.parametrize("case", mostly_storms(cases()), ids=str)
def test_bad_weather_costs_a_retry_or_a_day_and_never_a_number(
    case: Case, ground: Ground, never_struck: tuple[Numbers, Memory], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with youtube_at(days=1) as youtube:
        site = ground.restore(youtube.url)
        before = on_disk(site)
        began = time.monotonic()
        report = in_bad_weather(site, youtube, case)
        assert time.monotonic() - began < LONGEST
        assert report.exit == case.end.code, report.problems
        assert on_disk(site) == expected(case, before, youtube)
        assert_nothing_leaks(site, youtube, caplog)
        set_weather(youtube)
        youtube.clock.advance(DAY)
        report = sync(site, youtube)
        assert (report.exit, report.problems, report.brake) == (0, (), None)
        assert (on_disk(site), remember(site, youtube.clock.now())) == never_struck
        assert_nothing_leaks(site, youtube, caplog)
        assert replayed(site, dict.fromkeys(VIDEOS, (1, 2))) == on_disk(site)


def test_the_table_names_every_group_and_no_fault_that_is_none() -> None:
    assert OF_A_GROUP.keys() == GROUPS.keys()
    assert OF_A_FAULT.keys() <= KINDS.keys()
    assert KINDS.keys() >= WAITING


def in_bad_weather(site: Site, youtube: Simulator, case: Case) -> SyncReport:
    """Makes a sync; videos.list is asked about all where the other method is not to be had."""
    fault = f"{case.fault}@{case.bucket}{WHEN[case.when][0]}"
    set_weather(youtube, *(["not-implemented@stats"] if case.bucket == "general" else []), fault)
    timeout = SHORT if case.fault in WAITING else 5.0
    return sync(site, youtube, timeout=timeout, attempts=case.attempts, connections=4 if case.when == "all" else 1)


def expected(case: Case, before: Numbers, youtube: Simulator) -> Numbers:
    """What the pages have to say after the sync in bad weather."""
    says, numbers = case.end.says, dict(truth(youtube))
    struck = {video for place in WHEN[case.when][1] for video in BATCHES[place]}
    if says is Says.STOPPED:
        struck = {video for batch in BATCHES[min(WHEN[case.when][1]) :] for video in batch}
    for video in struck if says is not Says.TRUE else ():
        numbers[video] = before[video]
        if says is Says.GIVEN:
            given = youtube.given(video)
            views, likes = (
                next(iter(given.get(name, {kept})))
                for name, kept in zip(("viewCount", "likeCount"), before[video], strict=True)
            )
            numbers[video] = views, likes
    return numbers


def assert_nothing_leaks(site: Site, youtube: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    """No unit is forgotten, no key is told, no file is left."""
    ours = remember(site, youtube.clock.now()).spent
    assert {bucket: ours[bucket] for bucket in ours if ours[bucket] < youtube.units[bucket.value]} == {}
    assert with_key(site, caplog.records) == []
    assert left_behind(site) == set()
