"""A sync that is killed at any moment, and killed again while it recovers: the next one completes it."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import NamedTuple

import pytest

from tests.crash.conftest import Make
from tests.crash.ground import Ground
from tests.crash.points import PROVING, either_way
from tests.waiting import until

pytestmark = pytest.mark.storm

KILLS = 150 if PROVING else 3
"""For each ground, and each way to change pages."""
PAGES = 300
FIRST = "content/0/0.md"
"""The page that comes first in the order of names."""
POLL_SECONDS = 0.0002
"""Seconds between two looks at whether a sync has begun to write."""
AGAIN = 0.3
"""How often the sync that recovers is killed as well."""

log = logging.getLogger(__name__)


RENAMING = 0.02
"""Seconds within which a sync renames all its new files, and more."""


class Lasts(NamedTuple):
    """Seconds that an undisturbed sync takes."""

    whole: float
    """From the fork on."""
    writing: float
    """From the first new file beside a page on."""


@either_way
def test_a_sync_that_is_killed_at_any_moment_loses_nothing_and_tears_nothing(ground: Make, *, in_place: bool) -> None:
    """A third of the kills is spread over the whole sync, one over its part that writes, one over the renames."""
    site = ground(PAGES, in_place=in_place)
    lasts = duration(site)
    random = Random(4)
    seen: Counter[str] = Counter()
    for number in range(KILLS):
        site.restore()
        share = (number + random.random()) / KILLS
        begin, length = ((at_once, lasts.whole), (has_new_file, lasts.writing), (has_renamed, RENAMING))[number % 3]
        seen[killed(site, begin, share * length)] += 1
        while random.random() < AGAIN:
            killed(site, at_once, random.uniform(0, lasts.whole))
        site.assert_recovered()
    log.info("%d kills within %s fell on syncs with these pages written: %s", KILLS, lasts, dict(seen))
    assert not PROVING or {"none", "some", "all"} <= seen.keys(), "kills fall in all phases"


def duration(site: Ground) -> Lasts:
    """Measure an undisturbed sync: the middle one of three."""
    took = []
    for _ in range(3):
        site.restore()
        began = time.monotonic()
        child = site.start()
        until(lambda: has_new_file(site), POLL_SECONDS)
        writing = time.monotonic()
        assert child.ended().code == 0
        took.append(Lasts(time.monotonic() - began, time.monotonic() - writing))
    site.assert_settled()
    return sorted(took)[1]


def killed(site: Ground, begin: Callable[[Ground], bool], moment: float) -> str:
    """Start a sync and kill it so many seconds after it began with something; return how many pages were written."""
    child = site.start()
    until(lambda: begin(site), POLL_SECONDS)
    time.sleep(moment)  # the moment of the kill is what is tried: any may come
    child.kill()
    ended = child.ended()
    assert ended.killed or ended.code == 0, ended
    new = site.new_pages()
    return "none" if new == 0 else "all" if new == len(site.pages) else "some"


def at_once(_site: Ground) -> bool:
    return True


def has_new_file(site: Ground) -> bool:
    """Whether a new file stands beside the first pages, or stood there."""
    names = os.listdir(site.site.root / "content" / "0")
    return has_renamed(site) or any(name.startswith(".syncer-") for name in names)


def has_renamed(site: Ground) -> bool:
    """Whether the first page is the new one: its name is given to another file."""
    return (site.site.root / FIRST).read_bytes() != site.pages[FIRST].old
