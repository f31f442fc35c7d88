"""Keeps counts that wait, and drops others, as a person says."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from syncer.commit.build import Author, commit_counts
from syncer.commit.message import Contents, message
from syncer.model import Problem
from syncer.review.drop import drop
from syncer.review.look import Review, WaitingPage, look, source_of
from syncer.status.report import SyncReport
from syncer.sync.begin import open_for_writing
from syncer.sync.options import NO_LISTENER, Environment, Listener
from syncer.sync.sync_log import tell_committed

if TYPE_CHECKING:
    from syncer.config.sections import Config


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person says: files and directories, relative to the site."""

    keep: Collection[str] = ()
    drop: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """What was committed."""

    commit: str
    pages: int
    counts: int


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a choice."""

    kept: Kept | None
    """None: there was nothing to commit."""
    dropped: SyncReport | None
    """Of the sync that put counts back; None: there was none to put back."""
    left: Review
    """What still waits in the pages that it was about."""
    problems: Sequence[Problem]
    exit: int
    """What the command ends with."""


def act(
    config: Config,
    choice: Choice,
    shown: Sequence[WaitingPage] | None,
    environment: Environment,
    listener: Listener = NO_LISTENER,
) -> Done:
    """Commit the counts to keep, as a sync would, and put back what the last commit has for those to drop.

    Where `shown` is given, the choice names pages of it, and those in which other counts wait by now are left alone.
    Nothing is pushed: the next sync does that. Raises GitError, UsageError, Locked, StateError and Stopped.
    """
    about = [*choice.keep, *choice.drop]
    source_of(config, about)  # what is named wrongly is told before anything is done
    with open_for_writing(config, clock=environment.clock, sleep=environment.sleep) as opened:
        if shown is not None:
            choice = _still(choice, shown, look(config, about))
        kept = _keep(config, choice.keep) if choice.keep else None
        dropped = drop(config, choice.drop, environment, listener, opened) if choice.drop else None
        left = look(config, about)
        problems = [*(dropped.problems if dropped else opened.problems), *left.problems]
        return Done(kept, dropped, left, problems, max(dropped.exit if dropped else 0, int(bool(problems))))


def _still(choice: Choice, shown: Sequence[WaitingPage], now: Review) -> Choice:
    """Return the pages of a choice in which the same counts wait as when they were shown."""
    before = {page.path: page.counts for page in shown}
    same = {page.path for page in now.pages if before.get(page.path) == page.counts}
    return Choice(same.intersection(choice.keep), same.intersection(choice.drop))


def _keep(config: Config, paths: Collection[str]) -> Kept | None:
    contents = Contents()

    def worded(built: Contents) -> str:
        nonlocal contents
        contents = built
        return message(built, built.sync, (), config.git.message)

    commit = commit_counts(source_of(config, paths), worded, Author(config.git.author))
    tell_committed(commit)
    return Kept(commit, contents.pages, contents.counts) if commit else None
