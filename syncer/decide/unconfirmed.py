"""Decides which new readings wait for a second one, and when the safety brake holds all readings of a window."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from operator import add
from typing import NamedTuple

from syncer.model import Count, Statistics, VideoId


@dataclass(frozen=True, slots=True)
class Brake:
    """Why the safety brake stopped a sync: too many videos are missing at once, or too many counts fell."""

    reason: str
    """`missing` or `falling`; `not-playing` if it is about what YouTube says about playing, and not about counts."""
    struck: int
    """Videos now missing, counts that fell, or videos that stopped playing."""
    of: int
    """Videos that YouTube returned before, counts that could be compared, or videos that played before."""
    earlier: bool = False
    """Whether it stopped an earlier sync, not this one."""
    part: bool = False
    """Whether the sync had several windows: the numbers are then of one window, or of all up to it."""

    def limit(self, *, missing: float, falling: float) -> float:
        """Return the one of these two shares that it is about."""
        return falling if self.reason == "falling" else missing


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


class Shares(NamedTuple):
    """How many videos and counts were compared, and how many of them are missing or fell."""

    present: int = 0
    """Videos that YouTube returned before."""
    missing: int = 0
    """Those of them that it did not return now."""
    counts: int = 0
    """Counts that could be compared."""
    fallen: int = 0
    """Those of them that fell."""
    fallen_videos: int = 0
    """Videos with a count that fell."""

    def brake(self, missing: float, falling: float) -> Brake | None:
        """Return the brake if more than these shares, from 0 to 1, and at least five videos are affected; else None."""
        if self.missing >= FEWEST_VIDEOS and self.missing > missing * self.present:
            return Brake("missing", self.missing, self.present)
        if self.fallen_videos >= FEWEST_VIDEOS and self.fallen > falling * self.counts:
            return Brake("falling", self.fallen, self.counts)
        return None


class Judgement(NamedTuple):
    """Which of a window's new readings are held."""

    brake: Brake | None
    """If there is one, all of them are held."""
    unconfirmed: Mapping[VideoId, frozenset[Count]]
    """Otherwise these are held, because of these counts."""
    so_far: Shares
    """The shares of all windows up to this one."""


NOTHING_COMPARED = Shares()

NOT_PLAYING = "not-playing"
"""The `reason` of a brake that holds what YouTube says about playing."""

FEWEST_VIDEOS = 5
"""The brake needs at least so many missing videos, or videos with a fallen count: of two, one is already half."""

VIEWS_CHANGED_MEANING = (date(2025, 3, 31), date(2026, 8, 24))
"""The days on which YouTube changed what counts as a view (`docs/youtube.md`, Counts): for Shorts, then for all."""


def judge(
    comparisons: Iterable[Comparison], *, missing: float, falling: float, before: Shares = NOTHING_COMPARED
) -> Judgement:
    """Return whether the brake holds the readings of a window, and which of them are unconfirmed.

    `missing` and `falling` are the shares, from 0 to 1, above which the brake holds: of videos that were present before
    and are missing now, and of counts that fell; in this window, or in all windows so far. `before` are the shares of
    the windows before. At least five videos must be affected. A count that dropped sharply is unconfirmed, unless the
    reading before this one was held because of the same counts.
    """
    present = now_missing = counts = fallen = fallen_videos = 0
    unconfirmed: dict[VideoId, frozenset[Count]] = {}
    for video, known, now, was_present, is_present, held in comparisons:
        if was_present:
            present += 1
            now_missing += not is_present
        if known == now:  # as most are: the rest would find the same, in more time
            counts += len(now)
            continue
        counts += len(known.keys() & now.keys())
        falls = [count for count, number in now.items() if number < known.get(count, number)]
        if not falls:
            continue
        fallen += len(falls)
        fallen_videos += 1
        drops = sharp_drops(known, now)
        if not drops <= held:
            unconfirmed[video] = drops
    own = Shares(present, now_missing, counts, fallen, fallen_videos)
    so_far = Shares(*map(add, before, own))
    brake = own.brake(missing, falling) or so_far.brake(missing, falling)
    return Judgement(brake, unconfirmed, so_far)


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
