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

from syncer.commit.message import form
from syncer.commit.ownership import ANY_TIME, say_claimed, sort_out
from syncer.commit.uncommitted import Source, WaitingFile, find_waiting, with_counts
from syncer.commit.unseen import find_unseen, say_unseen
from syncer.commit.waiting import Waiting
from syncer.content.page_file import read_page, reason_of
from syncer.content.walk import Candidate, candidate_of, narrow, walk
from syncer.decide.unconfirmed import sharp_drops
from syncer.diff_log.log import LOG
from syncer.errors import GitError
from syncer.git.remote import Remote, has_remote, unpushed
from syncer.git.repository import find_repository, head_of, tip_of, unlike_on_disk
from syncer.model import Problem, ProblemKind

if TYPE_CHECKING:
    from syncer.config.sections import Config


class WaitingCount(NamedTuple):
    """A count that waits, and what to think of it."""

    waiting: Waiting
    ours: bool
    """Syncer wrote it last; else it is the author's own, and the author's to commit."""

    @property
    def relative(self) -> float | None:
        """By how much it grew, 0.5 for half as much again; None where there was nothing, or zero."""
        old = int(self.waiting.old or 0)
        return (int(self.waiting.new) - old) / old if old else None

    @property
    def large_change(self) -> bool:
        """Whether it needs a second look: it fell as `decide.unconfirmed` says, or rose as far from above 0."""
        before, now = {self.waiting.count: int(self.waiting.old or 0)}, {self.waiting.count: int(self.waiting.new)}
        return bool(sharp_drops(before, now) or (self.relative and sharp_drops(now, before)))


class WaitingPage(NamedTuple):
    """A page with counts that wait."""

    path: str
    """Relative to the site."""
    counts: tuple[WaitingCount, ...]
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
    pages: Sequence[WaitingPage]
    """Those with a large change first, else in the order of their paths."""
    problems: Sequence[Problem]
    """What cannot be committed, and what will not be pushed."""

    @property
    def exit(self) -> int:
        """What a command ends with that does no more than look."""
        return int(bool(self.problems))


@dataclass(frozen=True, slots=True)
class Found:
    """What waits, as it is found."""

    source: Source
    head: str
    files: Iterator[WaitingFile]


def look(config: Config, paths: Collection[str]) -> Review:
    """Return what waits in these files and directories, and what to think of it. Raises as `find` does.

    Without any, also which commits with our trailer are treated as the author's, if commits are pushed.
    """
    found = find(config, paths)
    pages = sorted(_pages(found.source, found.files), key=lambda page: not page.large_change)
    unseen = say_unseen(find_unseen(found.source, found.head))
    problems = [Problem(ProblemKind.NOT_COMMITTED, "git", said) for said in unseen]
    if config.git.push and not paths and (claimed := _claimed(config, found.source)):
        what = f"{say_claimed(claimed)}; push {'it' if len(claimed) == 1 else 'them'} yourself"
        problems.append(Problem(ProblemKind.NOT_PUSHED, "git", what))
    return Review(found.head, pages, problems)


def _claimed(config: Config, source: Source) -> Sequence[str]:
    remote, tip = Remote(config.git.remote, lambda: False), tip_of(source.repository)
    if tip is None or not has_remote(source.repository, remote.name):
        return ()
    commits = unpushed(source.repository, remote, tip)
    return sort_out(source, commits, form(config.git.message), made_now=None).claimed


def find(config: Config, paths: Iterable[str]) -> Found:
    """Return what waits in these files and directories; without any, on the whole site.

    Paths are relative to the site. Raises GitError where there is no repository or no commit, and UsageError for paths
    with no page.
    """
    source = source_of(config, paths)
    head = head_of(source.repository)
    if head is None:
        raise GitError("there is no commit yet to compare the pages with; commit them first")
    unlike = unlike_on_disk(source.repository, head, source.within)
    return Found(source, head, find_waiting(source, unlike))


def source_of(config: Config, paths: Iterable[str]) -> Source:
    """Return where the counts of these files and directories are. Raises as `find` does."""
    site = os.path.realpath(config.site)
    repository = find_repository(site)
    if repository is None:
        raise GitError("the site is in no git repository; `git init` makes one")
    collections = [collection.as_model() for collection in config.collections]
    # skipped ones too: there a sync of an older version, or with another `include`, may have written
    found = narrow(walk(site, collections, skipped=True), paths)
    candidates = [item for item in found if isinstance(item, Candidate)]  # what is wrong with others, a sync says
    return Source(repository, site, config.state_directory / LOG, candidates, candidate_of(collections))


def _pages(source: Source, files: Iterable[WaitingFile]) -> Iterator[WaitingPage]:
    for file in files:
        with suppress(FileNotFoundError):  # taken away while we look: nothing waits in it any more
            others = _other_lines(file, str(Path(source.repository.top, file.path)))
            for page, counts in groupby(file.counts, key=lambda one: one[1].place.path):
                shown = tuple(WaitingCount(one, written is not None) for _, one, written in counts)
                yield WaitingPage(page, shown, others)


def _other_lines(file: WaitingFile, path: str) -> int:
    """Return how many lines differ once the committed text has the counts as well; ends of lines are git's business.

    1 where the page is too large to say. Raises FileNotFoundError.
    """
    try:
        on_disk, _ = read_page(path)
        text = with_counts(file.text, ((fields, one.change(ANY_TIME)) for fields, one, _ in file.counts))
    except FileNotFoundError:
        raise
    except Exception as error:  # noqa: BLE001 - one page never ends a review, whatever is wrong with it
        reason_of(error)
        return 1
    if text == on_disk:
        return 0
    old, new = (text or file.text).splitlines(), on_disk.splitlines()
    gone, come = Counter(old) - Counter(new), Counter(new) - Counter(old)
    return max(gone.total(), come.total(), int(old != new))
