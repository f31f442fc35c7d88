"""The day's units are shared among the scheduled syncs that are left in it; no sync spends more than there is."""

from __future__ import annotations

import sqlite3
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncer.decide.cron import parse_cron
from syncer.decide.quota import next_reset, quota_day, share_of
from syncer.decide.schedule import Schedule, count_times, delayed, next_time
from syncer.model import Bucket, VideoId
from syncer.state.database import open_copy
from syncer.state.ledger import OwnLedger, UnitStock
from syncer.sync.options import Options
from tests.ledgers import spent_units
from tests.site import NOON, Site, crlf
from tests.test_sync_asking import fill

SPRING, AUTUMN, PLAIN = date(2027, 3, 14), date(2026, 11, 1), date(2026, 11, 22)
"""Quota days of 23, 25 and 24 hours."""

HOUR = timedelta(hours=1)


def schedule(*, every: timedelta = 6 * HOUR, cron: str | None = None, zone: str = "UTC", jitter: int = 0) -> Schedule:
    return Schedule(every, parse_cron(cron) if cron else None, ZoneInfo(zone), timedelta(seconds=jitter))


def start_of(day: date) -> datetime:
    return next_reset(datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=12))


@pytest.mark.parametrize("day", [SPRING, AUTUMN, PLAIN], ids=["23h", "25h", "24h"])
@pytest.mark.parametrize(
    "of",
    [
        schedule(every=HOUR),
        schedule(every=7 * HOUR),
        schedule(every=timedelta(minutes=5)),
        schedule(cron="17 */6 * * *"),
        schedule(cron="30 2 * * *", zone="America/Los_Angeles"),
        schedule(cron="*/30 * * * *", zone="America/Los_Angeles"),
        schedule(cron="0 0 * * mon", zone="Europe/Berlin"),
    ],
    ids=str,
)
@pytest.mark.parametrize("units", [5, 1_000, 19_600])
def test_every_scheduled_sync_of_a_day_gets_an_equal_share_of_its_units(day: date, of: Schedule, units: int) -> None:
    start = start_of(day)
    reset = next_reset(start)
    assert quota_day(start) == day
    assert reset - start in {23 * HOUR, 24 * HOUR, 25 * HOUR}
    shares, left, now = list[int](), units, next_time(of, start - of.every, start - timedelta(seconds=1))
    while now < reset:
        shares.append(share_of(left, 1 + count_times(of, now, reset)))
        left -= shares[-1]
        now = next_time(of, now, now)
    assert left == (0 if shares else units), "what is left at the end of the day is lost"
    assert not shares or max(shares) - min(shares) <= 1


@settings(deadline=None)
@given(
    st.sampled_from([SPRING, AUTUMN, PLAIN]),
    st.integers(2, 1_500),
    st.floats(0, 0.99),
    st.integers(1, 20_000),
    st.integers(0, 10**6),
)
def test_with_jitter_no_scheduled_sync_comes_to_an_empty_day_unless_there_are_fewer_units_than_syncs(
    day: date, minutes: int, jitter: float, units: int, seed: int
) -> None:
    rng = Random(seed)
    of = schedule(every=timedelta(minutes=minutes), jitter=int(minutes * 60 * jitter))
    start = start_of(day)
    reset, due = next_reset(start), start + rng.random() * of.every
    left, number = units, 0
    while (now := delayed(of, due, rng.random())) < reset:
        share = share_of(left, 1 + count_times(of, now, reset))
        assert share or left == 0
        assert share or number >= units, "each sync before took one"
        left, number, due = left - share, number + 1, due + of.every
    beyond = 1 if 2 * of.jitter <= of.every else 2  # so many syncs may be counted that come after the reset
    assert left * (number + beyond) <= units * beyond, "at most so many shares are lost"


