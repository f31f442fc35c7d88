"""Gets new readings: plans which videos to request, fetches them from YouTube, and accepts or holds them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from syncer.decide.plan import Plan, plan
from syncer.decide.quota import next_reset, share_of
from syncer.decide.schedule import count_times, next_time
from syncer.decide.unconfirmed import Brake, Judgement, Shares, judge
from syncer.model import Bucket, Page, Problem, ProblemKind, Reading, Slot, VideoId
from syncer.state.judging import (
    Pending,
    accept_held,
    accept_pending,
    compare_pending,
    count_braked,
    current_brake,
    held_videos,
    hold_pending,
    pending_readings,
    release_braked,
    unconfirmed_counts,
)
from syncer.state.ledger import QuotaLedger, UnitStock, failing_buckets, note_failing
from syncer.state.videos import last_read, save_readings
from syncer.status.buckets import note_spent_day
from syncer.sync.options import Environment, Options, Sync, Tally
from syncer.wording import counted
from syncer.youtube.answer import METHODS, Answer, Outcome, Spend
from syncer.youtube.batches import MAX_FAILURES, TAKEN_OVER, Breaker, Checks, Turn, WindowRequests
from syncer.youtube.deadline import Deadline, seconds_for

if TYPE_CHECKING:
    from syncer.config.sections import Config
    from syncer.state.database import Database
    from syncer.state.exchange import Exchange
    from syncer.sync.check_playing import VideoChecks
    from syncer.youtube.client import Client, Question

SAVE_SECONDS: Final = 1.0
"""An answer is in the state after so many seconds at the latest, while the main thread waits for others."""


def plan_now(
    config: Config,
    database: Database,
    ledger: QuotaLedger,
    options: Options,
    videos: Iterable[VideoId],
    *,
    now: datetime,
) -> Plan:
    """Return which of `videos` to request now, with the units that are left.

    A scheduled sync shares them with those that may follow on the same quota day, and with other sites of its ledger.
    """
    units = today = sum(status.usable(scheduled=options.scheduled) for status in ledger.balances(now).values())
    if options.scheduled and ledger.exchange is not None and config.quota.share is None:
        from syncer.sync.other_sites import units_now

        videos, within = frozenset(videos), refresh_within(config)
        units = units_now(config, database, ledger, videos, refresh_within=within, now=now)
    schedule = config.schedule.as_model()
    share = share_of(units, 1 + count_times(schedule, now, next_reset(now))) if options.scheduled else None
    with closing(last_read(database)) as known:
        return plan(
            videos,
            known,
            now,
            units=units,
            share=share,
            left_today=today,
            overdue=overdue_at(config, now),
            everything=options.everything,
            accept=options.accept,
            unread_since=options.unread_since,
        )


def overdue_at(config: Config, now: datetime) -> datetime:
    """Return which readings are overdue now, those from then or before: in the next sync, they would be too old."""
    schedule = config.schedule.as_model()
    return next_time(schedule, now, now) + schedule.jitter - refresh_within(config)


def refresh_within(config: Config) -> timedelta:
    """Return for how long a video may go unread: its readings must not be deleted before that."""
    return min(config.schedule.refresh_within, config.history.keep)


@dataclass(slots=True)
class _Readings:
    """The readings of windows that are being requested, saved in the state as they come."""

    sync: Sync
    number: int
    """The sync's in the state."""
    total: int
    """How many videos all windows have."""
    requests: WindowRequests
    checks: VideoChecks | None
    exchange: Exchange | None
    failed: int = 0
    """Videos whose requests failed."""
    failures: dict[tuple[Bucket, str], None] = field(default_factory=dict)
    unrequested: Counter[Bucket] = field(default_factory=Counter)
    _asked: dict[int, set[VideoId]] = field(default_factory=dict)
    """By window, while answers about it come."""
    _wanted: int = 0
    """How many windows the caller has waited for, or waits for."""
    _complete: int = 0
    _unsaved: list[Reading] = field(default_factory=list)
    _own: set[VideoId] = field(default_factory=set)
    """Videos whose readings other sites do not get: `Bucket.STATS` was not asked, or an answer was not valid."""
    _not_in_stats: set[VideoId] = field(default_factory=set)
    """Videos that `Bucket.STATS` left out."""
    _save_at: float = 0
    """When `_unsaved` has to be saved, by `time.monotonic`."""

    def finish_window(self) -> None:
        """Wait until all answers about the next window are in the state; the window after it is then requested.

        Raises what a request raised, and StateError.
        """
        self.requests.open_window()
        self._wanted += 1
        self.save_arrived()

    def save_arrived(self) -> None:
        """Save what has come, without waiting for more. Raises as `finish_window`."""
        while True:
            waits = self._complete < self._wanted
            seconds = max(0.0, self._save_at - time.monotonic()) if self._unsaved else SAVE_SECONDS
            arrival = self.requests.take(seconds if waits else 0.0)
            if arrival and arrival.answer:
                self._note(arrival.window, arrival.answer, arrival.turn)
            elif arrival:
                self._complete += 1
                self._asked.pop(arrival.window, None)
            ends = not (arrival or waits)
            if self._unsaved and (ends or time.monotonic() >= self._save_at):
                save_readings(self.sync.database, self.number, self._unsaved)
                if self.exchange:
                    shared = [each for each in self._unsaved if each.video_id not in self._own]
                    self.exchange.share(shared, self.sync.environment.clock(), self.sync.config.history.keep)
                self._unsaved = []
            if ends:
                return

    def _note(self, window: int, answer: Answer, turn: Turn) -> None:
        """Keep what the answer contains to be saved, and count it."""
        tally, videos = self.sync.tally, answer.videos
        tally.requests[answer.bucket, answer.outcome] += 1
        tally.problems += answer.problems
        self.unrequested[answer.bucket] += answer.unrequested
        if answer.outcome in {Outcome.FAILED, Outcome.REFUSED}:
            self.failures[answer.bucket, answer.message or ""] = None
        if turn is Turn.CHECKS and self.checks:
            self.checks.note(answer)
            return
        match answer.outcome:
            case Outcome.ANSWERED:
                left_out = set(videos) - answer.statistics.keys()
                absent = left_out if answer.bucket is Bucket.GENERAL else set()
                if self.exchange:
                    self._own.update(VideoId(problem.subject) for problem in answer.problems)
                    self._own |= absent - self._not_in_stats
                    self._not_in_stats |= left_out
                self._save_at = self._save_at if self._unsaved else time.monotonic() + SAVE_SECONDS
                self._unsaved += (Reading(video, answer.at, counts) for video, counts in answer.statistics.items())
                self._unsaved += (Reading(video, answer.at, None) for video in sorted(absent))
                tally.answered += len(answer.statistics)
                tally.missing.update(absent)
            case Outcome.REJECTED if len(videos) == 1:  # otherwise its halves are requested again
                message = (
                    f"YouTube rejects every {METHODS[answer.bucket]} request with this video, and accepts the others:"
                    " check whether the ID is right."
                )
                self.failed += 1
                tally.problems.append(Problem(ProblemKind.REFUSED_VIDEO, videos[0], message))
            case Outcome.FAILED | Outcome.REFUSED | Outcome.STOPPED:
                self.failed += len(videos)
        if answer.parked_until is not None or answer.outcome not in TAKEN_OVER:  # else nothing was sent
            asked = self._asked.setdefault(window, set())
            before = len(asked)
            asked.update(videos)
            tally.asked += len(asked) - before
        self.sync.listener.progress("ask", tally.answered + len(tally.missing), self.total)


