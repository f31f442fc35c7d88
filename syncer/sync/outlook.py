"""Looks ahead, without writing anything: what the next sync requests and why, and how stale counts will be."""

from __future__ import annotations

import math
import os
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from heapq import nlargest
from itertools import pairwise
from typing import TYPE_CHECKING

from syncer.content.pages import Pages
from syncer.content.scan import read_pages
from syncer.content.walk import walk
from syncer.decide.drift import DAY_SECONDS, PRIOR
from syncer.decide.forecast import DAY, Drifts, Forecast, forecast
from syncer.decide.plan import FRESH_SECONDS, LastRead, Plan, is_gone
from syncer.decide.quota import next_reset, quota_day
from syncer.decide.schedule import count_times
from syncer.model import BATCH_SIZE, VideoId
from syncer.state.damage import moment
from syncer.state.database import Database
from syncer.state.due_checks import due_videos, regions_changed
from syncer.state.naming_pages import pages_of_videos
from syncer.state.play_states import count_states
from syncer.state.syncs import first_whole_sync
from syncer.state.videos import last_read, named_videos
from syncer.status.demand import mean_interval, units_a_day
from syncer.status.stored_reports import stored_report
from syncer.sync.options import Options, require_directories
from syncer.sync.readings import overdue_at, plan_now, refresh_within

if TYPE_CHECKING:
    from syncer.config.sections import Config
    from syncer.state.ledger import QuotaLedger

FURTHEST_DAYS = 3_650
"""Growth is not continued for longer."""

LEAST_GROWTH_DAYS = 7
"""Growth is not estimated from less."""

FIRST_LISTED = 1_000
"""How many of the videos of the next sync are listed, those with the largest error first."""

OTHER_INTERVALS = tuple(timedelta(hours=hours) for hours in (1, 6, 24, 168))
"""The intervals that are compared with the config's."""

BANDS = (timedelta(days=1), timedelta(days=3), timedelta(days=7), timedelta(days=14))
"""Videos are grouped by how long it takes until they are read again."""

SECOND = timedelta(seconds=1)


class Cause(StrEnum):
    """Why a video is in the plan of a sync."""

    NEVER_READ = "never-read"
    UNKNOWN_AGE = "unknown-age"
    """The reading is from the future, because the clock was wrong."""
    OVERDUE = "overdue"
    """It would be older than `schedule.refresh_within` allows before the next sync."""
    GONE = "gone"
    """It has been missing for days, and its turn has come again."""
    HELD = "held"
    """Its reading waits for a second one."""
    DUE = "due"
    """All that is due fits into the units."""
    OUT_OF_DATE = "out-of-date"
    """The units do not reach for all, and it is one of those whose counts are most out of date."""


@dataclass(frozen=True, slots=True)
class PlannedVideo:
    """A video that the next sync requests."""

    video_id: VideoId
    cause: Cause
    read_at: int | None
    """Seconds since 1970; None: never."""
    drift: float
    """The relative change of its counts in a day."""
    error: float | None
    """The relative error that its counts are expected to have when the sync starts; None: never read."""


@dataclass(frozen=True, slots=True)
class DayAhead:
    """What is expected to be requested on a quota day."""

    day: date
    syncs: int
    requests: int
    """Videos, each time counted that one is requested."""
    units: int
    """What the requests cost: whole units for each sync."""
    budget: int
    """Units that scheduled syncs may use on this day."""


@dataclass(frozen=True, slots=True)
class Band:
    """Videos that are read again after about the same time."""

    within: timedelta
    videos: int
    error: float
    """Their mean expected relative error."""


@dataclass(frozen=True, slots=True)
class PlayChecksAhead:
    """How many videos are to be checked: whether they play."""

    due: int
    """Videos that the next sync checks, if the units reach."""
    units_a_day: float
    """In the long run: a sync checks those whose turn it is, up to 50 for a unit."""

    @property
    def units(self) -> int:
        """What the next sync needs."""
        return math.ceil(self.due / BATCH_SIZE)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What will be requested, and how stale counts will be."""

    at: datetime
    """When the sync starts that is planned."""
    scheduled: bool
    """Whether it is a sync of the daemon; otherwise it is a `syncer sync` now."""
    videos: int
    unread: int
    gone: int
    plan: Plan
    units: int
    causes: Counter[Cause]
    first: Sequence[PlannedVideo]
    """The first of those that are requested, the largest error first."""
    pages: Mapping[VideoId, Sequence[str]]
    """The pages that name each of them, sorted."""
    oldest: tuple[VideoId, datetime] | None
    error: float
    """The mean expected relative error at that time, of the videos that were read."""
    budget: int
    """Units a day."""
    forecast: Forecast
    """As the config is."""
    bands: Sequence[Band]
    """The videos by when they are read again, ascending."""
    days: Sequence[DayAhead]
    intervals: Sequence[Forecast]
    """The same units with other intervals between the syncs, ascending, the config's among them."""
    quotas: Sequence[tuple[int, Forecast]]
    """Other units a day, with the config's interval."""

    checks: PlayChecksAhead | None
    """None: `availability.every` is null."""
    growth: float
    """Videos that the site gains a day, seen from its first stored sync; 0 where that is not known."""

    @property
    def outgrown_at(self) -> datetime | None:
        """When the site will have outgrown its quota, if it keeps growing like this; None: it does not grow."""
        days = (self.largest_site - self.videos) / self.growth if self.growth > 0 else math.inf
        return self.at + days * DAY if 0 <= days < FURTHEST_DAYS else None

    @property
    def largest_in_each_sync(self) -> int:
        """How many videos the units reach in every sync, which has those of one quota day at most."""
        return int(self.budget * min(1.0, self.forecast.every / DAY) + 1e-9) * BATCH_SIZE

    @property
    def largest_site(self) -> int:
        """How many videos the units reach within `schedule.refresh_within`: a larger site has outgrown its quota."""
        return int(self.budget * BATCH_SIZE * self.forecast.days_with_syncs)


