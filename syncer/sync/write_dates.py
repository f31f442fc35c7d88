"""Writes since when videos do not play, where a mapping has `unavailable_since`; other sites never load this file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from syncer.content.pages import Pages
from syncer.content.scan import read_candidate
from syncer.content.walk import candidate_of
from syncer.decide.diff import diff
from syncer.decide.play_dates import DatedState, date_changes
from syncer.diff_log.lines import LOG, lines_backwards, time_of
from syncer.model import Change, Date, Edit, Page, Place, VideoId, Why, place_at
from syncer.state.play_states import dated_states
from syncer.state.videos import accepted_readings
from syncer.sync.options import Sync
from syncer.sync.write import PAGES_AT_ONCE, preview_edits, write_edits


def write_dates(sync: Sync, pages: Pages) -> None:
    """Write the days that are to be shown, and remove the others, in pages as they are now; log each.

    The counts of this sync are written, and YouTube has been asked about the videos that were due. A cancelled sync
    ends with the current batch.
    """
    candidate, only = candidate_of(sync.config.collection_models()), sync.options.videos or None
    dated = (page for page in pages if Date.UNAVAILABLE_SINCE in page.fields.dates)
    while (batch := list(islice(dated, PAGES_AT_ONCE))) and not sync.environment.cancelled():
        videos = {slot.video_id for page in batch for slot in page.slots}
        states = dated_states(sync.database, videos if only is None else videos & only)
        scanned = {page.path: page for page in batch if date_changes(page, states, only)}
        found = (read_candidate(sync.site, candidate(path)) for path in scanned)  # this sync may have written them
        edits = list(_edits(sync, [[page for page in file if isinstance(page, Page)] for file in found], states))
        is_second = [_has_counts(sync, scanned[edit.path], edit) for edit in edits]
        for second in (False, True):
            pages_before = sync.tally.changed_pages
            own = [edit for edit, also in zip(edits, is_second, strict=True) if also is second]
            if sync.diff_log:
                write_edits(sync, sync.diff_log, own)
            else:
                preview_edits(sync, own)
            if second:  # these pages are counted already
                sync.tally.changed_pages = pages_before


def _has_counts(sync: Sync, scanned: Page, edit: Edit) -> bool:
    """Return whether this sync has written counts to a page, or a dry run would."""
    if sync.diff_log:
        return edit.signature != scanned.signature
    return bool(diff(scanned, accepted_readings(sync.database, {slot.video_id for slot in scanned.slots})))


def _edits(sync: Sync, files: Iterable[list[Page]], states: Mapping[VideoId, DatedState]) -> Iterator[Edit]:
    """Yield the edits of these files. Two mappings of a file that show the same day change it once."""
    only, changes = sync.options.videos or None, dict[str, list[tuple[Page, tuple[Change, ...]]]]()
    for pages in files:
        for page in pages:
            changes.setdefault(page.path, []).append((page, date_changes(page, states, only)))
    undone = _undone(sync, [each for file in changes.values() for _, own in file for each in own], states)
    for path, file in changes.items():
        done = set[tuple[str, VideoId]]()
        rewrites = []
        for page, own in file:
            kept = tuple(each for each in own if each.place not in undone and (each.field, each.video_id) not in done)
            done.update((each.field, each.video_id) for each in kept)
            if kept:
                rewrites.append((page.fields, kept))
        if rewrites:
            yield Edit(path, file[0][0].signature, tuple(rewrites))


def _undone(sync: Sync, changes: Iterable[Change], states: Mapping[VideoId, DatedState]) -> set[Place]:
    """Return the places of these changes whose day you undid or dropped since the video is in its state.

    The diff log tells it, for as long as it has the line.
    """
    left = {change.place: states[change.video_id].since for change in changes}
    undone, paths = set[Place](), {place.path for place in left}
    since = min(left.values(), default=None)
    for line in lines_backwards(sync.config.state_directory / LOG, paths, since=since):
        place = place_at(str(line["path"]), str(line["field"]), VideoId(str(line["video_id"])))
        state_since = left.pop(place, None)  # the newest line counts
        if state_since and line["why"] in {Why.UNDO, Why.DROPPED} and time_of(line) >= state_since:
            undone.add(place)
        if not left:
            break
    return undone
