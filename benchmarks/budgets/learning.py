"""What a video's readings teach about its drift, by the formula that the state computes in SQL.

`tests/test_drift.py` shows that `syncer/state/judging.py` computes the same.
"""

from __future__ import annotations

from typing import NamedTuple

from syncer.decide.drift import (
    ALWAYS_BELIEVED,
    DAY_SECONDS,
    LARGEST_RISE,
    LONGEST_MEMORY,
    LONGEST_PRIOR,
    PRIOR,
    REMEMBERED_COUNTS,
    SHORTEST_MEMORY,
    SHORTEST_PRIOR,
    SMALLEST,
)


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


def observe(drift: Drift | None, seen: Movement) -> Drift:
    """Return the drift after two accepted readings of a video; `drift` is the one before, None if there is none."""
    rate = drift.rate if drift else PRIOR
    observed = drift.observed / DAY_SECONDS if drift else min(max(seen.step / PRIOR, SHORTEST_PRIOR), LONGEST_PRIOR)
    memory = min(max(REMEMBERED_COUNTS * seen.step / max(rate, SMALLEST), SHORTEST_MEMORY), LONGEST_MEMORY)
    observed = min(observed, memory)
    believed = min(seen.relative / seen.days, max(LARGEST_RISE * rate, ALWAYS_BELIEVED))
    weight = seen.days / (seen.days + observed)
    return Drift(rate + (believed - rate) * weight, int((observed + seen.days) * DAY_SECONDS))
