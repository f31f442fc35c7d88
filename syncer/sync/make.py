"""Makes one sync: the whole path of the data, from the pages on disk to YouTube and back.

Each stage is a function, with the file that it is in, and what it calls for the work itself.

    open_for_writing    sync/open_state       takes the lock, and settles what a crash left behind; not in a dry run
    | pull              sync/publish          what others pushed, if the config has the remote's URL (commit/follow)
    | open_data_file    sync/write_data_file  the counts in the data file, if `write.to` says that they are there
    | _scan             sync/make             the pages with their videos and counts (content/walk, content/scan)
    | begin_sync        state/syncs           the sync's number in the state
    | take_shared       sync/other_sites      readings that other sites of a shared ledger have got from YouTube
    | plan_now          sync/readings         which videos to request now, within the quota (decide/plan)
    | call_before       sync/call_hook        calls the build hook, if an earlier sync left a call that is due now
    | VideoChecks       sync/check_playing    of which videos to ask, with the first window, whether they still play
    | Windows           decide/plan           the videos in windows of up to 5,000; the rest is done window by window:
    |   request_windows sync/readings         YouTube's answers, requested one window ahead, saved as they come
    |   |                                     (youtube/batches)
    |   judge_window    sync/readings         accepts the readings, or holds them (decide/unconfirmed); once a brake
    |   |                                     holds a window, no page of it or of a later one is written
    |   VideoChecks.judge sync/check_playing  whether videos play is saved, or a brake holds it (decide/availability)
    |   write_pages     sync/write            the window's pages, in batches:
    |     diff            decide/diff             what the pages show against what is accepted: the changes
    |     compare_details sync/compare_details    what pages show beside counts, if they do (decide/details)
    |     due_edits       sync/hold_back          without those that a write policy holds back (decide/thresholds)
    |     without_older   decide/diff             without those that the diff log has from a later reading
    |     record_intents  state/intents           what is about to be written, in case of a crash
    |     replace_pages   content/replace         the pages, each whole and durable
    |     mark_done       state/intents           which of it was written, and waits for the build hook
    |     DiffLog         diff_log/log            a line for each changed count or date
    |     forget_intents  state/intents           nothing is left to settle
    | DataFile.write    sync/write_data_file  instead of pages, the data file, as one page by the same steps
    | VideoChecks.report sync/check_playing   which videos stopped playing, or play again
    | finish_writing    sync/write            pages that were open elsewhere, once more; what is held back
    | publish           sync/publish          a commit of the counts alone, pushed, if the config says so (commit/)
    | call_after        sync/call_hook        calls the build hook, if there is one and it is due (decide/due_build)
    | Tally             sync/options          the report of all that was counted (status/report)
    | end_sync          state/syncs           keeps the report in the state
    | forget_old        sync/forget           removes what is older than `history.keep`, or says nothing new

A dry run works on a copy of the state in memory and writes nothing. Where the state turns out to be damaged, it is set
aside and the sync is made once more. Where a shared ledger cannot be reached, it is made once more without units.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator, Mapping, MutableSequence, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import chain, groupby, islice
from typing import TYPE_CHECKING, NamedTuple

from syncer.content.left_over import settle_left_over
from syncer.content.pages import Pages
from syncer.content.scan import (
    ExcludedPage,
    MiscasedKey,
    PageEmbeds,
    may_have_wrong_keys,
    may_name,
    miscased_problems,
    read_pages,
)
from syncer.content.walk import Candidate, LeftoverFile, candidate_of, narrow, walk
from syncer.decide.diff import pages_naming
from syncer.decide.plan import Windows
from syncer.decide.unconfirmed import NOTHING_COMPARED
from syncer.errors import ContentGone, ExitCode, LedgerUnreachable, StateDamaged, StateError, Stopped, UsageError
from syncer.model import Bucket, Collection, Problem, ProblemKind, Reading, VideoId
from syncer.state.database import open_copy
from syncer.state.due_checks import any_unchecked
from syncer.state.judging import held_videos, hold_pending, release_unnamed
from syncer.state.ledger import OwnLedger, QuotaLedger
from syncer.state.naming_pages import pages_of_videos
from syncer.state.syncs import begin_sync, end_sync
from syncer.state.videos import count_videos, missing_videos, save_video_pages
from syncer.status.buckets import cut_quotas, open_ledger
from syncer.status.report import SyncReport, stored_json
from syncer.sync.forget import forget_old
from syncer.sync.open_state import begin, new_tally, open_for_writing, saved_problems, saving
from syncer.sync.options import NO_LISTENER, Environment, Listener, Options, Sync, require_clone, require_directories
from syncer.sync.readings import judge_window, note_held, plan_now, request_windows
from syncer.sync.sync_log import log_ended, log_judged, log_not_forgotten, log_planned, log_unreachable, log_written
from syncer.sync.write import finish_writing, write_pages
from syncer.wording import counted

if TYPE_CHECKING:
    from syncer.config.sections import Config
    from syncer.sync.write_data_file import DataFile

LOST_SITE_VIDEOS = 5
"""From so many videos in the state on, a site without pages is an error: nobody removes them all on purpose."""

CHECK_FILES = 100
"""Files after which a scan checks whether the sync is cancelled, and shows its progress."""


def make_sync(
    config: Config, options: Options, environment: Environment, listener: Listener = NO_LISTENER
) -> SyncReport:
    """Make one sync and return its report.

    A dry run writes nothing and creates no state. Raises UsageError (a missing directory, a path or a video that
    matches nothing), ContentGone, StateError, Locked, and Stopped (cancelled before anything was done).
    """
    site = os.path.realpath(config.site)
    pulls = config.git.push and config.git.remote_is_url and not options.dry_run
    require = require_clone if pulls else require_directories
    require(config)
    if config.write.file is not None and not pulls:  # before anything is written, the state included
        from syncer.content.data_file import read_data_file

        read_data_file(site, config.write.file, config.collection_models())
    started = environment.clock()
    if options.dry_run:
        with open_copy(config.state_directory, site) as copy:
            tally = new_tally(copy, started)
            return _sync_with_ledger(Sync(config, options, environment, listener, site, copy, None, tally))
    lost: str | None = None
    while True:
        try:
            with open_for_writing(config, clock=environment.clock, sleep=environment.sleep, lost=lost) as state:
                sync = begin(config, options, environment, listener, state, started=started)
                if pulls:
                    from syncer.sync.publish import pull

                    pull(sync)
                    require_directories(config)
                report = _sync_with_ledger(sync)
                try:
                    forget_old(config, state.database, environment)
                except StateError as error:  # pages and report are written: the next sync tries again
                    log_not_forgotten(error)
                return report
        except StateDamaged:  # it is set aside by now
            if lost:
                raise
            lost = "was damaged and was set aside"


def _sync_with_ledger(sync: Sync) -> SyncReport:
    """Make a sync. If its ledger cannot be reached, make it without units: with what was read until then."""
    config, database, key, problems = sync.config, sync.database, sync.environment.key, tuple(sync.tally.problems)
    writes, started = sync.diff_log is not None, sync.tally.started
    try:
        with open_ledger(config, database, started, key=key, writes=writes) as ledger:
            return _scan_and_sync(sync, ledger)
    except LedgerUnreachable as error:
        log_unreachable(error)
        message = (
            f"{error}. Without it, syncer cannot count units, so it requested nothing from YouTube. It updated pages"
            " with what it had read before."
        )
        tally = new_tally(database, started)
        tally.problems += (*problems, Problem(ProblemKind.LEDGER_UNREACHABLE, "quota.ledger", message))
        tally.given_up = True
        no_units = OwnLedger(database, dict.fromkeys(Bucket, 0), reserve=0)
        return _scan_and_sync(replace(sync, tally=tally), no_units)


def _scan_and_sync(sync: Sync, ledger: QuotaLedger) -> SyncReport:
    data_file: DataFile | None = None
    if sync.config.write.file is not None:
        from syncer.sync.write_data_file import open_data_file

        data_file = open_data_file(sync)
    pages, embeds = _scan(sync, data_file)
    if embeds:
        in_texts, named = ({video for _, videos in each.named() for video in videos} for each in (embeds, pages))
        sync.tally.in_texts = len(in_texts.intersection(sync.options.videos or in_texts) - named)
    of_pages = [problem for problem in sync.tally.problems if problem.kind is not ProblemKind.LEDGER_UNREACHABLE]
    others = [problem for problem in of_pages if problem.kind is not ProblemKind.KEYS_NOT_FOUND]
    if not (pages or embeds or sync.tally.excluded or others or sync.options.is_narrowed):
        known = count_videos(sync.database)  # with those that only texts embed
        if known >= LOST_SITE_VIDEOS:  # a sync of nothing would look like success
            why = next((problem.message for problem in of_pages), "is the disk mounted?")
            raise ContentGone(
                f"no page with a video in {sync.site}, where earlier syncs found {counted(known, 'video')}: {why}"
                " If you removed the pages on purpose, run `syncer purge --all`"
            )
    return _sync_pages(sync, ledger, pages, embeds, data_file)


def _scan(sync: Sync, data_file: DataFile | None) -> tuple[Pages, Pages]:
    """Return the pages with their videos and counts, and the pages with the videos that their text embeds."""
    pages, embeds = Pages(), Pages()
    miscased: list[MiscasedKey] = []
    left_over: list[str] = data_file.left_over if data_file else []
    problems: list[Problem] = []
    collections = sync.config.collection_models()
    found = _watched(sync, walk(sync.site, collections), pages)
    for item in read_pages(sync.site, narrow(found, sync.options.paths), pages):
        match item:
            case MiscasedKey():
                miscased.append(item)
            case LeftoverFile():
                left_over.append(item.path)
            case ExcludedPage():
                sync.tally.excluded += 1
            case PageEmbeds():
                embeds.append(*item.page)
            case Problem():
                problems.append(item)
    problems += miscased_problems(collections, pages, miscased)
    if not sync.options.is_narrowed and (suspects := may_have_wrong_keys(sync.site, collections, pages)):
        from syncer.content.wrong_keys import key_problems

        problems += key_problems(sync.site, suspects, collections, pages, problems)
    if wanted := sync.options.videos:
        pages, embeds = (
            Pages(page for page in each if any(slot.video_id in wanted for slot in page.slots))
            for each in (pages, embeds)
        )
        problems = [problem for problem in problems if may_name(sync.site, problem, wanted)]
    sync.tally.problems += problems
    sync.listener.progress("scan", pages.files, pages.files)
    if sync.diff_log:  # with the lock held, no other sync is about to move them into place
        sync.tally.problems += _settle_left_over(
            sync, sync.config.written_models() if data_file else collections, left_over
        )
    sync.tally.problems += saved_problems(sync.config.state_directory)
    return pages, embeds


def _watched(
    sync: Sync, found: Iterator[Candidate | LeftoverFile | Problem], pages: Pages
) -> Iterator[Candidate | LeftoverFile | Problem]:
    """Yield what a walk found; every hundred files, look whether the sync is cancelled, and show how far it is."""
    for item in found:
        if sync.environment.cancelled():
            raise Stopped("stopped while scanning pages; nothing was written")
        sync.listener.progress("scan", pages.files, None)
        yield item
        yield from islice(found, CHECK_FILES - 1)


def _settle_left_over(sync: Sync, collections: Sequence[Collection], files: Sequence[str]) -> list[Problem]:
    """Settle new files that no intent names: their state is lost, or they could not be removed."""
    candidate = candidate_of(collections)
    mappings = [collection.fields for collection in collections]

    def is_page(path: str) -> bool:
        return bool(candidate(os.path.relpath(path, sync.site)).fields)

    save = saving(sync.config.state_directory, sync.environment.clock())
    return settle_left_over(sync.site, files, mappings, is_page, save)


def _sync_pages(sync: Sync, ledger: QuotaLedger, pages: Pages, embeds: Pages, data_file: DataFile | None) -> SyncReport:
    options, tally, database, environment = sync.options, sync.tally, sync.database, sync.environment
    videos: Iterable[VideoId] = chain.from_iterable(named for _, named in pages.named())
    if options.videos:
        videos = options.videos.intersection(videos)
        _refuse_unknown(options.videos - videos, embeds)
    written = sync.config.written_models() if data_file else sync.config.collection_models()
    number = begin_sync(database, tally.sync, tally.started, written)
    if ledger.exchange is not None:
        from syncer.sync.other_sites import take_shared

        videos = take_shared(sync, ledger.exchange, videos, number)
    plan = plan_now(sync.config, sync.database, ledger, options, videos, now=sync.environment.clock())
    left_out = plan.fresh + plan.later + plan.over_quota
    tally.pages, tally.videos = pages.files, len(plan.videos) + left_out + len(tally.shared.videos)
    tally.fresh, tally.gone_not_due, tally.later = plan.fresh, plan.gone, plan.later
    tally.over_quota, tally.unsettled = (0, plan.over_quota) if tally.given_up else (plan.over_quota, 0)
    if not (options.is_narrowed or options.unread_since):  # a dry run has a state of its own
        save_video_pages(database, pages.places(), pages.digest(), embeds or None)
        release_unnamed(database)
    log_planned(sync, ledger, plan)
    deploys = sync.config.deploy.hook_env is not None and not options.dry_run
    unpushed = False
    if deploys:
        from syncer.sync.call_hook import call_before

        unpushed = call_before(sync)
    _sync_windows(sync, ledger, (pages, embeds), data_file, Windows(plan.videos, tally.sync), sync_number=number)
    missing = (
        tally.missing.union(tally.shared.missing, (video for video, is_missing in tally.accepted.items() if is_missing))
        - tally.braked
    )
    tally.gone = missing & {video.video_id for video in missing_videos(database) if video.gone}
    named = missing.union(video for video, _ in tally.hidden | tally.unconfirmed)
    named.update(change.video_id for change in (tally.playing.changes if tally.playing else ()))
    named.update(VideoId(video) for video, *_ in tally.held)
    tally.pages_of = pages_naming(chain(pages.named(), embeds.named()), named)
    if elsewhere := named - tally.pages_of.keys():  # outside of a narrowed sync
        tally.pages_of |= pages_of_videos(database, elsewhere)
    if sync.config.git.commit and not options.dry_run:
        from syncer.sync.publish import publish

        publish(sync, pages, missing)
    if deploys:
        from syncer.sync.call_hook import call_after

        call_after(sync, unpushed=unpushed)
    report = tally.report(environment.clock(), options, cancelled=environment.cancelled())
    if sync.diff_log:
        whole = options.whole and report.exit not in {ExitCode.NOTHING_ANSWERED, ExitCode.INTERRUPTED}
        stored = stored_json(report, part=options.is_narrowed)
        end_sync(database, number, stored, whole=whole, last_seq=sync.diff_log.last_seq)
        if tally.playing:
            from syncer.state.play_states import note_reported

            note_reported(database)
    log_ended(report)
    return report


def _refuse_unknown(unknown: Iterable[VideoId], embeds: Pages) -> None:
    """Raise UsageError for videos that no text embeds either."""
    if names := ", ".join(sorted(set(unknown).difference(*(videos for _, videos in embeds.named())))):
        raise UsageError(f"{names}: no page names this video")


def _sync_windows(
    sync: Sync,
    ledger: QuotaLedger,
    pages_and_embeds: tuple[Pages, Pages],
    data_file: DataFile | None,
    windows: Windows,
    *,
    sync_number: int,
) -> None:
    """Request, judge and write window by window; `sync_number` is the sync's in the state.

    While the pages of one window are written, the next is requested. Once the brake holds a window, it holds all that
    follow: their readings are saved and held, and their pages are not written. Once the sync is cancelled, readings are
    left for the next sync to judge. A data file is written after the last window. Of videos that are due,
    YouTube is asked with the first window whether they play.
    """
    scan_problems = tuple(sync.tally.problems)
    database, options, brake, shares = sync.database, sync.options, None, NOTHING_COMPARED
    accepted: Mapping[VideoId, Reading] = {}
    checks, playing, (pages, _) = None, sync.config.availability, pages_and_embeds
    if playing.every and (
        options.everything
        or not options.whole
        or any_unchecked(database, sync.tally.started, playing.every, playing.listed)
    ):  # usually it is the turn of no video, and then nothing of this is loaded
        from syncer.sync.check_playing import VideoChecks

        checks = VideoChecks(sync, ledger, pages_and_embeds, sum(map(len, windows.windows)))
    parts = _parts(sync, pages, windows)
    with closing(request_windows(sync, ledger, windows.windows, sync_number, checks)) as requested:
        for number, (part, save_arrived) in enumerate(zip(parts, requested, strict=True)):
            last = number == len(parts) - 1
            if brake:
                hold_pending(database, brake)
            elif not sync.environment.cancelled():  # else answers may lack, most likely those about missing videos
                naming = map(pages.__getitem__, part.naming)
                naming = map(data_file.shown, naming) if data_file else naming
                is_ahead = partial(windows.is_after, number)
                (brake, _, shares), accepted = judge_window(sync, naming, shares, is_ahead, last=last)
                if checks and not number:
                    checks.judge()
            if last:
                sync.tally.problems += cut_quotas(ledger, sync.environment.clock())
                note_held(sync, brake)
                log_judged(sync)
            if not brake:
                write_pages(sync, pages, part.ending, accepted, save_arrived)
    if data_file and not brake and not sync.environment.cancelled():
        data_file.write(pages, scan_problems)
    sync.tally.playing = checks.report() if checks else None
    if not brake or sync.tally.compared:
        finish_writing(sync)
        log_written(sync)


class _Part(NamedTuple):
    """The pages of a window, by their numbers."""

    naming: MutableSequence[int]
    """Those that name one of its videos, and those that are written with it."""
    ending: MutableSequence[int]
    """Those that are written with it: no later window has a video of theirs."""


def _parts(sync: Sync, pages: Pages, windows: Windows) -> list[_Part]:
    """Return the pages of each window; those of which no video is requested are in any of them.

    Readings that a crash left unjudged are judged with any window, too. `--accept` accepts what is held with the last.
    """
    parts = [_Part(array("I"), array("I")) for _ in windows.windows]
    held = frozenset(held_videos(sync.database) if sync.options.accept else ())
    for _, file in groupby(enumerate(pages.named()), key=lambda numbered: numbered[1][0]):
        lasts: dict[int, int] = {}
        for number, (_, videos) in file:  # in a file with many videos, pages are many
            named = set(map(windows.window_of, videos))
            if not held.isdisjoint(videos):
                named.add(len(parts) - 1)
            for window in named:
                parts[window].naming.append(number)
            lasts[number] = max(named)
        last = max(lasts.values())
        parts[last].ending.extend(lasts)
        parts[last].naming.extend(number for number, own in lasts.items() if own != last)
    return parts
