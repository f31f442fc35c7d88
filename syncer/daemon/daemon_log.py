"""Logs what the daemon does and how each sync went: a quiet day is a handful of lines."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import groupby

from syncer.decide.quota import next_reset
from syncer.errors import ExitCode, Stopped, SyncerError
from syncer.model import Problem
from syncer.status.report import SyncReport
from syncer.wording import counted, utc

PROBLEMS_OF_A_KIND = 20
"""How many new problems of one kind are logged one by one after a sync."""

log = logging.getLogger("syncer.daemon")


class SyncResultLog:
    """Logs a problem and a spent quota when they are new, not after every sync."""

    def __init__(self) -> None:
        self._problems: set[Problem] = set()
        self._logged_reset: datetime | None = None

    def log_report(self, report: SyncReport, next_start: datetime) -> None:
        """Log how a sync went, and when the next one begins if nothing was answered."""
        failed = report.exit == ExitCode.NOTHING_ANSWERED
        log.log(
            logging.ERROR if failed else logging.INFO,
            "sync %s%s: %s changed on %s, %d of %s answered, %d over quota, %s%s",
            report.sync,
            " was stopped" if report.exit == ExitCode.INTERRUPTED else "",
            counted(report.changed_counts, "count"),
            counted(report.changed_pages, "page"),
            report.answered,
            counted(report.asked, "video"),
            report.over_quota,
            counted(len(report.problems), "problem"),
            f"; the next try is at {utc(next_start)}" if failed else "",
            extra={"event": "synced", "sync": report.sync, "exit": report.exit},
        )
        if report.brake:
            log.warning(
                "a brake holds what YouTube said: %d of %d %s; not written; `syncer sync --accept` lets it through",
                report.brake.struck,
                report.brake.of,
                "videos are suddenly missing" if report.brake.reason == "missing" else "counts fell",
                extra={"event": "braked", "sync": report.sync, "reason": report.brake.reason},
            )
        reset = next_reset(report.finished)
        if report.over_quota and reset != self._logged_reset:
            self._logged_reset = reset
            log.warning(
                "the quota is spent: %s wait for the first sync after %s, when a new quota day begins",
                counted(report.over_quota, "video"),
                utc(reset),
                extra={"event": "over-quota", "sync": report.sync},
            )
        _log_problems(set(report.problems) - self._problems)
        self._problems = set(report.problems)


def log_error(error: BaseException, next_start: datetime) -> None:
    """Log what ended a sync without a report: an expected error with the next start, a bug with its traceback."""
    if isinstance(error, Stopped):
        log.info("no sync: %s", error, extra={"event": "sync-stopped"})
    elif isinstance(error, SyncerError):
        facts = {"event": "sync-failed", "kind": error.kind}
        log.error("no sync: %s; the next try is at %s", error, utc(next_start), extra=facts)
    else:
        facts = {"event": "sync-failed"}
        log.error("this sync ended by a bug; the next one comes in its time", exc_info=error, extra=facts)


def log_next(start: datetime) -> None:
    """Log when the next sync begins."""
    log.info("the next sync begins at %s", utc(start), extra={"event": "scheduled"})


def log_set_back(by: timedelta, start: datetime) -> None:
    """Log that the clock was set back."""
    facts = {"event": "clock-set-back"}
    log.warning("the clock was set back by %s; the next sync begins at %s", by, utc(start), extra=facts)


def log_left_out() -> None:
    """Log that a sync was due while another was running."""
    log.warning("a sync was due, but the one before goes on still", extra={"event": "sync-left-out"})


def _log_problems(problems: Iterable[Problem]) -> None:
    """Log each; of very many of a kind, how many more there are: YouTube can give wrong counts for a whole site."""
    ordered = sorted(problems, key=lambda problem: (problem.kind, problem.subject, problem.line or 0, problem.message))
    for kind, group in groupby(ordered, key=lambda problem: problem.kind):
        of_a_kind = list(group)
        facts = {"event": "problem", "kind": kind.value}
        for problem in of_a_kind[:PROBLEMS_OF_A_KIND]:
            line = f":{problem.line}" if problem.line else ""
            log.warning("%s%s: %s", problem.subject, line, problem.message, extra=facts)
        left = len(of_a_kind) - PROBLEMS_OF_A_KIND
        if left > 0:
            more = "and %s more (%s); `syncer status` lists them all"
            log.warning(more, counted(left, "problem"), kind.value, extra=facts)
