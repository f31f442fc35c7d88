"""Looks at what waits: the counts on disk that the last commit does not have. Writes nothing, and takes no lock."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from syncer.commit.compare import CountDifference
from syncer.commit.message import form
from syncer.commit.ownership import UNKNOWN_TIME, describe_claimed, sort_out
from syncer.commit.uncommitted import (
    CommitScope,
    WaitingFile,
    describe_unseen,
    find_unseen,
    find_waiting,
    with_counts,
)
from syncer.content.page_file import log_bug, read_page
from syncer.content.walk import Candidate, candidate_of, narrow, walk
from syncer.decide.unconfirmed import sharp_drops
from syncer.diff_log.lines import LOG
from syncer.errors import ExitCode, GitError
from syncer.git.remote import Remote, has_remote, unpushed
from syncer.git.repository import differing_from_disk, find_repository, head_of, tip_of
from syncer.model import Problem, ProblemKind

if TYPE_CHECKING:
    from syncer.config.sections import Config


class ReviewCount(NamedTuple):
    """A count that waits, and how it is to be judged."""

    difference: CountDifference
    ours: bool
    """Syncer wrote it last; else it is the author's own, and the author's to commit."""

    @property
    def relative(self) -> float | None:
        """By how much it grew, 0.5 for half as much again; None where there was nothing, or zero."""
        old = int(self.difference.old or 0)
        return (int(self.difference.new) - old) / old if old else None

    @property
    def large_change(self) -> bool:
        """Whether it needs a second look: it fell as `decide.unconfirmed` says, or rose as far from above 0."""
        before, now = (
            {self.difference.count: int(self.difference.old or 0)},
            {self.difference.count: int(self.difference.new)},
        )
        return bool(sharp_drops(before, now) or (self.relative and sharp_drops(now, before)))


class ReviewPage(NamedTuple):
    """A page with counts that wait."""

    path: str
    """Relative to the site."""
    counts: tuple[ReviewCount, ...]
    other_lines: int
    """Lines that differ from the commit's in something else; where lines were only moved, 1."""

    @property
    def large_change(self) -> bool:
        """Whether one of its counts is."""
        return any(count.large_change for count in self.counts)


@dataclass(frozen=True, slots=True)
class Review:
    """What waits, against which commit."""

    head: str
    pages: Sequence[ReviewPage]
    """Those with a large change first, else in the order of their paths."""
    problems: Sequence[Problem]
    """What cannot be committed, and what will not be pushed."""

    @property
    def exit(self) -> ExitCode:
        """The exit code of a command that only looks."""
        return ExitCode.PROBLEMS if self.problems else ExitCode.OK


def look(config: Config, paths: Collection[str]) -> Review:
    """Return what waits in these files and directories, and how it is to be judged; without any, on the whole site.

    Then also which commits with our trailer are treated as the author's, if commits are pushed. Paths are relative to
    the site. Raises GitError where there is no repository or no commit, and UsageError for paths with no page.
    """
    scope = scope_of(config, paths)
    head = require_head(scope)
    pages = sorted(_pages(scope, waiting_since(scope, head)), key=lambda page: not page.large_change)
    unseen = describe_unseen(find_unseen(scope, head))
    problems = [Problem(ProblemKind.NOT_COMMITTED, "git", text) for text in unseen]
    tip = tip_of(scope.repository) if config.git.push and not paths else None
    if tip and has_remote(scope.repository, config.git.remote):
        commits = unpushed(scope.repository, Remote(config.git.remote, lambda: False), tip)
        claimed = sort_out(scope, commits, form(config.git.message), made_now=None).claimed
        if claimed:
            what = f"{describe_claimed(claimed)}; push {'it' if len(claimed) == 1 else 'them'} yourself"
            problems.append(Problem(ProblemKind.NOT_PUSHED, "git", what))
    return Review(head, pages, problems)


def scope_of(config: Config, paths: Iterable[str]) -> CommitScope:
    """Return what a review of these files and directories is about. Raises GitError and UsageError as `look` does."""
    site = os.path.realpath(config.site)
    repository = find_repository(site)
    if repository is None:
        raise GitError("the site is in no git repository; `git init` makes one")
    collections = config.collection_models()
    # skipped ones too: there a sync of an older version, or with another `include`, may have written
    found = narrow(walk(site, collections, skipped=True), paths)
    candidates = [item for item in found if isinstance(item, Candidate)]  # a sync reports what is wrong with others
    return CommitScope(repository, site, config.state_directory / LOG, candidates, candidate_of(collections))


def require_head(scope: CommitScope) -> str:
    """Return the commit that is checked out. Raises GitError where there is none."""
    head = head_of(scope.repository)
    if head is None:
        raise GitError("there is no commit yet to compare the pages with; commit them first")
    return head


def waiting_since(scope: CommitScope, commit: str) -> Iterator[WaitingFile]:
    """Yield the files with counts that a commit does not have. Raises GitError and StateError."""
    return find_waiting(scope, differing_from_disk(scope.repository, commit, scope.within))


def _pages(scope: CommitScope, files: Iterable[WaitingFile]) -> Iterator[ReviewPage]:
    for file in files:
        with suppress(FileNotFoundError):  # removed while we look: nothing waits in it any more
            other_lines = _other_lines(file, str(Path(scope.repository.top, file.path)))
            for page, counts in groupby(file.counts, key=lambda count: count[1].place.path):
                yield ReviewPage(
                    page, tuple(ReviewCount(count, bool(write)) for _, count, write in counts), other_lines
                )


def _other_lines(file: WaitingFile, path: str) -> int:
    """Return how many lines differ once the committed text has the counts as well; line endings do not count.

    1 where the page is too large to say. Raises FileNotFoundError.
    """
    try:
        on_disk, _ = read_page(path)
        text = with_counts(file.text, ((fields, count.change(UNKNOWN_TIME)) for fields, count, _ in file.counts))
    except FileNotFoundError:
        raise
    except Exception as error:  # noqa: BLE001 - one page never ends a review, whatever is wrong with it
        log_bug(error)
        return 1
    if text == on_disk:
        return 0
    old, new = (text or file.text).splitlines(), on_disk.splitlines()
    gone, come = Counter(old) - Counter(new), Counter(new) - Counter(old)
    return max(gone.total(), come.total(), int(old != new))
