"""Decides which new readings wait for a second one, and when the safety brake holds all readings of a sync."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import NamedTuple

from syncer.model import Count, Statistics, VideoId


@dataclass(frozen=True, slots=True)
class Brake:
    """Why the safety brake stopped a sync: too many videos are missing at once, or too many counts fell."""

    reason: str
    """`missing` or `falling`."""
    struck: int
    """Videos now missing, or counts that fell."""
    of: int
    """Videos that YouTube returned before, or counts that could be compared."""

    def limit(self, *, missing: float, falling: float) -> float:
        """Return the one of these two shares that it is about."""
        return missing if self.reason == "missing" else falling


class Comparison(NamedTuple):
    """A new reading of a video, beside what was known of the video before."""

    video_id: VideoId
    before: Statistics
    """The counts that were known before, of those that mean the same now."""
    now: Statistics
    """The counts that YouTube gives now, of those that meant the same before."""
    was_present: bool
    """Whether YouTube returned the video before."""
    is_present: bool
    """Whether YouTube returned the video now."""
    held: frozenset[Count]
    """The counts for which the reading before this one is held."""


class Judgement(NamedTuple):
    """Which of a sync's new readings are held."""

    brake: Brake | None
    """If there is one, all of them are held."""
    unconfirmed: Mapping[VideoId, frozenset[Count]]
    """Otherwise these are held, because of these counts."""


FEWEST_VIDEOS = 5
"""The brake needs at least so many missing videos, or videos with a fallen count: of two, one is already half."""

VIEWS_CHANGED_MEANING = (date(2025, 3, 31), date(2026, 8, 24))
"""The days on which YouTube changed what counts as a view (`docs/youtube.md`, Counts): for Shorts, then for all."""


def judge(comparisons: Iterable[Comparison], *, missing: float, falling: float) -> Judgement:
    """Return whether the brake holds these readings of a sync, and which of them are unconfirmed.

    `missing` and `falling` are the shares, from 0 to 1, above which the brake holds: of videos that were present before
    and are missing now, and of counts that fell. At least five videos must be affected. A count that dropped sharply is
    unconfirmed, unless the reading before this one was held because of the same counts.
    """
    were_present = now_missing = compared = fallen = fallen_videos = 0
    unconfirmed: dict[VideoId, frozenset[Count]] = {}
    for video, before, now, was_present, is_present, held in comparisons:
        if was_present:
            were_present += 1
            now_missing += not is_present
        both = before.keys() & now.keys()
        falls = sum(now[count] < before[count] for count in both)
        compared += len(both)
        fallen += falls
        fallen_videos += falls > 0
        drops = sharp_drops(before, now)
        if not drops <= held:
            unconfirmed[video] = drops
    brake = None
    if now_missing >= FEWEST_VIDEOS and now_missing > missing * were_present:
        brake = Brake("missing", now_missing, were_present)
    elif fallen_videos >= FEWEST_VIDEOS and fallen > falling * compared:
        brake = Brake("falling", fallen, compared)
    return Judgement(brake, unconfirmed)


def sharp_drops(before: Statistics, now: Statistics) -> frozenset[Count]:
    """Return the counts that fell to zero, or below a tenth of what they were."""
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
    """Return the day since which YouTube counts views as it did at this time; None: since the beginning."""
    return max((day for day in VIEWS_CHANGED_MEANING if day <= at.date()), default=None)