def request_windows(
    sync: Sync, ledger: QuotaLedger, windows: Sequence[Sequence[VideoId]], number: int, checks: VideoChecks | None
) -> Generator[Callable[[], object]]:
    """Request windows of videos, and yield once for each window: when all answers about it are in the state.

    While the caller works, the next window is requested; what is yielded saves what has come of it so far. All is
    counted before the last one is yielded. `windows` share no video; `number` is the sync's in the state. `checks` are
    requested with the first window. Nothing is requested any more once this is closed. Raises what a request raised,
    and StateError.
    """
    tally, total = sync.tally, sum(map(len, windows))
    stock = UnitStock(ledger, sync.environment.clock, sync.options.scheduled)
    checked = len(checks.videos) if checks else 0
    if not total + checked:
        yield from (lambda: None for _ in windows)
        return
    youtube = sync.config.youtube
    seconds = seconds_for(
        total + checked,
        connections=youtube.connections,
        timeout=youtube.timeout.total_seconds(),
        deadline=youtube.retry.deadline.total_seconds(),
    )
    deadline = Deadline(seconds, cancelled=sync.environment.cancelled)
    failing = failing_buckets(sync.database)
    breakers = {bucket: Breaker(failing=bucket in failing) for bucket in Bucket}
    try:
        with (
            open_client(sync.config, sync.environment, stock.spend, deadline) as client,
            WindowRequests(
                windows,
                partial(_fetch, stock, client),
                connections=youtube.connections,
                deadline=deadline,
                breakers=breakers,
                checks=Checks(checks.videos, partial(_fetch, stock, client, question=checks.question))
                if checks
                else None,
            ) as requests,
        ):
            readings = _Readings(sync, number, total, requests, checks, ledger.exchange)
            for _ in windows[:-1]:
                readings.finish_window()
                yield readings.save_arrived
            readings.finish_window()
    finally:
        stock.give_back()
    tally.tries, tally.units = client.request_log.tries, client.request_log.units
    tally.unsettled = total - tally.answered - len(tally.missing) - readings.failed
    reasons = early_end(tally, breakers, deadline)
    tally.given_up = bool(reasons)
    tally.problems += _request_problems(list(readings.failures), reasons, readings.unrequested)
    still_failing = {bucket for bucket, breaker in breakers.items() if breaker.failing}
    if still_failing != failing:
        note_failing(sync.database, still_failing)
    yield lambda: None


