"""Half a year of sites that share a ledger: no unit over a limit, and every site stays inside `refresh_within`.

The plan, the schedules, the division and the ledger, a real file, are syncer's own. YouTube is a counter of units here:
a real sync for each of the thousands of steps would take an hour.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.budgets.sharing import BEGIN, DAY, SITES, WITHIN, SimulatedSite, SiteKind, begun, syncs
from syncer.decide.allotment import Claim, table_of
from syncer.decide.project_quota import SiteTerms
from syncer.decide.quota import next_reset, quota_day
from syncer.model import BATCH_SIZE, Bucket
from syncer.state.ledger import UnitStock
from syncer.state.shared_ledger import LedgerMember, open_shared_ledger
from syncer.sync.other_sites import units_for
from tests.examples import PROVING
from tests.postgres import NewLedger

NOON, MINUTE = datetime(2026, 11, 22, 20, 0, tzinfo=UTC), timedelta(minutes=1)

SMALL: Sequence[SiteKind] = [replace(kind, videos=max(12, kind.videos // 8)) for kind in SITES]

LONG = pytest.mark.skipif(not PROVING, reason="takes minutes; ./dev prove runs it")

UNITS, RESERVE = 16, 1
"""Of each bucket, a day: a third of what all syncs could use."""

ROTATION = range(40, 43)
CUT, CUT_UNITS = range(60, 75), 9
COMMON = range(90, 120)
SUSPENSION = range(140, 143)
"""Days, counted from the beginning."""


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """Closes, at the end, what the test opens."""
    with ExitStack() as stack:
        yield stack


@dataclass
class Project:
    """The project's units as YouTube counts them."""

    sent: Counter[tuple[date, Bucket]] = field(default_factory=Counter)
    accepted: Counter[tuple[date, Bucket | None]] = field(default_factory=Counter)

    def answers(self, bucket: Bucket, now: datetime) -> bool:
        """Whether YouTube answers a request; False: the day's units are used up."""
        number, day = (now - BEGIN) // DAY, quota_day(now)
        self.sent[day, bucket] += 1
        key = (day, None if number in COMMON else bucket)
        if self.accepted[key] >= (CUT_UNITS if number in CUT else UNITS):
            return False
        self.accepted[key] += 1
        return True


def sync(site: SimulatedSite, place: Path, project: Project, now: datetime, key: str) -> int:
    """Makes a scheduled sync, as far as units go; returns how many videos it read."""
    terms = SiteTerms({Bucket.STATS: UNITS, Bucket.GENERAL: UNITS}, None)
    member = LedgerMember(f"/{site.name}", site.name, terms, RESERVE, dict.fromkeys(Bucket, 10_000), "", key)
    with open_shared_ledger(place, member, now, writes=True) as ledger:
        claim = replace(site.claim(now), site=member.site)
        made = site.plan(units_for(claim, ledger, now), now)
        if (now - BEGIN) // DAY in SUSPENSION:  # each sync finds out with one request
            UnitStock(ledger, lambda: now, scheduled=True).spend(Bucket.STATS)
            return 0
        stock = UnitStock(ledger, lambda: now, scheduled=True)
        read = 0
        buckets = [*Bucket]
        while buckets and read < len(made.videos):
            if not stock.spend(buckets[0]):
                buckets.pop(0)
            elif project.answers(buckets[0], now):
                site.read(made.videos[read : read + BATCH_SIZE], now)
                read += BATCH_SIZE
            else:
                ledger.park(buckets[0], next_reset(now) + timedelta(minutes=5))
                stock.give_back()
                buckets.pop(0)
        stock.give_back()
        return min(read, len(made.videos))


@pytest.mark.parametrize(
    ("kinds", "days"),
    [
        (SMALL, 30),
        pytest.param(SMALL, 180, marks=LONG),
        pytest.param(SITES, 180, marks=LONG),
    ],
    ids=["a month", "half a year", "half a year of large sites"],
)
def test_no_unit_is_spent_over_a_limit_and_every_site_stays_inside_refresh_within(
    tmp_path: Path, kinds: Sequence[SiteKind], days: int
) -> None:
    project, sites, oldest_before = Project(), [begun(kind) for kind in kinds], dict[str, float]()
    read: dict[str, Counter[int]] = {kind.name: Counter() for kind in kinds}
    for now, number in syncs(kinds, BEGIN + days * DAY):
        day = (now - BEGIN) // DAY
        rotated = day >= ROTATION.stop or (day in ROTATION and number % 3 <= day - ROTATION.start)
        site = sites[number]
        if day < SUSPENSION.start:
            oldest_before = {site.name: site.oldest / DAY for site in sites}
        read[site.name][day] += sync(site, tmp_path / "ledger", project, now, "new" if rotated else "old")
    for site in sites:
        site.end(BEGIN + days * DAY)
    assert all(sent <= UNITS for sent in project.sent.values())
    assert all(age <= WITHIN / DAY for age in oldest_before.values()), oldest_before
    oldest = {site.name: site.oldest / DAY for site in sites}
    assert all(age <= WITHIN / DAY + len(SUSPENSION) for age in oldest.values()), oldest
    for name, by_day in read.items():
        quiet = [day for day in range(days) if by_day[day]]
        assert max(b - a for a, b in pairwise(quiet)) <= 15, (name, "is starved")


def test_where_youtube_closed_a_bucket_early_sites_that_sync_first_leave_the_others_their_part(
    new_ledger: NewLedger, opened: ExitStack
) -> None:
    """Both buckets have ten units, but together they have ten."""
    terms = SiteTerms(dict.fromkeys(Bucket, 10), None)
    members = [LedgerMember(f"/{name}", name, terms, 0, dict.fromkeys(Bucket, 10), "") for name in "ab"]
    path = new_ledger()
    ledgers = [opened.enter_context(open_shared_ledger(path, each, NOON - DAY, writes=True)) for each in members]
    rates = [0.01] * 5_000

    def units(number: int, now: datetime) -> int:
        claim = Claim(members[number].site, table_of(rates), DAY, WITHIN, 0, now, now + DAY)
        return units_for(claim, ledgers[number], now)

    assert [units(0, NOON - DAY), units(1, NOON - DAY + MINUTE)] == [20, 10], "the first cannot know of the second"
    ledgers[0].take(Bucket.STATS, NOON - DAY, 8, scheduled=True)
    ledgers[0].take(Bucket.GENERAL, NOON - DAY, 2, scheduled=True)
    for bucket in Bucket:
        ledgers[0].park(bucket, next_reset(NOON - DAY) + MINUTE)
    assert units(1, NOON - DAY + 2 * MINUTE) == 0
    for now in (NOON, NOON + 2 * DAY):
        assert [units(0, now), units(1, now + MINUTE)] == [5, 5]
    ledgers[0].take(Bucket.STATS, NOON + 2 * DAY, 9, scheduled=True)
    assert units(1, NOON + 2 * DAY + 2 * MINUTE) == 3, "it accepted more than before, so that bucket's limit counts"
    for ledger in ledgers:
        ledger.register(NOON + 8 * DAY)
    assert [units(0, NOON + 8 * DAY), units(1, NOON + 8 * DAY + MINUTE)] == [20, 10], "all of that is forgotten"
