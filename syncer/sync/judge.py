"""Judges the new readings before any is compared with pages: accepts them, or holds what is doubtful."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing

from syncer.doubt import Shares, comparable, doubtful
from syncer.model import Count, Page, Statistics, VideoId
from syncer.state.database import Database
from syncer.state.judging import (
    Pending,
    accept_held,
    accept_pending,
    doubtful_counts,
    hold_pending,
    pending_readings,
)
from syncer.sync.options import Sync


def judge(sync: Sync, pages: Sequence[Page]) -> None:
    """Accept or hold each reading that waits for it.

    What it is compared with is the video's accepted reading, else what a page says. With `--accept` everything is
    accepted, also what was held before. A brake holds all, and is left in the tally.
    """
    if sync.options.accept:
        accept_pending(sync.database, ())
        accept_held(sync.database)
        return
    counts = {count for collection in sync.config.collections for count in collection.mapping().counts}
    own = _own_counts(pages, _unknown_before(sync.database))
    brakes = sync.config.write.brake
    sync.tally.brake = _shares(sync.database, own, counts).brake(brakes.missing, brakes.falling)
    if sync.tally.brake:
        hold_pending(sync.database)
    else:
        accept_pending(sync.database, list(_doubtful(sync.database, own, counts)))
    sync.tally.doubtful.update(doubtful_counts(sync.database))


def _unknown_before(database: Database) -> set[VideoId]:
    """Return the videos with a new reading and no accepted one."""
    with closing(pending_readings(database)) as pending:
        return {reading.now.video_id for reading in pending if reading.before is None}


def _own_counts(pages: Sequence[Page], videos: Collection[VideoId]) -> dict[VideoId, Statistics]:
    """Return what the pages say of these videos; of several pages the first."""
    own: dict[VideoId, Statistics] = {}
    for page in pages if videos else ():
        for slot in page.slots:
            if slot.video_id in videos and slot.video_id not in own:
                own[slot.video_id] = {value.count: int(value.text) for value in slot.values if value.text is not None}
    return own


def _shares(database: Database, own: Mapping[VideoId, Statistics], counts: Collection[Count]) -> Shares:
    shares = Shares()
    for reading, before, now in _compared(database, own, counts):
        if reading.before is not None and not reading.was_missing:
            shares.add_missing(missing=reading.now.statistics is None)
        shares.add_counts(reading.now.video_id, before, now)
    return shares


def _doubtful(
    database: Database, own: Mapping[VideoId, Statistics], counts: Collection[Count]
) -> Iterator[tuple[VideoId, frozenset[Count]]]:
    """Yield the readings with doubtful counts, unless the reading before this one said the same."""
    for reading, before, now in _compared(database, own, counts):
        doubts = doubtful(before, now)
        if not doubts <= reading.doubted:
            yield reading.now.video_id, doubts


def _compared(
    database: Database, own: Mapping[VideoId, Statistics], counts: Collection[Count]
) -> Iterator[tuple[Pending, Statistics, Statistics]]:
    """Yield each new reading with the counts, of those that matter, from before and now that can be compared."""
    with closing(pending_readings(database)) as pending:
        for reading in pending:
            then = reading.before
            before = own.get(reading.now.video_id, {}) if then is None else then.statistics or {}
            at = None if then is None else then.at
            same = {count for count in counts if comparable(count, at, reading.now.at)}
            now = reading.now.statistics or {}
            yield reading, _only(before, same), _only(now, same)


def _only(statistics: Statistics, counts: Collection[Count]) -> Statistics:
    return {count: number for count, number in statistics.items() if count in counts}