def look_ahead(
    config: Config, database: Database, ledger: QuotaLedger, now: datetime, *, starts: datetime | None, days: int
) -> Outlook:
    """Return what the next sync requests, and what so many quota days bring, today's included.

    `starts` is when the daemon begins the next sync; None: no daemon runs, and a `syncer sync` now is planned. Nothing
    is written. The videos are those of the last sync of the whole site; before there was one, all pages are read.
    Raises UsageError (a missing directory) and StateError.
    """
    require_directories(config)
    at = now if starts is None else max(starts, now)
    videos: AbstractSet[VideoId] = named_videos(database)
    unsynced = None if videos else _read_pages(config)
    if unsynced:
        videos = {video for _, named in unsynced.named() for video in named}
    made = plan_now(config, database, ledger, Options(scheduled=starts is not None), videos, now=at)
    balances = ledger.balances(at)
    left, units = sum(status.scheduled for status in balances.values()), float(units_a_day(balances))
    if ledger.exchange is not None and starts is not None and config.quota.share is None:
        from syncer.sync.other_sites import part_of_day

        units = part_of_day(units, ledger, at)
    known = _Known(videos, made, at, overdue_at(config, at))
    with closing(last_read(database)) as rows:
        first = known.take(rows)
    unread = len(videos) - known.read
    listed = [video.video_id for video in first]
    every, within = mean_interval(config, now), refresh_within(config)
    budget = max(round(units), min(1, math.ceil(units)))
    drifts = Drifts([*known.rates, *[PRIOR] * unread])
    ours = forecast(drifts, units=units, every=every, refresh_within=within)
    return Outlook(
        at=at,
        scheduled=starts is not None,
        videos=len(videos),
        unread=unread,
        gone=known.gone,
        plan=made,
        units=math.ceil(len(made.videos) / BATCH_SIZE),
        causes=known.causes,
        first=first,
        pages=pages_of_videos(database, listed) if unsynced is None else _naming(unsynced, set(listed)),
        oldest=known.oldest,
        error=known.wrong / known.read if known.read else 0.0,
        budget=budget,
        forecast=ours,
        bands=list(_bands(drifts, ours)),
        checks=_checks_ahead(config, database, len(videos), at),
        growth=_growth(database, len(videos), now),
        days=list(_days_ahead(config, known, left=min(left, budget), budget=budget, unread=unread, days=days)),
        intervals=[
            forecast(drifts, units=units, every=other, refresh_within=within)
            for other in sorted({every, *OTHER_INTERVALS})
        ],
        quotas=[
            (other, forecast(drifts, units=other, every=every, refresh_within=within))
            for other in sorted({2 * budget, math.ceil(ours.units_for_all)})
            if not ours.suffices
        ],
    )


