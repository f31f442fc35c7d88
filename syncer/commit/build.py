"""Commits counts: a commit contains the last commit's texts with the counts that syncer wrote, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from syncer.commit.message import CommitContents, Wording
from syncer.commit.restage import StagedFile, restage
from syncer.commit.uncommitted import (
    CommitScope,
    describe_unidentified,
    differing,
    find_waiting,
    with_counts,
)
from syncer.errors import GitError
from syncer.git.advance import IndexChanged, advance, settle
from syncer.git.objects import TreeEntry, storing_blobs, write_commit
from syncer.git.repository import (
    Blob,
    Repository,
    Tip,
    filtered,
    in_progress,
    require_identity,
    staged,
    tip_of,
)

COMMIT_TRIES = 5
"""How often a commit is rebuilt because another commit came first."""


@dataclass(frozen=True, slots=True)
class Author:
    """The author and committer of commits."""

    configured: str | None
    """`NAME <ADDRESS>`; None: git's own settings name the author."""

    def variables(self, repository: Repository) -> dict[str, str]:
        """Return the environment variables that name the author to git. Raises GitError if git knows no author."""
        if self.configured is None:
            require_identity(repository)
            return {}
        name, _, address = self.configured.rstrip(">").partition(" <")
        values = {"NAME": name, "EMAIL": address}
        return {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in values.items()}


@dataclass(slots=True)
class DraftCommit:
    """The files of a commit that is not made yet, and the index entries that go with it."""

    entries: list[TreeEntry] = field(default_factory=list)
    index: list[TreeEntry] = field(default_factory=list)
    contents: CommitContents = field(default_factory=CommitContents)
    without_videos: list[str] = field(default_factory=list)
    """Files whose text in the last commit names no video."""
    unidentified: list[str] = field(default_factory=list)
    """A sentence for each file with counts that cannot be identified in the last commit."""


class CommitSummary(NamedTuple):
    """What a commit contains."""

    commit: str
    pages: int
    counts: int
    dates: int
    """Those on pages without a count."""


def require_tip(repository: Repository) -> Tip:
    """Return the branch and its newest commit. Raises GitError if a commit now would disturb the author."""
    busy = in_progress(repository)
    if busy:
        raise GitError(f"the repository is in the middle of {busy}; finish it, and the next sync commits the counts")
    tip = tip_of(repository)
    if tip is None:
        raise GitError(
            "no branch with a commit is checked out; run `git switch BRANCH`, and the next sync commits the counts"
        )
    return tip


def commit_counts(
    scope: CommitScope, wording: Wording, author: Author
) -> tuple[CommitSummary | None, Mapping[str, str], Sequence[str]]:
    """Commit the counts that are not committed yet.

    Return what was committed (None: nothing), the files that cannot be committed because git stores them through a
    filter, with the filter's name, and a sentence for each file with counts that cannot be identified. Raises GitError.
    """
    repository = scope.repository
    settle(repository)
    failure = GitError("the branch kept getting new commits; the next sync tries again")
    for _ in range(COMMIT_TRIES):
        tip = require_tip(repository)
        differs = differing(scope, tip.commit)
        indexed = staged(repository, tip.commit, scope.within) if differs else {}
        draft = build(scope, differs, indexed)
        not_text = filtered(repository, draft.without_videos) if draft.without_videos else {}
        if not draft.entries:
            return None, not_text, draft.unidentified
        variables, contents = author.variables(repository), draft.contents
        commit = write_commit(repository, tip.commit, draft.entries, wording.message(contents), variables)
        try:
            advance(repository, tip, commit, draft.index, indexed)
        except IndexChanged as error:
            failure = error
        except GitError:
            if tip_of(repository) == tip:
                raise
        else:
            return CommitSummary(commit, contents.pages, contents.counts, contents.dates), not_text, draft.unidentified
    raise failure


def build(scope: CommitScope, differs: Mapping[str, Blob], indexed: Mapping[str, Blob | None]) -> DraftCommit:
    """Store the files for a new commit: those of `differs`, with the counts to commit. Raises GitError.

    `differs` are the files of the last commit that may differ from the working tree; `indexed` is what the index has
    instead of them. A file that the author has staged for removal is skipped.
    """
    draft = DraftCommit()
    to_restage: list[StagedFile] = []
    with storing_blobs(scope.repository) as store:
        for file in find_waiting(scope, differs):
            if indexed.get(file.path, file.blob) is None:
                continue
            own = [(fields, difference, write) for fields, difference, write in file.counts if write]
            changes = [(fields, difference.change(write.as_of)) for fields, difference, write in own]
            draft.unidentified += describe_unidentified([file])
            if not (file.counts or file.unidentified):
                draft.without_videos.append(file.path)
            new = with_counts(file.text, changes, file.removed) if own else None
            if new is None:
                continue
            entry = TreeEntry(file.path, Blob(file.blob.mode, store(new)))
            draft.entries.append(entry)
            draft.contents.add([change for _, change in changes], own_file=own[0][0].own_file)
            draft.contents.sync = max(draft.contents.sync, *(write.sync for _, _, write in own))
            other = indexed.get(file.path)
            if other and not own[0][0].own_file:
                to_restage.append(StagedFile(file.path, file.blob, other, own))
            else:
                draft.index.append(entry)
    draft.index += restage(scope, to_restage)
    return draft