def _fetch(
    stock: UnitStock,
    client: Client,
    bucket: Bucket,
    videos: Sequence[VideoId],
    *,
    question: Question | None = None,
) -> Answer:
    """Request a batch, about counts without a question, and park the bucket if YouTube ended its day.

    Before other threads spend units of the other bucket: all that are spent now count.
    """
    answer = client.fetch(bucket, videos, question) if question else client.fetch(bucket, videos)
    if answer.parked_until is not None:
        stock.ledger.park(bucket, answer.parked_until)
        stock.give_back()  # first: the units spent so far are noted
        note_spent_day(stock.ledger, bucket, answer.at)
    return answer


def open_client(config: Config, environment: Environment, spend: Spend, deadline: Deadline | None = None) -> Client:
    """Return a client of the configured YouTube; use it as a context manager."""
    from syncer.youtube.client import Client, Retry, Terms

    youtube = config.youtube
    terms = Terms(
        endpoint=youtube.endpoint,
        key=environment.key,
        spend=spend,
        clock=environment.clock,
        sleep=environment.sleep,
        timeout=youtube.timeout.total_seconds(),
        retry=Retry(
            attempts=youtube.retry.attempts,
            longest_wait=youtube.retry.longest_wait.total_seconds(),
            deadline=youtube.retry.deadline.total_seconds(),
        ),
        deadline=deadline or Deadline(),
    )
    return Client(terms)


def early_end(tally: Tally, breakers: Mapping[Bucket, Breaker], deadline: Deadline) -> Mapping[Bucket, str]:
    """Return why videos were left to the next sync, other than for lack of quota or because it was cancelled."""
    reasons: dict[Bucket, str] = {}
    for bucket, breaker in breakers.items():
        if breaker.is_open and tally.unsettled:
            failures = "this failure, as in the last sync" if breaker.probing else f"{MAX_FAILURES} failures in a row"
            reasons[bucket] = f"After {failures}, syncer stopped sending requests; the next sync starts with one."
    cut_short = tally.unsettled or any(outcome is Outcome.STOPPED for _, outcome in tally.requests)
    if cut_short and not deadline.left() and not deadline.cancelled():
        ended = f"Requests took longer than {deadline.seconds:.0f} s and were stopped; the next sync requests the rest."
        reasons[Bucket.STATS] = " ".join(filter(None, [reasons.get(Bucket.STATS), ended]))
    return reasons


