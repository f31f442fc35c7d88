"""What a sync shares with other sites of its ledger: the units, divided by what all need, and readings of videos."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from syncer.decide.allotment import Claim, claim_of, exact_parts, units_of
from syncer.decide.plan import FRESH_SECONDS, VideoIds
from syncer.decide.schedule import next_time
from syncer.model import Bucket, LedgerPlace, VideoId
from syncer.state.exchange import forget_before, forget_videos
from syncer.state.ledger_place import open_ledger
from syncer.state.videos import known_videos, last_read, newer_readings, save_readings
from syncer.status.demand import mean_interval
from syncer.sync.options import Options, Sync

if TYPE_CHECKING:
    from syncer.config.sections import Config
    from syncer.state.database import Database
    from syncer.state.exchange import Exchange
    from syncer.state.shared_ledger import SharedLedger

LONGEST_STORED: Final = timedelta(days=30)
"""The longest time that readings may be stored (`docs/terms.md`)."""


def take_shared(sync: Sync, exchange: Exchange, videos: Iterable[VideoId], number: int) -> Iterable[VideoId]:
    """Save readings of these videos that other sites got from YouTube; return the other videos.

    They are newer than the site's own, and young enough to be taken instead of a request. They are judged like its own,
    and counted in the tally; `number` is the sync's in the state. Raises StateError.
    """
    if sync.options.everything:
        return videos
    videos = VideoIds("".join(videos).encode())
    now, shared = sync.environment.clock(), sync.tally.shared
    since = now - longest_age(sync.config, sync.options, now)
    with closing(exchange.readings(videos, since, now)) as found:
        for readings in found:
            newer = newer_readings(sync.database, readings)
            if newer:
                save_readings(sync.database, number, newer)
                shared.add(newer)
    return (video for video in videos if video not in shared.videos)


def longest_age(config: Config, options: Options, now: datetime) -> timedelta:
    """Return how old a reading of another site may be that is taken instead of a request.

    For a scheduled sync: as long as it is until the next one, because its own readings get as old. It is stored with
    this sync, so no longer than leaves `history.keep` within what YouTube's terms allow. Otherwise: while it is fresh.
    """
    if not options.scheduled:
        return timedelta(seconds=FRESH_SECONDS)
    schedule, history = config.schedule.as_model(), config.history
    interval = next_time(schedule, now, now) - now + schedule.jitter
    return interval if history.authorized else min(interval, max(timedelta(), LONGEST_STORED - history.keep))


def units_now(
    config: Config,
    database: Database,
    ledger: SharedLedger,
    videos: AbstractSet[VideoId],
    *,
    refresh_within: timedelta,
    now: datetime,
) -> int:
    """Note what the site needs for these videos; return how many units its scheduled syncs have.

    Those are the one that begins now, and those that follow it on this quota day. Raises StateError.
    """
    with closing(last_read(database)) as known:
        claim = claim_of(
            ledger.exchange.site,
            videos,
            known,
            config.schedule.as_model(),
            every=mean_interval(config, now),
            refresh_within=refresh_within,
            now=now,
        )
    return units_for(claim, ledger, now)


def units_for(claim: Claim, ledger: SharedLedger, now: datetime) -> int:
    """Note a claim of now; return how many of the units that are left its site has on this quota day.

    Where YouTube closed a bucket on a day before, it is expected to do so again after as many units, until it has
    accepted more: or the sites that sync first would use up what there is for all. Raises StateError.
    """
    spent_of, claims = _without_share(ledger, now)
    spent = {site: sum(units.values()) for site, units in spent_of.items()}
    left, closed = 0, ledger.exchange.closed(now)
    for bucket, status in ledger.balances(now).items():
        accepted = sum(units[bucket] for units in spent_of.values())
        expected = sum(units for site, units in closed.get(bucket, {}).items() if site in spent_of) - accepted
        left += min(status.scheduled, expected) if expected > 0 else status.scheduled
    claim = replace(claim, needed=claim.needed + spent.get(claim.site, 0))
    ledger.exchange.note_claim(claim)
    others = [each for each in claims if each.site != claim.site]
    return units_of(claim.site, left, spent, [*others, claim], now)


def part_of_day(units: float, ledger: SharedLedger, at: datetime) -> float:
    """Return the site's part of so many units on a day like this one, by the last claims. Raises StateError."""
    _, claims = _without_share(ledger, at)
    return exact_parts(units, claims, at).get(ledger.exchange.site, units)


def forget_shared(place: LedgerPlace, database: Database, *, before: datetime | None, video: VideoId | None) -> None:
    """Delete what YouTube returned from the ledger: before a time, of one video, or of all in the site's state.

    Raises StateError.
    """
    with closing(open_ledger(place)) as ledger, closing(known_videos(database)) as known:
        if before is not None:
            forget_before(ledger, before)
        else:
            forget_videos(ledger, known if video is None else [video])


def _without_share(ledger: SharedLedger, at: datetime) -> tuple[Mapping[str, Mapping[Bucket, int]], list[Claim]]:
    """Return what the sites without a share of their own have spent today, and their claims."""
    spent = {each.site: each.units for each in ledger.sharing(at).sites if each.share is None}
    return spent, [claim for claim in ledger.exchange.claims() if claim.site in spent]
