"""Finds the counts on disk that the last commit does not have. Writes nothing, and takes no lock."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from syncer.commit.compare import UNKNOWN_TIME, ValueDifference
from syncer.commit.message import form
from syncer.commit.ownership import describe_claimed, sort_out
from syncer.commit.uncommitted import (
    CommitScope,
    WaitingFile,
    describe_unidentified,
    describe_unseen,
    differing,
    find_unseen,
    find_waiting,
    refused_data_files,
    with_counts,
)
from syncer.content.page_file import log_bug, read_page
from syncer.content.walk import Candidate, candidate_of, narrow, walk_written, with_parents
from syncer.decide.thresholds import HeldBackCounts
from syncer.decide.unconfirmed import sharp_drops
from syncer.diff_log.lines import LOG
from syncer.errors import ExitCode, GitError, UsageError
from syncer.git.remote import Remote, find_remote, unpushed
from syncer.git.repository import find_repository, head_of, tip_of
from syncer.model import Detail, Problem, ProblemKind
from syncer.state.database import open_state
from syncer.state.mappings import with_former
from syncer.status.held_back import held_back_now
from syncer.wording import safe

if TYPE_CHECKING:
    from syncer.config.sections import Config


class ReviewCount(NamedTuple):
    """A count or date that is not committed, and what a reviewer needs to know about it."""

    difference: ValueDifference
    own: bool
    """Syncer wrote it last; otherwise it is the author's, and the author commits it."""

    @property
    def relative(self) -> float | None:
        """The relative change, 0.5 for +50%; None if the old count is absent or zero, and for a date."""
        if isinstance(self.difference.kind, Detail):
            return None
        old = int(self.difference.old or 0)
        return (int(self.difference.new) - old) / old if old else None

    @property
    def large_change(self) -> bool:
        """Whether it fell sharply, as `decide.unconfirmed` defines it, or rose from above 0 by as much."""
        kind = self.difference.kind
        if isinstance(kind, Detail):
            return False
        before, now = {kind: int(self.difference.old or 0)}, {kind: int(self.difference.new)}
        return bool(sharp_drops(before, now) or (self.relative and sharp_drops(now, before)))


class ReviewPage(NamedTuple):
    """A page with counts or dates that are not committed."""

    path: str
    """Relative to the site."""
    counts: tuple[ReviewCount, ...]
    other_lines: int
    """Lines that differ from the commit's in something other than counts; 1 if lines were only moved."""

    @property
    def large_change(self) -> bool:
        """Whether one of its counts is a large change."""
        return any(count.large_change for count in self.counts)


@dataclass(frozen=True, slots=True)
class Review:
    """The counts that are not committed, compared with which commit."""

    head: str
    pages: Sequence[ReviewPage]
    """Pages with a large change first, then by path."""
    problems: Sequence[Problem]
    """Counts that cannot be committed, and commits that syncer does not push."""
    held_back: HeldBackCounts | None = None
    """What the last sync of all pages held back; None where the config holds nothing back."""

    @property
    def exit(self) -> ExitCode:
        """The exit code of a command that only looks."""
        return ExitCode.PROBLEMS if self.problems else ExitCode.OK


def look(config: Config, paths: Collection[str]) -> Review:
    """Return the counts that are not committed in these files and directories, or, without any, on the whole site.

    For the whole site, and if commits are pushed, report the commits with syncer's trailer that count as the author's
    too. Paths are relative to the site. Raises GitError if there is no repository or no commit, and UsageError for
    paths without a page.
    """
    scope = scope_of(config, paths)
    head = require_head(scope)
    problems: list[Problem] = []
    pages = sorted(_pages(scope, waiting_since(scope, head), problems), key=lambda page: not page.large_change)
    unseen = describe_unseen(find_unseen(scope, head))
    problems += [
        Problem(ProblemKind.NOT_COMMITTED, "git", text) for text in (*unseen, *refused_data_files(scope, head))
    ]
    tip = tip_of(scope.repository) if config.git.push and not paths else None
    name = _pushed_to(config, scope) if tip else None
    if tip and name:
        commits = unpushed(scope.repository, Remote(name, lambda: False), tip)
        claimed = sort_out(scope, commits, form(config.git.message), made_now=None).claimed
        if claimed:
            what = f"{describe_claimed(claimed)}; push {'it' if len(claimed) == 1 else 'them'} yourself"
            problems.append(Problem(ProblemKind.NOT_PUSHED, "git", what))
    held_back = None
    if config.policies:
        with open_state(config.state_directory, config.site) as database:
            held_back = held_back_now(config, database)
    return Review(head, pages, problems, held_back)


