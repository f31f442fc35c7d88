"""Makes one sync: scan, plan, ask, compare, replace, log, report, forget what is too old."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from syncer.content.left_over import settle_left_over
from syncer.content.scan import MiscasedKey, keeping_pages, miscased_problems, read_head, read_pages
from syncer.content.walk import Candidate, LeftOver, candidate_of, narrow, walk
from syncer.decide.plan import GONE
from syncer.errors import ContentGone, ExitCode, StateDamaged, StateError, Stopped, UsageError
from syncer.model import Collection, Page, Problem, ProblemKind, VideoId
from syncer.state.database import Database, open_copy
from syncer.state.judging import release_unnamed
from syncer.state.syncs import begin_sync, end_sync
from syncer.state.videos import count_videos, missing_videos, save_places
from syncer.status.buckets import cut_quotas
from syncer.status.report import SyncReport, stored_json
from syncer.sync.begin import begin, new_tally, open_for_writing
from syncer.sync.fetch import fetch_readings, plan_now
from syncer.sync.forget import forget_old
from syncer.sync.judge import judge
from syncer.sync.options import NO_LISTENER, Environment, Listener, Options, Sync
from syncer.sync.publish import publish
from syncer.sync.recover import saved_problems, saving
from syncer.sync.sync_log import tell_ended, tell_judged, tell_kept, tell_planned, tell_written
from syncer.sync.write import write_pages
from syncer.wording import counted

if TYPE_CHECKING:
    from syncer.config.sections import Config


MANY = 5
"""Videos that a state knows of a site whose pages cannot all be gone by intent."""

CROWD = 10_000
"""Pages from which on they are set apart."""

LOOK = 100
"""Files after which a scan looks whether it is told to stop."""


def make_sync(
    config: Config, options: Options, environment: Environment, listener: Listener = NO_LISTENER
) -> SyncReport:
    """Make one sync and return its report.

    A dry run writes nothing and makes no state. Raises UsageError (a missing directory, a path or a video that names
    nothing), StateError, Locked, and Stopped (told to stop before anything was done).
    """
    site = os.path.realpath(config.site)
    _require_directories(site, config)
    started = environment.clock()
    if options.dry_run:
        with open_copy(config.state_directory, site) as copy:
            tally = new_tally(copy, started)
            return _walk_the_path(Sync(config, options, environment, listener, site, copy, None, tally))
    try:
        return _sync_and_forget(config, options, environment, listener, started=started)
    except StateDamaged:  # it is set aside by now
        lost = "was damaged, and is set aside"
        return _sync_and_forget(config, options, environment, listener, started=started, lost=lost)


def _sync_and_forget(
    config: Config,
    options: Options,
    environment: Environment,
    listener: Listener,
    *,
    started: datetime,
    lost: str | None = None,
) -> SyncReport:
    with open_for_writing(config, clock=environment.clock, sleep=environment.sleep, lost=lost) as opened:
        report = _walk_the_path(begin(config, options, environment, listener, opened, started=started))
        _forget_old(config, opened.database, environment.clock())
        return report


def _forget_old(config: Config, database: Database, now: datetime) -> None:
    try:
        forget_old(config, database, now)
    except StateError as error:  # pages and report are written: the next sync tries again
        tell_kept(error)


def _walk_the_path(sync: Sync) -> SyncReport:
    with keeping_pages():
        pages = _scan(sync)
    _require_pages(sync, pages)
    with _set_apart(pages):
        return _walk_on(sync, pages)


@contextmanager
def _set_apart(pages: Sequence[Page]) -> Iterator[None]:
    """Leave many pages out of Python's search for cycles, which would take a tenth of a sync's time.

    To freeze resets what tells Python when to search everywhere: with a few pages each time, it would never do so.
    """
    if len(pages) < CROWD:
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.collect()


def _walk_on(sync: Sync, pages: list[Page]) -> SyncReport:
    options, tally = sync.options, sync.tally
    videos = {slot.video_id for page in pages for slot in page.slots}
    if options.videos:
        videos &= options.videos
        _require_videos(options.videos, videos)
    tally.pages, tally.videos = sum(1 for _ in groupby(pages, key=attrgetter("path"))), len(videos)
    tally.plan = plan_now(sync, videos)
    number = begin_sync(sync.database, tally.sync, tally.started)
    if options.whole:
        save_places(sync.database, ((slot.video_id, page.path) for page in pages for slot in page.slots))
        release_unnamed(sync.database)
    tell_planned(sync)
    fetch_readings(sync, number)
    tally.problems += cut_quotas(sync.config, sync.database, sync.environment.clock())
    may_write = judge(sync, pages)
    long_missing = {video.video_id for video in missing_videos(sync.database) if video.misses >= GONE}
    tally.gone = tally.missing & long_missing
    tell_judged(sync)
    if may_write:
        write_pages(sync, pages)
        tell_written(sync)
    if sync.config.git.commit and not options.dry_run:
        publish(sync, _emptied(pages))
    report = tally.report(sync.environment.clock(), dry_run=options.dry_run, cancelled=sync.environment.cancelled())
    if sync.diff_log:
        whole = options.whole and report.exit not in {ExitCode.NOTHING_ANSWERED, ExitCode.INTERRUPTED}
        end_sync(sync.database, number, stored_json(report), whole=whole, last_seq=sync.diff_log.last_seq)
    tell_ended(report)
    return report


def _emptied(pages: list[Page]) -> list[Candidate]:
    """Return which files the pages are in, and forget the pages: a commit takes as much memory as they did."""
    same_files = groupby(pages, key=attrgetter("path"))
    candidates = [Candidate(path, tuple(page.fields for page in same)) for path, same in same_files]
    pages.clear()
    return candidates


def _require_directories(site: str, config: Config) -> None:
    for collection in config.collections:
        directory = os.path.join(site, collection.directory)
        if not os.path.isdir(directory):
            raise UsageError(
                f"{directory} is no directory; set `site` and `collections` in the config to where the pages are"
            )


def _require_pages(sync: Sync, pages: Sequence[Page]) -> None:
    """Raise ContentGone where nothing is left of a site. To sync it would look like success."""
    if pages or sync.tally.problems or sync.options.paths or sync.options.videos:
        return
    known = count_videos(sync.database)
    if known >= MANY:
        raise ContentGone(
            f"no page is left in {sync.site}, where {counted(known, 'video')} were read before: is the disk mounted?"
            " If the pages are gone on purpose, `syncer purge --all` forgets the videos"
        )


def _require_videos(wanted: frozenset[VideoId], known: set[VideoId]) -> None:
    unknown = wanted - known
    if unknown:
        raise UsageError(f"{', '.join(sorted(unknown))}: no page names this video; `syncer check` counts what there is")


def _scan(sync: Sync) -> list[Page]:
    pages: list[Page] = []
    miscased: list[MiscasedKey] = []
    left_over: list[str] = []
    problems: list[Problem] = []
    collections = [collection.as_model() for collection in sync.config.collections]
    found = narrow(_until_stopped(sync, walk(sync.site, collections)), sync.options.paths)
    for item in read_pages(sync.site, found):
        match item:
            case Page():
                pages.append(item)
                if len(pages) % 100 == 0:
                    sync.listener.progress("scan", len(pages), None)
            case MiscasedKey():
                miscased.append(item)
            case LeftOver():
                left_over.append(item.path)
            case Problem():
                problems.append(item)
    problems += miscased_problems(collections, pages, miscased)
    if wanted := sync.options.videos:
        pages = [page for page in pages if any(slot.video_id in wanted for slot in page.slots)]
        problems = [problem for problem in problems if _may_name(sync.site, problem, wanted)]
    sync.tally.problems += problems
    sync.listener.progress("scan", len(pages), len(pages))
    if sync.diff_log:  # we hold the lock: nobody is about to put them in place
        sync.tally.problems += _settle_left_over(sync, collections, left_over)
    sync.tally.problems += saved_problems(sync.config.state_directory)
    return pages


def _may_name(site: str, problem: Problem, videos: frozenset[VideoId]) -> bool:
    """Whether the file that a scan found a problem with may name one of the videos: its text holds the ID.

    So may one that cannot be read; not so a directory, nor what is outside the site, which is not looked at.
    """
    if problem.kind is ProblemKind.OUTSIDE_SITE:
        return False
    read = read_head(site, Candidate(problem.subject, ()))
    if isinstance(read, Problem):
        return True
    return read is not None and any(video.encode() in read[0] for video in videos)


def _settle_left_over(sync: Sync, collections: Sequence[Collection], files: Sequence[str]) -> list[Problem]:
    """Settle new files that no intent tells of: their state is lost, or the disk did not let us remove them."""
    candidate = candidate_of(collections)
    mappings = [collection.fields for collection in collections]

    def is_page(path: str) -> bool:
        return bool(candidate(os.path.relpath(path, sync.site)).fields)

    save = saving(sync.config.state_directory, sync.environment.clock())
    return settle_left_over(sync.site, files, mappings, is_page, save)


def _until_stopped(
    sync: Sync, found: Iterable[Candidate | LeftOver | Problem]
) -> Iterator[Candidate | LeftOver | Problem]:
    for number, item in enumerate(found):
        if number % LOOK == 0 and sync.environment.cancelled():
            raise Stopped("stopped while the pages were scanned; nothing was written")
        yield item
