"""Decides which readings are not believed at once, and when a whole sync is not."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache

from syncer.model import Count, Statistics, VideoId


@dataclass(frozen=True, slots=True)
class Brake:
    """Why a whole sync is not believed: too many videos are missing at once, or too many counts fall."""

    reason: str
    """`missing` or `falling`."""
    struck: int
    """Videos now missing, or counts that fell."""
    of: int
    """Videos that were answered before, or counts that could be compared."""


FEWEST_VIDEOS = 5
"""So many videos must be struck before a brake holds: of a few, one deleted video is already half."""

VIEWS_CHANGED_MEANING = (date(2025, 3, 31), date(2026, 8, 24))
"""From these days on a view is something else (`docs/youtube.md`, Counts): first for Shorts, then for all videos."""


def sharp_drops(before: Statistics, now: Statistics) -> frozenset[Count]:
    """Return the counts that fell to zero, or below a tenth of what they were: they want a second reading."""
    return frozenset(
        count
        for count, number in now.items()
        if count in before and number < before[count] and (number == 0 or number * 10 < before[count])
    )


@lru_cache(maxsize=1024)
def comparable(counts: frozenset[Count], before: datetime | None, now: datetime) -> frozenset[Count]:
    """Return which counts, read at two times, mean the same at both; `before` is None where the time is unknown."""
    if before is None or view_meaning(before) == view_meaning(now):
        return counts
    return counts - {Count.VIEWS}


def view_meaning(at: datetime) -> date | None:
    """Return the day since which views read at this time mean what they mean; None: since ever."""
    return max((day for day in VIEWS_CHANGED_MEANING if day <= at.date()), default=None)


@dataclass(slots=True)
class Shares:
    """How many of a sync's readings say what they should not all say at once."""

    answered_before: int = 0
    now_missing: int = 0
    compared: int = 0
    fallen: int = 0
    struck: set[VideoId] = field(default_factory=set)
    """Videos of which a count fell."""

    def add_missing(self, *, missing: bool) -> None:
        """Count a video that was answered before."""
        self.answered_before += 1
        self.now_missing += missing

    def add_counts(self, video: VideoId, before: Statistics, now: Statistics) -> None:
        """Count a video's counts that were known before and are given now."""
        both = before.keys() & now.keys()
        fallen = sum(now[count] < before[count] for count in both)
        self.compared += len(both)
        self.fallen += fallen
        if fallen:
            self.struck.add(video)

    def brake(self, missing: float, falling: float) -> Brake | None:
        """Return why this sync is not to be believed, if so.

        `missing` and `falling` are the shares, from 0 to 1, above which a brake holds; it takes at least five videos.
        """
        if self.now_missing >= FEWEST_VIDEOS and self.now_missing > missing * self.answered_before:
            return Brake("missing", self.now_missing, self.answered_before)
        if len(self.struck) >= FEWEST_VIDEOS and self.fallen > falling * self.compared:
            return Brake("falling", self.fallen, self.compared)
        return None
