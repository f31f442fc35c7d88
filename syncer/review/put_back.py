"""Puts counts back because a person says so: a sync of its own, which asks nobody, and holds back what it replaced."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from syncer.diff_log.log import DiffLog
from syncer.model import Edit, Problem, ProblemKind, VideoId
from syncer.state.suppressed import release_suppressed
from syncer.state.syncs import begin_sync, end_sync
from syncer.status.report import SyncReport, stored_json
from syncer.sync.options import Sync
from syncer.sync.sync_log import tell_ended, tell_written
from syncer.sync.write import PAGES_AT_ONCE, write_edits, write_open_pages


def put_back(sync: Sync, diff_log: DiffLog, edits: Iterable[Edit]) -> SyncReport:
    """Write the edits, log each of their changes, and return the report.

    What they replace is held back from its place until YouTube gives another number. The edits are taken some thousand
    at a time, so they may be found while others are written. The schedule does not count from such a sync.
    """
    tally, waiting, videos = sync.tally, iter(edits), set[VideoId]()
    number = begin_sync(sync.database, tally.sync, tally.started)
    while not sync.environment.cancelled() and (batch := list(islice(waiting, PAGES_AT_ONCE))):
        write_edits(sync, diff_log, batch)
        videos.update(change.video_id for edit in batch for change in edit.changes)
        tally.pages, tally.videos = tally.pages + len(batch), len(videos)
        sync.listener.progress("write", tally.pages, None)
    write_open_pages(sync, diff_log)
    message = "is open for writing in another program; close it there, and try again"
    tally.problems += [Problem(ProblemKind.OPEN_ELSEWHERE, path, message) for path in tally.open]
    tally.open.clear()  # no later sync puts them back
    release_suppressed(sync.database)
    tell_written(sync)
    report = tally.report(sync.environment.clock(), dry_run=False, cancelled=sync.environment.cancelled())
    end_sync(sync.database, number, stored_json(report), whole=False, last_seq=diff_log.last_seq)
    tell_ended(report)
    return report
