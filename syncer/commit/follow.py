"""Pulls what others pushed, in a clone in which nobody works: before a sync looks at the pages."""

from __future__ import annotations

from shlex import quote

from syncer.commit.build import Author, commit_counts, require_tip
from syncer.commit.message import Wording, form
from syncer.commit.ownership import sort_out
from syncer.commit.push import rebuild
from syncer.commit.uncommitted import CommitScope
from syncer.errors import GitError
from syncer.git.advance import move_with_tree, settle
from syncer.git.remote import Remote, commits_since, fetch, fork_point, upstream_of
from syncer.wording import counted


def follow(scope: CommitScope, remote: Remote, wording: Wording, author: Author) -> None:
    """Move the branch, the index and the working tree to the remote's branch, with syncer's own commits on top of it.

    The remote's branch may have been rewritten. Raises GitError if it cannot be fetched, or if the author's work in
    this clone is in the way; then nothing was changed.
    """
    repository = scope.repository
    settle(repository)
    upstream = fetch(repository, remote, require_tip(repository).branch)
    try:
        _move(scope, remote, upstream, wording, author)
    except GitError:
        committed, *_ = commit_counts(scope, wording, author)  # those of a sync that was killed may be in the way
        if committed is None:
            raise
        _move(scope, remote, upstream, wording, author)


def _move(scope: CommitScope, remote: Remote, upstream: str, wording: Wording, author: Author) -> None:
    repository = scope.repository
    tip = require_tip(repository)
    base = fork_point(repository, remote, tip, upstream)
    if base == upstream:  # else the remote has new commits, or has lost some that are still here
        return
    commits = commits_since(repository, tip, upstream, base)
    if not commits:
        move_with_tree(repository, tip, upstream)
        return
    found = sort_out(scope, commits, form(wording.template), None)
    if found.others:
        name = quote(upstream_of(repository, remote, tip.branch).removeprefix("refs/heads/"))
        place = quote(remote.name)
        raise GitError(
            f"{repository.top} has {counted(found.others, 'commit')} of yours that {remote.name} does not have; run"
            f" `git pull --rebase {place} {name}` there, then `git push {place} HEAD:{name}`"
        )
    rebuild(scope, tip, upstream, wording, author, base=base)
