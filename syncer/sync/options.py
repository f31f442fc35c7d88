"""What a sync is given, what its steps share, and what they count."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from syncer.control import Stage
from syncer.decide.unconfirmed import Brake
from syncer.diff_log.log import DiffLog
from syncer.errors import ExitCode, FailOn, StateError, UsageError
from syncer.model import Bucket, Change, Count, Edit, Problem, ProblemKind, Reading, VideoId
from syncer.state.database import Database
from syncer.status.report import SyncReport
from syncer.youtube.answer import Outcome, Tries

if TYPE_CHECKING:
    from syncer.config.sections import Config
    from syncer.decide.thresholds import Holding
    from syncer.status.play_report import PlayReport


@dataclass(frozen=True, slots=True)
class Options:
    """What a sync is to do."""

    dry_run: bool = False
    everything: bool = False
    """True: request videos that were read less than five minutes ago as well."""
    accept: bool = False
    """True: accept what the safety brake or an unconfirmed count holds."""
    scheduled: bool = False
    """True: do not touch the reserve of any bucket."""
    unread_since: datetime | None = None
    """Narrows to videos that were not read since then: those that an earlier sync left out."""
    paths: tuple[str, ...] = ()
    """Narrows to these files and directories, relative to the site; `` is the site."""
    videos: frozenset[VideoId] = frozenset()
    """Narrows to these videos."""
    fail_on: tuple[FailOn, ...] = tuple(FailOn)
    """What makes it end with exit code 1."""

    @property
    def is_narrowed(self) -> bool:
        """Whether the sync sees some pages or some videos only."""
        return bool(self.paths or self.videos)

    @property
    def whole(self) -> bool:
        """Whether the sync covers the whole site and every video, and writes."""
        return not (self.is_narrowed or self.unread_since or self.dry_run)


@dataclass(frozen=True, slots=True)
class Environment:
    """What a sync needs from outside."""

    key: str
    """The API key; empty if no request is sent."""
    clock: Callable[[], datetime]
    """Returns the time now, in UTC."""
    sleep: Callable[[float], object]
    """Waits so many seconds; returns something true if the wait ended early because the sync is cancelled."""
    cancelled: Callable[[], bool] = lambda: False
    """Returns whether to stop: send no more requests, and finish only the current batch of pages."""
    hook: str | None = field(default=None, repr=False)
    """The address of the build hook, a secret; None: it is not known here."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Functions that a sync calls while it runs."""

    progress: Callable[[Stage, int, int | None], object] = lambda _stage, _done, _total: None
    """Called with the stage (`scan`, `ask`, `write`), how much is done, and of how much, if that is known."""
    changed: Callable[[Sequence[Change]], object] = lambda _changes: None
    """Called with each batch of changes once they are on disk; in a dry run, once they are known to be possible."""
    previewed: Callable[[str, bytes, bytes], object] = lambda _path, _old, _new: None
    """Called in a dry run with each page's path, its bytes, and its new bytes."""


NO_LISTENER = Listener()


@dataclass(slots=True)
class SharedReadings:
    """The readings that a sync took from other sites of its ledger."""

    videos: set[VideoId] = field(default_factory=set)
    missing: set[VideoId] = field(default_factory=set)
    """Those that YouTube did not return."""
    oldest: datetime | None = None
    """When YouTube was asked for the oldest; None: there is none."""

    def add(self, readings: Sequence[Reading]) -> None:
        """Count more of them."""
        self.videos.update(reading.video_id for reading in readings)
        self.missing.update(reading.video_id for reading in readings if reading.statistics is None)
        times = [reading.at for reading in readings]
        self.oldest = min([*times, self.oldest] if self.oldest else times, default=None)


