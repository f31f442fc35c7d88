"""Logs how a sync goes on: a few lines, shown with `-v`, each with an `event` of a stable name."""

from __future__ import annotations

import logging
from pathlib import Path

from syncer.decide.plan import Plan
from syncer.model import Bucket
from syncer.status.buckets import bucket_statuses
from syncer.status.leftovers import Leftovers
from syncer.status.report import SyncReport
from syncer.sync.options import Sync, Tally
from syncer.wording import counted

log = logging.getLogger("syncer.sync")


def log_planned(sync: Sync, plan: Plan) -> None:
    """Log what the pages hold and which videos are requested."""
    tally = sync.tally
    left = sum(status.left for status in bucket_statuses(sync.config, sync.database, sync.environment.clock()).values())
    log.info(
        "sync %s: %s, %s; %d to ask about, %d fresh, %d over quota; %s left today",
        tally.sync,
        counted(tally.pages, "page"),
        counted(tally.videos, "video"),
        len(plan.videos),
        plan.fresh,
        plan.over_quota,
        counted(left, "unit"),
        extra={
            "event": "planned",
            "sync": tally.sync,
            "videos": tally.videos,
            "ask": len(plan.videos),
            "fresh": plan.fresh,
            "over_quota": plan.over_quota,
            "units_left": left,
        },
    )


def log_judged(sync: Sync) -> None:
    """Log what YouTube said, and what of it is held."""
    tally = sync.tally
    held = "a brake holds what it said" if tally.brake else f"{counted(len(tally.unconfirmed), 'count')} unconfirmed"
    log.info(
        "YouTube answered about %d of %s, %d missing; %s",
        len(tally.answered),
        counted(len(tally.asked), "video"),
        len(tally.missing),
        held,
        extra={
            "event": "judged",
            "sync": tally.sync,
            "answered": len(tally.answered),
            "missing": len(tally.missing),
            "unconfirmed": len(tally.unconfirmed),
            "brake": tally.brake.reason if tally.brake else None,
        },
    )


def log_batch(sync: Sync, pages: int, changes: int) -> None:
    """Log a batch of pages that was compared and written."""
    log.debug(
        "a batch of %s: %s changed",
        counted(pages, "page"),
        counted(changes, "count"),
        extra={"event": "batch-written", "sync": sync.tally.sync, "pages": pages, "changed_counts": changes},
    )


def log_older(counts: int) -> None:
    """Log how many counts are not written because the diff log has them from a later reading."""
    if counts:
        log.info(
            "%s not written: the state is older than the diff log, and YouTube has not answered since",
            counted(counts, "count"),
            extra={"event": "older-reading", "counts": counts},
        )


def log_committed(commit: str | None) -> None:
    """Log the commit, if there was anything to commit."""
    if commit:
        log.info("committed as %s", commit[:12], extra={"event": "committed", "commit": commit})


def log_pushed(tally: Tally, remote: str) -> None:
    """Log that the remote has all of ours."""
    log.info("%s has all commits of ours", remote, extra={"event": "pushed", "commit": tally.commit})


def log_written(sync: Sync) -> None:
    """Log what was written, or would be."""
    tally = sync.tally
    log.info(
        "%s %s on %s",
        "would write" if sync.options.dry_run else "wrote",
        counted(tally.changed_counts, "count"),
        counted(tally.changed_pages, "page"),
        extra={
            "event": "written",
            "sync": tally.sync,
            "changed_counts": tally.changed_counts,
            "changed_pages": tally.changed_pages,
        },
    )


def log_ended(report: SyncReport) -> None:
    """Log how it ended, how long it took, and what it cost."""
    seconds = (report.finished - report.started).total_seconds()
    units = {bucket.value: report.units.get(bucket, 0) for bucket in Bucket}
    log.info(
        "ended with %d after %.1f s, %s; %s",
        report.exit,
        seconds,
        counted(len(report.problems), "problem"),
        ", ".join(f"{counted(spent, 'unit')} of {bucket}" for bucket, spent in units.items()),
        extra={"event": "ended", "sync": report.sync, "exit": report.exit, "seconds": seconds, "units": units},
    )


def log_recovered(leftovers: Leftovers) -> None:
    """Log what a crash had left behind, now that it is settled."""
    if not leftovers.any:
        return
    log.warning(
        "the last sync was cut short: %s it had written and %s it had not; %s removed. All is settled.",
        counted(leftovers.written, "count"),
        counted(leftovers.unwritten, "count"),
        counted(len(leftovers.files), "left-over file"),
        extra={
            "event": "recovered",
            "written": leftovers.written,
            "unwritten": leftovers.unwritten,
            "files": len(leftovers.files),
        },
    )


def log_edit_saved(page: str, copy: Path) -> None:
    """Log where a version of a page is kept that its author saved just as a sync was cut short."""
    log.warning(
        "%s: somebody saved it just as syncer was interrupted; that version is kept in %s",
        page,
        copy,
        extra={"event": "edit-saved", "path": page, "file": str(copy)},
    )


def log_unsettled(error: Exception) -> None:
    """Log that what a crash left behind could not be settled at the start; the next sync tries again."""
    facts = {"event": "not-settled"}
    log.warning("what the last sync left behind is not settled yet: %s; the next sync tries again", error, extra=facts)


def log_state_lost(what: str) -> None:
    """Log that the state is a new one, and what became of the one before."""
    log.warning("the state %s; a new one is begun", what, extra={"event": "state-lost"})


def log_not_forgotten(error: Exception) -> None:
    """Log that what is too old could not be forgotten, after a sync that is done."""
    log.warning("the sync is done, but what is too old was not forgotten: %s", error, extra={"event": "not-forgotten"})
