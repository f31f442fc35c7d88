"""Gets new readings: plans which videos to request, fetches them from YouTube, and accepts or holds them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING

from syncer.decide.plan import Plan, plan
from syncer.decide.quota import units_left
from syncer.decide.unconfirmed import Comparison, comparable, judge
from syncer.model import Bucket, Count, Page, Problem, ProblemKind, Reading, Slot, Statistics, VideoId
from syncer.state.database import Database
from syncer.state.judging import (
    accept_held,
    accept_pending,
    any_unknown,
    current_brake,
    hold_pending,
    pending_readings,
    unconfirmed_counts,
)
from syncer.state.ledger import failing_buckets, note_failing, park, parked_buckets, spend_unit, spent_units
from syncer.state.videos import last_read, save_readings
from syncer.status.buckets import limits, note_spent_day
from syncer.sync.options import Environment, Sync, Tally
from syncer.wording import counted
from syncer.youtube.answer import METHODS, Answer, Outcome, Spend
from syncer.youtube.batches import MAX_FAILURES, Breaker, fetch_all
from syncer.youtube.deadline import Deadline, seconds_for

if TYPE_CHECKING:
    from syncer.config.sections import Config
    from syncer.youtube.client import Client


def plan_now(sync: Sync, videos: Iterable[VideoId]) -> Plan:
    """Return which of `videos` to request now, with the units that are left."""
    now, options = sync.environment.clock(), sync.options
    spent, parked = spent_units(sync.database, now), parked_buckets(sync.database, now)
    units = sum(
        units_left(spent[bucket], *limits(sync.config, bucket, scheduled=options.scheduled))
        for bucket in Bucket
        if bucket not in parked
    )
    with closing(last_read(sync.database)) as known:
        return plan(
            videos,
            known,
            now,
            units=units,
            everything=options.everything,
            accept=options.accept,
            unread_since=options.unread_since,
        )


def fetch_readings(sync: Sync, videos: Sequence[VideoId], number: int) -> None:
    """Request these videos and save each answer as it comes; `number` is the sync's in the state."""
    tally = sync.tally
    if not videos:
        return
    youtube = sync.config.youtube
    seconds = seconds_for(
        len(videos),
        connections=youtube.connections,
        timeout=youtube.timeout.total_seconds(),
        deadline=youtube.retry.deadline.total_seconds(),
    )
    deadline = Deadline(seconds, cancelled=sync.environment.cancelled)
    failing = failing_buckets(sync.database)
    breakers = {bucket: Breaker(failing=bucket in failing) for bucket in Bucket}
    spend = spending(sync.config, sync.database, sync.environment.clock, scheduled=sync.options.scheduled)
    failures: dict[tuple[Bucket, str], None] = {}
    unrequested: Counter[Bucket] = Counter()
    with open_client(sync.config, sync.environment, spend, deadline) as client:
        for answer in fetch_all(
            videos, client.fetch, connections=youtube.connections, deadline=deadline, breakers=breakers
        ):
            _save(sync, number, answer)
            unrequested[answer.bucket] += answer.unrequested
            if answer.outcome in {Outcome.FAILED, Outcome.REFUSED}:
                failures[answer.bucket, answer.message or ""] = None
            sync.listener.progress("ask", len(tally.answered) + len(tally.missing), len(videos))
    tally.tries, tally.units = client.request_log.tries, client.request_log.units
    tally.unsettled = len(set(videos) - tally.answered - tally.missing - tally.failed)
    reasons = early_end(tally, breakers, deadline)
    tally.given_up = bool(reasons)
    tally.problems += _request_problems(list(failures), reasons, unrequested)
    still_failing = {bucket for bucket, breaker in breakers.items() if breaker.failing}
    if still_failing != failing:
        note_failing(sync.database, still_failing)


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


def spending(config: Config, database: Database, clock: Callable[[], datetime], *, scheduled: bool) -> Spend:
    """Return a `Spend` that takes units from the ledger."""

    def spend(bucket: Bucket) -> bool:
        limit, reserve = limits(config, bucket, scheduled=scheduled)
        return spend_unit(database, bucket, clock(), limit=limit, reserve=reserve)

    return spend


