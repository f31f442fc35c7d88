"""Pushes syncer's commits; if others pushed first, rebuilds them on top of the new commits."""

from __future__ import annotations

from contextlib import suppress
from shlex import quote

from syncer.commit.build import Author, build, require_tip
from syncer.commit.message import Wording, form
from syncer.commit.ownership import describe_claimed, sort_out
from syncer.commit.uncommitted import CommitScope, named_by_git, new_data_files
from syncer.errors import GitError
from syncer.git.advance import move_with_tree
from syncer.git.objects import write_commit
from syncer.git.remote import PushRejected, Remote, common, fetch, push, unpushed, upstream_of
from syncer.git.repository import Tip, between, descends_from
from syncer.wording import counted

PUSH_TRIES = 5
"""How often a commit is rebuilt because others pushed first."""


def push_counts(scope: CommitScope, remote: Remote, wording: Wording, author: Author, commit: str | None) -> str | None:
    """Push syncer's commits; if others pushed first, rebuild the same counts on top of the new commits.

    Return the sync's commit: this one, or the one that replaced it. Raises GitError.
    """
    repository = scope.repository
    late = failure = GitError(f"others kept pushing to {remote.name}; the next sync tries again")
    for _ in range(PUSH_TRIES):
        tip = require_tip(repository)
        if not _require_own(scope, remote, tip, wording.template, commit):
            return commit
        try:
            push(repository, remote, tip)
        except PushRejected as rejected:
            failure = rejected
        else:
            return commit
        upstream = fetch(repository, remote, tip.branch)
        if not descends_from(repository, tip.commit, upstream):
            _require_own(scope, remote, tip, wording.template, commit)
            base = common(repository, upstream, tip.commit)
            commit = rebuild(scope, tip, upstream, wording, author, base=base)
            failure = late
    raise failure


def _require_own(scope: CommitScope, remote: Remote, tip: Tip, template: str | None, made_now: str | None) -> bool:
    """Return whether there is something to push. Raises GitError if some of it is the author's."""
    repository = scope.repository
    found = sort_out(scope, unpushed(repository, remote, tip), form(template), made_now)
    upstream = None
    if found.others:
        with suppress(GitError):  # not reachable, or without such a branch: then use what is known here
            upstream = fetch(repository, remote, tip.branch)
        if upstream:
            found = sort_out(scope, unpushed(repository, remote, tip), form(template), made_now)
    if found.others:
        name = quote(upstream_of(repository, remote, tip.branch).removeprefix("refs/heads/"))
        place = quote(remote.name)
        what = f"your branch has {counted(found.others, 'commit')} of yours that {remote.name} does not have; run"
        if upstream and not descends_from(repository, tip.commit, upstream):
            what = f"your branch and {remote.name} have diverged; run `git pull --rebase {place} {name}`, then"
        also = f" ({describe_claimed(found.claimed)})" if found.claimed else ""
        raise GitError(f"{what} `git push {place} HEAD:{name}`, which pushes the counts too{also}")
    return found.own > 0


def rebuild(scope: CommitScope, tip: Tip, upstream: str, wording: Wording, author: Author, *, base: str) -> str | None:
    """Move the branch to the remote's new commits, and replace syncer's commits with a new one on top of them.

    Syncer's commits are those after `base`. Return the new commit; None if the remote has the counts already. Raises
    GitError, also if syncer's commits contain pages outside this sync: their counts would be lost.
    """
    repository = scope.repository
    own = between(repository, base, tip.commit)
    other_files = {difference.path for difference in own} - {path for path, _ in named_by_git(scope)}
    if other_files:
        raise GitError(
            f"others pushed first, and the commits to push contain {counted(len(other_files), 'file')} outside this"
            " sync; run `syncer sync` for the whole site"
        )
    differing = {path: new for path, _, new in between(repository, tip.commit, upstream, scope.within) if new}
    differing |= new_data_files(scope, upstream, differing)
    draft = build(scope, differing, {})
    commit = None
    if draft.entries:
        variables = author.variables(repository)
        commit = write_commit(repository, upstream, draft.entries, wording.message(draft.contents), variables)
    move_with_tree(repository, tip, commit or upstream)
    return commit
