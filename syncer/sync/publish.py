"""Ends a sync in git: commits the counts and pushes them, if the config says so. What prevents that is a Problem."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain, groupby
from pathlib import Path

from syncer.commit.build import Author, commit_counts, require_tip
from syncer.commit.follow import follow
from syncer.commit.message import Wording
from syncer.commit.push import push_counts
from syncer.commit.uncommitted import CommitScope, describe_unseen, find_unseen, refused_data_files
from syncer.content.pages import Pages
from syncer.content.walk import Candidate, candidate_of, walk_written, with_parents
from syncer.diff_log.lines import LOG
from syncer.errors import GitError
from syncer.git.objects import tidy
from syncer.git.remote import TRANSPORTS, Remote, require_remote
from syncer.git.repository import find_repository, repositories_within
from syncer.model import Problem, ProblemKind, VideoId
from syncer.state.ledger_place import require_packages
from syncer.state.mappings import with_former
from syncer.state.naming_pages import count_pages_of
from syncer.sync.options import Sync
from syncer.sync.sync_log import log_committed, log_pushed
from syncer.wording import counted, safe

MAX_PAGES_ONCE_CANCELLED = 20_000
"""Pages that are still committed when a sync is cancelled: some five seconds."""


def publish(sync: Sync, pages: Pages, missing: Iterable[VideoId]) -> None:
    """Commit the new counts of these pages, and push, if the config says so. The message names the `missing` videos."""
    settings, tally, cancelled = sync.config.git, sync.tally, sync.environment.cancelled
    kind = ProblemKind.NOT_COMMITTED
    not_followed = any(problem.kind is ProblemKind.NOT_PUSHED for problem in tally.problems)
    try:
        scope = _scope(sync, pages)
        author, wording = Author(settings.author), _wording(sync, missing)
        paths = chain((page.path for page in pages), filter(None, [sync.config.write.file]))
        tally.problems += [Problem(kind, "git", text) for text in _describe_nested_repositories(scope, paths)]
        summary, filtered, unidentified = commit_counts(scope, wording, author)
        tally.commit = summary.commit if summary else None
        tally.committed = (summary.counts, summary.dates, summary.pages) if summary else (0, 0, 0)
        tip = require_tip(scope.repository).commit
        unseen = find_unseen(scope, tip)
        if filtered:
            filters = ", ".join(sorted(set(filtered.values())))
            text = (
                f"{counted(len(filtered), 'page')}, such as {safe(min(filtered))}, cannot be committed, because git"
                f" stores them in another form (filter {filters}); commit their counts yourself"
            )
            tally.problems.append(Problem(kind, "git", text))
        tally.problems += [Problem(kind, "git", text) for text in (*unidentified, *describe_unseen(unseen))]
        tally.problems += [Problem(kind, "git", text) for text in refused_data_files(scope, tip)]
        log_committed(tally.commit)
        if tally.commit:
            tidy(scope.repository)
        if settings.push and not cancelled() and not not_followed:
            kind = ProblemKind.NOT_PUSHED
            tally.commit = push_counts(scope, _remote(sync, scope), wording, author, tally.commit)
            tally.pushed_to = settings.remote
            log_pushed(tally, settings.remote)
    except (GitError, OSError) as error:
        tally.problems.append(Problem(kind, "git", f"{error}"))


def pull(sync: Sync) -> None:
    """Pull what others pushed, before a sync looks at the pages. If that fails, the sync pushes nothing either."""
    try:
        scope = _scope(sync, None)
        follow(scope, _remote(sync, scope), _wording(sync, ()), Author(sync.config.git.author))
    except (GitError, OSError) as error:
        what = f"what others pushed could not be pulled, so this sync pushes nothing: {error}"
        sync.tally.problems.append(Problem(ProblemKind.NOT_PUSHED, "git", what))


def _wording(sync: Sync, missing: Iterable[VideoId]) -> Wording:
    return Wording(sync.config.git.message, sync.tally.sync, sorted(missing), partial(count_pages_of, sync.database))


def _remote(sync: Sync, scope: CommitScope) -> Remote:
    """Return where the site is pushed, if this host still owns it.

    Raises GitError if there is no such remote, and StateError if what asks for the owner is not installed.
    """
    settings, cancelled = sync.config.git, sync.environment.cancelled
    name = require_remote(scope.repository, settings.remote, is_url=settings.remote_is_url)
    variables = TRANSPORTS if settings.remote_is_url else None
    place = sync.config.ledger_place
    if place is None or isinstance(place, Path):
        return Remote(name, cancelled, variables=variables)
    require_packages("psycopg")
    from syncer.sync.site_owner import require_owner

    return Remote(name, cancelled, partial(require_owner, place, sync.config.site_name, sync.site), variables)


def _scope(sync: Sync, pages: Pages | None) -> CommitScope:
    """Return what to commit; without pages, all files of the site that may be some.

    Raises GitError if there is no repository, or no time for so many pages.
    """
    changed = sync.tally.changed_pages
    if changed > MAX_PAGES_ONCE_CANCELLED and sync.environment.cancelled():
        raise GitError(f"stopped before {changed:,} pages were committed; the next sync commits them")
    repository = find_repository(sync.site)
    if repository is None:
        raise GitError("the site is not in a git repository; run `git init`, or set `git.commit` to false")
    collections = with_former(sync.database, sync.config.written_models())
    mapped, options = candidate_of(collections), sync.options
    paths_of_file = list(dict.fromkeys(each.data_file for each in collections if each.data_file))
    data_files = [mapped(path) for path in paths_of_file]
    of_pages = [each for each in collections if each.data_file is None]
    former = any(each.fields.former for each in of_pages)
    only = set(options.paths)
    if pages is None:
        only = set()
    elif former and options.videos:
        only = {page.path for page in pages}

    def candidates() -> Iterator[Candidate]:
        yield from data_files
        if former or pages is None:  # also what syncer wrote to pages that the config no longer has
            found = (item for item in walk_written(sync.site, of_pages) if isinstance(item, Candidate))
            yield from (each for each in found if not (only and only.isdisjoint(with_parents(each.path))))
            return
        for path, same in groupby(pages, key=lambda page: page.path):  # they may have counts from before the data file
            fields = {id(page.fields): page.fields for page in same}  # a file with many videos is several pages
            yield mapped(path) if data_files else Candidate(path, tuple(fields.values()))

    log = sync.config.state_directory / LOG
    return CommitScope(repository, sync.site, log, candidates, mapped, data_files, paths_of_file)


def _describe_nested_repositories(scope: CommitScope, paths: Iterable[str]) -> Iterator[str]:
    """Yield a sentence for each repository that has one of these pages: the site's own cannot commit them."""
    directories = set(map(os.path.dirname, paths))
    real = (os.path.realpath(os.path.join(scope.site, directory)) for directory in directories)
    for top in repositories_within(scope.repository, real):
        yield (
            f"{os.path.relpath(top, scope.site)} is a git repository of its own, so its counts are not committed;"
            " commit them there, or give it its own config"
        )
