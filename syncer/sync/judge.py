"""Judges the new readings before any is compared with pages: accepts them, or holds what is unconfirmed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

from syncer.decide.unconfirmed import Shares, comparable, sharp_drops
from syncer.model import Count, Page, Slot, Statistics, VideoId
from syncer.state.database import Database
from syncer.state.judging import (
    Pending,
    accept_held,
    accept_pending,
    any_unknown,
    hold_pending,
    pending_readings,
    standing_brake,
    unconfirmed_counts,
)
from syncer.sync.options import Sync

Own = Mapping[VideoId, Slot]
"""Where the pages tell of videos; of several places the first."""


def judge(sync: Sync, pages: Sequence[Page]) -> bool:
    """Accept or hold each reading that waits for it; return whether pages may be written.

    What it is compared with is the video's accepted reading, else what a page says. With `--accept` everything is
    accepted, also what was held before. A brake holds all. In the tally it stays for as long as it holds a reading,
    also through syncs that say nothing new of it; those may write what is accepted.
    """
    if sync.options.accept:
        accept_pending(sync.database, ())
        accept_held(sync.database)
        return True
    counts = frozenset(count for collection in sync.config.collections for count in collection.mapping().counts)
    own = _own_counts(pages) if any_unknown(sync.database) else {}
    shares, unconfirmed = Shares(), dict[VideoId, frozenset[Count]]()
    for reading, before, now in _compared(sync.database, own, counts):
        if reading.before is not None and not reading.was_missing:
            shares.add_missing(missing=reading.now.statistics is None)
        shares.add_counts(reading.now.video_id, before, now)
        drops = sharp_drops(before, now)
        if not drops <= reading.unconfirmed:  # else the reading before this one said the same
            unconfirmed[reading.now.video_id] = drops
    brakes = sync.config.write.brake
    brake = shares.brake(brakes.missing, brakes.falling)
    if brake:
        hold_pending(sync.database, brake)
    else:
        accept_pending(sync.database, unconfirmed.items())
    sync.tally.brake = standing_brake(sync.database)
    sync.tally.unconfirmed.update(unconfirmed_counts(sync.database))
    return brake is None


def _own_counts(pages: Sequence[Page]) -> Own:
    own: dict[VideoId, Slot] = {}
    for page in pages:
        for slot in page.slots:
            own.setdefault(slot.video_id, slot)
    return own


def _compared(
    database: Database, own: Own, counts: frozenset[Count]
) -> Iterator[tuple[Pending, Statistics, Statistics]]:
    """Yield each new reading with the counts, of those that matter, from before and now that can be compared."""
    with closing(pending_readings(database)) as pending:
        for reading in pending:
            then, now = reading.before, reading.now
            before = _as_pages_say(own.get(now.video_id)) if then is None else then.statistics or {}
            same = comparable(counts, then.at if then else None, now.at)
            yield reading, _only(before, same), _only(now.statistics or {}, same)


def _as_pages_say(slot: Slot | None) -> Statistics:
    if slot is None:
        return {}
    return {field.count: int(text) for field, text in zip(slot.fields, slot.texts, strict=True) if text is not None}


def _only(statistics: Statistics, counts: frozenset[Count]) -> Statistics:
    return {count: number for count, number in statistics.items() if count in counts}
