"""Storms over many sites under one daemon: one site's trouble is no other's, and every promise holds for each."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from tests.examples import PROVING
from tests.many_sites.ground import Ground, can_mount, new_youtube
from tests.many_sites.storm import Plan, Storm

SMALL = Plan(sites=8, pages=20, every=2, events=8, lives=3)
FULL = Plan(sites=50, pages=200, every=6, events=30, lives=3)
ROUNDS = int(os.environ.get("SYNCER_STORM_ROUNDS", "200"))
FIRST_SEED = int(os.environ.get("SYNCER_STORM_SEED", "1"))
SEEDS = range(FIRST_SEED, FIRST_SEED + (ROUNDS if PROVING else 1))

pytestmark = [pytest.mark.storm, pytest.mark.skipif(not shutil.which("git"), reason="needs git")]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storm]:
    yield from _storm(SMALL, tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storm]:
    yield from _storm(FULL, tmp_path_factory.mktemp("full"))


def _storm(plan: Plan, directory: Path) -> Iterator[Storm]:
    with new_youtube() as youtube:
        ground = Ground(directory, plan.sites, plan.pages, youtube, plan.every)
        ground.prepare()
        yield Storm(plan, ground, disks=can_mount(directory))


def _judge(storm: Storm, seed: int, only: Collection[str] = ()) -> None:
    report = storm.round(seed, only)
    assert report.wrong == [], "\n".join([f"seed {seed}", *report.story, *report.wrong[:50]])


@pytest.mark.parametrize("seed", range(24 if PROVING else 1))
def test_in_all_weathers_one_sites_trouble_is_no_other_sites(small: Storm, seed: int) -> None:
    _judge(small, seed)


def test_full_disks_are_the_trouble_of_their_sites_alone(small: Storm) -> None:
    if not small.disks:
        pytest.skip("only root on Linux can mount small disks")
    _judge(small, 1, only={"fill_disk", "edit_pages"})


@pytest.mark.skipif(not PROVING, reason="takes two hours; ./dev prove runs it")
@pytest.mark.parametrize("seed", SEEDS)
def test_fifty_sites_of_two_hundred_pages_keep_every_promise(full: Storm, seed: int) -> None:
    _judge(full, seed)
