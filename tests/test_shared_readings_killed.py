"""Syncs of sites that share readings run at once and are killed: each count is the one that YouTube gave then."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random

import pytest

from syncer.config.parse import parse_config
from syncer.simulator.server import Simulator
from syncer.sync.make import make_sync
from syncer.sync.options import Environment, Options
from tests.forks import PIPE, Fork
from tests.site import KEY, NOON, Site, crlf, ids
from tests.waiting import until

INTERVAL = timedelta(hours=6)
VIDEOS, OWN = 200, 60
"""On all sites, and on each one alone."""


def sync_once(config: str, at: str) -> None:
    """Makes a scheduled sync, which lasts no time by its own clock."""
    now = datetime.fromisoformat(at)
    parsed = parse_config(Path(config).read_text(encoding="utf-8"), Path(config))
    make_sync(parsed, Options(scheduled=True), Environment(KEY, lambda: now, lambda _: None))


def start(site: Site, at: datetime) -> Fork:
    code = f"import sys; from {__name__} import sync_once; sync_once(*sys.argv[1:])"
    return Fork("-c", code, str(site.config), at.isoformat(), cwd=Path(__file__).parent.parent, stderr=PIPE)


def is_over(youtube: Simulator, requests: int, victim: Fork) -> bool:
    return youtube.requests >= requests or victim.poll() is not None


@pytest.mark.parametrize("rounds", [2, pytest.param(10, marks=pytest.mark.storm)])
def test_whatever_is_killed_each_count_is_the_one_that_youtube_gave_at_the_time_of_its_reading(
    tmp_path: Path, youtube: Simulator, rounds: int
) -> None:
    rng, killed, per_round = Random(rounds), 0, list[int]()
    sites = [Site(tmp_path / name, youtube.url) for name in "abc"]
    for number, site in enumerate(sites):
        site.configure(quota=f"ledger: '{tmp_path / 'ledger'}'", youtube="timeout: 5s, connections: 1")
        (site.root / "content" / "lists").mkdir(parents=True)
        for video in ids(VIDEOS) + ids(OWN, seed=2 + number):
            site.put(f"content/{video}.md", crlf(video, 1, 2))
    for turn in range(rounds):
        at = NOON + turn * INTERVAL
        youtube.clock.set(at)
        before, order = youtube.requests, rng.sample(sites, 3)
        running = [start(site, at) for site in order]
        until(partial(is_over, youtube, before + rng.randrange(1, 8), running[0]))
        if running[0].poll() is None:
            running[0].kill()
            killed += 1
        assert [process.communicate()[1] for process in running][1:] == ["", ""]
        per_round.append(youtube.requests - before)
        last = start(order[0], at)
        assert (last.communicate()[1], last.wait()) == ("", 0)
    assert killed >= rounds / 2, "or the test shows nothing"
    for site in sites:
        lines = site.log_lines()
        assert len(lines) >= VIDEOS + OWN
        for line in lines:
            then = youtube.world.statistics(line["video_id"], datetime.fromisoformat(line["as_of"]))
            assert then is not None
            assert line["new"] == str(then[line["count"]])
        shown = {(line["path"], line["count"]): line["new"] for line in lines}
        for video in ids(VIDEOS):
            path = f"content/{video}.md"
            page = crlf(video, shown[path, "viewCount"], shown[path, "likeCount"])
            assert (site.root / path).read_bytes() == page
    batches = -(-(VIDEOS + OWN) // 50)
    assert all(requests <= 3 * batches for requests in per_round)
