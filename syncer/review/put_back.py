"""Restores counts for `undo` and `review --drop`. It is a sync of its own that requests nothing from YouTube.

The numbers that it replaces are suppressed (`decide.diff.suppressed_by`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from syncer.diff_log.log import DiffLog
from syncer.model import Edit, Problem, ProblemKind, VideoId, Why
from syncer.state.judging import release_suppressed
from syncer.state.mappings import with_former
from syncer.state.syncs import begin_sync, end_sync
from syncer.status.report import SyncReport, stored_json
from syncer.sync.options import Sync
from syncer.sync.sync_log import log_ended, log_written
from syncer.sync.write import PAGES_AT_ONCE, write_edits, write_open_pages


class SkippedCount(NamedTuple):
    """A count that is not restored."""

    path: str
    field: str
    why: str


class Restoration(NamedTuple):
    """The edit that restores one page's counts, None if there is none, and the counts that are not restored."""

    edit: Edit | None
    skipped: Sequence[SkippedCount] = ()


def put_back(
    sync: Sync, diff_log: DiffLog, pages: Iterable[Restoration], why: Why, limit: int = 0
) -> tuple[SyncReport, list[SkippedCount]]:
    """Write the edits, log each of their changes, and return the report, with the first skipped counts up to `limit`.

    Pages are taken in batches of some thousand, so they can be found while others are written. The schedule ignores
    such a sync.
    """
    tally, waiting, videos, skipped = sync.tally, iter(pages), set[VideoId](), list[SkippedCount]()
    collections = with_former(sync.database, sync.config.written_models())
    number = begin_sync(sync.database, tally.sync, tally.started, collections)
    while not sync.environment.cancelled() and (batch := list(islice(waiting, PAGES_AT_ONCE))):
        edits = [page.edit for page in batch if page.edit]
        write_edits(sync, diff_log, edits)
        videos.update(change.video_id for edit in edits for change in edit.changes)
        tally.pages, tally.videos = tally.pages + len(edits), len(videos)
        tally.left += sum(len(page.skipped) for page in batch)
        skipped += islice((count for page in batch for count in page.skipped), limit - len(skipped))
        sync.listener.progress("write", tally.pages, None)
    write_open_pages(sync, diff_log)
    message = "The page is open for writing in another program. Close it there, then run the command again."
    tally.problems += [Problem(ProblemKind.OPEN_ELSEWHERE, path, message) for path in tally.open]
    tally.open.clear()  # no later sync restores them
    release_suppressed(sync.database)
    log_written(sync)
    report = tally.report(sync.environment.clock(), sync.options, cancelled=sync.environment.cancelled())
    end_sync(sync.database, number, stored_json(report, why), whole=False, last_seq=diff_log.last_seq)
    log_ended(report)
    return report, skipped
