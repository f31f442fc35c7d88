"""When syncs are due: a year of them, both days when the clocks change, missed ones, and a clock that is set back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.cron import CronTrigger
from hypothesis import given
from hypothesis import strategies as st

from syncer.config import sections
from syncer.decide.schedule import Schedule, delayed, first_time, next_time, set_back
from tests.examples import examples

BERLIN = "Europe/Berlin"
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
NEXT_YEAR = datetime(2027, 1, 1, tzinfo=UTC)
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)
"""When the clocks of Berlin change in 2026."""

ODD_ZONES = (
    BERLIN,
    "America/New_York",
    "America/Santiago",  # changes at midnight
    "America/Havana",  # 01:00 becomes midnight again
    "America/Scoresbysund",  # spring comes at 23:00
    "Australia/Lord_Howe",  # changes by half an hour
    "Pacific/Chatham",
    "Asia/Kathmandu",
)


MOMENTS = st.timedeltas(timedelta(0), timedelta(days=1500)).map(lambda passed: NEW_YEAR + passed)


def schedule(**keys: str) -> Schedule:
    return sections.Schedule.model_validate({"jitter": "0s", **keys}).as_model()


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


def times(of: Schedule, start: datetime, end: datetime, late: timedelta = timedelta(0)) -> Iterator[datetime]:
    """The due times from `start`, each sync beginning a little late."""
    due = next_time(of, start, start)
    while due < end:
        yield due
        due = next_time(of, start, due + late)


def local(moment: datetime, zone: str = BERLIN) -> str:
    return f"{moment.astimezone(ZoneInfo(zone)):%H:%M}"


def test_a_year_of_every_6h_has_a_sync_each_6_hours_and_does_not_drift_by_delays() -> None:
    found = list(times(schedule(every="6h"), NEW_YEAR, NEXT_YEAR, late=timedelta(minutes=17)))
    assert found == [NEW_YEAR + hours(6 * number) for number in range(1, 365 * 4)]


def test_a_year_of_jitter_is_one_sided_within_its_bound_and_does_not_drift() -> None:
    every, random = schedule(every="6h", jitter="30m"), Random(7)
    due, start = NEW_YEAR, NEW_YEAR
    delays = []
    for number in range(1, 365 * 4 + 1):
        due = next_time(every, NEW_YEAR, start)
        assert due == NEW_YEAR + hours(6 * number), "none is left out, and none comes twice"
        start = delayed(every, due, random.random())
        delays.append(start - due)
    assert min(delays) >= timedelta(0)
    assert max(delays) < timedelta(minutes=30)
    assert max(delays) - min(delays) > timedelta(minutes=29), "the whole of the jitter is used"


@examples(20)
@given(share=st.floats(0, 1), start=MOMENTS)
def test_jitter_never_reaches_the_next_time_however_long_it_is(share: float, start: datetime) -> None:
    often = schedule(cron="*/2 * * * *", jitter="5m")
    due = next_time(often, NEW_YEAR, start)
    assert due <= delayed(often, due, share) < next_time(often, NEW_YEAR, due)


def test_what_was_missed_is_made_up_for_once_and_the_grid_stays() -> None:
    every = schedule(every="6h")
    assert next_time(every, NEW_YEAR, NEW_YEAR + hours(31)) == NEW_YEAR + hours(36)
    assert next_time(every, NEW_YEAR, NEW_YEAR + hours(36)) == NEW_YEAR + hours(42)


def test_a_daily_cron_comes_once_a_day_all_year_in_spring_an_hour_later_and_in_autumn_the_first_time() -> None:
    found = list(times(schedule(cron="30 2 * * *", timezone=BERLIN), NEW_YEAR, NEXT_YEAR))
    days = {moment.astimezone(ZoneInfo(BERLIN)).date(): moment for moment in found}
    assert len(found) == len(days) == 365
    assert {local(moment) for day, moment in days.items() if day != SPRING} == {"02:30"}
    assert days[SPRING] == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert local(days[SPRING]) == "03:30"
    assert days[AUTUMN] == datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "02:30 of summer time; not again at 01:30Z"


@pytest.mark.parametrize("zone", ["UTC", BERLIN, "America/Havana", "America/Scoresbysund"])
@pytest.mark.parametrize("start", [datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 10, 15, tzinfo=UTC)])
def test_an_hourly_cron_comes_each_hour_when_the_clocks_change_too(zone: str, start: datetime) -> None:
    found = list(times(schedule(cron="30 * * * *", timezone=zone), start, start + hours(40 * 24)))
    assert found == [start + hours(0.5 + number) for number in range(40 * 24)]


@examples(30)
@given(
    zone=st.sampled_from(ODD_ZONES),
    hour=st.integers(0, 23),
    minute=st.integers(0, 59),
    year=st.integers(2024, 2030),
)
def test_a_daily_cron_comes_once_for_each_day_in_every_zone(zone: str, hour: int, minute: int, year: int) -> None:
    daily = schedule(cron=f"{minute} {hour} * * *", timezone=zone)
    start = datetime(year, 1, 1, tzinfo=ZoneInfo(zone)) - timedelta(seconds=1)
    found = list(times(daily, start.astimezone(UTC), datetime(year + 1, 1, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)))
    assert len(found) == (date(year + 1, 1, 1) - date(year, 1, 1)).days
    named = f"{hour:02}:{minute:02}"
    assert sum(local(moment, zone) != named for moment in found) <= 1, "but for the one that the clocks leave out"


FIELDS = st.tuples(
    st.sampled_from(["*", "0", "*/7", "13,59", "10-20/5"]),
    st.sampled_from(["*", "0", "*/5", "3,23"]),
    st.sampled_from(["*", "1", "31", "*/10", "29"]),
    st.sampled_from(["*", "2", "*/5", "feb,dec"]),
    st.sampled_from(["*", "0", "7", "mon-fri", "*/3"]),
)


@examples(60)
@given(fields=FIELDS, after=MOMENTS)
def test_in_utc_a_cron_comes_when_apscheduler_says(fields: tuple[str, ...], after: datetime) -> None:
    minute, hour, day, month, weekday = fields
    if (day == "31" and month == "2") or not (day.startswith("*") or weekday.startswith("*")):
        return
    ours = schedule(cron=" ".join(fields))
    assert ours.cron
    theirs = CronTrigger(
        minute=minute, hour=hour, day=day, month=month, day_of_week=",".join(ours.cron.weekdays), timezone=UTC
    )
    assert next_time(ours, NEW_YEAR, after) == theirs.get_next_fire_time(after, after + timedelta(microseconds=1))


@pytest.mark.parametrize("sunday", ["0", "7", "sun"])
def test_weekdays_are_those_that_people_mean(sunday: str) -> None:
    found = next_time(schedule(cron=f"0 4 * * {sunday}"), NEW_YEAR, datetime(2026, 11, 23, tzinfo=UTC))
    assert found == datetime(2026, 11, 29, 4, tzinfo=UTC)


def test_a_cron_of_a_rare_day_is_found() -> None:
    assert next_time(schedule(cron="0 0 29 2 *"), NEW_YEAR, NEW_YEAR) == datetime(2028, 2, 29, tzinfo=UTC)


LAST = datetime(2026, 6, 1, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("keys", "last", "since", "expected"),
    [
        ({"every": "6h"}, None, hours(0), hours(0)),
        ({"every": "6h"}, LAST, hours(1), hours(6)),
        ({"every": "6h"}, LAST, hours(6), hours(6)),
        ({"every": "6h"}, LAST, hours(50), hours(50)),
        ({"every": "6h"}, LAST, hours(-1), hours(-1)),
        ({"cron": "0 4 * * *"}, None, hours(0), hours(0)),
        ({"cron": "0 4 * * *"}, LAST, hours(1), hours(24)),
        ({"cron": "0 4 * * *"}, LAST, hours(23.9), hours(24)),
        ({"cron": "0 4 * * *"}, LAST, hours(24.1), hours(24.1)),
        ({"cron": "0 4 * * *"}, LAST, hours(500), hours(500)),
    ],
)
def test_the_first_sync_comes_when_it_would_have_and_at_once_where_it_was_missed(
    keys: dict[str, str], last: datetime | None, since: timedelta, expected: timedelta
) -> None:
    assert first_time(schedule(**keys), last, LAST + since) == LAST + expected


def test_a_box_that_is_off_each_night_still_syncs_once_a_day() -> None:
    """24 hours from a start would never come."""
    every, last, made = schedule(every="24h"), LAST, 0
    for day in range(1, 31):
        on, off = LAST + hours(24 * day + 5), LAST + hours(24 * day + 13)
        due = first_time(every, last, on)
        if due < off:
            last, made = due, made + 1
    assert made >= 29


@pytest.mark.parametrize(
    ("keys", "at", "back", "expected"),
    [
        ({"every": "6h"}, hours(1), hours(5), hours(1)),  # five hours were left, and are
        ({"every": "6h"}, hours(1), hours(8766), hours(6 - 8766)),
        ({"cron": "0 4 * * *"}, hours(1), hours(0.5), hours(24)),  # no named time comes again
        ({"cron": "0 4 * * *"}, hours(1), hours(2), hours(24)),  # 04:00 comes again and is not served twice
        ({"cron": "0 4 * * *"}, hours(0.01), hours(0.02), hours(24)),
        ({"cron": "0 * * * *"}, hours(0.5), hours(5), hours(-4)),  # hourly: not starved for five hours
        ({"cron": "0 4 * * *"}, hours(1), hours(8766), hours(-8760)),  # the clock had been a year ahead
    ],
)
def test_a_clock_set_back_neither_starves_a_sync_nor_serves_a_time_twice(
    keys: dict[str, str], at: timedelta, back: timedelta, expected: timedelta
) -> None:
    """The last sync began at LAST; `at` after it the clock goes `back`."""
    of = schedule(**keys)
    start = next_time(of, LAST, LAST)
    assert set_back(of, start, LAST + at - back, back) == LAST + expected


@examples(60)
@given(
    keys=st.sampled_from([{"every": "6h"}, {"cron": "0 4 * * *"}, {"cron": "*/15 * * * *"}, {"cron": "0 */4 * * *"}]),
    share=st.floats(0, 1, exclude_max=True),
    back=st.timedeltas(timedelta(minutes=1), timedelta(days=400)),
)
def test_after_a_clock_was_set_back_the_wait_is_shorter_than_two_intervals(
    keys: dict[str, str], share: float, back: timedelta
) -> None:
    of = schedule(**keys)
    start = next_time(of, LAST, LAST)
    at = LAST + share * (start - LAST)
    now = at - back
    again = set_back(of, start, now, back)
    assert now <= again
    assert again - now <= 2 * (start - LAST)
