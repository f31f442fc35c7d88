"""Ends a sync in git: commits what waits, and pushes it, as the config says. What stands in the way is a Problem."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from syncer.commit.build import Author, commit_counts, require_tip
from syncer.commit.message import Contents, Wording, form, message
from syncer.commit.push import push_counts
from syncer.commit.uncommitted import Source
from syncer.commit.unseen import find_unseen, say_unseen
from syncer.content.walk import Candidate, candidate_of
from syncer.diff_log.log import LOG
from syncer.errors import GitError
from syncer.git.objects import tidy
from syncer.git.remote import Remote
from syncer.git.repository import find_repository, repositories_within
from syncer.model import Problem, ProblemKind
from syncer.sync.options import Sync
from syncer.sync.sync_log import tell_committed, tell_pushed
from syncer.wording import counted, safe

MOST_AT_THE_END = 20_000
"""Pages whose commit whoever tells a sync to stop can wait for: some five seconds."""


def publish(sync: Sync, candidates: Sequence[Candidate]) -> None:
    """Commit the counts of these pages that wait, and push, as the config says."""
    settings, tally, cancelled = sync.config.git, sync.tally, sync.environment.cancelled
    kind = ProblemKind.NOT_COMMITTED
    try:
        _require_time(sync)
        source = _source(sync, candidates)
        author = Author(settings.author)

        def worded(contents: Contents) -> str:
            return message(contents, tally.sync, sorted(tally.missing), settings.message)

        tally.problems += [Problem(kind, "git", said) for said in _of_their_own(source)]
        left: dict[str, str] = {}
        tally.commit = commit_counts(source, worded, author, left.update)
        unseen = find_unseen(source, require_tip(source.repository).commit)
        tally.problems += [Problem(kind, "git", said) for said in (*_filtered(left), *say_unseen(unseen))]
        tell_committed(tally.commit)
        if tally.commit:
            tidy(source.repository)
        if settings.push and not cancelled():
            kind = ProblemKind.NOT_PUSHED
            remote, wording = (
                Remote(settings.remote, cancelled),
                Wording(worded, form(settings.message)),
            )
            tally.commit = push_counts(source, remote, wording, author, tally.commit)
            tell_pushed(tally, settings.remote)
    except (GitError, OSError) as error:
        tally.problems.append(Problem(kind, "git", f"{error}"))


def _require_time(sync: Sync) -> None:
    pages = sync.tally.changed_pages
    if pages > MOST_AT_THE_END and sync.environment.cancelled():
        raise GitError(f"told to stop with {pages:,} pages to commit; the next sync commits them")


def _source(sync: Sync, candidates: Sequence[Candidate]) -> Source:
    repository = find_repository(sync.site)
    if repository is None:
        raise GitError("the site is in no git repository; run `git init`, or set `git.commit` to false")
    mapped = candidate_of([collection.as_model() for collection in sync.config.collections])
    return Source(repository, sync.site, sync.config.state_directory / LOG, candidates, mapped)


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