def judge_window(
    sync: Sync, pages: Iterable[Page], before: Shares, is_ahead: Callable[[VideoId], bool], *, last: bool
) -> tuple[Judgement, Mapping[VideoId, Reading]]:
    """Accept or hold each reading that is not judged yet; if the brake holds them, no page of the window is written.

    Readings of videos that are `is_ahead`, of the next window, are not judged yet: the first to come are those that
    YouTube returned, and the missing ones would be left to be judged without them. A reading is compared with the
    video's accepted one, or, if there is none, with the counts of these pages. With `--accept`, all readings are
    accepted; in the `last` window also those that were held before. `before` are the shares of the windows before.

    Also returned are the readings that are accepted by this, as far as they are at hand: those that are not are in the
    state only.
    """
    counts = sync.config.mapped_counts
    if sync.options.accept:
        accept_pending(sync.database, counts)
        if last:
            sync.tally.accepted = accept_held(sync.database, counts)
        return Judgement(None, {}, before), {}
    own, ahead = list[Pending](), list[VideoId]()
    with closing(pending_readings(sync.database, counts)) as pending:
        for each in pending:
            if is_ahead(each.now.video_id):
                ahead.append(each.now.video_id)
            else:
                own.append(each)
    of_pages: dict[VideoId, Slot] = {}
    if unknown := {each.now.video_id for each in own if each.before is None}:
        for page in pages:
            for slot in page.slots:
                if slot.video_id in unknown:
                    of_pages.setdefault(slot.video_id, slot)
    limit = sync.config.write.brake
    compared = compare_pending(own, of_pages, counts)
    judged = judge(compared, missing=limit.missing, falling=limit.falling, before=before)
    if judged.brake:
        hold_pending(sync.database, judged.brake)
        return judged, {}
    accept_pending(sync.database, counts, judged.unconfirmed.items(), ahead)
    held = judged.unconfirmed
    return judged, {
        now.video_id: now for now, _, _, _ in own if now.statistics is not None and now.video_id not in held
    }


def note_held(sync: Sync, brake: Brake | None) -> None:
    """Note in the tally what is held now: by this sync's brake, if there is one, or since an earlier sync.

    An earlier one stays in the tally as long as it holds one of the readings for which it stopped a sync, also in syncs
    that get no new one; they write what is accepted.
    """
    limit = sync.config.write.brake
    held = sync.tally.brake = current_brake(
        sync.database, sync.config.mapped_counts, in_sync=True, stopped_it=brake is not None
    )
    if held is None and count_braked(sync.database):
        release_braked(sync.database)
    sync.tally.brake_limit = held.limit(missing=limit.missing, falling=limit.falling) if held else 0
    sync.tally.braked = frozenset(held_videos(sync.database, by_brake=True) if held else ())
    sync.tally.unconfirmed.update(unconfirmed_counts(sync.database))
    if held:
        from syncer.status.held_by_brake import held_rows

        sync.tally.held = held_rows(sync.database, held, sync.config.mapped_counts)


def _request_problems(
    failures: Sequence[tuple[Bucket, str]], reasons: Mapping[Bucket, str], unrequested: Mapping[Bucket, int]
) -> Iterator[Problem]:
    """Yield a problem for each kind of failure, however many batches had it; the last says why requests stopped.

    `unrequested` is how many items YouTube sent that were not requested: one problem a method.
    """
    last = dict(failures)
    for bucket, message in failures:
        text = f"{message} {reasons[bucket]}" if bucket in reasons and message == last[bucket] else message
        yield Problem(ProblemKind.REQUEST_FAILED, METHODS[bucket], text)
    for bucket, reason in reasons.items():
        if bucket not in last:
            yield Problem(ProblemKind.REQUEST_FAILED, METHODS[bucket], reason)

    for bucket, number in unrequested.items():
        if number:
            message = f"YouTube sent {counted(number, 'item')} that syncer did not request. Ignored."
            yield Problem(ProblemKind.BAD_ANSWER, METHODS[bucket], message)
