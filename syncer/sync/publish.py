"""Ends a sync in git: commits what waits, and pushes it, as the config says. What stands in the way is a Problem."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from syncer.commit_message import TRAILER, Contents, message
from syncer.content.scan import Candidate
from syncer.diff_log import LOG
from syncer.errors import GitError
from syncer.git.advance import move_on
from syncer.git.objects import write_commit
from syncer.git.remote import Rejected, fetch, push, unpushed
from syncer.git.repository import Tip, between, find_repository
from syncer.model import Problem, ProblemKind
from syncer.sync.commit import Author, build, commit_counts, require_tip
from syncer.sync.options import Sync
from syncer.sync.tell import tell_committed, tell_pushed
from syncer.sync.uncommitted import Source
from syncer.wording import counted

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

        tally.commit = commit_counts(source, worded, author)
        tell_committed(tally)
        if settings.push and not sync.world.cancelled():
            kind = ProblemKind.NOT_PUSHED
            tally.commit = push_counts(source, settings.remote, worded, author) or tally.commit
            tell_pushed(tally, settings.remote)
    except (GitError, OSError) as error:
        tally.problems.append(Problem(kind, "git", f"{error}"))


def push_counts(source: Source, remote: str, worded: Message, author: Author) -> str | None:
    """Push the commits that are ours; where somebody else pushed first, build the same counts anew on what is new.

    Return the newest commit if that was done. Raises GitError.
    """
    repository = source.repository
    anew = None
    for _ in range(TRIES):
        tip = require_tip(repository)
        ours, others = unpushed(repository, remote, tip.commit, TRAILER)
        if not ours:
            return anew
        if others:
            raise GitError(
                f"the branch holds {counted(others, 'commit')} of yours that {remote} does not have;"
                " push them, and the counts go along"
            )
        try:
            push(repository, remote, tip)
        except Rejected:
            anew = _build_anew(source, remote, tip, worded, author)
        else:
            return anew
    raise GitError(f"{remote} gets new commits all the time; the next sync pushes")


def _build_anew(source: Source, remote: str, tip: Tip, worded: Message, author: Author) -> str:
    """Bring the branch to what is new at the remote, with our counts on top of it instead of our commits."""
    repository = source.repository
    upstream = fetch(repository, remote, tip.branch)
    _, others = unpushed(repository, remote, tip.commit, TRAILER)
    if others:
        raise GitError(f"{remote} no longer has commits that the branch stands on; bring the two together")
    unlike = {path: new for path, _, new in between(repository, tip.commit, upstream, source.within) if new}
    built = build(source, unlike, {})
    commit = upstream
    if built.entries:
        commit = write_commit(repository, upstream, built.entries, worded(built.contents), author.variables(repository))
    move_on(repository, tip, commit)
    return commit


def _source(sync: Sync, candidates: Sequence[Candidate]) -> Source:
    repository = find_repository(sync.site)
    if repository is None:
        raise GitError("the site is in no git repository; run `git init`, or set `git.commit` to false")
    return Source(repository, sync.site, sync.config.state_directory / LOG, candidates)
