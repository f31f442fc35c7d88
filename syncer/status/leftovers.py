"""What a crash left behind and no later sync has completed yet."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from syncer.model import Count, item_of, key_of
from syncer.state.database import Database
from syncer.state.intents import IntentBatch, unsettled_batches


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What a crash left behind."""

    written: int
    """Counts that were written, but may be absent from the diff log."""
    unwritten: int
    """Counts that were about to be written."""
    dates: int
    """Dates of either kind."""
    files: frozenset[str]
    """Real paths of new files that were never renamed to their pages."""

    @property
    def any(self) -> bool:
        """Whether there is anything to complete."""
        return bool(self.written or self.unwritten or self.dates or self.files)


def find_leftovers(site: str, database: Database) -> Leftovers:
    """Return what a crash left behind; change nothing. `site` is a real path. Raises StateError."""
    written = unwritten = dates = 0
    files: set[str] = set()
    for batch in unsettled_batches(database):
        counts = {number for number, change in batch.changes.items() if isinstance(change.kind, Count)}
        not_done = len(unwritten_intents(site, batch) & counts)
        written, unwritten = written + len(counts) - not_done, unwritten + not_done
        dates += len(batch.changes) - len(counts)
        files.update(new_files(real_pages(site, batch)))
    return Leftovers(written, unwritten, dates, frozenset(files))


def unwritten_intents(site: str, batch: IntentBatch) -> set[int]:
    """Return the numbers of the intents that no page shows; none if the batch is marked as done."""
    if batch.done_at is not None:
        return set()
    from syncer.content.page_file import attempt
    from syncer.content.scan import read_head
    from syncer.content.walk import Candidate
    from syncer.decide.same_items import find_items, texts_by_item
    from syncer.front_matter.find import counts_in

    def page_of(number: int) -> tuple[str, int]:
        return batch.changes[number].path, batch.intents[number].mapping

    unwritten: set[int] = set()
    for (path, mapping), numbers in groupby(batch.intents, key=page_of):
        fields = batch.mappings[mapping]
        read = read_head(site, Candidate(path, (fields,)))
        changes = {number: batch.changes[number] for number in numbers}
        videos = {change.video_id for change in changes.values()}
        counts = (attempt(counts_in, read[0], fields, path, videos) if isinstance(read, tuple) else None) or {}
        found = texts_by_item((video, field, None, text) for (video, field), text in counts.items())
        del counts  # a file may have 50,000 items
        old = texts_by_item((change.video_id, change.field, None, change.old) for change in changes.values())
        new = texts_by_item((change.video_id, change.field, None, change.new or None) for change in changes.values())
        # of several items with one video, one that has the new count may have had it before
        again = find_items({item: [texts, new[item]] for item, texts in old.items()}, found)
        for number, change in changes.items():
            item = change.video_id, item_of(change.field)
            there = found.get((change.video_id, again[item])) if item in again else None
            if not there or there.get((key_of(change.field), None)) != (change.new or None):
                unwritten.add(number)
    return unwritten


def real_pages(site: str, batch: IntentBatch) -> set[str]:
    """Return the real paths of the batch's pages, except those that lead out of the site now."""
    paths = {os.path.realpath(os.path.join(site, path)) for path in {c.path for c in batch.changes.values()}}
    return {path for path in paths if path.startswith(f"{site.rstrip('/')}/")}


def new_files(pages: Iterable[str]) -> list[str]:
    """Return the new files beside these pages; by their real paths, because none is made beside a link to a page."""
    from syncer.content.left_over import left_over

    return [path for directory in {os.path.dirname(page) for page in pages} for path in left_over(directory)]
