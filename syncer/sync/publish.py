"""Ends a sync in git: commits what waits, and pushes it, as the config says. What stands in the way is a Problem."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence

from syncer.commit_message import TRAILER, Contents, message
from syncer.content.scan import Candidate
from syncer.diff_log import LOG
from syncer.errors import GitError
from syncer.git.advance import move_on
from syncer.git.objects import tidy, write_commit
from syncer.git.remote import Rejected, Remote, common, fetch, push, unpushed
from syncer.git.repository import Repository, Tip, between, find_repository, goes_on_from, repositories_within
from syncer.model import Problem, ProblemKind
from syncer.sync.commit import Author, build, commit_counts, require_tip
from syncer.sync.options import Sync
from syncer.sync.tell import tell_committed, tell_pushed
from syncer.sync.uncommitted import Source, named_by_git
from syncer.wording import counted, safe

TRIES = 5
"""How often a commit is built anew because somebody else pushed first."""

Message = Callable[[Contents], str]


def publish(sync: Sync, candidates: Sequence[Candidate]) -> None:
    """Commit the counts of these pages that wait, and push, as the config says."""
    settings, tally = sync.config.git, sync.tally
    kind = ProblemKind.NOT_COMMITTED
    try:
        source = _source(sync, candidates)
        author = Author(settings.author)

        def worded(contents: Contents) -> str:
            return message(contents, tally.sync, sorted(tally.missing), settings.message)

        tally.problems += [Problem(kind, "git", said) for said in _of_their_own(source)]
        left: dict[str, str] = {}
        tally.commit = commit_counts(source, worded, author, left.update)
        tally.problems += [Problem(kind, "git", said) for said in _filtered(left)]
        tell_committed(tally.commit)
        if tally.commit:
            tidy(source.repository)
        if settings.push and not sync.world.cancelled():
            kind = ProblemKind.NOT_PUSHED
            tally.commit = push_counts(
                source, Remote(settings.remote, sync.world.cancelled), worded, author, tally.commit
            )
            tell_pushed(tally, settings.remote)
    except (GitError, OSError) as error:
        tally.problems.append(Problem(kind, "git", f"{error}"))


def _of_their_own(source: Source) -> Iterator[str]:
    """Say which pages this repository cannot have."""
    directories = {os.path.dirname(candidate.path) for candidate in source.candidates}
    real = (os.path.realpath(os.path.join(source.site, directory)) for directory in directories)
    for place in repositories_within(source.repository, real):
        yield (
            f"{os.path.relpath(place, source.site)} is a repository of its own, so its counts are not committed;"
            " commit them there, or give it a config of its own"
        )


def _filtered(files: Mapping[str, str]) -> Iterator[str]:
    """Say which pages git has as something else; `files` are those, and the names of the filters that make it."""
    if files:
        yield (
            f"{counted(len(files), 'page')}, such as {safe(min(files))}, cannot be committed: git stores something else"
            f" than the text (filter {', '.join(sorted(set(files.values())))}); commit the counts yourself"
        )


def push_counts(source: Source, remote: Remote, worded: Message, author: Author, commit: str | None) -> str | None:
    """Push the commits that are ours; where somebody else pushed first, build the same counts anew on what is new.

    Return the sync's commit: this one, or what took its place. Raises GitError.
    """
    repository = source.repository
    late = why = GitError(f"{remote.name} gets new commits all the time; the next sync pushes")
    for _ in range(TRIES):
        tip = require_tip(repository)
        if not _is_ours(repository, remote, tip):
            return commit
        try:
            push(repository, remote, tip)
        except Rejected as rejected:
            why = rejected
        else:
            return commit
        upstream = fetch(repository, remote, tip.branch)
        if not goes_on_from(repository, tip.commit, upstream):
            _is_ours(repository, remote, tip)
            commit = _build_anew(source, tip, upstream, worded, author)
            why = late
    raise why


def _is_ours(repository: Repository, remote: Remote, tip: Tip) -> bool:
    """Whether there is something to push. Raises GitError where not all of it is ours."""
    ours, others = unpushed(repository, remote, tip, TRAILER)
    if others and (upstream := _newest_at(repository, remote, tip)):
        ours, others = unpushed(repository, remote, tip, TRAILER)
        if others and not goes_on_from(repository, tip.commit, upstream):
            raise GitError(
                f"the branch and {remote.name} have gone different ways; bring them together, and the counts go along"
            )
    if others:
        raise GitError(
            f"the branch holds {counted(others, 'commit')} of yours that {remote.name} does not have;"
            " push them, and the counts go along"
        )
    return ours > 0


def _newest_at(repository: Repository, remote: Remote, tip: Tip) -> str | None:
    try:
        return fetch(repository, remote, tip.branch)
    except GitError:  # out of reach, or without such a branch: then what is known counts
        return None


def _build_anew(source: Source, tip: Tip, upstream: str, worded: Message, author: Author) -> str | None:
    """Bring the branch to what is new at the remote, with our counts on top of it instead of our commits.

    Return the commit that has them; None where what is new has them already.
    """
    repository = source.repository
    _require_whole(source, tip, upstream)
    unlike = {path: new for path, _, new in between(repository, tip.commit, upstream, source.within) if new}
    built = build(source, unlike, {})
    commit = None
    if built.entries:
        commit = write_commit(repository, upstream, built.entries, worded(built.contents), author.variables(repository))
    move_on(repository, tip, commit or upstream)
    return commit


def _require_whole(source: Source, tip: Tip, upstream: str) -> None:
    """Raise GitError where our commits hold more than the pages that the sync is about: it would be lost."""
    repository = source.repository
    changed = between(repository, common(repository, upstream, tip.commit), tip.commit)
    beside = {one.path for one in changed} - {path for path, _ in named_by_git(source)}
    if beside:
        raise GitError(
            f"the commits to push hold counts of {counted(len(beside), 'file')} that this sync is not about, and others"
            " pushed first; a sync of all pages pushes, or `git pull --rebase` brings the two together"
        )


def _source(sync: Sync, candidates: Sequence[Candidate]) -> Source:
    repository = find_repository(sync.site)
    if repository is None:
        raise GitError("the site is in no git repository; run `git init`, or set `git.commit` to false")
    return Source(repository, sync.site, sync.config.state_directory / LOG, candidates)
