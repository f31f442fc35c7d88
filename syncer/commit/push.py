"""Pushes the commits that are ours; where somebody else pushed first, on top of what is new there."""

from __future__ import annotations

from contextlib import suppress

from syncer.commit.build import Author, build, require_tip
from syncer.commit.message import Wording, form
from syncer.commit.ownership import describe_claimed, sort_out
from syncer.commit.uncommitted import CommitScope, named_by_git
from syncer.errors import GitError
from syncer.git.advance import move_with_tree
from syncer.git.objects import write_commit
from syncer.git.remote import PushRejected, Remote, common, fetch, push, require_remote, unpushed
from syncer.git.repository import Tip, between, descends_from
from syncer.wording import counted

PUSH_TRIES = 5
"""How often a commit is built again because somebody else pushed first."""


def push_counts(scope: CommitScope, remote: Remote, wording: Wording, author: Author, commit: str | None) -> str | None:
    """Push the commits that are ours; where somebody else pushed first, build the same counts again on what is new.

    Return the sync's commit: this one, or what took its place. Raises GitError.
    """
    repository = scope.repository
    late = failure = GitError(f"{remote.name} gets new commits all the time; the next sync pushes")
    for _ in range(PUSH_TRIES):
        tip = require_tip(repository)
        if not _require_ours(scope, remote, tip, wording.template, commit):
            return commit
        try:
            push(repository, remote, tip)
        except PushRejected as rejected:
            failure = rejected
        else:
            return commit
        upstream = fetch(repository, remote, tip.branch)
        if not descends_from(repository, tip.commit, upstream):
            _require_ours(scope, remote, tip, wording.template, commit)
            commit = _rebuild(scope, tip, upstream, wording, author)
            failure = late
    raise failure


def _require_ours(scope: CommitScope, remote: Remote, tip: Tip, template: str | None, made_now: str | None) -> bool:
    """Return whether there is something to push. Raises GitError where not all of it is ours."""
    repository = scope.repository
    require_remote(repository, remote.name)
    found = sort_out(scope, unpushed(repository, remote, tip), form(template), made_now)
    upstream = None
    if found.others:
        with suppress(GitError):  # out of reach, or without such a branch: then what is known counts
            upstream = fetch(repository, remote, tip.branch)
        if upstream:
            found = sort_out(scope, unpushed(repository, remote, tip), form(template), made_now)
    also = f"; {describe_claimed(found.claimed)}" if found.claimed else ""
    if found.others and upstream and not descends_from(repository, tip.commit, upstream):
        raise GitError(
            f"the branch and {remote.name} have gone different ways; bring them together, and the counts go along{also}"
        )
    if found.others:
        raise GitError(
            f"the branch holds {counted(found.others, 'commit')} of yours that {remote.name} does not have;"
            f" push them, and the counts go along{also}"
        )
    return found.ours > 0


def _rebuild(scope: CommitScope, tip: Tip, upstream: str, wording: Wording, author: Author) -> str | None:
    """Bring the branch to what is new at the remote, with our counts on top of it instead of our commits.

    Return the commit that has them; None where what is new has them already. Raises GitError, also where our commits
    hold more than the pages that the sync is about: it would be lost.
    """
    repository = scope.repository
    ours = between(repository, common(repository, upstream, tip.commit), tip.commit)
    other_files = {difference.path for difference in ours} - {path for path, _ in named_by_git(scope)}
    if other_files:
        raise GitError(
            f"the commits to push hold counts of {counted(len(other_files), 'file')} that this sync is not about, and"
            " others pushed first; a sync of all pages pushes, or `git pull --rebase` brings the two together"
        )
    differing = {path: new for path, _, new in between(repository, tip.commit, upstream, scope.within) if new}
    draft = build(scope, differing, {})
    commit = None
    if draft.entries:
        variables = author.variables(repository)
        commit = write_commit(repository, upstream, draft.entries, wording.message(draft.contents), variables)
    move_with_tree(repository, tip, commit or upstream)
    return commit
