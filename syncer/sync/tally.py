"""What a sync has done so far: counted while it goes on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from syncer.decide.plan import Plan
from syncer.decide.unconfirmed import Brake
from syncer.errors import ExitCode
from syncer.model import Bucket, Count, Edit, Problem, VideoId
from syncer.status.report import SyncReport
from syncer.youtube.answer import Outcome, Tries


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
    unconfirmed: set[tuple[VideoId, Count]] = field(default_factory=set)
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
            unconfirmed=tuple(sorted(self.unconfirmed)),
            fresh=self.plan.fresh,
            over_quota=over_quota,
            open=len(self.open),
            brake=self.brake,
            problems=tuple(self.problems),
            exit=ExitCode.INTERRUPTED if cancelled else self._exit(over_quota),
            requests=dict(self.requests),
            gone=tuple(sorted(self.gone)),
            commit=self.commit,
            tries=self.tries,
            left=self.left,
        )

    def _exit(self, over_quota: int) -> int:
        all_failed = self.outcomes & {Outcome.FAILED, Outcome.STOPPED} and Outcome.ANSWERED not in self.outcomes
        if Outcome.REFUSED in self.outcomes or all_failed:
            return ExitCode.NOTHING_ANSWERED
        return ExitCode.PROBLEMS if self.problems or over_quota or self.brake or self.left else ExitCode.OK
