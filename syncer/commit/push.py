"""Pushes the commits that are ours; where somebody else pushed first, on top of what is new there."""

from __future__ import annotations

import re
from collections.abc import Sequence

from syncer.commit.build import Author, build, require_tip
from syncer.commit.message import Wording
from syncer.commit.ownership import say_claimed, sort_out
from syncer.commit.uncommitted import Source, named_by_git
from syncer.errors import GitError
from syncer.git.advance import move_on
from syncer.git.objects import write_commit
from syncer.git.remote import Rejected, Remote, common, fetch, push, require_remote, unpushed
from syncer.git.repository import Repository, Tip, between, goes_on_from
from syncer.wording import counted

TRIES = 5
"""How often a commit is built anew because somebody else pushed first."""


def push_counts(source: Source, remote: Remote, wording: Wording, author: Author, commit: str | None) -> str | None:
    """Push the commits that are ours; where somebody else pushed first, build the same counts anew on what is new.

    Return the sync's commit: this one, or what took its place. Raises GitError.
    """
    repository = source.repository
    late = why = GitError(f"{remote.name} gets new commits all the time; the next sync pushes")
    for _ in range(TRIES):
        tip = require_tip(repository)
        if not _is_ours(source, remote, tip, wording.form, commit):
            return commit
        try:
            push(repository, remote, tip)
        except Rejected as rejected:
            why = rejected
        else:
            return commit
        upstream = fetch(repository, remote, tip.branch)
        if not goes_on_from(repository, tip.commit, upstream):
            _is_ours(source, remote, tip, wording.form, commit)
            commit = _build_anew(source, tip, upstream, wording, author)
            why = late
    raise why


def _is_ours(source: Source, remote: Remote, tip: Tip, form: re.Pattern[str], made_now: str | None) -> bool:
    """Whether there is something to push. Raises GitError where not all of it is ours."""
    repository = source.repository
    require_remote(repository, remote.name)
    found = sort_out(source, unpushed(repository, remote, tip), form, made_now)
    if found.others and (upstream := _newest_at(repository, remote, tip)):
        found = sort_out(source, unpushed(repository, remote, tip), form, made_now)
        if found.others and not goes_on_from(repository, tip.commit, upstream):
            raise GitError(
                f"the branch and {remote.name} have gone different ways; bring them together, and the counts go along"
                + _also(found.claimed)
            )
    if found.others:
        raise GitError(
            f"the branch holds {counted(found.others, 'commit')} of yours that {remote.name} does not have;"
            f" push them, and the counts go along{_also(found.claimed)}"
        )
    return found.ours > 0


def _also(claimed: Sequence[str]) -> str:
    return f"; {say_claimed(claimed)}" if claimed else ""


def _newest_at(repository: Repository, remote: Remote, tip: Tip) -> str | None:
    try:
        return fetch(repository, remote, tip.branch)
    except GitError:  # out of reach, or without such a branch: then what is known counts
        return None


def _build_anew(source: Source, tip: Tip, upstream: str, wording: Wording, author: Author) -> str | None:
    """Bring the branch to what is new at the remote, with our counts on top of it instead of our commits.

    Return the commit that has them; None where what is new has them already.
    """
    repository = source.repository
    _require_whole(source, tip, upstream)
    unlike = {path: new for path, _, new in between(repository, tip.commit, upstream, source.within) if new}
    built = build(source, unlike, {})
    commit = None
    if built.entries:
        commit = write_commit(
            repository, upstream, built.entries, wording.message(built.contents), author.variables(repository)
        )
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
