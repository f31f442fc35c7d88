"""Decides which videos to ask about now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from syncer.model import BATCH_SIZE, Plan, VideoId

FRESH = 300
"""Seconds for which a reading is fresh: YouTube's counts change about once in five minutes (`docs/youtube.md`)."""


def plan(
    videos: Iterable[VideoId], read_at: Mapping[VideoId, int], now: datetime, *, units: int, fresh_too: bool
) -> Plan:
    """Return which of `videos` to ask about: all that are not fresh, as far as `units` requests reach.

    `read_at` tells when a video was last read, in seconds since 1970. The longest unread come first, so that a small
    quota goes round the whole site. A reading from the future, after the clock was set back, is not fresh.
    """
    everything = set(videos)
    seconds = now.timestamp()
    due = [video for video in everything if fresh_too or not 0 <= seconds - read_at.get(video, -FRESH) < FRESH]
    due.sort(key=lambda video: (read_at.get(video, 0), video))
    ask = tuple(due[: units * BATCH_SIZE])
    return Plan(ask, fresh=len(everything) - len(due), over_quota=len(due) - len(ask))
