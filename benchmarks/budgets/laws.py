"""How the views of invented videos change: five laws, each a function of time for every video."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

LARGEST_DRIFT = 0.05
"""Of a steady law, a day: with more, a video would grow beyond all others in the days of a simulation."""


class Path(NamedTuple):
    """The views of one video. A named tuple, because millions of values are computed from it."""

    start: float
    """Views when the simulation begins."""
    drift: float
    """The relative change a day; negative where views are removed."""
    age: float = 0.0
    """Days since publication, when the simulation begins."""
    power: float = 0.0
    """Views grow with this power of the age; 0: exponentially, by `drift`."""
    event: float = math.inf
    """The day of a burst or of a removal."""
    factor: float = 1.0
    """By how much it multiplies the views."""
    fading: float = 0.0
    """Days in which two thirds of a burst arrive; 0: all at once."""
    step: float = 0.0
    """The count changes only every so many days, by all that came together; 0: at any time."""


def views(path: Path, day: float) -> int:
    """Return the views on a day, counted from the beginning."""
    return int(growth(path, day))


def growth(path: Path, day: float) -> float:
    """Return the same before it is rounded down: a video with few views has a drift before its next view."""
    start, drift, age, power, event, factor, fading, step = path
    if step:
        day = math.floor(day / step) * step
    number = start * (max(age + day, 0) / age) ** power if power else start * math.exp(drift * day)
    if day >= event:
        number *= factor if not fading else 1 + (factor - 1) * (1 - math.exp((event - day) / fading))
    return number


@dataclass(frozen=True, slots=True)
class Law:
    """A way in which the videos of a site change."""

    name: str
    says: str
    draw: Callable[[Random], Path]
    steady: bool = False
    """Whether each video's drift stays as it is: then the least possible error is known."""

    def paths(self, videos: int) -> list[Path]:
        """Return so many videos, always the same."""
        rng = Random(self.name)
        return [self.draw(rng) for _ in range(videos)]


def true_drift(path: Path, day: float, within: float = 1.0) -> float:
    """Return the relative change a day around a day."""
    before, after = growth(path, day - within / 2), growth(path, day + within / 2)
    return abs(after - before) / within / max(before, after, 1)


def _start(rng: Random) -> float:
    return 20 + rng.lognormvariate(8, 2.5)


def _age(rng: Random) -> float:
    return rng.uniform(1, 1500)


def _lognormal(rng: Random) -> Path:
    return Path(_start(rng), min(rng.lognormvariate(math.log(0.002), 1.5), LARGEST_DRIFT), _age(rng))


def _pareto(rng: Random) -> Path:
    return Path(_start(rng), min(0.0003 * rng.paretovariate(1.2), LARGEST_DRIFT), _age(rng))


def _ageing(rng: Random) -> Path:
    start, age, power = 50 + rng.lognormvariate(8, 2), _age(rng), rng.uniform(0.2, 0.8)
    if rng.random() < 0.3:
        return Path(start, 0, age, power, rng.uniform(0, 120), rng.uniform(1.5, 6), 3)
    return Path(start, 0, age, power)


def _frozen(rng: Random) -> Path:
    luck = rng.random()
    if luck < 0.5:
        return Path(_start(rng), 0, _age(rng))
    return _lognormal(rng)._replace(step=rng.uniform(1, 10) if luck < 0.75 else 0)


def _falling(rng: Random) -> Path:
    path = Path(200 + _start(rng), rng.lognormvariate(math.log(0.002), 1), _age(rng))
    if rng.random() < 0.4:
        return path._replace(drift=-min(path.drift, 0.008))
    path = path._replace(drift=min(path.drift, LARGEST_DRIFT))
    if rng.random() < 0.5:
        return path._replace(event=rng.uniform(0, 120), factor=rng.uniform(0.7, 0.95))
    return path


AGEING = Law("ageing", "growth slows down with age; three in ten have a burst of a few days", _ageing)

LAWS: Sequence[Law] = (
    Law("lognormal", "steady; drifts spread lognormally around 0.2% a day", _lognormal, steady=True),
    Law("pareto", "steady; few videos have most of the growth", _pareto, steady=True),
    AGEING,
    Law("frozen", "half never change; a quarter stand still for days and then catch up", _frozen),
    Law("falling", "four in ten fall; half of the others lose 5% to 30% at once", _falling),
)
