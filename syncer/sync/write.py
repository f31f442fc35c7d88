"""Updates the pages, batch by batch: compares them with the accepted readings, notes, replaces, logs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain, groupby, repeat
from operator import itemgetter
from types import MappingProxyType

from syncer.content.page_file import NO_FILE, signature_of
from syncer.content.pages import Pages
from syncer.content.replace import preview, replace_pages
from syncer.decide.diff import diff, hidden, suppressed_by, without_older
from syncer.diff_log.lines import LOG, entry_of, lines_backwards
from syncer.diff_log.log import DiffLog
from syncer.model import Change, Count, Edit, Page, Place, Problem, ProblemKind, Reading, Signature, VideoId
from syncer.state.intents import forget_intents, mark_done, record_intents
from syncer.state.judging import release_suppressed, suppressed_numbers
from syncer.state.syncs import OPEN_PAGE_SYNCS, open_pages, save_open_pages
from syncer.state.videos import accepted_readings
from syncer.sync.open_state import records_with
from syncer.sync.options import Sync
from syncer.sync.sync_log import log_batch, log_older

PAGES_AT_ONCE = 2500
"""Pages replaced in one durable batch. In batches of 500, a file system without a journal takes half as long again; in
batches of 5000, a daemon at rest holds five more megabytes.
"""


OPEN_PAGE_PAUSES = (0.1, 1.0)
"""Seconds before each try, at the end of a sync, of the pages that another program has open for writing."""


def write_pages(
    sync: Sync,
    pages: Pages,
    numbers: Sequence[int],
    accepted: Mapping[VideoId, Reading] = MappingProxyType({}),
    save_arrived: Callable[[], object] = lambda: None,
) -> None:
    """Write the counts that differ, and log each; in a dry run, only find out what would be written.

    A sync calls it once for each window. `numbers` are those of the window's pages, with all mappings of a file one
    after the other. `accepted` are accepted readings that need not be read from the state, which has them all.
    `save_arrived` is called before each batch, to save what has come for the next window. A cancelled sync ends with
    the current batch.
    """
    any_suppressed, by_counts = release_suppressed(sync.database) > 0, not sync.config.shows_details
    begun: tuple[str, Signature] | None = None
    for batch, continues in _batches(pages, numbers):
        save_arrived()
        if sync.environment.cancelled():
            return
        paths = set(map(pages.path, batch))
        suppressed = suppressed_numbers(sync.database, paths) if any_suppressed else set()
        sync.tally.suppressed += 0 if continues else len(suppressed)
        compared = [pages[each] for each in batch if not (by_counts and pages.shows(each, accepted))]
        edits = edits_for(sync, compared, accepted, suppressed)
        if begun and edits and edits[0].path == begun[0]:
            edits[:1] = [edits[0]._replace(signature=begun[1])] if begun[1] != NO_FILE else []
        dates = sync.tally.changed_dates
        done = write_edits(sync, sync.diff_log, edits) if sync.diff_log else preview_edits(sync, edits)
        log_batch(sync, len(batch), done)
        sync.tally.compared += len(paths) - continues
        if continues and edits and sync.diff_log:  # the rest of this file is written on top, or left to the next sync
            is_written = done or sync.tally.changed_dates > dates
            begun = edits[0].path, _signature_now(sync, edits[0].path) if is_written else NO_FILE
        sync.listener.progress("write", sync.tally.compared, sync.tally.pages)


def finish_writing(sync: Sync) -> None:
    """After the last window: try the pages again that were open elsewhere, and remember those that still are."""
    if sync.diff_log:
        write_open_pages(sync, sync.diff_log)
        note_open_pages(sync)
        if sync.config.policies:
            from syncer.sync.hold_back import finish_holding

            finish_holding(sync)


def write_edits(sync: Sync, diff_log: DiffLog, edits: Sequence[Edit]) -> int:
    """Write a batch and log it; if it crashes at any point, `sync.open_state` completes it afterwards.

    Return how many counts were written; they, and what went wrong, are in the sync's tally.
    """
    if not edits:
        return 0
    rewrites = (rewrite for edit in edits for rewrite in edit.rewrites)
    intents = [
        (fields, [entry_of(change) for _, changes in same for change in changes])
        for fields, same in groupby(rewrites, key=itemgetter(0))
    ]
    batch = record_intents(sync.database, sync.tally.sync, intents)
    outcomes, in_place = replace_pages(sync.site, edits, in_place=sync.config.write.in_place)
    sync.tally.in_place += in_place
    before = sync.tally.changed_counts
    done, not_done = _count(sync, edits, outcomes), set[int]()
    if any(outcomes):  # the numbers of the intents whose pages were not written
        is_done = (not problem for edit, problem in zip(edits, outcomes, strict=True) for _ in edit.changes)
        not_done = {number for number, intent_done in enumerate(is_done) if not intent_done}
    at, first = sync.environment.clock(), diff_log.last_seq + 1
    began = sync.tally.holding.began if sync.tally.holding else sync.tally.started
    records = records_with(sync.config, sync.database, done, at, started=sync.tally.started, began=began)
    mark_done(sync.database, batch, not_done, at, first, suppressed=suppressed_by(done), records=records)
    entries = [entry for _, same in intents for entry in same]
    if not_done:
        entries = [entry for number, entry in enumerate(entries) if number not in not_done]
    diff_log.append(sync.tally.sync, at, entries, first)
    forget_intents(sync.database, batch)
    sync.listener.changed(done)
    return sync.tally.changed_counts - before


def write_open_pages(sync: Sync, diff_log: DiffLog) -> None:
    """Try the pages again that another program had open for writing, after a moment: most are saved by then."""
    for pause in OPEN_PAGE_PAUSES:
        if not sync.tally.open or sync.environment.cancelled() or sync.environment.sleep(pause):
            return
        write_edits(sync, diff_log, list(sync.tally.open.values()))


def note_open_pages(sync: Sync) -> None:
    """Remember which pages are open elsewhere; a page that was open in three syncs in a row is a Problem."""
    before = open_pages(sync.database)
    now = {path: before.get(path, 0) + 1 for path in sync.tally.open}
    if not sync.options.whole or sync.tally.compared < sync.tally.pages:
        now = before | now  # it did not reach the others
    save_open_pages(sync.database, now)
    sync.tally.problems += [
        Problem(
            ProblemKind.OPEN_ELSEWHERE,
            path,
            f"was open for writing in another program in the last {now[path]:,} syncs, so its counts are out of date;"
            " close it there",
        )
        for path in sync.tally.open
        if now[path] >= OPEN_PAGE_SYNCS
    ]


def _batches(pages: Pages, numbers: Sequence[int]) -> Iterator[tuple[Sequence[int], bool]]:
    """Yield the numbers by some thousands. Those of one file stay together, unless they alone are more.

    With each: whether it is a part of a file that continues in the next.
    """
    start = 0
    while start < len(numbers):
        end = start + PAGES_AT_ONCE
        continues = end < len(numbers)
        if continues:
            path, first = pages.path(numbers[end]), end
            while first > start and pages.path(numbers[first - 1]) == path:
                first -= 1
            continues = first == start
            end = end if continues else first
        yield numbers[start:end], continues
        start = end


def _signature_now(sync: Sync, path: str) -> Signature:
    """Return the signature of a file of which a part is written.

    What else was edited just now is not overwritten: each old value must be there when the next part is written.
    """
    try:
        return signature_of(os.stat(os.path.join(sync.site, path)))
    except OSError:  # deleted since
        return NO_FILE


def edits_for(
    sync: Sync, batch: Sequence[Page], known: Mapping[VideoId, Reading], suppressed: AbstractSet[tuple[Place, int]]
) -> list[Edit]:
    """Return the edits that these pages need; `known` are accepted readings that need not be read from the state."""
    videos = {slot.video_id for page in batch for slot in page.slots}
    accepted = {video: known[video] for video in videos & known.keys()}
    if unknown := videos - accepted.keys():
        accepted |= accepted_readings(sync.database, unknown)
    only = sync.options.videos or None
    sync.tally.hidden.update(hidden(batch, accepted, only))
    edits: list[Edit] = []
    details: Iterator[tuple[Change, ...]] = repeat(())
    if sync.config.shows_details:
        from syncer.sync.compare_details import compare_details

        details = iter(compare_details(sync, batch))
    for (path, signature, _), parts in groupby(batch, key=lambda page: (page.path, page.signature, id(page.fields))):
        first, *others = parts
        changes = diff(first, accepted, only, suppressed) + next(details)
        if others:  # of a file with many videos
            changes += tuple(
                chain.from_iterable(diff(each, accepted, only, suppressed) + next(details) for each in others)
            )
        if changes:
            of_other_mappings = edits.pop().rewrites if edits and edits[-1].path == path else ()
            edits.append(Edit(path, signature, (*of_other_mappings, (first.fields, changes))))
    if edits and sync.config.policies:
        from syncer.sync.hold_back import due_edits

        edits = due_edits(sync, edits)
    return _newest(sync, edits) if edits else []


def _newest(sync: Sync, edits: Sequence[Edit]) -> list[Edit]:
    """Return the edits without the counts that the diff log had from a later reading when the sync began."""
    oldest = min(change.as_of for edit in edits for change in edit.changes)
    end = sync.diff_log.size if sync.diff_log else None
    pages = {edit.path for edit in edits}
    lines = lines_backwards(sync.config.state_directory / LOG, pages, end=end, since=oldest)
    newest = without_older(edits, lines, oldest, sync.environment.clock())
    if newest != edits:
        before, after = (
            sum(isinstance(change.kind, Count) for edit in same for change in edit.changes) for same in (edits, newest)
        )
        log_older(before - after)
    return newest


def preview_edits(sync: Sync, edits: Sequence[Edit]) -> int:
    """Find out which of these edits could be made, and return how many counts they have."""
    before = sync.tally.changed_counts
    sync.listener.changed(_count(sync, edits, [_previewed(sync, edit) for edit in edits]))
    return sync.tally.changed_counts - before


def _previewed(sync: Sync, edit: Edit) -> Problem | None:
    seen = preview(sync.site, edit)
    if isinstance(seen, Problem):
        return seen
    sync.listener.previewed(edit.path, *seen)
    return None


def _count(sync: Sync, edits: Sequence[Edit], outcomes: Sequence[Problem | None]) -> list[Change]:
    """Count what was done, and return it."""
    tally, done = sync.tally, list[Change]()
    for edit, problem in zip(edits, outcomes, strict=True):
        if tally.open:
            tally.open.pop(edit.path, None)
        if problem is None:
            done += edit.changes
            tally.changed_pages += edit.path != tally.removed[0]  # a part of a file is the same page
            tally.removed = edit.path, len(edit.removed)
        elif problem.kind is ProblemKind.OPEN_ELSEWHERE:
            tally.open[edit.path] = edit
        else:
            tally.problems.append(problem)
    counts = sum(isinstance(change.kind, Count) for change in done)
    tally.changed_counts += counts
    tally.changed_dates += len(done) - counts
    return done