def early_end(tally: Tally, breakers: Mapping[Bucket, Breaker], deadline: Deadline) -> Mapping[Bucket, str]:
    """Return why videos were left to the next sync, other than for lack of quota or because it was cancelled."""
    reasons: dict[Bucket, str] = {}
    for bucket, breaker in breakers.items():
        if breaker.is_open and tally.unsettled:
            failures = "this failure, as in the last sync" if breaker.probing else f"{MAX_FAILURES} failures in a row"
            reasons[bucket] = f"After {failures}, syncer stopped sending requests; the next sync starts with one."
    if not deadline.left() and not deadline.cancelled() and (tally.unsettled or Outcome.STOPPED in tally.outcomes):
        ended = f"Requests took longer than {deadline.seconds:.0f} s and were stopped; the next sync requests the rest."
        reasons[Bucket.STATS] = " ".join(filter(None, [reasons.get(Bucket.STATS), ended]))
    return reasons


def judge_readings(sync: Sync, pages: Iterable[Page]) -> bool:
    """Accept or hold each new reading; return whether pages may be written.

    A reading is compared with the video's accepted one, or, if there is none, with the counts of a page. With
    `--accept`, all readings are accepted, also those that were held before. The brake holds all. It stays in the tally
    while it holds a reading, also in later syncs that get no new one; those may write what is accepted.
    """
    if sync.options.accept:
        accept_pending(sync.database, ())
        sync.tally.accepted = accept_held(sync.database)
        return True
    of_pages: dict[VideoId, Slot] = {}
    if any_unknown(sync.database):
        for page in pages:
            for slot in page.slots:
                of_pages.setdefault(slot.video_id, slot)
    limit = sync.config.write.brake
    compared = _compared(sync.database, of_pages, sync.config.mapped_counts)
    brake, unconfirmed = judge(compared, missing=limit.missing, falling=limit.falling)
    if brake:
        hold_pending(sync.database, brake)
    else:
        accept_pending(sync.database, unconfirmed.items())
    held = sync.tally.brake = current_brake(sync.database)
    sync.tally.brake_limit = held.limit(missing=limit.missing, falling=limit.falling) if held else 0
    sync.tally.unconfirmed.update(unconfirmed_counts(sync.database))
    return brake is None


def _save(sync: Sync, number: int, answer: Answer) -> None:
    """Save what the answer contains, and count it."""
    database, tally, asked = sync.database, sync.tally, answer.videos
    tally.requests[answer.bucket, answer.outcome] += 1
    tally.problems += answer.problems
    match answer.outcome:
        case Outcome.ANSWERED:
            absent = set(asked) - answer.statistics.keys() if answer.bucket is Bucket.GENERAL else set()
            readings = [Reading(video, answer.at, statistics) for video, statistics in answer.statistics.items()]
            readings += [Reading(video, answer.at, None) for video in sorted(absent)]
            save_readings(database, number, readings)
            tally.asked.update(asked)
            tally.answered.update(video for video in asked if video in answer.statistics)  # no second copy of ids
            tally.missing.update(absent)
        case Outcome.SPENT if answer.parked_until is not None:
            tally.asked.update(asked)
            park(database, answer.bucket, answer.parked_until)
            note_spent_day(sync.config, database, answer.bucket, answer.at)
        case Outcome.REJECTED:
            tally.asked.update(asked)
            if len(asked) == 1:  # otherwise its halves are requested again
                message = (
                    f"YouTube rejects every {METHODS[answer.bucket]} request with this video, and accepts the others:"
                    " check whether the ID is right."
                )
                tally.failed.update(asked)
                tally.problems.append(Problem(ProblemKind.REFUSED_VIDEO, asked[0], message))
        case Outcome.FAILED | Outcome.REFUSED | Outcome.STOPPED:
            tally.asked.update(asked)
            tally.failed.update(asked)


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


def _compared(database: Database, of_pages: Mapping[VideoId, Slot], counts: frozenset[Count]) -> Iterator[Comparison]:
    """Yield each new reading beside the known counts: those of `counts` that YouTube counts the same way since then."""
    with closing(pending_readings(database)) as pending:
        for now, before, was_missing, held in pending:
            if before is None:
                slot = of_pages.get(now.video_id)
                values = zip(slot.fields, slot.texts, strict=True) if slot else ()
                known: Statistics = {field.count: int(text) for field, text in values if text is not None}
            else:
                known = before.statistics or {}
            same = comparable(counts, before.at if before else None, now.at)
            yield Comparison(
                now.video_id,
                _only(known, same),
                _only(now.statistics or {}, same),
                was_present=before is not None and not was_missing,
                is_present=now.statistics is not None,
                held=held,
            )


def _only(statistics: Statistics, counts: Iterable[Count]) -> Statistics:
    return {count: number for count, number in statistics.items() if count in counts}
