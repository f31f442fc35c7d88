"""Brings pages to what YouTube last said, batch by batch: compare, intend, replace, log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, islice

from syncer.content.replace import preview, replace_pages
from syncer.diff import diff, hidden
from syncer.diff_log import DiffLog, entry_of
from syncer.model import Change, Edit, Fields, Page, Problem
from syncer.state.intents import Intent, forget_intents, mark_done, record_intents
from syncer.state.videos import accepted_readings
from syncer.sync.options import Sync
from syncer.sync.report import Tally
from syncer.sync.tell import tell_batch

PAGES_AT_ONCE = 5000
"""Pages replaced in one durable batch: in batches of 500 a file system without a journal takes half as long again."""


def write_pages(sync: Sync, pages: Sequence[Page]) -> None:
    """Write the counts that differ, and log each; in a dry run only find out what would be written."""
    written = 0
    for batch in _batches(pages):
        if sync.world.cancelled():
            return
        edits = _edits(sync, batch)
        done = _write(sync, sync.diff_log, edits) if sync.diff_log else _preview(sync, edits)
        sync.tally.changed_counts += len(done)
        sync.world.changed(done)
        tell_batch(sync, len(batch), len(done))
        written += len(batch)
        sync.world.progress("write", written, len(pages))


def _batches(pages: Sequence[Page]) -> Iterator[list[Page]]:
    """Yield the pages by some thousands; the mappings of one file stay together."""
    files = (list(same) for _, same in groupby(pages, key=lambda page: page.path))
    while batch := [page for same in islice(files, PAGES_AT_ONCE) for page in same]:
        yield batch


def _edits(sync: Sync, batch: Sequence[Page]) -> list[Edit]:
    accepted = accepted_readings(sync.database, {slot.video_id for page in batch for slot in page.slots})
    only = sync.options.videos or None
    edits = []
    for path, same in groupby(batch, key=lambda page: page.path):
        rewrites = []
        for page in same:
            sync.tally.hidden.update(hidden(page, accepted, only))
            changes = diff(page, accepted, only)
            if changes:
                rewrites.append((page, changes))
        if rewrites:
            signature = rewrites[0][0].signature
            edits.append(Edit(path, signature, tuple((page.fields, changes) for page, changes in rewrites)))
    return edits


def _preview(sync: Sync, edits: Sequence[Edit]) -> list[Change]:
    return _done(edits, [_previewed(sync, edit) for edit in edits], sync.tally)


def _previewed(sync: Sync, edit: Edit) -> Problem | None:
    seen = preview(sync.site, edit)
    if isinstance(seen, Problem):
        return seen
    sync.world.previewed(edit.path, *seen)
    return None


def _write(sync: Sync, diff_log: DiffLog, edits: Sequence[Edit]) -> list[Change]:
    """Write a batch so that a crash at any point can be settled afterwards (`sync.recover`)."""
    if not edits:
        return []
    mappings: list[Fields] = []
    intents = [
        Intent(_place(mappings, fields), entry_of(change))
        for edit in edits
        for fields, changes in edit.rewrites
        for change in changes
    ]
    batch = record_intents(sync.database, sync.tally.sync, mappings, intents)
    outcomes = replace_pages(sync.site, edits)
    undone = _undone(edits, outcomes)
    at, first = sync.world.clock(), diff_log.last_seq + 1
    mark_done(sync.database, batch, undone, at, first)
    entries = [intent.entry for number, intent in enumerate(intents) if number not in undone]
    diff_log.append(sync.tally.sync, at, entries, first)
    forget_intents(sync.database, batch)
    return _done(edits, outcomes, sync.tally)


def _place(mappings: list[Fields], fields: Fields) -> int:
    if fields not in mappings:
        mappings.append(fields)
    return mappings.index(fields)


def _undone(edits: Sequence[Edit], outcomes: Sequence[Problem | None]) -> set[int]:
    """Return the numbers of the intents whose pages were left alone."""
    undone: set[int] = set()
    number = 0
    for edit, problem in zip(edits, outcomes, strict=True):
        after = number + len(edit.changes)
        if problem is not None:
            undone.update(range(number, after))
        number = after
    return undone


def _done(edits: Sequence[Edit], outcomes: Sequence[Problem | None], tally: Tally) -> list[Change]:
    done: list[Change] = []
    for edit, problem in zip(edits, outcomes, strict=True):
        if problem is not None:
            tally.problems.append(problem)
            continue
        done += edit.changes
        tally.changed_pages += 1
    return done
