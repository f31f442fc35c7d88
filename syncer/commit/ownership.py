"""Decides which commits are ours: by what they change, against the diff log. A message proves nothing."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

from syncer.commit.message import CLAIM, TRAILER, Contents, fits, line_of
from syncer.commit.uncommitted import Source, named_by_git, were_ours, with_counts
from syncer.commit.waiting import Waiting, waiting, wherever
from syncer.content.walk import Candidate
from syncer.front_matter.find import find
from syncer.git.objects import read_blobs, read_messages
from syncer.git.repository import Difference, changed_by
from syncer.model import Place

Written = tuple[Place, str]
"""A place, wherever in a list, and a count that a commit brings there."""

FILES_AT_ONCE = 20_000
"""Files whose counts are in memory at a time; for each part the log's end is read."""

MOST_BESIDE = 50
"""Commits that are looked at, newest first, where some are the author's anyway: a branch that was never pushed may
hold thousands of ours."""

ANY_TIME = datetime.min.replace(tzinfo=UTC)
"""When YouTube said a count, where nothing reads that."""

SHOWN = 3
"""Commits that a sentence names."""


@dataclass(slots=True)
class _Told:
    """What a commit changed, as our message would tell it."""

    contents: Contents = field(default_factory=Contents)
    lines: set[str] = field(default_factory=set)

    def add(self, counts: Sequence[Waiting]) -> None:
        """Take in what was changed on a page."""
        changes = [one.change(ANY_TIME) for one in counts]
        self.contents.add(changes)
        self.lines.update(map(line_of, changes))


class Ownership(NamedTuple):
    """How many of some commits are ours, and how many are not."""

    ours: int
    others: int
    claimed: Sequence[str]
    """Those of the others, newest first, that have our trailer all the same."""


def sort_out(source: Source, commits: Sequence[str], form: re.Pattern[str], made_now: str | None) -> Ownership:
    """Return how many of these commits are ours; this sync made `made_now`. Raises GitError and StateError.

    Ours is a commit with one parent, with a message of our `form` about its own changes, and with changes of mapped
    counts only, to what the diff log says that syncer wrote there. All others are the author's, also those of ours that
    the log has forgotten.
    """
    messages = list(read_messages(source.repository, commits))
    claiming = [(commit, text) for commit, text in zip(commits, messages, strict=True) if CLAIM.search(text)]
    plain = len(commits) - len(claiming)
    if plain:
        claiming = claiming[:MOST_BESIDE]
    likely = {commit: text for commit, text in claiming if commit != made_now and form.fullmatch(text)}
    ours = {made_now, *_with_our_counts(source, likely)}
    claimed = [commit for commit, _ in claiming if commit not in ours]
    return Ownership(len(claiming) - len(claimed), plain + len(claimed), claimed)


def say_claimed(claimed: Sequence[str]) -> str:
    """Say that these commits have our trailer, and that they are the author's all the same."""
    named = ", ".join(name[:12] for name in claimed[:SHOWN]) + (", ..." if len(claimed) > SHOWN else "")
    what = f"commit {named} has" if len(claimed) == 1 else f"commits {named} have"
    return f"{what} the line {TRAILER}, but another message or other changes than syncer made: treated as yours"


def _with_our_counts(source: Source, commits: Mapping[str, str]) -> set[str]:
    """Return which of these commits changed counts of ours and nothing else, as their messages say."""
    told: defaultdict[str, _Told] = defaultdict(_Told)
    foreign = set[str]()
    if commits:
        with closing(changed_by(source.repository, commits)) as changes:
            while part := list(islice(changes, FILES_AT_ONCE)):
                foreign |= _foreign(source, part, told)
    whole = {commit for commit, said in told.items() if fits(commits[commit], said.contents, said.lines)}
    return whole - foreign


def _foreign(source: Source, changes: Sequence[tuple[str, Difference]], told: defaultdict[str, _Told]) -> set[str]:
    """Return the commits in which one of these changes is not ours; all changes of counts are added to `told`."""
    pages = _pages(source, {changed.path for _, changed in changes})
    edits, foreign = [], set()
    for commit, (path, old, new) in changes:
        if path in pages and old and new and old.mode == new.mode:
            edits.append((commit, pages[path], old.name, new.name))
        else:
            foreign.add(commit)
    texts = read_blobs(source.repository, (name for _, _, *both in edits for name in both))
    written: defaultdict[str, set[Written]] = defaultdict(set)
    for commit, candidates, _, _ in edits:
        counts = _counts(candidates, next(texts), next(texts))
        written[commit].update((wherever(one.place), one.new) for one in counts)
        told[commit].add(counts)
        if not counts:
            foreign.add(commit)
    known = were_ours(source.log, set().union(*written.values()))
    return foreign | {commit for commit, of_commit in written.items() if not of_commit <= known}


def _pages(source: Source, paths: Collection[str]) -> Mapping[str, Sequence[Candidate]]:
    """Return those of these files, as git names them, that the config maps, whether or not they are on disk."""
    pages: defaultdict[str, list[Candidate]] = defaultdict(list)
    for path, candidate in named_by_git(source):
        if path in paths:
            pages[path].append(candidate)
    top = f"{source.within}/" if source.within else ""
    for path in paths:
        if path not in pages and path.startswith(top):
            candidate = source.mapped(path.removeprefix(top))
            if candidate.fields:
                pages[path].append(candidate)
    return pages


def _counts(candidates: Sequence[Candidate], old: bytes, new: bytes) -> Sequence[Waiting]:
    """Return the counts by which a page's two texts differ; none where they differ in anything else."""
    written: list[Waiting] = []
    for candidate in candidates:
        path = candidate.path
        for fields in candidate.fields:
            counts = list(waiting(path, find(old, fields, path).slots, find(new, fields, path).slots))
            old = with_counts(old, ((fields, one.change(ANY_TIME)) for one in counts)) or b""
            written += counts
    return written if old == new else ()
