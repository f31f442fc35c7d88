"""A year of a daemon whose machine sleeps, whose clock is stepped and disciplined, with both days of summer time.

What is due is reckoned here anew, by another way than the daemon's. Each sync begins where one is due, and none where
none is.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from tests.clockwork import START, Clock, Daemon
from tests.examples import PROVING

YEAR = timedelta(days=365)
HALF_A_MINUTE = timedelta(seconds=30)
"""Between two whole minutes, at which syncs are due: real time passes too while the year does."""

SIX_HOURS = timedelta(hours=6)
BERLIN = ZoneInfo("Europe/Berlin")


class Grid:
    """Every six hours; a clock that was set back moves the grid with it."""

    schedule = {"every": "6h"}  # noqa: RUF012 - never changed

    def __init__(self) -> None:
        self._from = START
        self._served = 0

    def due(self, now: datetime) -> int:
        number = (now - self._from) // SIX_HOURS
        new, self._served = number - self._served, max(number, self._served)
        return max(0, new)

    def set_back(self, by: timedelta) -> None:
        self._from -= by


class Nights:
    """At half past two in Berlin, each night once: what comes again is not served again."""

    schedule = {"cron": "30 2 * * *", "timezone": "Europe/Berlin"}  # noqa: RUF012 - never changed

    def __init__(self) -> None:
        first = START.astimezone(BERLIN).date()
        nights = (first + timedelta(days=day) for day in range(370))
        self._waiting = [datetime(night.year, night.month, night.day, 2, 30, tzinfo=BERLIN) for night in nights]
        self._waiting = [moment.astimezone(UTC) for moment in self._waiting if moment.astimezone(UTC) > START]

    def due(self, now: datetime) -> int:
        new = sum(moment <= now for moment in self._waiting)
        del self._waiting[:new]
        return new

    def set_back(self, by: timedelta) -> None:
        pass


OTHERS = [(Grid, 1), (Grid, 2), (Nights, 2)] if PROVING else [(Grid, 1)]


@pytest.mark.parametrize(
    ("kind", "seed"),
    [(Nights, 1), *(pytest.param(*case, marks=pytest.mark.storm) for case in OTHERS)],
)
def test_in_a_year_there_are_the_syncs_that_the_schedule_says(
    clock: Clock, kind: Callable[[], Grid | Nights], seed: int
) -> None:
    random, expected = Random(seed), kind()
    now, made, missed = START, 0, 0
    clock.slower = 100
    with Daemon(clock, last=START, **expected.schedule) as daemon:
        daemon.move(HALF_A_MINUTE)
        while now < START + YEAR:
            step = how_far(random)
            now += step
            daemon.move(step)
            if step < timedelta(0):
                expected.set_back(-step)
            due = expected.due(now)
            if due:
                began = daemon.next()
                daemon.idle()
                assert began == now, "within a tick after it was due, or after the machine woke up"
                made, missed = made + 1, missed + due - 1
            assert daemon.settle() == 0, f"at {now}, {due} due"
            discipline(daemon, random)
    assert daemon.begun == made
    assert missed > 10, "this year had long sleeps"


def how_far(random: Random) -> timedelta:
    """Mostly a few hours; now and then a sleep of days, or a clock that is set back by up to three hours."""
    chance = random.random()
    if chance < 0.03:
        return timedelta(minutes=random.randrange(5 * 60, 5 * 24 * 60))
    if chance < 0.05:
        return -timedelta(minutes=random.randrange(2, 180))
    return timedelta(minutes=random.randrange(10, 12 * 60))


def discipline(daemon: Daemon, random: Random) -> None:
    """Now and then the clock is a few seconds off and put right again."""
    if random.random() < 0.05:
        off = timedelta(seconds=random.randrange(1, 25))
        daemon.move(-off)
        daemon.settle()
        daemon.move(off)
        daemon.settle()
