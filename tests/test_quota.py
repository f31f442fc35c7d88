"""Quota days are Pacific days, whatever the clocks do there."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.decide.quota import PACIFIC, balance, next_reset, quota_day
from syncer.model import Bucket
from tests.site import NOON

MOMENTS = st.datetimes(
    datetime.fromisoformat("2020-01-01"), datetime.fromisoformat("2035-01-01"), timezones=st.just(UTC)
)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("at", "day", "reset"),
    [
        (utc(2026, 11, 22, 7, 59, 59), date(2026, 11, 21), utc(2026, 11, 22, 8)),  # winter: 08:00 UTC
        (utc(2026, 11, 22, 8), date(2026, 11, 22), utc(2026, 11, 23, 8)),
        (utc(2026, 9, 25, 6, 59), date(2026, 9, 24), utc(2026, 9, 25, 7)),  # summer: 07:00 UTC
        (utc(2026, 9, 25, 7), date(2026, 9, 25), utc(2026, 9, 26, 7)),
        (utc(2026, 3, 8, 8), date(2026, 3, 8), utc(2026, 3, 9, 7)),  # the day of 23 hours
        (utc(2026, 11, 1, 7), date(2026, 11, 1), utc(2026, 11, 2, 8)),  # the day of 25 hours
        (utc(2027, 1, 1, 3), date(2026, 12, 31), utc(2027, 1, 1, 8)),
    ],
)
def test_a_quota_day_goes_from_midnight_to_midnight_pacific(at: datetime, day: date, reset: datetime) -> None:
    assert (quota_day(at), next_reset(at)) == (day, reset)


def test_the_zone_in_which_a_moment_is_given_makes_no_difference() -> None:
    berlin = timezone(timedelta(hours=2))
    assert next_reset(datetime(2026, 7, 1, 9, 30, tzinfo=berlin)) == utc(2026, 7, 2, 7)
    assert next_reset(datetime(2026, 7, 1, 8, 30, tzinfo=berlin)) == utc(2026, 7, 1, 7)


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        quota_day(datetime.fromisoformat("2026-01-01T12:00:00"))


@given(MOMENTS)
def test_the_reset_is_the_first_moment_of_the_next_quota_day(at: datetime) -> None:
    reset = next_reset(at)
    assert at < reset <= at + timedelta(hours=25)
    assert quota_day(reset - timedelta(microseconds=1)) == quota_day(at)
    assert quota_day(reset) == quota_day(at) + timedelta(days=1)
    assert reset.tzinfo is UTC
    assert reset.astimezone(PACIFIC).time().isoformat() == "00:00:00"


@pytest.mark.parametrize(
    ("used", "limit", "reserve", "left"),
    [(0, 1, 0, 1), (1, 1, 0, 0), (9799, 10000, 200, 1), (9800, 10000, 200, 0), (9801, 10000, 200, 0), (0, 100, 200, 0)],
)
def test_the_reserve_is_never_touched_by_scheduled_syncs(used: int, limit: int, reserve: int, left: int) -> None:
    for bucket in Bucket:
        status = balance(bucket, NOON, limit=limit, spent=used, reserve=reserve)
        assert status.scheduled == status.usable(scheduled=True) == left
        assert status.left == max(0, limit - used), "with the reserve"
        by_hand = {Bucket.STATS: status.left, Bucket.GENERAL: left}
        assert status.by_hand == status.usable(scheduled=False) == by_hand[bucket]
