"""Simulates sites that share the units of one project: what dividing them at a common level buys.

The plan, the schedules and the division are syncer's own. The drifts are known, and every video's error grows evenly,
so it is computed exactly and not measured now and then.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from heapq import heapify, heapreplace
from random import Random
from zoneinfo import ZoneInfo

from benchmarks.budgets.laws import LAWS, Law, true_drift
from syncer.decide.allotment import Claim, claim_of, units_of
from syncer.decide.cron import parse_cron
from syncer.decide.plan import LastRead, Plan, plan
from syncer.decide.quota import next_reset, quota_day, share_of
from syncer.decide.schedule import Schedule, count_times, next_time
from syncer.model import BATCH_SIZE, VideoId

DAY = timedelta(days=1)
WITHIN = timedelta(days=25)
BEGIN = datetime(2026, 10, 20, tzinfo=UTC)
"""Twelve days before the clocks change in California."""

SETTLING_DAYS = 20
"""Before errors are measured, sites forget how they began."""


def every(**interval: float) -> Schedule:
    """Return a schedule with an interval."""
    return Schedule(timedelta(**interval), None, ZoneInfo("UTC"), timedelta())


def cron(line: str, zone: str = "UTC") -> Schedule:
    """Return a schedule with a cron line."""
    return Schedule(timedelta(hours=6), parse_cron(line), ZoneInfo(zone), timedelta())


@dataclass(frozen=True)
class SiteKind:
    """A site to simulate."""

    name: str
    law: Law
    videos: int
    schedule: Schedule

    @cached_property
    def mean(self) -> timedelta:
        """Return the mean time between syncs."""
        schedule = self.schedule
        return 28 * DAY / count_times(schedule, BEGIN, BEGIN + 28 * DAY) if schedule.cron else schedule.every


LOGNORMAL, PARETO, AGEING, FROZEN, FALLING = LAWS

SITES: Sequence[SiteKind] = (
    SiteKind("magazine", AGEING, 1_200, every(hours=6)),
    SiteKind("archive", FROZEN, 2_500, cron("17 3 * * *", "Europe/Berlin")),
    SiteKind("charts", LOGNORMAL, 300, every(hours=1)),
    SiteKind("school", FALLING, 700, cron("30 2 * * mon-fri", "America/Los_Angeles")),
    SiteKind("band", PARETO, 60, every(hours=12)),
    SiteKind("blog", LOGNORMAL, 12, every(hours=6)),
    SiteKind("museum", PARETO, 900, cron("0 5 * * sun")),
)


@dataclass(slots=True)
class SimulatedSite:
    """A site whose videos are read by its own plan."""

    kind: SiteKind
    rows: dict[VideoId, LastRead]
    """As the state returns them, longest unread first."""
    measured_from: datetime
    error: float = 0.0
    """The sum over its videos of the error that each had, times the days for which it had it."""
    oldest: timedelta = timedelta()
    """The longest time for which a video went unread."""
    requested: int = 0

    @property
    def name(self) -> str:
        """The site's name."""
        return self.kind.name

    def claim(self, now: datetime) -> Claim:
        """Return what it claims when a sync begins."""
        return claim_of(
            self.name,
            self.rows.keys(),
            self.rows.values(),
            self.kind.schedule,
            every=self.kind.mean,
            refresh_within=WITHIN,
            now=now,
        )

    def plan(self, units: int, now: datetime) -> Plan:
        """Return which videos a sync requests that begins now, if it and those that follow today have these units."""
        schedule = self.kind.schedule
        share = share_of(units, 1 + count_times(schedule, now, next_reset(now)))
        overdue = next_time(schedule, now, now) - WITHIN
        return plan(self.rows, self.rows.values(), now, units=units, share=share, overdue=overdue)

    def read(self, videos: Sequence[VideoId], now: datetime) -> None:
        """Read these videos."""
        seconds = int(now.timestamp())
        for video in videos:
            before = self.rows.pop(video)
            self._end(before, seconds)
            self.rows[video] = before._replace(at=seconds)
        self.requested += len(videos)

    def end(self, now: datetime) -> None:
        """Count the errors up to the end."""
        for row in self.rows.values():
            self._end(row, int(now.timestamp()))

    def _end(self, row: LastRead, seconds: int) -> None:
        age, before = ((at - row.at) / 86_400 for at in (seconds, max(row.at, self.measured_from.timestamp())))
        if age > before:
            self.error += row.drift * (age * age - before * before) / 2
            self.oldest = max(self.oldest, timedelta(days=age))


