"""Logs the stages of a sync: a few lines, shown with `-v`, each with an `event` of a stable name."""

from __future__ import annotations

import logging
from pathlib import Path

from syncer.decide.plan import Plan
from syncer.model import Bucket
from syncer.state.ledger import QuotaLedger
from syncer.status.leftovers import Leftovers
from syncer.status.report import SyncReport
from syncer.sync.options import Sync, Tally
from syncer.wording import counted, counts_and_dates

log = logging.getLogger("syncer.sync")


def log_planned(sync: Sync, ledger: QuotaLedger, plan: Plan) -> None:
    """Log how many pages and videos there are, how many videos are requested, and how many units are left."""
    tally = sync.tally
    left = sum(status.left for status in ledger.balances(sync.environment.clock()).values())
    log.info(
        "Sync %s: %s, %s; %s to request, %s fresh%s%s, %s left out for lack of quota; %s left today",
        tally.sync,
        counted(tally.pages, "page"),
        counted(tally.videos, "video"),
        f"{len(plan.videos):,}",
        f"{plan.fresh:,}",
        f", {plan.later:,} planned for later" if plan.later else "",
        f", {len(tally.shared.videos):,} read by other sites" if tally.shared.videos else "",
        f"{plan.over_quota:,}",
        counted(left, "unit"),
        extra={
            "event": "planned",
            "sync": tally.sync,
            "videos": tally.videos,
            "ask": len(plan.videos),
            "fresh": plan.fresh,
            "later": plan.later,
            "shared": len(tally.shared.videos),
            "over_quota": plan.over_quota,
            "units_left": left,
        },
    )


def log_unreachable(error: Exception) -> None:
    """Log that nothing is requested because the shared ledger cannot be reached."""
    log.warning("%s; nothing is requested until it can be reached", error, extra={"event": "ledger-unreachable"})


def log_judged(sync: Sync) -> None:
    """Log what YouTube returned, and how much of it is held."""
    tally = sync.tally
    log.info(
        "YouTube returned %s of %s; %s missing, %s unconfirmed%s",
        f"{tally.answered:,}",
        counted(tally.asked, "video"),
        f"{len(tally.missing):,}",
        counted(len(tally.unconfirmed), "count"),
        f"; the safety brake holds {counted(len(tally.braked), 'reading')}" if tally.brake else "",
        extra={
            "event": "judged",
            "sync": tally.sync,
            "answered": tally.answered,
            "missing": len(tally.missing),
            "unconfirmed": len(tally.unconfirmed),
            "brake": tally.brake.reason if tally.brake else None,
        },
    )


def log_batch(sync: Sync, pages: int, changes: int) -> None:
    """Log a batch of pages that was compared and written."""
    log.debug(
        "Batch of %s: %s changed",
        counted(pages, "page"),
        counted(changes, "count"),
        extra={"event": "batch-written", "sync": sync.tally.sync, "pages": pages, "changed_counts": changes},
    )


def log_older(counts: int) -> None:
    """Log how many counts were not written because the diff log has them from a later reading."""
    if counts:
        log.info(
            "Did not write %s: the diff log has them from a later reading than the state",
            counted(counts, "count"),
            extra={"event": "older-reading", "counts": counts},
        )


def log_committed(commit: str | None) -> None:
    """Log the commit, if there was anything to commit."""
    if commit:
        log.info("Committed as %s", commit[:12], extra={"event": "committed", "commit": commit})


def log_pushed(tally: Tally, remote: str) -> None:
    """Log that the remote has all commits of syncer."""
    log.info("Pushed: %s has all of syncer's commits", remote, extra={"event": "pushed", "commit": tally.commit})


def log_written(sync: Sync) -> None:
    """Log how much was written, or would be."""
    tally = sync.tally
    log.info(
        "%s %s on %s%s",
        "Would write" if sync.options.dry_run else "Wrote",
        counts_and_dates(tally.changed_counts, tally.changed_dates),
        counted(tally.changed_pages, "page"),
        f", {tally.in_place:,} of them in place" if tally.in_place else "",
        extra={
            "event": "written",
            "sync": tally.sync,
            "changed_counts": tally.changed_counts,
            "changed_pages": tally.changed_pages,
            "in_place": tally.in_place,
        },
    )


def log_ended(report: SyncReport) -> None:
    """Log how the sync ended, how long it took, and how many units it spent."""
    seconds = (report.finished - report.started).total_seconds()
    units = {bucket.value: report.units.get(bucket, 0) for bucket in Bucket}
    log.info(
        "Ended with exit code %d after %.1f s: %s; %s",
        report.exit,
        seconds,
        counted(len(report.problems), "problem"),
        ", ".join(f"{counted(spent, f'{bucket} unit')}" for bucket, spent in units.items()),
        extra={"event": "ended", "sync": report.sync, "exit": report.exit, "seconds": seconds, "units": units},
    )


def log_recovered(leftovers: Leftovers) -> None:
    """Log what an interrupted sync left behind, now that it is completed."""
    if not leftovers.any:
        return
    log.warning(
        "The last sync was interrupted. It is completed now: %s written, %s not written, %s removed",
        counted(leftovers.written, "value"),
        f"{leftovers.unwritten:,}",
        counted(len(leftovers.files), "left-over file"),
        extra={
            "event": "recovered",
            "written": leftovers.written,
            "unwritten": leftovers.unwritten,
            "files": len(leftovers.files),
        },
    )


def log_edit_saved(page: str, copy: Path) -> None:
    """Log where a version of a page is kept that was saved just as a sync was interrupted."""
    log.warning(
        "%s was saved just as a sync was interrupted; that version is kept in %s",
        page,
        copy,
        extra={"event": "edit-saved", "path": page, "file": str(copy)},
    )


def log_unsettled(error: Exception) -> None:
    """Log that an interrupted sync could not be completed when the daemon started; the next sync tries again."""
    facts = {"event": "not-settled"}
    log.warning("The interrupted last sync could not be completed: %s; the next sync tries again", error, extra=facts)


def log_state_lost(what: str) -> None:
    """Log that a new state was started, and what happened to the old one."""
    log.warning("The state %s; started a new one", what, extra={"event": "state-lost"})


def log_not_forgotten(error: Exception) -> None:
    """Log that old readings or log lines could not be deleted; the sync itself is done."""
    message = "The sync is done, but readings older than history.keep could not be deleted: %s"
    log.warning(message, error, extra={"event": "not-forgotten"})
