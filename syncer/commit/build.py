"""Commits the counts that wait: the last commit's texts with our counts in them, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from syncer.commit.message import Contents
from syncer.commit.restage import Staged, restage
from syncer.commit.uncommitted import Source, find_waiting, with_counts
from syncer.errors import GitError
from syncer.git.advance import IndexChanged, advance, settle
from syncer.git.objects import Entry, storing_blobs, write_commit
from syncer.git.repository import (
    Blob,
    Repository,
    Tip,
    filtered,
    in_progress,
    require_identity,
    staged,
    tip_of,
    unlike_on_disk,
)

TRIES = 5
"""How often a commit is built anew because somebody else's came first."""


@dataclass(frozen=True, slots=True)
class Author:
    """In whose name commits are made."""

    configured: str | None
    """`NAME <ADDRESS>`; None: git's own settings say it."""

    def variables(self, repository: Repository) -> dict[str, str]:
        """Return what tells git so. Raises GitError where nothing says it."""
        if self.configured is None:
            require_identity(repository)
            return {}
        name, _, address = self.configured.rstrip(">").partition(" <")
        both = {"NAME": name, "EMAIL": address}
        return {f"GIT_{who}_{what}": said for who in ("AUTHOR", "COMMITTER") for what, said in both.items()}


@dataclass(slots=True)
class Built:
    """The files of a commit to be, and what the index is to have instead of them."""

    entries: list[Entry] = field(default_factory=list)
    index: list[Entry] = field(default_factory=list)
    contents: Contents = field(default_factory=Contents)
    without: list[str] = field(default_factory=list)
    """Files whose text in the commit before names no video."""


def require_tip(repository: Repository) -> Tip:
    """Return where the next commit goes. Raises GitError where a commit would be in somebody's way."""
    busy = in_progress(repository)
    if busy:
        raise GitError(f"the repository is in the middle of {busy}; finish it, and the next sync commits")
    tip = tip_of(repository)
    if tip is None:
        raise GitError("no branch with a commit is checked out; check one out, and the next sync commits")
    return tip


def commit_counts(
    source: Source,
    message: Callable[[Contents], str],
    author: Author,
    left: Callable[[Mapping[str, str]], object] = lambda _files: None,
) -> str | None:
    """Commit what waits, and return the commit's name; None where nothing waits. Raises GitError.

    `left` is called with the files that cannot be committed, because git stores something else than their text: by the
    names of the filters that make it.
    """
    repository = source.repository
    settle(repository)
    why = GitError("the branch gets new commits all the time; the next sync commits")
    for _ in range(TRIES):
        tip = require_tip(repository)
        unlike = unlike_on_disk(repository, tip.commit, source.within)
        indexed = staged(repository, tip.commit, source.within) if unlike else {}
        built = build(source, unlike, indexed)
        left(filtered(repository, built.without) if built.without else {})
        if not built.entries:
            return None
        variables = author.variables(repository)
        commit = write_commit(repository, tip.commit, built.entries, message(built.contents), variables)
        try:
            advance(repository, tip, commit, built.index, indexed)
        except IndexChanged as error:
            why = error
        except GitError:
            if tip_of(repository) == tip:
                raise
        else:
            return commit
    raise why


def build(source: Source, unlike: Mapping[str, Blob], indexed: Mapping[str, Blob | None]) -> Built:
    """Store the files of a commit to be: those of `unlike` with the counts that wait. Raises GitError.

    `unlike` are the files of the commit before it that may differ from the working tree; `indexed` is what the index
    has instead of them. A file that the author has staged for removal waits.
    """
    built = Built()
    again: list[Staged] = []
    with storing_blobs(source.repository) as store:
        for file in find_waiting(source, unlike):
            if indexed.get(file.path, file.blob) is None:
                continue
            ours = [(fields, one, written) for fields, one, written in file.counts if written]
            changes = [(fields, one.change(written.as_of)) for fields, one, written in ours]
            if not file.counts:
                built.without.append(file.path)
            new = with_counts(file.text, changes) if ours else None
            if new is None:
                continue
            entry = Entry(file.path, Blob(file.blob.mode, store(new)))
            built.entries.append(entry)
            built.contents.add([change for _, change in changes])
            built.contents.sync = max(built.contents.sync, *(written.sync for _, _, written in ours))
            other = indexed.get(file.path)
            if other:
                again.append(Staged(file.path, file.blob, other, ours))
            else:
                built.index.append(entry)
    built.index += restage(source, again)
    return built