@dataclass(slots=True)
class Tally:
    """What a sync has done so far: the numbers and names of its report."""

    sync: str
    started: datetime
    pages: int = 0
    videos: int = 0
    in_texts: int = 0
    """Other videos, in the text of pages: their counts are not requested."""
    fresh: int = 0
    """Videos that were not requested because they were read less than five minutes ago, or are gone and not due."""
    gone_not_due: int = 0
    """Those of the fresh that are gone and not due."""
    over_quota: int = 0
    """Videos that were not requested for lack of quota."""
    later: int = 0
    """Videos that are planned for a later sync; if there are any, so is what this one could not settle."""
    unsettled: int = 0
    """Videos that were to be requested, and for which no answer came."""
    asked: int = 0
    answered: int = 0
    """Videos, as `asked`."""
    missing: set[VideoId] = field(default_factory=set)
    shared: SharedReadings = field(default_factory=SharedReadings)
    """Readings of other sites: none of these videos is requested."""
    requests: Counter[tuple[Bucket, Outcome]] = field(default_factory=Counter)
    units: Counter[Bucket] = field(default_factory=Counter)
    hidden: set[tuple[VideoId, Count]] = field(default_factory=set)
    unconfirmed: set[tuple[VideoId, Count]] = field(default_factory=set)
    pages_of: dict[VideoId, list[str]] = field(default_factory=dict)
    """The pages of each missing, hidden or unconfirmed video."""
    brake: Brake | None = None
    brake_limit: float = 0
    held: Sequence[tuple[str, ...]] = ()
    """As in the report."""
    problems: list[Problem] = field(default_factory=list)
    excluded: int = 0
    """Pages that exclude themselves, or some of their counts."""
    compared: int = 0
    """Pages that were compared with the accepted readings so far, and written where they differ."""
    changed_pages: int = 0
    changed_counts: int = 0
    changed_dates: int = 0
    removed: tuple[str, int] = "", 0
    """The last file that was written, and how many videos were removed from it: a data file is written last."""
    in_place: int = 0
    """Pages that were changed in place."""
    gone: set[VideoId] = field(default_factory=set)
    accepted: dict[VideoId, bool] = field(default_factory=dict)
    braked: frozenset[VideoId] = frozenset()
    """Videos whose readings the safety brake holds."""
    commit: str | None = None
    committed: tuple[int, int, int] = 0, 0, 0
    """As in the report."""
    pushed_to: str | None = None
    build: str | None = None
    """What became of the build hook's call, in a sentence; None: nothing waits for one."""
    tries: Tries = field(default_factory=Tries)
    left: int = 0
    suppressed: int = 0
    open: dict[str, Edit] = field(default_factory=dict)
    """What could not be written to pages, by path, because another program has them open for writing."""
    playing: PlayReport | None = None
    """What was found out about whether videos play; None: no video was due."""
    holding: Holding | None = None
    """What `write.min_change` and its siblings hold back; None where the config has none of them."""
    given_up: bool = False
    """Videos were left to the next sync because further requests would have failed, or could not be counted."""

    def report(self, finished: datetime, options: Options, *, cancelled: bool) -> SyncReport:
        """Return the report of what the sync has done so far."""
        outcomes = {outcome for _, outcome in self.requests}
        for_another_reason = self.given_up or cancelled or Outcome.REFUSED in outcomes
        unsettled = 0 if for_another_reason else self.unsettled
        over_quota = self.over_quota + (0 if self.later else unsettled)
        return SyncReport(
            sync=self.sync,
            started=self.started,
            finished=finished,
            dry_run=options.dry_run,
            pages=self.pages,
            videos=self.videos,
            in_texts=self.in_texts,
            asked=self.asked,
            answered=self.answered,
            units=dict(self.units),
            changed_pages=self.changed_pages,
            changed_counts=self.changed_counts,
            removed=self.removed,
            missing=tuple(sorted(self.missing | self.shared.missing)),
            hidden=tuple(sorted(self.hidden)),
            unconfirmed=tuple(sorted(self.unconfirmed)),
            fresh=self.fresh + self.later + (unsettled if self.later else 0),
            over_quota=over_quota,
            open=len(self.open),
            brake=self.brake,
            problems=tuple(self.problems),
            exit=ExitCode.INTERRUPTED if cancelled else self._exit_code(outcomes, over_quota, options.fail_on),
            brake_limit=self.brake_limit,
            held=self.held,
            gone_not_due=self.gone_not_due,
            pages_of=self.pages_of,
            requests=dict(self.requests),
            gone=tuple(sorted(self.gone)),
            commit=self.commit,
            committed=self.committed,
            pushed_to=self.pushed_to,
            build=self.build,
            tries=self.tries,
            left=self.left,
            changed_dates=self.changed_dates,
            suppressed=self.suppressed,
            held_back=self.holding.total() if self.holding else None,
            accepted=self.accepted,
            braked=self.braked,
            playing=self.playing,
            shared=len(self.shared.videos),
            oldest_shared=self.shared.oldest,
        )

    def _exit_code(self, outcomes: Collection[Outcome], over_quota: int, fail_on: Collection[FailOn]) -> ExitCode:
        """Return the exit code of a sync that was not stopped, whose requests ended in these ways.

        `over_quota`: how many videos were left out for lack of quota.
        """
        all_failed = not {Outcome.FAILED, Outcome.STOPPED}.isdisjoint(outcomes) and Outcome.ANSWERED not in outcomes
        none_sent = self.given_up and not outcomes and self.unsettled
        if Outcome.REFUSED in outcomes or all_failed or none_sent:
            return ExitCode.NOTHING_ANSWERED
        failures = {
            FailOn.NOT_PUSHED if problem.kind is ProblemKind.NOT_PUSHED else FailOn.PROBLEMS
            for problem in self.problems
        }
        failures |= {FailOn.LEFT_OUT} if over_quota else set()
        failures |= {FailOn.BRAKE} if self.brake else set()
        return ExitCode.PROBLEMS if self.left or not failures.isdisjoint(fail_on) else ExitCode.OK


@dataclass(frozen=True, slots=True)
class Sync:
    """A sync in progress: what its steps share."""

    config: Config
    options: Options
    environment: Environment
    listener: Listener
    site: str
    """The site's real path."""
    database: Database
    diff_log: DiffLog | None
    """None in a dry run."""
    tally: Tally


def require_clone(config: Config) -> None:
    """Raise StateError where a site that is only in git is not cloned yet."""
    if isinstance(config.ledger_place, str) and not os.path.lexists(config.site):
        raise StateError(
            f"The site's directory {config.site} is missing; start `syncer fleet worker`, which clones"
            f" {config.git.remote} there, mount its disk, or correct `site` in the config"
        )


def require_directories(config: Config) -> None:
    """Raise UsageError where a collection's directory does not exist."""
    for collection in config.collections:
        directory = os.path.join(os.path.realpath(config.site), collection.directory)
        if not os.path.isdir(directory):
            raise UsageError(
                f"{directory} is not a directory; set `site` and `collections` in the config to where your pages are"
            )
