"""Divides the units of a quota day among sites that share a ledger: where one more unit is worth most.

A site's plan requests a video when `drift x (days since it was read)^2` reaches a level that its units pay for, which
is what one more request of it would be worth (`decide.forecast`). So the units of all sites are worth most where they
pay for the same level on each. That level is found here, from how many videos of each site have which drift.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, repeat
from typing import Final

from syncer.decide.drift import PRIOR, SMALLEST
from syncer.decide.plan import LastRead, is_gone, rest_of_gone
from syncer.decide.quota import next_reset, quota_day
from syncer.decide.schedule import Schedule, next_time
from syncer.model import BATCH_SIZE, VideoId

DAY: Final = timedelta(days=1)

LONGEST_CLAIM: Final = timedelta(days=7)
"""A claim that was not renewed for so long, or for twice the time to the site's next sync, no longer counts."""

RUNNING: Final = timedelta(hours=1)
"""A sync that began less than this ago may still be spending its units."""

_GOLDEN: Final = (math.sqrt(5) - 1) / 2
"""Multiples of it, without their whole part, are spread evenly, however many there are."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a site needs units for, as it is when a sync of it begins."""

    site: str
    """Names the site, uniquely within its ledger."""
    drifts: Mapping[int, int]
    """How many videos have which drift, as a power of two (`table_of`)."""
    every: timedelta
    """The mean time from one sync to the next."""
    refresh_within: timedelta
    needed: int
    """Units spent on the quota day of `made`, and those without which videos stay unread or become overdue on it."""
    made: datetime
    """When the sync began."""
    next_at: datetime
    """When the next one is due, without jitter."""

    def counts_at(self, at: datetime) -> bool:
        """Whether the claim counts on the quota day of this time.

        One that nobody renews ends, and one from the future, of a clock that ran ahead, never began. A site that does
        not sync on every day counts on those on which it does.
        """
        if not -RUNNING <= at - self.made <= min(2 * (self.next_at - self.made), LONGEST_CLAIM):
            return False
        return self.every <= DAY or quota_day(at) in {quota_day(self.made), quota_day(self.next_at)}

    def may_spend_after(self, at: datetime) -> bool:
        """Whether the site may spend more units after this time and before the quota resets."""
        missed = max(0, -((self.next_at - at) // self.every))
        return at - self.made < RUNNING or self.next_at + missed * self.every < next_reset(at)

    def units_at(self, speed: float) -> float:
        """Return the units that it takes to read each video `speed x sqrt(drift)` times a day, on a day with syncs.

        But none is read more often than the site syncs, or less often than within `refresh_within`.
        """
        shortest = self.every / DAY
        least, most = 1 / max(self.refresh_within / DAY, shortest), 1 / shortest
        often = (n * min(most, max(least, speed * 2 ** (power / 2))) for power, n in self.drifts.items())
        return max(1.0, shortest) * sum(often) / BATCH_SIZE

    def needed_at(self, at: datetime) -> int:
        """Return the units that are needed on the quota day of this time; unknown on another day than its own: 0."""
        return self.needed if quota_day(at) == quota_day(self.made) else 0


def claim_of(
    site: str,
    videos: AbstractSet[VideoId],
    known: Iterable[LastRead],
    schedule: Schedule,
    *,
    every: timedelta,
    refresh_within: timedelta,
    now: datetime,
) -> Claim:
    """Return what a site claims when a scheduled sync of it begins now.

    `videos` are those that its pages name, `known` those that were ever read. `every` is the mean time between two
    syncs. Units that it has spent on this quota day are not counted yet.
    """
    next_at = next_time(schedule, now, now)
    end = (max(next_at, next_reset(now)) + schedule.jitter).timestamp()
    within = refresh_within.total_seconds()
    rates, unread, urgent = array("d"), len(videos), 0
    for video, read_at, misses, _, drift in known:
        if video in videos:
            unread -= 1
            if is_gone(misses):
                urgent += end - read_at >= rest_of_gone(misses)
            else:
                rates.append(drift)
                urgent += end - read_at >= within
    return Claim(
        site,
        table_of(chain(rates, repeat(PRIOR, unread))),
        every=every,
        refresh_within=refresh_within,
        needed=math.ceil((unread + urgent) / BATCH_SIZE),
        made=now,
        next_at=next_at,
    )


def table_of(rates: Iterable[float]) -> dict[int, int]:
    """Return how many videos have which drift, as the nearest power of two; `rates` are relative changes a day.

    A unit pays for 50 videos, so the table has whole batches. A site with fewer counts as 50 videos that have its drift
    in equal parts: what one request of them all is worth. The last batch of others is filled with videos that stand
    still.
    """
    found: dict[int, int] = {}
    videos, total = 0, 0.0
    for rate in rates:
        power = _power_of(rate)
        found[power] = found.get(power, 0) + 1
        videos, total = videos + 1, total + rate
    if 0 < videos < BATCH_SIZE:
        return {_power_of(total / BATCH_SIZE): BATCH_SIZE}
    if missing := -videos % BATCH_SIZE:
        still = _power_of(SMALLEST)
        found[still] = found.get(still, 0) + missing
    return found


def allot(units: int, claims: Iterable[Claim], at: datetime) -> dict[str, int]:
    """Return how many of the units of the quota day of this time are each site's; together they are all.

    Parts of a unit are given as whole ones on some of the days.
    """
    parts = exact_parts(units, claims, at)
    whole = _whole(list(parts.values()), units, quota_day(at).toordinal())
    return dict(zip(parts, whole, strict=True))


def exact_parts(units: float, claims: Iterable[Claim], at: datetime) -> dict[str, float]:
    """Return each site's part of the units of a quota day, before it is rounded.

    Needs come first: what is needed today, and what reading each video within `refresh_within` takes. Where the units
    do not reach for these, each site gets the same part of its own. What is left pays for one level on all sites. Where
    there are more units than all sites can use, each has the same part of them to spare.
    """
    active = sorted((claim for claim in claims if claim.counts_at(at)), key=lambda claim: claim.site)
    least = [max(claim.needed_at(at), claim.units_at(0.0)) for claim in active]
    most = [max(claim.units_at(math.inf), low) for claim, low in zip(active, least, strict=True)]
    if sum(least) >= units:
        wanted = least
    elif sum(most) <= units:
        wanted = most
    else:
        wanted = _at_common_level(units, active, least)
    total = sum(wanted)
    return {claim.site: units * each / total if total else 0.0 for claim, each in zip(active, wanted, strict=True)}


def units_of(site: str, left: int, spent: Mapping[str, int], claims: Sequence[Claim], at: datetime) -> int:
    """Return how many of the units that are `left` a scheduled sync of this site and those that follow today may use.

    `spent` is how many units each site without a share of its own has spent today. A site has what is left of its part
    of all these, or, if that is more, what is left beyond the parts of others that may still spend them today.
    """
    parts = allot(left + sum(spent.values()), claims, at)
    open_parts = {name: max(0, part - spent.get(name, 0)) for name, part in parts.items()}
    pending = {claim.site for claim in claims if claim.site != site and claim.may_spend_after(at)}
    beyond = left - sum(part for name, part in open_parts.items() if name in pending)
    return max(0, min(left, max(open_parts.get(site, 0), beyond)))


def _at_common_level(units: float, claims: Sequence[Claim], least: Sequence[float]) -> list[float]:
    """Return the parts that pay for one level, `1 / speed^2`, and that are no less than what is needed."""
    parts, low, high = list(least), -60.0, 60.0  # as powers of two: beyond, no video is read more or less often
    for _ in range(20):
        middle = (low + high) / 2
        parts = [max(need, claim.units_at(2**middle)) for claim, need in zip(claims, least, strict=True)]
        low, high = (low, middle) if sum(parts) > units else (middle, high)
    return parts


def _whole(parts: Sequence[float], units: int, turn: int) -> list[int]:
    """Return whole parts that are together `units`, as these are; none differs from its own by a unit or more.

    Which ones are rounded up depends on the turn: over many, each part is the same on average.
    """
    start, exact, reached, whole = turn * _GOLDEN % 1, 0.0, 0, list[int]()
    for number, part in enumerate(parts, 1):
        exact = min(units, exact + part) if number < len(parts) else units
        whole.append(math.floor(start + exact + 1e-9) - reached)
        reached += whole[-1]
    return whole


def _power_of(rate: float) -> int:
    return round(math.log2(max(rate, SMALLEST)))
