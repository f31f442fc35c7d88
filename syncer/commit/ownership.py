"""Decides which commits are syncer's, by comparing their changes with the diff log. A message alone proves nothing."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import NamedTuple

from syncer.commit.compare import UNKNOWN_TIME, ValueDifference
from syncer.commit.message import CLAIM, TRAILER, CommitContents, fits, line_of
from syncer.commit.uncommitted import CommitScope, compare_texts, ever_written, named_by_git, with_counts
from syncer.content.walk import Candidate
from syncer.git.objects import read_messages, read_texts
from syncer.git.repository import NO_BLOB, Difference, changed_by
from syncer.model import Count

FILES_AT_ONCE = 20_000
"""Files whose counts are in memory at a time; the end of the log is read for each part."""

MAX_MIXED_COMMITS = 50
"""Commits that are checked, newest first, if some are the author's anyway: a branch that was never pushed may have
thousands of syncer's."""

COUNTS: Mapping[str | None, Count] = {count.value: count for count in Count}
"""By their names in the log."""

NAMED_COMMITS = 3
"""The largest number of commits that a message names."""


@dataclass(slots=True)
class _CommitChanges:
    """The counts that a commit changed, as syncer's message would describe them."""

    contents: CommitContents = field(default_factory=CommitContents)
    lines: set[str] = field(default_factory=set)
    foreign: bool = False
    """It changed something else as well, or counts that syncer did not write."""

    def add(self, counts: Sequence[ValueDifference], *, own_file: bool) -> None:
        """Add the counts that were changed in a file; without counts, something else was changed."""
        changes = [count.change(UNKNOWN_TIME) for count in counts]
        self.contents.add(changes, own_file=own_file)
        self.lines.update(map(line_of, changes))
        self.foreign |= not counts


class Ownership(NamedTuple):
    """How many commits are syncer's, and how many are the author's."""

    own: int
    others: int
    claimed: Sequence[str]
    """The author's commits that have syncer's trailer, newest first."""


def sort_out(scope: CommitScope, commits: Sequence[str], form: re.Pattern[str], made_now: str | None) -> Ownership:
    """Return how many of these commits are syncer's; this sync made `made_now`. Raises GitError and StateError.

    A commit is syncer's if it has one parent, a message of this `form` that describes its changes, and only changes of
    mapped counts to values that the diff log records. All others are the author's, including commits that syncer made
    but whose lines are no longer in the log.
    """
    messages = list(read_messages(scope.repository, commits))
    claiming = [(commit, text) for commit, text in zip(commits, messages, strict=True) if CLAIM.search(text)]
    plain = len(commits) - len(claiming)
    if plain:
        claiming = claiming[:MAX_MIXED_COMMITS]
    likely = {commit: text for commit, text in claiming if commit != made_now and form.fullmatch(text)}
    own = {made_now, *(_with_own_counts(scope, likely) if likely else ())}
    claimed = [commit for commit, _ in claiming if commit not in own]
    return Ownership(len(claiming) - len(claimed), plain + len(claimed), claimed)


def describe_claimed(claimed: Sequence[str]) -> str:
    """Return a sentence: these commits have syncer's trailer, but count as the author's."""
    named = ", ".join(name[:12] for name in claimed[:NAMED_COMMITS]) + (", ..." if len(claimed) > NAMED_COMMITS else "")
    what = f"commit {named} has" if len(claimed) == 1 else f"commits {named} have"
    return f"{what} a {TRAILER} line, but syncer did not write all of the message and the changes: treated as yours"


def _with_own_counts(scope: CommitScope, messages: Mapping[str, str]) -> Iterator[str]:
    """Yield the commits that changed only counts that syncer wrote, as their messages describe."""
    by_commit: defaultdict[str, _CommitChanges] = defaultdict(_CommitChanges)
    with closing(changed_by(scope.repository, messages)) as differences:
        while part := list(islice(differences, FILES_AT_ONCE)):
            changed = list(_changed_counts(scope, part))
            known = ever_written(scope, {count.placed for _, counts, _ in changed for count in counts})
            for commit, counts, own_file in changed:
                logged = [_as_logged(count, known.get(count.placed)) for count in counts]
                by_commit[commit].add(logged, own_file=own_file)
                by_commit[commit].foreign |= any(count.placed not in known for count in counts)
    for commit, changes in by_commit.items():
        if not changes.foreign and fits(messages[commit], changes.contents, changes.lines):
            yield commit


def _as_logged(difference: ValueDifference, count: str | None) -> ValueDifference:
    """Return a difference with the count that the log names: another one can be in that key now."""
    return replace(difference, kind=COUNTS.get(count, difference.kind))


def _changed_counts(
    scope: CommitScope, differences: Sequence[tuple[str, Difference]]
) -> Iterator[tuple[str, Sequence[ValueDifference], bool]]:
    """Yield each changed file's commit with the changed counts, and whether syncer writes all of the file.

    There are no counts if anything else was changed.
    """
    pages = _pages(scope, {changed.path for _, changed in differences})
    edits = []
    for commit, (path, old, new) in differences:
        before = old or (NO_BLOB if any(page.is_data_file for page in pages.get(path, ())) else None)
        if path in pages and before and new and before.mode == new.mode:
            edits.append((commit, pages[path], before.name, new.name))
        else:
            yield commit, (), False
    texts = read_texts(scope.repository, [name for _, _, *both in edits for name in both])
    for commit, candidates, _, _ in edits:
        counts = _counts(candidates, next(texts), next(texts))
        yield commit, counts, any(fields.own_file for candidate in candidates for fields in candidate.fields)


def _pages(scope: CommitScope, paths: Collection[str]) -> Mapping[str, Sequence[Candidate]]:
    """Return those of these files, by their paths in git, that the config maps, whether or not they are on disk."""
    pages: defaultdict[str, list[Candidate]] = defaultdict(list)
    for path, candidate in named_by_git(scope):
        if path in paths:
            pages[path].append(candidate)
    top = f"{scope.within}/" if scope.within else ""
    for path in paths:
        if path not in pages and path.startswith(top):
            candidate = scope.mapped(path.removeprefix(top))
            if candidate.fields:
                pages[path].append(candidate)
    return pages


def _counts(candidates: Sequence[Candidate], old: bytes, new: bytes) -> Sequence[ValueDifference]:
    """Return the counts by which a page's two texts differ; none if they differ in anything else."""
    mappings = [(candidate.path, fields) for candidate in candidates for fields in candidate.fields]
    is_data_file = any(fields.own_file for _, fields in mappings)  # one of them wrote all of it
    for same in [[mapping] for mapping in mappings] if is_data_file else [mappings]:
        text, found = old, list[ValueDifference]()
        for path, fields in same:
            counts, removed = compare_texts(path, fields, text, new)
            text = with_counts(text, ((fields, count.change(UNKNOWN_TIME)) for count in counts), removed) or b""
            found += counts
        if text == new:
            return found
    return ()
