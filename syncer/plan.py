"""Decides which videos to ask about now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType

from syncer.model import BATCH_SIZE, Plan, VideoId

FRESH = 300
"""Seconds for which a reading is fresh: YouTube's counts change about once in five minutes (`docs/youtube.md`)."""

GONE = 3
"""Times, a day apart, that YouTube must leave a video out before it is called gone."""

DAY = 86_400
LONGEST = 28 * DAY
"""Seconds after which a video is asked about, however long it has been gone."""


def plan(
    videos: Iterable[VideoId],
    read_at: Mapping[VideoId, int],
    now: datetime,
    *,
    units: int,
    everything: bool,
    misses: Mapping[VideoId, int] = MappingProxyType({}),
) -> Plan:
    """Return which of `videos` to ask about: all that are not fresh, as far as `units` requests reach.

    `read_at` tells when a video was last read, in seconds since 1970; `misses` how often, a day apart, the missing
    ones were left out: one that is gone is asked about less and less often, but once in four weeks. `everything`:
    also what is fresh or gone. The longest unread come first, so that a small quota goes round the whole site. A
    reading from the future, after the clock was set back, is not fresh.
    """
    wanted = set(videos)
    seconds = now.timestamp()
    due = [
        video
        for video in wanted
        if everything or not 0 <= seconds - read_at.get(video, -LONGEST) < _patience(misses.get(video, 0))
    ]
    due.sort(key=lambda video: (read_at.get(video, 0), video))
    ask = tuple(due[: units * BATCH_SIZE])
    return Plan(ask, fresh=len(wanted) - len(due), over_quota=len(due) - len(ask))


def _patience(misses: int) -> int:
    """Return how many seconds a reading serves: the gone are asked about after two days, four, eight."""
    return FRESH if misses < GONE else min(DAY * 2 ** (misses - GONE + 1), LONGEST)
