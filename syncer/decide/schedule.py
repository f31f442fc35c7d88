"""When syncs are due: the times of the config's schedule, by the clock that the caller reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from syncer.decide.cron import WEEKDAYS, Cron


@dataclass(frozen=True, slots=True)
class Schedule:
    """When syncs are due, as the config's `schedule` says it."""

    every: timedelta
    """The time from one sync to the next, where there is no `cron`."""
    cron: Cron | None
    timezone: ZoneInfo
    """The one of `cron`."""
    jitter: timedelta
    """The longest random delay."""


FIRST_RETRY = timedelta(minutes=1)
LONGEST_RETRY = timedelta(hours=1)

FEWEST_TIMES, MOST_TIMES = 3, 1000
"""How many times of a cron are compared to find its longest interval: at least, and at most."""


def first_time(schedule: Schedule, last: datetime | None, now: datetime) -> datetime:
    """Return when the first sync after a start is due, in UTC, without jitter; `last` is when the last whole one began.

    With `every`: an interval after the last sync, or now where that is past. With `cron`: the next time that it
    names, or now where one was missed since the last sync. Now, too, where there was no sync yet, or where the clock
    was set back behind the last one: nobody can say how long ago it was.
    """
    if last is None or last > now:
        return now
    return max(now, next_time(schedule, last, last))


def next_time(schedule: Schedule, counted_from: datetime, now: datetime) -> datetime:
    """Return the first time after `now` at which a sync is due, in UTC, without jitter.

    With `every`: `counted_from` and a whole number of intervals, so that neither a delay nor a sync that was missed
    moves those that come after it. With `cron`: the next time that it names.

    On the two days when the clocks change, cron keeps to one sync for each time named. A time that the clocks leave
    out in spring comes as much later: 02:30 at 03:30. A time that comes twice in autumn counts when it comes first;
    only a cron that names every hour counts it both times, because it means "each hour".
    """
    if schedule.cron is None:
        return counted_from + ((now - counted_from) // schedule.every + 1) * schedule.every
    return _next_named(schedule.cron, schedule.timezone, now)


def count_times(schedule: Schedule, now: datetime, end: datetime) -> int:
    """Return how many syncs may begin after one that begins `now`, and before `end`.

    With `every`, one that begins now may be late by the whole jitter, so the next may come as much earlier than an
    interval after it: rather one or two too many are counted than one too few.
    """
    if schedule.cron is None:
        return max(0, -((now - schedule.jitter - end) // schedule.every) - 1)
    day, last = ((at.astimezone(schedule.timezone)).date() for at in (now, end))
    days = range((last - day).days + 2)
    moments = {
        moment for n in days for moment in _moments(schedule.cron, schedule.timezone, day + timedelta(days=n - 1))
    }
    return sum(now < moment < end for moment in moments)


def delayed(schedule: Schedule, due: datetime, share: float) -> datetime:
    """Return `due` and a `share`, from 0 to 1, of the jitter, which ends a second before the time that is due next."""
    return due + share * min(schedule.jitter, next_time(schedule, due, due) - due - timedelta(seconds=1))


def set_back(schedule: Schedule, start: datetime, now: datetime, by: timedelta) -> datetime:
    """Return when the sync that was to begin at `start` begins, after the clock was set back to `now`.

    With `every`: after the wait that was left. With `cron`: at the time it was to begin, so that a named time which
    comes again is not served twice. But where several come again, the clock had been far off: then at the first.
    """
    if schedule.cron is None:
        return max(now, start - by)
    first = next_time(schedule, now, now)
    second = next_time(schedule, now, first)
    third = next_time(schedule, now, second)
    return start if third > start else first


def longest_interval(schedule: Schedule, now: datetime) -> timedelta:
    """Return the longest time from one sync to the next in the year to come, jitter included."""
    if schedule.cron is None:
        return schedule.every + schedule.jitter
    times = [next_time(schedule, now, now)]
    while len(times) < FEWEST_TIMES or (len(times) < MOST_TIMES and times[-1] < now + timedelta(days=366)):
        times.append(next_time(schedule, now, times[-1]))
    return max(later - earlier for earlier, later in pairwise(times)) + schedule.jitter


def retry_after(failures: int, interval: timedelta) -> timedelta:
    """Return how long to wait after so many syncs in a row in which every request failed.

    A minute, or the interval if that is shorter, and then twice as long each time, up to an hour: an outage of a day
    takes some thirty tries, and the counts are up to date an hour after its end.
    """
    wait = min(FIRST_RETRY, interval)
    for _ in range(failures - 1):
        wait = min(2 * wait, LONGEST_RETRY)
    return wait


def _next_named(cron: Cron, zone: ZoneInfo, now: datetime) -> datetime:
    """Return the first moment after `now` that the cron names, in UTC. The config accepts no cron that has none."""
    day = now.astimezone(zone).date() - timedelta(days=1)  # spring may push a late time over midnight
    while True:
        later = [moment for moment in _moments(cron, zone, day) if moment > now]
        if later:
            return min(later)
        day += timedelta(days=1)


def _moments(cron: Cron, zone: ZoneInfo, day: date) -> Iterator[datetime]:
    """Yield the moments of a local day that the cron names, in UTC."""
    if day.day not in cron.days or day.month not in cron.months or WEEKDAYS[day.isoweekday() % 7] not in cron.weekdays:
        return
    each_hour = len(cron.hours) == 24
    for hour in cron.hours:
        for minute in cron.minutes:
            local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
            moment, again = local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)
            yield moment
            if each_hour and again > moment:  # where the clocks leave the time out, it is earlier
                yield again
