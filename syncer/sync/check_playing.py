"""Asks YouTube whether videos still play, after the counts: those that are due, as far as the units reach."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from syncer.content.pages import Pages
from syncer.decide.availability import SOON, Availability, PlayState, next_check
from syncer.decide.quota import next_reset, share_of, units_left
from syncer.decide.schedule import count_times
from syncer.decide.unconfirmed import FEWEST_VIDEOS, NOT_PLAYING, Brake
from syncer.model import BATCH_SIZE, Bucket, Problem, ProblemKind, VideoId
from syncer.state.ledger import UnitStock, failing_buckets, note_failing, parked_buckets, spent_units
from syncer.state.play_states import (
    Check,
    due_videos,
    known_states,
    note_missing,
    note_regions,
    regions_changed,
    save_checks,
    unreported_changes,
)
from syncer.status.buckets import limits
from syncer.status.play_report import PlayReport
from syncer.sync.options import Sync
from syncer.sync.readings import close_spent_day, open_client
from syncer.wording import counted
from syncer.youtube.answer import METHODS, Answer, Outcome
from syncer.youtube.batches import MAX_HALVINGS, pack
from syncer.youtube.deadline import Deadline, seconds_for
from syncer.youtube.item_body import about_playing

_MISSING = Availability(PlayState.MISSING)

log = logging.getLogger("syncer.sync")


def check_playing(sync: Sync, pages: Pages, every: timedelta) -> PlayReport:
    """Ask YouTube about the videos that are due, judge what it returns, save it, and return what changed.

    `pages` are those of the sync: a narrowed one looks at their videos only. A dry run counts the videos that are due.
    Nothing is asked once the sync is cancelled, after a refusal or a failure of `videos.list`, or while it is parked.
    Raises StateError.
    """
    database, tally, now = sync.database, sync.tally, sync.environment.clock()
    if not sync.options.dry_run:
        note_missing(database, min(every, SOON))
    room = 0 if sync.options.dry_run else _units(sync) * BATCH_SIZE
    chosen, regions = sync.options.videos, sync.config.availability.listed
    other_regions = regions_changed(database, regions)
    everything = sync.options.everything or other_regions
    only = None if sync.options.whole else {video for _, named in pages.named() for video in named}
    only = only & chosen if only and chosen else only
    videos, due = due_videos(database, now, every, limit=room, only=only, everything=everything)
    if sync.options.dry_run:
        return PlayReport(due=due)
    states = known_states(database, videos)
    checks = list(_ask(sync, videos, every, states))
    played = stopped = 0
    for check in checks:
        before, after = states.get(check.video_id), check.found.state if check.found else None
        if before is not None and before.plays and after is not None:
            played += 1
            stopped += not after.plays
    share, brake = sync.config.write.brake.missing, None
    if stopped >= FEWEST_VIDEOS and stopped > share * played and not sync.options.accept:
        brake = Brake(NOT_PLAYING, stopped, played)
    else:
        save_checks(database, checks)
        if other_regions and only is None and len(checks) == due:
            note_regions(database, regions)
    report = PlayReport(
        due, sum(check.found is not None for check in checks), tuple(unreported_changes(database)), brake
    )
    if brake and not tally.brake:
        tally.brake, tally.brake_limit = brake, share
    log.info(
        "Checked whether %s of %s that were due play; %s%s",
        f"{report.checked:,}",
        counted(due, "video"),
        f"{counted(len(report.changes), 'change')} to report",
        "; the safety brake holds what was returned" if brake else "",
        extra={"event": "checked-playing", "sync": tally.sync, "due": due, "checked": report.checked},
    )
    return report


def _units(sync: Sync) -> int:
    """Return how many units this sync may use: its share of those that are left today, without the reserve."""
    now, bucket = sync.environment.clock(), Bucket.GENERAL
    failed = any(sync.tally.requests[bucket, outcome] for outcome in (Outcome.FAILED, Outcome.UNAVAILABLE))
    is_closed = failed or bucket in parked_buckets(sync.database, now)
    if is_closed or sync.environment.cancelled() or Outcome.REFUSED in sync.tally.outcomes:
        return 0
    left = units_left(spent_units(sync.database, now)[bucket], *limits(sync.config, bucket, scheduled=True))
    return share_of(left, 1 + count_times(sync.config.schedule.as_model(), now, next_reset(now)))


def _ask(
    sync: Sync, videos: Collection[VideoId], every: timedelta, states: Mapping[VideoId, PlayState | None]
) -> Iterator[Check]:
    """Request the videos, several batches at once, and yield what was returned; stop at the first failure."""
    if not videos:
        return
    youtube, tally, database = sync.config.youtube, sync.tally, sync.database
    question = about_playing(sync.config.availability.regions)
    stock = UnitStock(
        database, sync.environment.clock, {Bucket.GENERAL: limits(sync.config, Bucket.GENERAL, scheduled=True)}
    )
    seconds = seconds_for(
        len(videos),
        connections=youtube.connections,
        timeout=youtube.timeout.total_seconds(),
        deadline=youtube.retry.deadline.total_seconds(),
    )
    deadline = Deadline(seconds, cancelled=sync.environment.cancelled)
    batches, halvings, unrequested, failed = deque(pack(videos)), 0, 0, False
    failing = failing_buckets(database)
    at_once = 1 if Bucket.GENERAL in failing else youtube.connections  # it failed in the last sync: one probe
    try:
        with (
            open_client(sync.config, sync.environment, stock.spend, deadline) as client,
            ThreadPoolExecutor(youtube.connections, thread_name_prefix="youtube") as pool,
        ):
            while batches and not failed:
                wave = [batches.popleft() for _ in range(min(len(batches), at_once))]
                at_once = youtube.connections
                for response in pool.map(lambda batch: client.fetch(Bucket.GENERAL, batch, question), wave):
                    answer = close_spent_day(sync, stock, response)
                    tally.problems += answer.problems
                    unrequested += answer.unrequested
                    if answer.outcome is Outcome.ANSWERED:
                        failing = failing - {Bucket.GENERAL}
                        for video in answer.videos:
                            found = answer.availability.get(video)
                            still = _MISSING if states.get(video) is PlayState.MISSING else None
                            due_at = next_check(video, found or still, answer.at, every)
                            yield Check(video, answer.at, due_at, found)
                    elif answer.outcome is Outcome.REJECTED and len(answer.videos) == 1:
                        video = answer.videos[0]
                        yield Check(video, answer.at, next_check(video, None, answer.at, every), None)
                    elif answer.outcome is Outcome.REJECTED and halvings < MAX_HALVINGS:
                        halvings += 1
                        half = len(answer.videos) // 2
                        batches.extend((answer.videos[:half], answer.videos[half:]))
                    else:
                        failed = True
                        _note_failure(sync, answer)
    finally:
        stock.give_back()
    if failing != failing_buckets(database):
        note_failing(database, failing)
    tally.units = tally.units + client.request_log.units
    if unrequested:
        message = f"YouTube sent {counted(unrequested, 'item')} that syncer did not request. Ignored."
        tally.problems.append(Problem(ProblemKind.BAD_ANSWER, METHODS[Bucket.GENERAL], message))


def _note_failure(sync: Sync, answer: Answer) -> None:
    """Keep why requests ended, once a sync; a spent quota is none of its problems."""
    if answer.outcome not in {Outcome.SPENT, Outcome.STOPPED}:
        problem = Problem(ProblemKind.REQUEST_FAILED, METHODS[answer.bucket], answer.message or "")
        sync.tally.problems += [] if problem in sync.tally.problems else [problem]
