"""The drift of a video: by which share of themselves its counts change in a day, learned from its readings.

The drift is what a day's wait costs: by so much the expected relative error of the counts grows. The estimate is a mean
over time, so neither a gap nor a count that stands still and then catches up changes it. How long it remembers depends
on the counts: ten changes of a large count happen in an hour, of a small one in months.

Where a sync accepts readings, the same is computed in SQL (`state.judging`), for all of them at once.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from syncer.decide.unconfirmed import comparable
from syncer.model import Count, Reading

DAY_SECONDS: Final = 86_400

PRIOR: Final = 0.005
"""The drift of a video that was read once. It weighs as much as the time in which it means one more count."""

SHORTEST_PRIOR: Final = 0.1
LONGEST_PRIOR: Final = 25.0
"""The limits of that time, in days: growth is not even, so a few minutes are no evidence."""

REMEMBERED_COUNTS: Final = 10.0
"""The estimate forgets what is older than the time in which the counts change by so many."""

SHORTEST_MEMORY: Final = 1.0
LONGEST_MEMORY: Final = 90.0
"""The limits of that time, in days."""

LARGEST_RISE: Final = 8.0
"""An observation counts as at most so many times the drift before it: a fall or a jump may happen only once."""

ALWAYS_BELIEVED: Final = 0.1
"""But up to this drift it counts as it is: a video that stood still may begin to move."""

SMALLEST: Final = 1e-9
"""A smaller drift is taken for this one where something is divided by it: a millionth of a view a day of a thousand."""


class Drift(NamedTuple):
    """What is known of how fast the counts of a video change."""

    rate: float
    """The relative change in a day: 0.01 is 1%."""
    observed: int
    """The seconds of observation that it stands for: what the next one is weighed against."""


class Movement(NamedTuple):
    """What two readings of a video show."""

    relative: float
    """The mean relative change of its counts, from 0 to 1."""
    step: float
    """What the relative change would be if each count had changed by one."""
    days: float
    """The time between the readings; above 0."""


def movement_between(before: Reading, now: Reading, counts: frozenset[Count]) -> Movement | None:
    """Return what two readings show; None if nothing, because the second is not later, or they share no count.

    Only those of `counts` are compared that both readings have, and that mean the same in both.
    """
    days = (int(now.at.timestamp()) - int(before.at.timestamp())) / DAY_SECONDS
    old, new = before.statistics or {}, now.statistics or {}
    both = old.keys() & new.keys() & comparable(counts, before.at, now.at)
    if not both or days <= 0:
        return None
    larger = {count: max(old[count], new[count], 1) for count in both}
    relative = sum(abs(new[count] - old[count]) / larger[count] for count in both) / len(both)
    return Movement(relative, sum(1 / number for number in larger.values()) / len(both), days)


def observe(drift: Drift | None, seen: Movement) -> Drift:
    """Return the drift after two accepted readings of a video; `drift` is the one before, None if there is none."""
    rate = drift.rate if drift else PRIOR
    observed = drift.observed / DAY_SECONDS if drift else min(max(seen.step / PRIOR, SHORTEST_PRIOR), LONGEST_PRIOR)
    memory = min(max(REMEMBERED_COUNTS * seen.step / max(rate, SMALLEST), SHORTEST_MEMORY), LONGEST_MEMORY)
    observed = min(observed, memory)
    believed = min(seen.relative / seen.days, max(LARGEST_RISE * rate, ALWAYS_BELIEVED))
    weight = seen.days / (seen.days + observed)
    return Drift(rate + (believed - rate) * weight, int((observed + seen.days) * DAY_SECONDS))