class _Known:
    """What is known of a site's videos, as far as an outlook needs it."""

    def __init__(self, videos: AbstractSet[VideoId], made: Plan, at: datetime, overdue: datetime) -> None:
        self.videos, self.planned, self.requested = videos, made.videos, set(made.videos)
        self.at, self.overdue = at.timestamp(), overdue.timestamp()
        self.all_fit = not (made.later or made.over_quota)
        self.rates = array("d")
        """The drifts of the videos that were read and are not gone."""
        self.read = self.gone = 0
        self.wrong = 0.0
        self.oldest: tuple[VideoId, datetime] | None = None
        self.causes: Counter[Cause] = Counter()

    def take(self, rows: Iterable[LastRead]) -> Sequence[PlannedVideo]:
        """Take what was read, longest unread first; return the first of the videos that are requested."""
        read = nlargest(FIRST_LISTED, self._requested(rows), key=lambda video: video.error or 0)
        never = len(self.requested) - self.causes.total()
        if never:
            self.causes[Cause.NEVER_READ] = never
        unread = self.planned[: min(never, FIRST_LISTED)]
        return [*(PlannedVideo(video, Cause.NEVER_READ, None, PRIOR, None) for video in unread), *read][:FIRST_LISTED]

    def _requested(self, rows: Iterable[LastRead]) -> Iterator[PlannedVideo]:
        for row in rows:
            video, read_at, misses, _, drift = row
            if video not in self.videos:
                continue
            age = max(0.0, (self.at - read_at) / DAY_SECONDS)
            error = min(1.0, drift * age)
            self.read += 1
            self.wrong += error
            if is_gone(misses):
                self.gone += 1
            else:
                self.rates.append(drift)
                self.oldest = self.oldest or (video, moment(read_at))
            if video in self.requested:
                cause = self._cause(row)
                self.causes[cause] += 1
                yield PlannedVideo(video, cause, read_at, drift, error)

    def _cause(self, row: LastRead) -> Cause:
        if row.at > self.at:
            return Cause.UNKNOWN_AGE
        if is_gone(row.misses):
            return Cause.GONE
        if row.held:
            return Cause.HELD
        if row.at <= self.overdue:
            return Cause.OVERDUE
        return Cause.DUE if self.all_fit else Cause.OUT_OF_DATE


def _read_pages(config: Config) -> Pages:
    pages = Pages()
    site = os.path.realpath(config.site)
    for _ in read_pages(site, walk(site, config.collection_models()), pages):
        pass  # problems of pages are for `check` and `sync`
    return pages


def _naming(pages: Pages, videos: AbstractSet[VideoId]) -> dict[VideoId, list[str]]:
    found: dict[VideoId, set[str]] = {}
    for path, named in pages.named():
        for video in videos & set(named):
            found.setdefault(video, set()).add(path)
    return {video: sorted(paths) for video, paths in found.items()}


def _checks_ahead(config: Config, database: Database, videos: int, at: datetime) -> PlayChecksAhead | None:
    every = config.availability.every
    if every is None:
        return None
    _, due = due_videos(database, at, every, limit=0, everything=regions_changed(database, config.availability.listed))
    known = sum(count_states(database).values())  # with the videos that only texts embed
    between = mean_interval(config, at)
    in_a_sync = (known or videos) * (between / every)
    units = math.ceil(in_a_sync / BATCH_SIZE) if in_a_sync > 1 else in_a_sync
    return PlayChecksAhead(due if known else videos, units * (DAY / between))


def _growth(database: Database, videos: int, now: datetime) -> float:
    past = first_whole_sync(database)
    report = stored_report(past.report) if past else None
    if past is None or report is None:
        return 0.0
    days = (now - past.started) / DAY
    return (videos - report["videos"]) / days if days >= LEAST_GROWTH_DAYS else 0.0


def _bands(drifts: Drifts, ours: Forecast) -> Iterator[Band]:
    """Yield how many videos wait how long: the limits are whole syncs, days and weeks, up to the longest."""
    limits = [limit for limit in BANDS if ours.every < limit < ours.longest]
    limits = [ours.every, *limits, max(ours.longest, ours.every)]
    videos, wrong = [0] * len(limits), [0.0] * len(limits)
    for rate, number in zip(drifts.rates, drifts.numbers, strict=True):
        band = bisect_left(limits, ours.period(rate))
        videos[band] += number
        wrong[band] += number * ours.error(rate)
    for limit, number, error in zip(limits, videos, wrong, strict=True):
        if number:
            yield Band(limit, number, error / number)


def _days_ahead(config: Config, known: _Known, *, left: int, budget: int, unread: int, days: int) -> Iterator[DayAhead]:
    """Yield what is expected on each quota day, from the sync that is planned on.

    `left` is how many units scheduled syncs may use on the first day, `budget` on each other one.
    """
    start, schedule = datetime.fromtimestamp(known.at, UTC), config.schedule.as_model()
    resets = [start]
    for _ in range(days):
        resets.append(next_reset(resets[-1]))
    syncs = [1 + count_times(schedule, start, resets[1])]
    syncs += [max(0, count_times(schedule, begin - SECOND, end)) for begin, end in pairwise(resets[1:])]
    budgets = [left, *[budget] * (days - 1)]
    # what is due and left out is due again in the next sync: while the units do not reach for all, all of them are used
    lengths = ((end - begin) / timedelta(seconds=FRESH_SECONDS) for begin, end in pairwise(resets))
    times = (min(number, math.ceil(length)) for number, length in zip(syncs, lengths, strict=True))
    videos, now = unread + len(known.rates), len(known.requested)
    for begin, number, useful, most in zip(resets, syncs, times, budgets, strict=False):
        requests = max(min(useful * videos, most * BATCH_SIZE), now)
        units = max(min(useful * math.ceil(videos / BATCH_SIZE), most), math.ceil(now / BATCH_SIZE))
        yield DayAhead(quota_day(begin), number, requests, units, most)
        now = 0
