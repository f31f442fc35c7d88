"""What a sync has done: counted while it goes on, told when it has ended."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import NotRequired, TypedDict

from syncer.diff_log import line_of, timestamp
from syncer.model import (
    Brake,
    Bucket,
    Change,
    Count,
    Edit,
    Outcome,
    Plan,
    Problem,
    ProblemKind,
    SyncReport,
    Tries,
    VideoId,
)

NOTHING_ANSWERED = 3
"""The exit code of a sync all of whose requests failed, or whose key was refused."""

INTERRUPTED = 130
"""The exit code of a sync that was told to stop."""


class Outline(TypedDict):
    """A past sync in a line, as `syncer status --json` prints it."""

    sync: str
    started: str
    finished: str
    changed_pages: int
    changed_counts: int
    problems: int
    exit: int


class StoredProblem(TypedDict):
    """A problem as the JSON documents have it."""

    kind: str
    subject: str
    line: int | None
    message: str


class StoredBrake(TypedDict):
    """Why a whole sync was not believed."""

    reason: str
    struck: int
    of: int


class StoredReport(TypedDict):
    """What is read again of a report in the state."""

    sync: str
    started: str
    finished: str
    pages: int
    videos: int
    asked: int
    answered: int
    units: dict[str, int]
    changed_pages: int
    changed_counts: int
    missing: list[str]
    left_out: dict[str, int]
    brake: StoredBrake | None
    problems: list[StoredProblem]
    commit: str | None
    retries: NotRequired[int]
    """Not in the report of a version that did not count them."""
    left: NotRequired[int]
    """The same."""
    exit: int


@dataclass(slots=True)
class Tally:
    """What a sync has done so far."""

    sync: str
    started: datetime
    pages: int = 0
    videos: int = 0
    plan: Plan = field(default_factory=lambda: Plan((), 0, 0))
    asked: set[VideoId] = field(default_factory=set)
    answered: set[VideoId] = field(default_factory=set)
    missing: set[VideoId] = field(default_factory=set)
    failed: set[VideoId] = field(default_factory=set)
    requests: Counter[tuple[Bucket, Outcome]] = field(default_factory=Counter)
    units: Counter[Bucket] = field(default_factory=Counter)
    unasked: Counter[Bucket] = field(default_factory=Counter)
    """Items of answers that were not requested."""
    hidden: set[tuple[VideoId, Count]] = field(default_factory=set)
    doubtful: set[tuple[VideoId, Count]] = field(default_factory=set)
    brake: Brake | None = None
    problems: list[Problem] = field(default_factory=list)
    changed_pages: int = 0
    changed_counts: int = 0
    gone: set[VideoId] = field(default_factory=set)
    commit: str | None = None
    tries: Tries = field(default_factory=Tries)
    left: int = 0
    open: dict[str, Edit] = field(default_factory=dict)
    """What could not be written to pages, by path, because another program has them open for writing."""
    given_up: bool = False
    """Videos were left to the next sync because asking on was of no use now."""

    @property
    def outcomes(self) -> set[Outcome]:
        """How requests ended so far."""
        return {outcome for _, outcome in self.requests}

    def unsettled(self) -> set[VideoId]:
        """Return the videos that were to be asked about, and of which nothing is known in the end."""
        return set(self.plan.ask) - self.answered - self.missing - self.failed

    def report(self, finished: datetime, *, dry_run: bool, cancelled: bool) -> SyncReport:
        """Return the report of the sync as it stands."""
        for_another_reason = self.given_up or cancelled or Outcome.REFUSED in self.outcomes
        over_quota = self.plan.over_quota + (0 if for_another_reason else len(self.unsettled()))
        return SyncReport(
            sync=self.sync,
            started=self.started,
            finished=finished,
            dry_run=dry_run,
            pages=self.pages,
            videos=self.videos,
            asked=len(self.asked),
            answered=len(self.answered),
            units=dict(self.units),
            changed_pages=self.changed_pages,
            changed_counts=self.changed_counts,
            missing=tuple(sorted(self.missing)),
            hidden=tuple(sorted(self.hidden)),
            doubtful=tuple(sorted(self.doubtful)),
            fresh=self.plan.fresh,
            over_quota=over_quota,
            open=len(self.open),
            brake=self.brake,
            problems=tuple(self.problems),
            exit=INTERRUPTED if cancelled else self._exit(over_quota),
            requests=dict(self.requests),
            gone=tuple(sorted(self.gone)),
            commit=self.commit,
            tries=self.tries,
            left=self.left,
        )

    def _exit(self, over_quota: int) -> int:
        all_failed = self.outcomes & {Outcome.FAILED, Outcome.STOPPED} and Outcome.ANSWERED not in self.outcomes
        if Outcome.REFUSED in self.outcomes or all_failed:
            return NOTHING_ANSWERED
        return 1 if self.problems or over_quota or self.brake or self.left else 0


def report_json(report: SyncReport, changes: Sequence[Change] | None = None) -> dict[str, object]:
    """Return the report as `syncer sync --json` prints it; `changes` are those of a dry run."""
    document: dict[str, object] = {
        "sync": report.sync,
        "started": timestamp(report.started),
        "finished": timestamp(report.finished),
        "dry_run": report.dry_run,
        "pages": report.pages,
        "videos": report.videos,
        "asked": report.asked,
        "answered": report.answered,
        "units": {bucket.value: report.units.get(bucket, 0) for bucket in Bucket},
        "changed_pages": report.changed_pages,
        "changed_counts": report.changed_counts,
        "missing": list(report.missing),
        "hidden": [{"video_id": video, "count": count.value} for video, count in report.hidden],
        "doubtful": [{"video_id": video, "count": count.value} for video, count in report.doubtful],
        "left_out": {"fresh": report.fresh, "over_quota": report.over_quota, "open": report.open},
        "brake": asdict(report.brake) if report.brake else None,
        "problems": [problem_json(problem) for problem in report.problems],
        "commit": report.commit,
        "exit": report.exit,
    }
    if changes is not None:
        document["changes"] = [dict(line_of(report.sync, report.finished, change)) for change in changes]
    return document


def stored_json(report: SyncReport) -> str:
    """Return the report as the state keeps it."""
    return json.dumps({**report_json(report), "retries": report.tries.repeated, "left": report.left})


def problem_json(problem: Problem) -> StoredProblem:
    """Return a problem as the JSON documents print it."""
    return {
        "kind": problem.kind.value,
        "subject": problem.subject,
        "line": problem.line,
        "message": problem.message,
    }


def outline(report: StoredReport) -> Outline:
    """Return the heads of a stored report."""
    return Outline(
        sync=report["sync"],
        started=report["started"],
        finished=report["finished"],
        changed_pages=report["changed_pages"],
        changed_counts=report["changed_counts"],
        problems=len(report["problems"]),
        exit=report["exit"],
    )


def problems_of(report: StoredReport) -> tuple[Problem, ...]:
    """Return the problems of a stored report."""
    return tuple(
        Problem(ProblemKind(problem["kind"]), problem["subject"], problem["message"], problem["line"])
        for problem in report["problems"]
    )
