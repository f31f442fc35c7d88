"""Settles what a crash left behind: open intents, lines that the diff log lacks, new files beside their pages."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from syncer.content.left_over import Save, left_over, settle_left_over
from syncer.decide.diff import suppressed_by
from syncer.diff_log.log import DiffLog
from syncer.model import Problem, ProblemKind
from syncer.state.database import Database
from syncer.state.directory import save_edit, saved_edits
from syncer.state.intents import IntentBatch, forget_intents, mark_done, unsettled_batches
from syncer.status.leftovers import Remains, _directories, _not_done, _real_pages, find_remains

log = logging.getLogger("syncer.sync")


def recover(site: str, database: Database, diff_log: DiffLog, now: datetime, save: Save) -> Remains:
    """Settle what a crash left behind, and return what that was. The lock must be held. Raises StateError.

    What a page shows of the intents was written, and is logged; the rest was not, or somebody has overwritten it. To be
    cut short here as well does no harm. `save` keeps what an author wrote at the last moment, and only a left-over file
    has.
    """
    remains = find_remains(site, database)
    problems: list[Problem] = []
    for batch in unsettled_batches(database):
        problems += _settle_files(site, batch, save)  # first: what is put back was not done
        _settle(site, batch, database, diff_log, now)
    return replace(remains, problems=tuple(problems))


def saving(directory: Path, now: datetime) -> Save:
    """Return what saves an edit in this state's directory."""

    def save(path: str, page: str) -> None:
        kept = save_edit(directory, path, page, now)
        facts = {"event": "edit-saved", "path": page, "file": str(kept)}
        log.warning(
            "%s: somebody saved it just as syncer was interrupted; that version is kept in %s", page, kept, extra=facts
        )

    return save


def saved_problems(directory: Path) -> list[Problem]:
    """Return a Problem for each edit that is kept in this state's directory: until it is removed by hand."""
    return [
        Problem(
            ProblemKind.EDIT_SAVED,
            edit.page,
            f"Somebody saved this page just as syncer was interrupted. That version is kept in {edit.file}: compare it"
            " with the page, copy what you need, then remove it.",
        )
        for edit in saved_edits(directory)
    ]


def _settle_files(site: str, batch: IntentBatch, save: Save) -> list[Problem]:
    pages = _real_pages(site, batch)
    files = [path for directory in _directories(pages) for path in left_over(directory)]
    return settle_left_over(site, files, batch.mappings, pages.__contains__, save)


def _settle(site: str, batch: IntentBatch, database: Database, diff_log: DiffLog, now: datetime) -> None:
    at, first, not_done = batch.done_at, batch.first_seq, _not_done(site, batch)
    if at is None:
        at, first = now, diff_log.last_seq + 1
        done = (change for number, change in batch.changes.items() if number not in not_done)
        mark_done(database, batch.number, not_done, at, first, suppressed=suppressed_by(done))
    entries = [intent.entry for number, intent in batch.intents.items() if number not in not_done]
    diff_log.append(batch.sync, at, entries, first)
    forget_intents(database, batch.number)
