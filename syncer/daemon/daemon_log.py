"""Tells in the log how each sync went: a quiet day is a handful of lines."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from itertools import groupby

from syncer.decide.quota import next_reset
from syncer.errors import ExitCode, SyncerError
from syncer.model import Problem, ProblemKind
from syncer.status.report import SyncReport
from syncer.wording import counted, utc

MOST = 20
"""Problems of one kind that are told one by one after a sync."""

log = logging.getLogger("syncer.daemon")


class Teller:
    """Remembers what it has told: a problem and a spent quota are told when they are new, not in every sync."""

    def __init__(self) -> None:
        self._problems: set[Problem] = set()
        self._told_reset: datetime | None = None

    def tell_report(self, report: SyncReport, retry_at: datetime | None) -> None:
        """Tell how a sync went, and when the next try is where nothing was answered."""
        log.log(
            logging.ERROR if report.exit == ExitCode.NOTHING_ANSWERED else logging.INFO,
            "sync %s%s: %s changed on %s, %d of %s answered, %d over quota, %s%s",
            report.sync,
            " was stopped" if report.exit == ExitCode.INTERRUPTED else "",
            counted(report.changed_counts, "count"),
            counted(report.changed_pages, "page"),
            report.answered,
            counted(report.asked, "video"),
            report.over_quota,
            counted(len(report.problems), "problem"),
            f"; the next try is at {utc(retry_at)}" if retry_at else "",
            extra={"event": "synced", "sync": report.sync, "exit": report.exit},
        )
        if report.brake:
            _tell_brake(report)
        self._tell_quota(report)
        self._tell_problems(report)

    def _tell_quota(self, report: SyncReport) -> None:
        reset = next_reset(report.finished)
        if report.over_quota and reset != self._told_reset:
            self._told_reset = reset
            log.warning(
                "the quota is spent: %s wait for the first sync after %s, when a new quota day begins",
                counted(report.over_quota, "video"),
                utc(reset),
                extra={"event": "over-quota", "sync": report.sync},
            )

    def _tell_problems(self, report: SyncReport) -> None:
        new = sorted(set(report.problems) - self._problems, key=_order)
        for kind, those in groupby(new, key=lambda problem: problem.kind):
            _tell_kind(kind, list(those))
        self._problems = set(report.problems)


def _order(problem: Problem) -> tuple[str, str, int, str]:
    return problem.kind, problem.subject, problem.line or 0, problem.message


def _tell_kind(kind: ProblemKind, problems: list[Problem]) -> None:
    """Tell of each; of very many, that there are more: YouTube can give wrong counts for a whole site."""
    facts = {"event": "problem", "kind": kind.value}
    for problem in problems[:MOST]:
        line = f":{problem.line}" if problem.line else ""
        log.warning("%s%s: %s", problem.subject, line, problem.message, extra=facts)
    if len(problems) > MOST:
        more = "and %s more (%s); `syncer status` lists them all"
        log.warning(more, counted(len(problems) - MOST, "problem"), kind.value, extra=facts)


def tell_error(error: SyncerError, retry_at: datetime) -> None:
    """Tell that there was no sync, why, and when the next try is."""
    facts = {"event": "sync-failed", "kind": error.kind}
    log.error("no sync: %s; the next try is at %s", error, utc(retry_at), extra=facts)


def tell_stopped(error: SyncerError) -> None:
    """Tell that a sync was stopped before it did anything."""
    log.info("no sync: %s", error, extra={"event": "sync-stopped"})


def tell_bug(error: BaseException) -> None:
    """Tell of an exception that nobody foresaw, with its traceback."""
    facts = {"event": "sync-failed"}
    log.error("this sync ended by a bug; the next one comes in its time", exc_info=error, extra=facts)


def tell_next(start: datetime) -> None:
    """Tell when the next sync begins."""
    log.info("the next sync begins at %s", utc(start), extra={"event": "scheduled"})


def tell_set_back(by: timedelta, start: datetime) -> None:
    """Tell that the clock was set back."""
    facts = {"event": "clock-set-back"}
    log.warning("the clock was set back by %s; the next sync begins at %s", by, utc(start), extra=facts)


def tell_left_out() -> None:
    """Tell that a sync was due while another went on."""
    log.warning("a sync was due, but the one before goes on still", extra={"event": "sync-left-out"})


def _tell_brake(report: SyncReport) -> None:
    assert report.brake
    log.warning(
        "a brake holds what YouTube said: %d of %d %s; not written; `syncer sync --accept` lets it through",
        report.brake.struck,
        report.brake.of,
        "videos are suddenly missing" if report.brake.reason == "missing" else "counts fell",
        extra={"event": "braked", "sync": report.sync, "reason": report.brake.reason},
    )