def is_pushed(config: Config) -> bool:
    """Whether all that syncer wrote is committed and pushed, as far as git knows here. Raises StateError."""
    with suppress(GitError):  # then the next sync says what is wrong
        scope = scope_of(config, ())
        tip, name = tip_of(scope.repository), _pushed_to(config, scope)
        if tip and name and not unpushed(scope.repository, Remote(name, lambda: False), tip):
            waiting = waiting_since(scope, tip.commit)
            return not any(file.unidentified or any(write for _, _, write in file.counts) for file in waiting)
    return False


def _pushed_to(config: Config, scope: CommitScope) -> str | None:
    return find_remote(scope.repository, config.git.remote, is_url=config.git.remote_is_url)


def scope_of(config: Config, paths: Iterable[str]) -> CommitScope:
    """Return the scope of a review of these files and directories. Raises GitError and UsageError as `look` does."""
    site = os.path.realpath(config.site)
    repository = find_repository(site)
    if repository is None:
        raise GitError("the site is not in a git repository; run `git init` and commit the site")
    with open_state(config.state_directory, site) as database:
        collections = with_former(database, config.written_models())
    # skipped ones too: an older version, or a config with another `include`, may have written to them
    found = narrow(walk_written(site, collections, skipped=True), paths)
    try:  # a sync reports the problems of the others
        candidates = [item for item in found if isinstance(item, Candidate)]
    except UsageError:
        missing = missing_data_file(config)
        if missing and config.data_file and {*paths}.intersection(with_parents(config.data_file[0])):
            raise UsageError(missing) from None
        raise
    data_files = [item for item in candidates if item.is_data_file]
    paths_of_file = list(dict.fromkeys(each.data_file for each in collections if each.data_file))
    log, mapped = config.state_directory / LOG, candidate_of(collections)
    return CommitScope(repository, site, log, lambda: candidates, mapped, data_files, paths_of_file)


def missing_data_file(config: Config) -> str | None:
    """Return a sentence if the config's data file does not exist; else None."""
    file = config.data_file and config.data_file[0]
    if not file or os.path.lexists(os.path.join(config.site, file)):
        return None
    return f"{safe(file)}, the data file of `write.file`, is missing; the next sync writes it."


def require_head(scope: CommitScope) -> str:
    """Return the commit that is checked out. Raises GitError if there is none."""
    head = head_of(scope.repository)
    if head is None:
        raise GitError("there is no commit yet to compare the pages with; commit the site first")
    return head


def waiting_since(scope: CommitScope, commit: str) -> Iterator[WaitingFile]:
    """Yield the files with counts that a commit does not have. Raises GitError and StateError."""
    return find_waiting(scope, differing(scope, commit))


def _pages(scope: CommitScope, files: Iterable[WaitingFile], problems: list[Problem]) -> Iterator[ReviewPage]:
    """Yield the pages with counts that wait; append a Problem for each file with counts that cannot be identified."""
    for file in files:
        problems += [Problem(ProblemKind.NOT_COMMITTED, "git", text) for text in describe_unidentified([file])]
        with suppress(FileNotFoundError):  # removed in the meantime: it has no counts any more
            other_lines = _other_lines(file, str(Path(scope.repository.top, file.path)))
            for page, counts in groupby(file.counts, key=lambda count: count[1].path):
                yield ReviewPage(
                    page, tuple(ReviewCount(count, bool(write)) for _, count, write in counts), other_lines
                )


def _other_lines(file: WaitingFile, path: str) -> int:
    """Return how many lines differ apart from the counts; line endings are ignored.

    Return 1 if the page is too large to compare. Raises FileNotFoundError.
    """
    try:
        on_disk, _ = read_page(path)
        changes = ((fields, count.change(UNKNOWN_TIME)) for fields, count, _ in file.counts)
        text = with_counts(file.text, changes, file.removed)
    except FileNotFoundError:
        raise
    except Exception as error:  # noqa: BLE001 - one page never stops a review
        log_bug(error)
        return 1
    if text == on_disk:
        return 0
    old, new = (text or file.text).splitlines(), on_disk.splitlines()
    removed, added = Counter(old) - Counter(new), Counter(new) - Counter(old)
    return max(removed.total(), added.total(), int(old != new))
