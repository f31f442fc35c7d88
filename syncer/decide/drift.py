"""The drift of a video: by which share of themselves its counts change in a day, learned from its readings.

The drift is what a day's wait costs: so much the expected relative error of the counts grows. The estimate is a mean
over time, so neither a gap nor a count that stands still and then catches up changes it. How long it remembers depends
on the counts: ten changes of a large count happen in an hour, of a small one in months.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from syncer.decide.unconfirmed import comparable
from syncer.model import Count, Reading, Statistics

DAY_SECONDS = 86_400


class Drift(NamedTuple):
    """What is known of how fast the counts of a video change."""

    rate: float
    """The relative change in a day: 0.01 is 1%."""
    observed: int
    """The seconds of observation that it stands for: what the next one is weighed against."""


PRIOR = 0.005
"""The drift of a video that was read once. It weighs as much as the time in which it means one more count."""

SHORTEST_PRIOR, LONGEST_PRIOR = 0.1, 25.0
"""The limits of that time, in days: growth is not even, nor is the drift of two small counts the same."""

REMEMBERED_COUNTS = 10.0
"""The estimate forgets what is older than the time in which the counts grew by so many."""

SHORTEST_MEMORY, LONGEST_MEMORY = 10.0, 90.0
"""The limits of that time, in days."""

LARGEST_RISE = 8.0
"""An observation counts as at most so many times the drift before it: a fall or a jump may happen only once."""

SMALLEST_LIMIT = 0.01
"""But up to this rate always: a video that stood still may begin to move."""


def observe(drift: Drift | None, before: Reading, now: Reading, counts: frozenset[Count]) -> Drift | None:
    """Return the drift after two accepted readings of a video; `drift` is the one before, None without any.

    Only `counts` that both readings have, and that mean the same in both, are compared; without any, the drift stays.
    """
    days = (int(now.at.timestamp()) - int(before.at.timestamp())) / DAY_SECONDS
    old, new = before.statistics or {}, now.statistics or {}
    both = old.keys() & new.keys() & comparable(counts, before.at, now.at)
    if not both or days <= 0:
        return drift
    change, step = _change(old, new, both)
    rate, observed = (drift.rate, drift.observed / DAY_SECONDS) if drift else (PRIOR, _within(step / PRIOR, _PRIORS))
    seen = min(change / days, max(rate * LARGEST_RISE, SMALLEST_LIMIT))
    rate += (seen - rate) * days / (days + observed)
    memory = _within(REMEMBERED_COUNTS * step / rate, _MEMORIES) if rate else LONGEST_MEMORY
    return Drift(rate, round(min(observed + days, memory) * DAY_SECONDS))


def rank(rate: float, read_at: int, now: datetime) -> float:
    """Return how urgent it is to read a video again: `drift x (days since it was read)^2`."""
    days = (now.timestamp() - read_at) / DAY_SECONDS
    return rate * days * days


_PRIORS, _MEMORIES = (SHORTEST_PRIOR, LONGEST_PRIOR), (SHORTEST_MEMORY, LONGEST_MEMORY)


def _change(old: Statistics, new: Statistics, counts: set[Count]) -> tuple[float, float]:
    """Return the mean relative change of these counts, and the mean of what one more count would be."""
    larger = {count: max(old[count], new[count], 1) for count in counts}
    change = sum(abs(new[count] - old[count]) / larger[count] for count in counts)
    return change / len(counts), sum(1 / number for number in larger.values()) / len(counts)


def _within(days: float, limits: tuple[float, float]) -> float:
    return min(max(days, limits[0]), limits[1])
