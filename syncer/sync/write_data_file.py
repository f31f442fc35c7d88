"""Writes the counts of all pages into one data file, at the end of a sync (`write.to`)."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice

from syncer.content.data_file import read_data_file
from syncer.content.left_over import left_over
from syncer.content.pages import Pages
from syncer.content.scan import may_name
from syncer.front_matter.entries import Texts, entries_in, slots_of, text_of
from syncer.model import Change, Edit, Fields, Page, Problem, VideoId
from syncer.state.judging import suppressed_numbers
from syncer.sync.hold_back import begin_round, holding_of
from syncer.sync.options import Sync
from syncer.sync.sync_log import log_batch
from syncer.sync.write import PAGES_AT_ONCE, edits_for, preview_edits, write_edits
from syncer.wording import counted

log = logging.getLogger("syncer.sync")


def open_data_file(sync: Sync) -> DataFile | None:
    """Return the site's data file, if the config names one. Raises UsageError as `DataFile` does."""
    return DataFile(sync, *sync.config.data_file) if sync.config.data_file else None


class DataFile:
    """A site's data file during a sync: the counts that it shows, and the edit that updates it."""

    def __init__(self, sync: Sync, path: str, fields: Fields) -> None:
        """Read the file. Raises UsageError if it is not syncer's, or is in a collection of pages."""
        self._sync = sync
        self._path = path
        self._text, self._signature = read_data_file(sync.site, path, sync.config.collection_models())
        # without the file, the site has no counts at all: nothing holds them back
        self._fields = fields if self._text else replace(fields, policy=None)

    @cached_property
    def _entries(self) -> dict[VideoId, Texts]:
        return entries_in(self._text, self._fields, self._path)

    @property
    def left_over(self) -> list[str]:
        """The temporary files beside it, which no walk through the collections may find."""
        return left_over(os.path.realpath(os.path.dirname(os.path.join(self._sync.site, self._path))))

    def shown(self, page: Page) -> Page:
        """Return a page with the counts that the data file has of its videos: it may have counts of its own, frozen."""
        videos = [slot.video_id for slot in page.slots]
        return page._replace(slots=tuple(slots_of(self._entries, self._fields, videos)))

    def write(self, pages: Pages, problems: Sequence[Problem]) -> None:
        """Write the accepted counts of the videos on these pages, and log each; in a dry run, only say what would be.

        If the pages are all pages of the site, entries of other videos are removed, unless a page with one of the
        scan's `problems` may name the video. A file that an author has edited gets its form back.
        """
        sync, edit = self._sync, self._edit(pages, problems)
        if sync.config.policies:
            holding = holding_of(sync)
            holding.pages = min(holding.pages, 1)  # it was compared part by part
            if holding.opens and not edit.changes:  # `at_most_every` is also for what is not a count
                return
        if not edit.changes and (not self._text or self._is_up_to_date(edit.removed)):
            return
        written = sync.tally.changed_pages
        log_batch(sync, 1, write_edits(sync, sync.diff_log, [edit]) if sync.diff_log else preview_edits(sync, [edit]))
        if sync.tally.changed_pages > written:
            self._log_written(edit)
            if sync.config.write.at_most_every and sync.diff_log and not edit.changes:
                begin_round(sync)

    def _edit(self, pages: Pages, problems: Sequence[Problem]) -> Edit:
        sync, path, fields = self._sync, self._path, self._fields
        named = {video for _, videos in pages.named() for video in videos}
        suppressed = suppressed_numbers(sync.database, [path])
        sync.tally.suppressed += len(suppressed)
        changes: list[Change] = []
        ordered = iter(sorted(named.intersection(sync.options.videos) if sync.options.videos else named))
        while videos := list(islice(ordered, PAGES_AT_ONCE)):
            slots = tuple(slots_of(self._entries, fields, videos))
            for edit in edits_for(sync, [Page(path, self._signature, fields, slots)], {}, suppressed):
                changes += edit.changes
        gone = frozenset[VideoId]() if sync.options.is_narrowed else self._entries.keys() - named
        for problem in problems if gone else ():
            if may_name(sync.site, problem, gone):
                gone = {video for video in gone if not may_name(sync.site, problem, {video})}
        return Edit(path, self._signature, ((fields, tuple(changes)),), frozenset(gone))

    def _is_up_to_date(self, removed: frozenset[VideoId]) -> bool:
        return not removed and text_of(self._entries, self._fields, self._path) == self._text

    def _log_written(self, edit: Edit) -> None:
        what = f"removed {counted(len(edit.removed), 'video')}" if edit.removed else "restored its form"
        if edit.removed or not edit.changes:
            log.info(
                "%s: %s",
                self._path,
                what,
                extra={"event": "data-file", "path": self._path, "removed": len(edit.removed)},
            )
