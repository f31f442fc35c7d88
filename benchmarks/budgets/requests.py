"""Simulates which videos are requested, with the real plan and others, and how wrong the known counts are meanwhile."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from heapq import nlargest

from benchmarks.budgets.laws import Law, Path, true_drift, views
from benchmarks.budgets.learning import Drift, Movement, observe
from syncer.decide.drift import PRIOR
from syncer.decide.plan import LastRead, plan
from syncer.model import BATCH_SIZE, VideoId

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
SYNCS_A_DAY = 4
REFRESH_WITHIN = timedelta(days=25)
INTERVAL = timedelta(days=1) / SYNCS_A_DAY
SAMPLED = 10_000
"""So many videos at most are looked at after every sync."""

LADDER = ((7, 0.25), (30, 1.0), (180, 7.0), (math.inf, 28.0))
"""The age ladder: a video younger than so many days is requested every so many days, as far as the units reach."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a simulation is."""

    videos: int
    units_a_day: int
    days: int

    @property
    def readings(self) -> int:
        """Videos that one sync may request: whole batches."""
        return self.units_a_day // SYNCS_A_DAY * BATCH_SIZE


class Site:
    """Videos, and what is known of each."""

    def __init__(self, paths: Sequence[Path], size: Size) -> None:
        """Begin as a site whose videos were requested in turn until now, and whose drifts nobody has learned."""
        self.paths, self.size = paths, size
        self.ids = [VideoId(f"{number:011d}") for number in range(len(paths))]
        turn = len(paths) / (size.readings * SYNCS_A_DAY)  # days that one turn of all takes
        self.at = [-turn * (1 - number / len(paths)) for number in range(len(paths))]
        self.counts = [views(path, at) for path, at in zip(paths, self.at, strict=True)]
        self.drifts: list[Drift | None] = [None] * len(paths)
        self.sample = range(0, len(paths), max(1, len(paths) // SAMPLED))

    def read(self, numbers: Iterable[int], day: float) -> None:
        """Read these videos, and learn from it."""
        paths, counts, drifts, at = self.paths, self.counts, self.drifts, self.at
        for number in numbers:
            before, now = counts[number], views(paths[number], day)
            larger = max(before, now, 1)
            seen = Movement(abs(now - before) / larger, 1 / larger, day - at[number])
            drifts[number] = observe(drifts[number], seen)
            counts[number], at[number] = now, day

    def error(self, day: float) -> float:
        """Return the mean relative error of the known counts at that time, of a sample."""
        wrong = 0.0
        for number in self.sample:
            true = views(self.paths[number], day)
            wrong += abs(true - self.counts[number]) / max(true, 1)
        return wrong / len(self.sample)


Policy = Callable[[Site], Callable[[float], Iterable[int]]]
"""Given a site, returns what says which videos to request on a day."""


def our_plan(site: Site, *, knows: bool = False) -> Callable[[float], Iterable[int]]:
    """The plan as `syncer` makes it: its own function, with the drifts that its own estimate learns, or the true ones.

    That it `knows` them shows how much of the error comes from the plan, and how much from what must be learned.
    """
    begin = int(BEGIN.timestamp())
    rows = {
        video: LastRead(video, begin + int(at * 86_400), 0, held=False, drift=true_drift(path, 0) if knows else PRIOR)
        for video, at, path in zip(site.ids, site.at, site.paths, strict=True)
    }  # longest unread first, as the state returns them: what is read goes to the end
    last = Learned(site, rows, knows=knows)

    def choose(day: float) -> Iterable[int]:
        now = BEGIN + timedelta(days=day)
        units = site.size.readings // BATCH_SIZE
        last.update()
        made = plan(rows, rows.values(), now, units=units, share=units, overdue=now + INTERVAL - REFRESH_WITHIN)
        last.numbers, last.at = [int(video) for video in made.videos], int(now.timestamp())
        return last.numbers

    return choose


class Learned:
    """Keeps the rows of a state up to date."""

    def __init__(self, site: Site, rows: dict[VideoId, LastRead], *, knows: bool) -> None:
        self.site, self.rows, self.knows = site, rows, knows
        self.numbers: Sequence[int] = ()
        self.at = 0

    def update(self) -> None:
        """Move what was read last to the end, with the drift that was learned."""
        rows, ids, drifts = self.rows, self.site.ids, self.site.drifts
        for number in self.numbers:
            video, learned = ids[number], drifts[number]
            before = rows.pop(video)
            drift = learned.rate if learned and not self.knows else before.drift
            rows[video] = LastRead(video, self.at, 0, held=False, drift=drift)


def uniform(site: Site) -> Callable[[float], Iterable[int]]:
    """All videos in turn: what `syncer` did before it knew drifts."""
    return in_turn(range(len(site.paths)), site.size.readings)


def proportional(site: Site) -> Callable[[float], Iterable[int]]:
    """Each video as often as its drift says: what changes twice as fast is requested twice as often."""

    def choose(day: float) -> Iterable[int]:
        drifts, at = site.drifts, site.at
        late = day - REFRESH_WITHIN / timedelta(days=1) + 1 / SYNCS_A_DAY

        def rank(number: int) -> float:
            drift = drifts[number]
            return math.inf if at[number] <= late else (drift.rate if drift else PRIOR) * (day - at[number])

        return nlargest(site.size.readings, range(len(site.paths)), key=rank)

    return choose


def ladder(site: Site) -> Callable[[float], Iterable[int]]:
    """Young videos often, old ones seldom: each step has its share of the units, its videos take turns."""
    steps: list[list[int]] = [[] for _ in LADDER]
    for number, path in enumerate(site.paths):
        steps[next(step for step, (age, _) in enumerate(LADDER) if path.age < age)].append(number)
    wanted = [len(step) / days for step, (_, days) in zip(steps, LADDER, strict=True)]
    turns = [
        in_turn(step, round(site.size.readings * share / sum(wanted)))
        for step, share in zip(steps, wanted, strict=True)
    ]
    return lambda day: [number for turn in turns for number in turn(day)]


def in_turn(numbers: Sequence[int], at_once: int) -> Callable[[float], Iterable[int]]:
    """Return what chooses the next so many, from the first again after the last."""
    at_once = min(at_once, len(numbers))

    def forever() -> Iterator[Sequence[int]]:
        start = 0
        while True:
            end = start + at_once
            yield [*numbers[start:end], *numbers[: max(0, end - len(numbers))]]
            start = end % len(numbers)

    parts = forever() if numbers else iter(lambda: (), None)
    return lambda _day: next(parts)


KNOWING = "syncer, drifts known"

POLICIES: Mapping[str, Policy] = {
    "syncer": our_plan,
    KNOWING: partial(our_plan, knows=True),
    "uniform": uniform,
    "proportional": proportional,
    "age ladder": ladder,
}


def errors_by_day(law: Law, policy: str, size: Size) -> list[float]:
    """Return the mean relative error of each day."""
    site = Site(law.paths(size.videos), size)
    choose = POLICIES[policy](site)
    days: list[float] = []
    for number in range(size.days * SYNCS_A_DAY):
        day = number / SYNCS_A_DAY
        site.read(choose(day), day)
        if not number % SYNCS_A_DAY:
            days.append(0.0)
        days[-1] += site.error(day + 0.5 / SYNCS_A_DAY) / SYNCS_A_DAY
    return days


def least_error(law: Law, size: Size, day: float) -> float:
    """Return the least mean error that is possible on a day, for one who knows the drifts, in closed form.

    The time between two readings of a video goes with `1 / sqrt(drift)`; none is read more than once in a sync, and
    each within `REFRESH_WITHIN`, as the others must. It may begin at any time, which a real sync may not.
    """
    drifts = [true_drift(path, day) for path in law.paths(size.videos)]
    shortest, longest = 1 / SYNCS_A_DAY, REFRESH_WITHIN / timedelta(days=1)

    def periods(level: float) -> list[float]:
        return [min(longest, max(shortest, level / math.sqrt(drift))) if drift else longest for drift in drifts]

    low, high = -30.0, 30.0
    for _ in range(40):
        middle = (low + high) / 2
        spent = sum(1 / period for period in periods(2**middle))
        low, high = (middle, high) if spent > size.readings * SYNCS_A_DAY else (low, middle)
    pairs = zip(drifts, periods(2**high), strict=True)
    return sum(drift * period / 2 for drift, period in pairs) / len(drifts)
