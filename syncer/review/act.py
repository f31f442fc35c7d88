"""Keeps counts that wait, and drops others, as a person says."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from syncer.commit_message import Contents, message
from syncer.model import Problem
from syncer.review.look import Review, WaitingPage, look, source_of
from syncer.sync.begin import open_for_writing
from syncer.sync.commit import Author, commit_counts

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

    commit: str | None
    """None: there was nothing of ours."""
    pages: int
    counts: int


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a choice."""

    kept: Kept | None
    """None: there was nothing to keep."""
    left: Review
    """What still waits in the pages that it was about."""
    problems: Sequence[Problem]

    @property
    def exit(self) -> int:
        """What the command ends with."""
        return 1 if self.problems else 0


def act(
    config: Config,
    choice: Choice,
    shown: Sequence[WaitingPage] | None = None,
    *,
    clock: Callable[[], datetime],
    sleep: Callable[[float], object],
) -> Done:
    """Commit the counts to keep, as a sync would, and put back what the commit has for those to drop.

    Where `shown` is given, the choice names pages of it, and those in which other counts wait by now are left alone.
    Nothing is pushed: the next sync does that. Raises GitError, UsageError, Locked and StateError.
    """
    about = [*choice.keep, *choice.drop]
    with open_for_writing(config, clock=clock, sleep=sleep) as opened:
        if shown is not None:
            choice = _still(choice, shown, look(config, about))
        kept = _keep(config, choice.keep) if choice.keep else None
        return Done(kept, look(config, about), opened.problems)


def _still(choice: Choice, shown: Sequence[WaitingPage], now: Review) -> Choice:
    """Return the pages of a choice in which the same counts wait as when they were shown."""
    before = {page.path: page.counts for page in shown}
    same = {page.path for page in now.pages if before.get(page.path) == page.counts}
    return Choice(same.intersection(choice.keep), same.intersection(choice.drop))


def _keep(config: Config, paths: Collection[str]) -> Kept:
    contents = Contents()

    def worded(built: Contents) -> str:
        nonlocal contents
        contents = built
        return message(built, built.sync, (), config.git.message)

    commit = commit_counts(source_of(config, paths), worded, Author(config.git.author))
    return Kept(commit, contents.pages, contents.counts)
