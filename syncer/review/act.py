"""Commits the counts that the user keeps, and restores those that the user drops."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from syncer.commit.build import Author, CommitSummary, commit_counts
from syncer.commit.message import Wording
from syncer.errors import ExitCode
from syncer.model import Problem
from syncer.review.drop import drop
from syncer.review.look import Review, ReviewPage, look, scope_of
from syncer.state.naming_pages import count_pages_of
from syncer.status.report import SyncReport
from syncer.sync.open_state import open_for_writing
from syncer.sync.options import NO_LISTENER, Environment, Listener
from syncer.sync.sync_log import log_committed

if TYPE_CHECKING:
    from syncer.config.sections import Config


@dataclass(frozen=True, slots=True)
class Choice:
    """What the user chose: files and directories, relative to the site."""

    keep: Collection[str] = ()
    drop: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class ReviewResult:
    """What a choice did."""

    kept: CommitSummary | None
    """None: there was nothing to commit."""
    dropped: SyncReport | None
    """The report of the sync that restored counts; None: there was none to restore."""
    remaining: Review
    """The counts of the chosen pages that are still not committed."""
    problems: Sequence[Problem]

    @property
    def exit(self) -> int:
        """The exit code of the command."""
        return max(
            self.dropped.exit if self.dropped else ExitCode.OK, ExitCode.PROBLEMS if self.problems else ExitCode.OK
        )


def act(
    config: Config,
    choice: Choice,
    shown: Sequence[ReviewPage] | None,
    environment: Environment,
    listener: Listener = NO_LISTENER,
) -> ReviewResult:
    """Commit the counts to keep, as a sync does, and restore the last commit's values of those to drop.

    If `shown` is given, the choice names pages of it, and a page whose counts have changed since then is skipped.
    Nothing is pushed: the next sync does that. Raises GitError, UsageError, Locked, StateError and Stopped.
    """
    paths = [*choice.keep, *choice.drop]
    scope_of(config, paths)  # raises for a wrong path before anything is done
    with open_for_writing(config, clock=environment.clock, sleep=environment.sleep) as opened:
        if shown is not None:
            before = {page.path: page.counts for page in shown}
            same = {page.path for page in look(config, paths).pages if before.get(page.path) == page.counts}
            choice = Choice(same.intersection(choice.keep), same.intersection(choice.drop))
        kept = None
        if choice.keep:
            wording = Wording(config.git.message, pages_of=partial(count_pages_of, opened.database))
            kept, *_ = commit_counts(scope_of(config, choice.keep), wording, Author(config.git.author))
            log_committed(kept.commit if kept else None)
        dropped = drop(config, choice.drop, environment, listener, opened) if choice.drop else None
        remaining = look(config, paths)
        problems = [*(dropped.problems if dropped else opened.problems), *remaining.problems]
        return ReviewResult(kept, dropped, remaining, problems)
