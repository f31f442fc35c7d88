"""Cron texts: everything that crontab(5) accepts, and nothing that would never or wrongly run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.triggers.cron import CronTrigger
from hypothesis import given
from hypothesis import strategies as st

from syncer.decide.cron import WEEKDAYS, Cron, parse_cron
from tests.examples import examples

ALL_DAYS = tuple(range(1, 32))
ALL_MONTHS = tuple(range(1, 13))


@pytest.mark.parametrize(
    ("text", "minutes", "hours", "days", "months", "weekdays"),
    [
        ("17 */6 * * *", (17,), (0, 6, 12, 18), ALL_DAYS, ALL_MONTHS, WEEKDAYS),
        ("0,30 4 * * 0", (0, 30), (4,), ALL_DAYS, ALL_MONTHS, ("sun",)),
        ("0 4 * * 7", (0,), (4,), ALL_DAYS, ALL_MONTHS, ("sun",)),
        ("0 4 * * 5-7", (0,), (4,), ALL_DAYS, ALL_MONTHS, ("sun", "fri", "sat")),
        ("0 4 * * Sat-Sun", (0,), (4,), ALL_DAYS, ALL_MONTHS, ("sun", "sat")),
        ("0 4 * * mon,WED", (0,), (4,), ALL_DAYS, ALL_MONTHS, ("mon", "wed")),
        ("0 4 * * */2", (0,), (4,), ALL_DAYS, ALL_MONTHS, ("sun", "tue", "thu", "sat")),
        ("5-15/5 0 1,15 jan-mar/2 *", (5, 10, 15), (0,), (1, 15), (1, 3), WEEKDAYS),
        ("0 0 29 feb *", (0,), (0,), (29,), (2,), WEEKDAYS),
        ("0 0 */2 * 1", (0,), (0,), tuple(range(1, 32, 2)), ALL_MONTHS, ("mon",)),
        ("  00   09\t* * * ", (0,), (9,), ALL_DAYS, ALL_MONTHS, WEEKDAYS),
    ],
)
def test_a_cron_text_becomes_lists_of_numbers(
    text: str,
    minutes: tuple[int, ...],
    hours: tuple[int, ...],
    days: tuple[int, ...],
    months: tuple[int, ...],
    weekdays: tuple[str, ...],
) -> None:
    assert parse_cron(text) == Cron(text, minutes, hours, days, months, weekdays)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "must have five fields"),
        ("* * * *", "must have five fields .* but has 4"),
        ("0 * * * * *", "but has 6"),
        ("@daily", "but has 1"),
        ("60 * * * *", "has `60` as minute; it must be from 0 to 59"),
        ("0 24 * * *", "has `24` as hour; it must be from 0 to 23"),
        ("0 0 0 * *", "has `0` as day of the month; it must be from 1 to 31"),
        ("0 0 * 13 *", "has `13` as month; it must be from 1 to 12 or a name from `jan` to `dec`"),
        ("0 0 * * 8", "has `8` as weekday; it must be from 0 to 7 or a name from `sun` to `sat`"),
        ("0 0 * * monday", "has `monday` as weekday"),
        ("mon 0 * * *", "has `mon` as minute"),
        ("30-10 * * * *", "has the range `30-10` as minute, which is reversed"),
        ("0 0 * * fri-mon", "is reversed"),
        ("5/10 * * * *", "has `5/10` as minute; a step needs a range"),
        ("*/0 * * * *", "has the step `0` as minute; it must be from 1 to 59"),
        ("*/90 * * * *", "has the step `90` as minute"),
        ("*/ * * * *", "has the step `` as minute"),
        ("*/5/5 * * * *", "has the step `5/5` as minute"),
        ("1,,2 * * * *", "has `` as minute"),
        ("1- * * * *", "has `1-` as minute"),
        ("-5 * * * *", "has `-5` as minute"),
        ("٣ * * * *", "has `٣` as minute"),
        ("? * * * *", r"has `\?` as minute"),
        ("0 0 31 2,4 *", "names day 31 of months that do not have that day"),
        ("0 0 1 * mon", "names both days of the month and weekdays"),
    ],
)
def test_what_cron_would_not_do_is_an_error(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        parse_cron(text)


@st.composite
def fields(draw: st.DrawFn, first: int, last: int) -> str:
    low = draw(st.integers(first, last - 1))
    high = draw(st.integers(low + 1, last))
    step = draw(st.integers(1, high - low))  # the scheduler refuses longer steps, which cron takes
    return draw(st.sampled_from(["*", f"*/{step}", f"{low}", f"{low}-{high}", f"{low}-{high}/{step}", f"{high},{low}"]))


@examples(60)
@given(fields(0, 59), fields(0, 23), fields(1, 28), fields(1, 12))
def test_the_scheduler_reads_the_lists_as_it_reads_the_text(minute: str, hour: str, day: str, month: str) -> None:
    text = f"{minute} {hour} {day} {month} *"
    cron = parse_cron(text)
    trigger = CronTrigger(
        minute=",".join(map(str, cron.minutes)),
        hour=",".join(map(str, cron.hours)),
        day=",".join(map(str, cron.days)),
        month=",".join(map(str, cron.months)),
        day_of_week=",".join(cron.weekdays),
        timezone=UTC,
    )
    theirs = CronTrigger.from_crontab(text, timezone=UTC)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for _ in range(3):
        following = trigger.get_next_fire_time(None, now)
        assert following == theirs.get_next_fire_time(None, now)
        now = following + timedelta(seconds=1)


@given(st.text(st.sampled_from("0123456789*/,- abcjanmonsun"), max_size=20))
def test_any_text_is_read_or_refused_and_weekdays_are_names_in_order(text: str) -> None:
    try:
        cron = parse_cron(text)
    except ValueError:
        return
    assert cron.weekdays == tuple(day for day in WEEKDAYS if day in cron.weekdays) != ()
