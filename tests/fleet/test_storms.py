"""Storms over a fleet of three hosts and one database: however hosts, database and network fail, every promise holds.

After the trouble, each site is synced within two intervals; no count is wrong, no unit is over the limit, each change
is in its log once, and no log shows a key.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.examples import PROVING
from tests.fleet.ground import FleetGround
from tests.fleet.storm import FleetStorm, Plan, story_of
from tests.many_sites.ground import new_youtube
from tests.postgres import PostgreSQL, running_postgres

SMALL = Plan(sites=9, pages=8, every=3, events=30)
FULL = Plan(sites=50, pages=200, every=8, events=60)
ROUNDS = int(os.environ.get("SYNCER_STORM_ROUNDS", "200"))
FIRST_SEED = int(os.environ.get("SYNCER_STORM_SEED", "1"))
SEEDS = range(FIRST_SEED, FIRST_SEED + (ROUNDS if PROVING else 1))

pytestmark = [pytest.mark.storm, pytest.mark.skipif(not shutil.which("git"), reason="needs git")]


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgreSQL]:
    """One of the storms' own: it is stopped, crashed and paused."""
    pytest.importorskip("procrastinate", reason="a fleet needs procrastinate: pip install -r requirements-fleet.lock")
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, postgres: PostgreSQL) -> Iterator[FleetStorm]:
    yield from _storm(SMALL, tmp_path_factory.mktemp("small"), postgres)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, postgres: PostgreSQL) -> Iterator[FleetStorm]:
    yield from _storm(FULL, tmp_path_factory.mktemp("full"), postgres)


def _storm(plan: Plan, directory: Path, postgres: PostgreSQL) -> Iterator[FleetStorm]:
    with (
        new_youtube() as youtube,
        closing(FleetGround(directory, plan.sites, plan.pages, youtube, plan.every, postgres)) as ground,
    ):
        ground.prepare()
        yield FleetStorm(plan, ground)


def _judge(storm: FleetStorm, seed: int) -> None:
    report = storm.round(seed)
    assert report.wrong == [], story_of(report)


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + (24 if PROVING else 1)))
def test_whatever_becomes_of_hosts_and_database_every_site_is_soon_right_again(small: FleetStorm, seed: int) -> None:
    _judge(small, seed)


@pytest.mark.skipif(not PROVING, reason="takes hours; ./dev prove runs it")
@pytest.mark.parametrize("seed", SEEDS)
def test_fifty_sites_on_three_hosts_keep_every_promise(full: FleetStorm, seed: int) -> None:
    _judge(full, seed)