events = st.lists(
    st.tuples(st.integers(0, 9 * 3600), st.booleans(), st.integers(0, 60), st.booleans()), min_size=1, max_size=40
)
"""Syncs: how long after the one before, whether scheduled, how many requests it would like, whether it is killed."""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from([SPRING, AUTUMN, PLAIN]), events, st.integers(1, 80), st.integers(1, 80), st.integers(0, 20))
def test_neither_bucket_is_ever_overspent_on_any_quota_day(
    tmp_path: Path, day: date, syncs: list[tuple[int, bool, int, bool]], stats: int, general: int, reserve: int
) -> None:
    """Two daemons, syncs by hand, crashes: they meet in the ledger."""
    of, now, sent = schedule(every=HOUR), start_of(day) - HOUR, Counter[tuple[date, Bucket]]()
    with open_copy(tmp_path, "/site") as database:
        for after, scheduled, wanted, killed in syncs:
            now += timedelta(seconds=after)
            ledger = OwnLedger(database, {Bucket.STATS: stats, Bucket.GENERAL: general}, reserve)
            units = sum(status.usable(scheduled=scheduled) for status in ledger.balances(now).values())
            before = spent_units(database, now)
            share = share_of(units, 1 + count_times(of, now, next_reset(now))) if scheduled else units
            assert share <= units
            stock = UnitStock(ledger, lambda at=now: at, scheduled)  # type: ignore[misc]
            for _ in range(min(wanted, share)):
                bucket = next((bucket for bucket in Bucket if stock.spend(bucket)), None)
                assert bucket, "what was planned can be spent"
                sent[quota_day(now), bucket] += 1
            if not killed:
                stock.give_back()
            for bucket, limit in ((Bucket.STATS, stats), (Bucket.GENERAL, general)):
                assert sent[quota_day(now), bucket] <= spent_units(database, now)[bucket] <= limit
                if scheduled and killed:
                    assert spent_units(database, now)[bucket] <= max(limit - reserve, before[bucket])


def test_scheduled_syncs_share_the_day_and_one_by_hand_does_not(site: Site) -> None:
    site.configure(quota="stats_units_per_day: 8, general_units_per_day: 8, reserve: 1")
    fill(site, 300)
    scheduled = Options(scheduled=True)
    first = site.sync(NOON, scheduled)
    assert (first.asked, first.exit) == (300, 0), "what was never read does not wait"
    second = site.sync(NOON + 6 * HOUR, scheduled)
    left = 8 - 1 + 8 - 1 - 6
    assert (second.asked, second.fresh, second.over_quota, second.exit) == (50 * left // 2, 100, 0, 0)
    by_hand = site.sync(NOON + 7 * HOUR)
    assert (by_hand.asked, by_hand.over_quota, by_hand.exit) == (250, 50, 1)
    late = site.sync(NOON + 8 * HOUR, scheduled)
    assert (late.asked, late.over_quota, late.exit) == (0, 300, 1), "nothing is left: that is a lack of quota"


def test_what_a_paced_sync_cannot_settle_is_left_to_a_later_one(site: Site) -> None:
    """A missing video costs a unit more than was planned."""
    site.configure(quota="stats_units_per_day: 1, general_units_per_day: 1, reserve: 0", youtube="connections: 1")
    fill(site, 99)
    site.put("content/odd.md", crlf(VideoId("-----------"), 1, 2))
    scheduled = Options(scheduled=True)
    site.sync(NOON, scheduled)
    site.sync(NOON + 24 * HOUR, scheduled)
    fill(site, 160)
    site.sync(NOON + 48 * HOUR, scheduled)
    last = site.sync(NOON + 79 * HOUR, scheduled)
    assert last.units == {Bucket.STATS: 1, Bucket.GENERAL: 1}
    settled = last.answered + len(last.missing)
    assert settled < 100, "of two batches"
    assert (last.fresh, last.over_quota, last.exit) == (last.videos - settled, 0, 0)


def test_what_would_be_too_old_in_the_next_sync_comes_first_however_slowly_it_changes(site: Site) -> None:
    site.configure(
        quota="stats_units_per_day: 3, general_units_per_day: 1, reserve: 0",
        schedule="every: 6h, jitter: 0s, refresh_within: 2d",
    )
    videos = fill(site, 60)
    site.sync(NOON, Options(videos=frozenset(map(VideoId, videos[:10]))))
    site.sync(NOON + 36 * HOUR, Options(videos=frozenset(map(VideoId, videos[10:]))))
    with sqlite3.connect(site.state / "state.sqlite3") as database:
        database.execute("UPDATE videos SET drift = CASE read_at WHEN ? THEN 0.0 ELSE 9.0 END", (NOON.timestamp(),))
    fast = site.sync(NOON + 41 * HOUR, Options(scheduled=True))
    slow = site.sync(NOON + 42 * HOUR, Options(scheduled=True))
    assert (fast.asked, slow.asked) == (50, 50)
    with sqlite3.connect(site.state / "state.sqlite3") as database:
        read = dict(database.execute("SELECT id, read_at FROM videos"))
    assert {read[video] for video in videos[:10]} == {int((NOON + 42 * HOUR).timestamp())}
