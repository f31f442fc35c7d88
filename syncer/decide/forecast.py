"""How stale the counts of a site will be: what the plan does in the long run with so many units a day.

Each video's error grows by its drift until it is read. The mean error of all is least if a video is read again when
`drift x (days since it was read)^2` reaches the same level for all (`docs/explanation.md`). This module finds the
level that the units pay for.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from syncer.decide.drift import SMALLEST
from syncer.model import BATCH_SIZE

DAY = timedelta(days=1)

STEPS = 32
"""Drifts that are within one part in so many of a doubling are taken as equal: an error of 1% in a period."""

NEVER = 36_525.0
"""A period that is longer is taken as so many days."""


class Drifts:
    """The drifts of all videos of a site, as a table of how many have which: a forecast needs no more."""

    def __init__(self, rates: Iterable[float]) -> None:
        """Take the drift of each video: relative change a day."""
        self.videos = 0
        found: dict[int, int] = {}
        for rate in rates:
            step = round(math.log2(max(rate, SMALLEST)) * STEPS)
            found[step] = found.get(step, 0) + 1
            self.videos += 1
        self.rates = array("d", (2 ** (step / STEPS) for step in sorted(found)))
        """The different drifts, ascending."""
        self.numbers = array("Q", (found[step] for step in sorted(found)))
        """How many videos have each."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the plan reaches in the long run."""

    videos: int
    units_for_all: float
    """Units on each day that has syncs, with which every sync would request every video: whole units for each sync."""
    units_spent: float
    """Units a day that are used, on average."""
    every: timedelta
    """The time from one sync to the next."""
    refresh_within: timedelta
    level: float
    """A video is read again when `drift x (days since it was read)^2` reaches this; 0: in every sync."""
    longest: timedelta
    """The longest time between two readings of a video."""
    mean_error: float
    """The mean over all videos and over time of the expected relative error."""

    @property
    def suffices(self) -> bool:
        """Whether every sync requests every video."""
        return not self.level and self.keeps_up and self.longest <= self.every

    @property
    def keeps_up(self) -> bool:
        """Whether every video is read within `refresh_within`; if not, the site has outgrown its quota."""
        return self.longest <= max(self.refresh_within, self.every)

    @property
    def days_with_syncs(self) -> float:
        """On how many days there are syncs within `refresh_within`, or until the next sync if that is later."""
        return max(self.refresh_within, self.every) / max(DAY, self.every)

    def period(self, drift: float) -> timedelta:
        """Return the time between two readings of a video with this drift."""
        return DAY * _period(drift, self.level, self.every / DAY, self.longest / DAY)

    def error(self, drift: float) -> float:
        """Return the mean over time of the expected relative error of a video with this drift."""
        return _error(drift, self.period(drift) / DAY)


def forecast(drifts: Drifts, *, units: float, every: timedelta, refresh_within: timedelta) -> Forecast:
    """Return what the plan reaches with `units` a day, of both buckets and without the reserves.

    Units of a day without a sync are lost.
    """
    shortest, longest = every / DAY, max(refresh_within, every) / DAY
    readings = units * BATCH_SIZE / max(1.0, shortest)
    batches = math.ceil(drifts.videos / BATCH_SIZE)
    for_all = batches / min(1.0, shortest)
    if for_all <= units:
        level, longest = 0.0, shortest
    elif drifts.videos / longest >= readings:  # all in turn, however long that takes
        level, longest = math.inf, min(drifts.videos / readings, NEVER) if readings else NEVER
    else:
        level = _level(drifts, readings, shortest, longest)
    periods = [_period(rate, level, shortest, longest) for rate in drifts.rates]
    wanted = sum(number / period for number, period in zip(drifts.numbers, periods, strict=True)) / BATCH_SIZE
    spent = wanted if level else batches / shortest  # the last batch of a sync is seldom full
    errors = (
        number * _error(rate, period)
        for rate, number, period in zip(drifts.rates, drifts.numbers, periods, strict=True)
    )
    return Forecast(
        videos=drifts.videos,
        units_for_all=for_all,
        units_spent=min(spent, readings / BATCH_SIZE),
        every=every,
        refresh_within=refresh_within,
        level=level,
        longest=longest * DAY,
        mean_error=sum(errors) / drifts.videos if drifts.videos else 0.0,
    )


def _period(rate: float, level: float, shortest: float, longest: float) -> float:
    """Return the days between two readings: a whole number of syncs."""
    if not level:
        return shortest
    wanted = math.sqrt(level / rate) if rate > 0 else math.inf
    return min(longest, shortest * max(1, math.ceil(wanted / shortest - 1e-9))) if wanted < longest else longest


def _error(rate: float, period: float) -> float:
    """Return the mean over a period of an error that grows by `rate` a day, up to 1."""
    return min(1.0, rate * period / 2)


def _level(drifts: Drifts, readings: float, shortest: float, longest: float) -> float:
    """Return the lowest level that so many readings a day pay for."""
    low, high = -80.0, 80.0  # as powers of two: every drift's period is between the shortest and the longest
    for _ in range(48):
        middle = (low + high) / 2
        wanted = sum(
            number / _period(rate, 2**middle, shortest, longest)
            for rate, number in zip(drifts.rates, drifts.numbers, strict=True)
        )
        low, high = (middle, high) if wanted > readings else (low, middle)
    return float(2**high)