def drifts_of(kind: SiteKind) -> list[float]:
    """Return the drift of each video of a site: relative change a day."""
    rng = Random(kind.name)
    return [true_drift(kind.law.draw(rng), 30) for _ in range(kind.videos)]


def begun(kind: SiteKind, measured_from: datetime = BEGIN) -> SimulatedSite:
    """Return a site whose videos were read in turn during the days before."""
    drifts = drifts_of(kind)
    first = int((BEGIN - 10 * DAY).timestamp())
    rows = {}
    for number, drift in enumerate(drifts):
        video = VideoId(f"{kind.name[:5]:-<5}{number:06d}")
        rows[video] = LastRead(video, first + number * 10 * 86_400 // len(drifts), 0, held=False, drift=drift)
    return SimulatedSite(kind, rows, measured_from)


@dataclass(slots=True)
class PlainLedger:
    """A ledger in memory, of one bucket."""

    units: int
    """A day."""
    days: dict[date, Counter[str]] = field(default_factory=dict)
    noted: dict[str, Claim] = field(default_factory=dict)

    def left(self, at: datetime) -> int:
        """Return the units that are left."""
        return max(0, self.units - self.spent(at).total())

    def spent(self, at: datetime) -> Counter[str]:
        """Return the units that each site has spent today."""
        return self.days.setdefault(quota_day(at), Counter())

    def take(self, site: str, units: int, at: datetime) -> int:
        """Spend so many units for a site; return how many were to be had."""
        taken = min(units, self.left(at))
        self.spent(at)[site] += taken
        return taken

    def claim(self, claim: Claim) -> None:
        """Note a site's claim, in place of its last one."""
        self.noted[claim.site] = claim

    def claims(self) -> Sequence[Claim]:
        """Return all claims."""
        return list(self.noted.values())


Division = Callable[[SimulatedSite, Sequence[SimulatedSite], PlainLedger, datetime], int]
"""Returns how many units a sync that begins now and those that follow it today may use."""


def at_one_level(site: SimulatedSite, _all: Sequence[SimulatedSite], ledger: PlainLedger, now: datetime) -> int:
    """As syncer divides them."""
    spent = ledger.spent(now)
    claim = site.claim(now)
    ledger.claim(replace(claim, needed=claim.needed + spent.get(site.name, 0)))
    return units_of(site.name, ledger.left(now), spent, ledger.claims(), now)


def equally(site: SimulatedSite, others: Sequence[SimulatedSite], ledger: PlainLedger, now: datetime) -> int:
    """The same number for each site: what its config says where sites share a project by hand."""
    spent = ledger.spent(now)
    part = (ledger.left(now) + sum(spent.values())) // len(others)
    return max(0, part - spent.get(site.name, 0))


def by_size(site: SimulatedSite, others: Sequence[SimulatedSite], ledger: PlainLedger, now: datetime) -> int:
    """In proportion to the numbers of videos, and at least one."""
    spent, videos = ledger.spent(now), sum(len(each.rows) for each in others)
    part = max(1, (ledger.left(now) + sum(spent.values())) * len(site.rows) // videos)
    return min(ledger.left(now), max(0, part - spent.get(site.name, 0)))


def first_come(_site: SimulatedSite, _all: Sequence[SimulatedSite], ledger: PlainLedger, now: datetime) -> int:
    """All that is left, for whoever comes first."""
    return ledger.left(now)


OURS = "one level (syncer)"

DIVISIONS: Mapping[str, Division] = {
    OURS: at_one_level,
    "by size": by_size,
    "equal parts": equally,
    "first come, first served": first_come,
}


def syncs(kinds: Sequence[SiteKind], end: datetime) -> Iterator[tuple[datetime, int]]:
    """Yield when syncs begin, in order, and of which site each is; sites begin at different times."""
    times = [(next_time(kind.schedule, BEGIN + number * DAY / 50, BEGIN), number) for number, kind in enumerate(kinds)]
    heapify(times)
    while times[0][0] < end:
        at, number = times[0]
        yield at, number
        heapreplace(times, (next_time(kinds[number].schedule, at, at), number))


def simulate(
    kinds: Sequence[SiteKind], ledger: PlainLedger, division: Division, days: int, settling: int
) -> Sequence[SimulatedSite]:
    """Return the sites after so many days."""
    end = BEGIN + days * DAY
    sites = [begun(kind, BEGIN + settling * DAY) for kind in kinds]
    for now, number in syncs(kinds, end):
        site = sites[number]
        made = site.plan(division(site, sites, ledger, now), now)
        taken = ledger.take(site.name, math.ceil(len(made.videos) / BATCH_SIZE), now)
        site.read(made.videos[: taken * BATCH_SIZE], now)
    for site in sites:
        site.end(end)
    return sites


def mean_error(sites: Sequence[SimulatedSite], days: int) -> float:
    """Return the mean over all videos and over these days of their relative error."""
    return sum(site.error for site in sites) / sum(len(site.rows) for site in sites) / days


def least_error(kinds: Sequence[SiteKind], units: int) -> float:
    """Return the least mean error that is possible in the long run, in closed form, as if syncs could begin any time.

    No video is read more often than its site syncs, or less often than `WITHIN`.
    """
    drifts = [(drift, kind.mean / DAY, max(WITHIN, kind.mean) / DAY) for kind in kinds for drift in drifts_of(kind)]
    low, high = -80.0, 80.0
    for _ in range(50):
        middle = (low + high) / 2
        readings = sum(1 / _period(drift, middle, shortest, longest) for drift, shortest, longest in drifts)
        low, high = (middle, high) if readings > units * BATCH_SIZE else (low, middle)
    return sum(drift * _period(drift, high, shortest, longest) / 2 for drift, shortest, longest in drifts) / len(drifts)


def _period(drift: float, level: float, shortest: float, longest: float) -> float:
    return min(longest, max(shortest, math.sqrt(2**level / drift))) if drift else longest


SHARED_UNITS, SHARED_DAYS = (25, 60), 120
"""Of one bucket, a day: about a tenth and a quarter of what all syncs of `SITES` could use."""


def shared_errors(division: str, units: int, days: int = SHARED_DAYS) -> float:
    """Return the mean error of `SITES` with a division."""
    measured = max(1, days - SETTLING_DAYS)
    sites = simulate(SITES, PlainLedger(units), DIVISIONS[division], SETTLING_DAYS + measured, SETTLING_DAYS)
    return mean_error(sites, measured)


def sharing_table(errors: Mapping[tuple[str, int], float]) -> Iterator[str]:
    """Yield the lines of the table of divisions; `errors` by division and units a day."""
    head = "".join(f"{f'{units} units':>12}" for units in SHARED_UNITS)
    yield f"{len(SITES)} unlike sites with {sum(kind.videos for kind in SITES):,} videos share a project's units a day"
    yield f"{'mean relative error, in percent':<33}{head}"
    yield "-" * (33 + len(head))
    for name in DIVISIONS:
        yield f"{name:<33}" + "".join(f"{100 * errors[name, units]:>12.3f}" for units in SHARED_UNITS)
    least = {units: least_error(SITES, units) for units in SHARED_UNITS}
    yield f"{'least possible':<33}" + "".join(f"{100 * least[units]:>12.3f}" for units in SHARED_UNITS)
    ratios = " and ".join(f"{errors[OURS, units] / least[units]:.2f}" for units in SHARED_UNITS)
    yield f"  {ratios} x the least possible"
