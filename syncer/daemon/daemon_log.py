"""Logs what the daemon does and how each sync went: a few lines on a quiet day."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from syncer.decide.quota import next_reset
from syncer.errors import ExitCode, Stopped, SyncerError
from syncer.model import Problem
from syncer.status.report import SyncReport, brake_sentence_of, summary_of
from syncer.wording import counted, utc

if TYPE_CHECKING:
    from syncer.status.play_report import PlayReport

PROBLEMS_OF_A_KIND = 20
"""How many new problems of one kind, or changes of whether videos play, are logged one by one after a sync."""

log = logging.getLogger("syncer.daemon")


class SyncResultLog:
    """Logs a problem and a spent quota when they are new, not after every sync."""

    def __init__(self) -> None:
        self._problems: set[Problem] = set()
        self._logged_reset: datetime | None = None

    def log_report(self, report: SyncReport, next_start: datetime) -> None:
        """Log how a sync went, and when the next one begins if YouTube returned nothing."""
        failed = report.exit == ExitCode.NOTHING_ANSWERED
        ending = " failed" if failed else " was stopped" if report.exit == ExitCode.INTERRUPTED else ""
        sentences = [f"Sync {report.sync}{ending}: {summary_of(report)}"]
        if report.problems:
            sentences.append(f"{counted(len(report.problems), 'problem')}.")
        if failed:
            sentences.append(f"Next try at {utc(next_start)}.")
        level = logging.ERROR if failed else logging.INFO
        log.log(level, " ".join(sentences), extra={"event": "synced", "sync": report.sync, "exit": report.exit})
        if report.brake:
            facts = {"event": "braked", "sync": report.sync, "reason": report.brake.reason}
            log.warning(brake_sentence_of(report, "syncer trigger --accept"), extra=facts)
        reset = next_reset(report.finished)
        if report.over_quota and reset != self._logged_reset:
            self._logged_reset = reset
            log.warning(
                "The quota is spent: %s left out until it resets at %s (midnight Pacific)",
                counted(report.over_quota, "video"),
                utc(reset),
                extra={"event": "over-quota", "sync": report.sync},
            )
        if report.playing and report.playing.changes:
            _log_playing(report.sync, report.playing)
        _log_problems(set(report.problems) - self._problems)
        self._problems = set(report.problems)


def log_error(error: BaseException, next_start: datetime) -> None:
    """Log what ended a sync without a report: an expected error with the next start, a bug with its traceback."""
    if isinstance(error, Stopped):
        log.info("No sync: %s", error, extra={"event": "sync-stopped"})
    elif isinstance(error, SyncerError):
        facts = {"event": "sync-failed", "kind": error.kind}
        log.error("Sync failed, next try at %s: %s", utc(next_start), error, extra=facts)
    else:
        facts = {"event": "sync-failed"}
        log.error(
            "A bug in syncer ended this sync; please report it. The next sync runs as scheduled",
            exc_info=error,
            extra=facts,
        )


def log_not_built(error: BaseException) -> None:
    """Log why a call of the build hook could not be made; it is tried again later."""
    if isinstance(error, Stopped):
        return
    is_expected = isinstance(error, SyncerError)
    message = "The build hook could not be called: %s" if is_expected else "A bug in syncer kept the build hook: %s"
    log.error(message, error, exc_info=None if is_expected else error, extra={"event": "build-not-called"})


def log_not_read(error: Exception) -> None:
    """Log a bug that came up while the state of a site was read between its syncs."""
    message = "A bug in syncer kept the state from being read; please report it. Syncs run as scheduled"
    log.error(message, exc_info=error, extra={"event": "state-not-read"})


def log_next(start: datetime) -> None:
    """Log when the next sync begins."""
    log.info("Next sync at %s", utc(start), extra={"event": "scheduled"})


def log_set_back(by: timedelta, start: datetime) -> None:
    """Log that the clock was set back."""
    facts = {"event": "clock-set-back"}
    log.warning("The clock was set back by %s; next sync at %s", by, utc(start), extra=facts)


def log_left_out(*, waits: bool) -> None:
    """Log that a sync was due while another was running; `waits`: while another was waiting for its turn."""
    does = "waits for other sites" if waits else "is still running"
    log.warning("A sync was due, but the previous one %s", does, extra={"event": "sync-left-out"})


def log_stalled(seconds: float) -> None:
    """Log that a sync, or a look at the state, hangs: that is said once."""
    message = "No progress for %.0f seconds: a disk, git or another program hangs. This site waits until it ends"
    log.error(message, seconds, extra={"event": "stalled"})


def _log_playing(sync: str, playing: PlayReport) -> None:
    """Log the videos that stopped playing or play again, a line each; no later sync reports the same change."""
    from syncer.status.play_report import change_rows

    for level, verb, all_did, changes in (
        (logging.WARNING, "does not play on your site", "stopped playing", playing.stopped()),
        (logging.INFO, "plays again", "began to play", playing.resumed()),
    ):
        facts = {"event": "playing", "sync": sync}
        for video, state in change_rows(changes[:PROBLEMS_OF_A_KIND]):
            log.log(level, "%s %s: %s", video, verb, state, extra=facts)
        left = len(changes) - PROBLEMS_OF_A_KIND
        if left > 0:
            log.log(level, "... and %s more that %s (see `syncer videos`)", f"{left:,}", all_did, extra=facts)


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
            more = "... and %s of the kind %s (see `syncer status`)"
            log.warning(more, counted(left, "more problem"), kind.value, extra=facts)
