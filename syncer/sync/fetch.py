"""Asks YouTube about the videos that are due, and saves each answer before anything else happens."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import closing
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING

from syncer.decide.plan import Plan, plan
from syncer.decide.quota import units_left
from syncer.model import Bucket, Problem, ProblemKind, Reading, VideoId
from syncer.state.ledger import failing_buckets, note_failing, park, parked_buckets, spend_unit, spent_units
from syncer.state.videos import last_read, save_readings
from syncer.status.buckets import limits, note_spent_day
from syncer.sync.options import Environment, Sync
from syncer.sync.tally import Tally
from syncer.wording import counted
from syncer.youtube.answer import METHODS, Answer, Outcome, Spend
from syncer.youtube.batches import MAX_FAILURES, Breaker, fetch_all
from syncer.youtube.deadline import Deadline, seconds_for

if TYPE_CHECKING:
    from syncer.config.sections import Config
    from syncer.youtube.client import Client


def plan_now(sync: Sync, videos: AbstractSet[VideoId]) -> Plan:
    """Return which of `videos` to ask about now, with the units that are left."""
    now = sync.environment.clock()
    spent, parked = spent_units(sync.database, now), parked_buckets(sync.database, now)
    units = sum(
        units_left(spent[bucket], *limits(sync.config, bucket, scheduled=sync.options.scheduled))
        for bucket in Bucket
        if bucket not in parked
    )
    with closing(last_read(sync.database)) as known:
        options = sync.options
        return plan(
            videos,
            known,
            now,
            units=units,
            everything=options.everything,
            accept=options.accept,
            unread_since=options.unread_since,
        )


def fetch_readings(sync: Sync, number: int) -> None:
    """Ask about the planned videos and save each answer as it comes; `number` is the sync's in the state."""
    tally, videos = sync.tally, sync.tally.plan.ask
    if not videos:
        return
    deadline = _deadline(sync, len(videos))
    connections = sync.config.youtube.connections
    failing = failing_buckets(sync.database)
    breakers = {bucket: Breaker(failing=bucket in failing) for bucket in Bucket}
    with open_client(sync.config, sync.environment, spending(sync), deadline) as client:
        for answer in fetch_all(videos, client.fetch, connections=connections, deadline=deadline, breakers=breakers):
            _keep(answer, sync, number)
            sync.listener.progress("ask", len(tally.answered) + len(tally.missing), len(videos))
    tally.tries = client.request_log.tries
    tally.problems += _unasked(tally)
    note_early_end(tally, breakers, deadline)
    still_failing = {bucket for bucket, breaker in breakers.items() if breaker.failing}
    if still_failing != failing:
        note_failing(sync.database, still_failing)


def _deadline(sync: Sync, videos: int) -> Deadline:
    youtube = sync.config.youtube
    seconds = seconds_for(
        videos,
        connections=youtube.connections,
        timeout=youtube.timeout.total_seconds(),
        deadline=youtube.retry.deadline.total_seconds(),
    )
    return Deadline(seconds, cancelled=sync.environment.cancelled)


def open_client(config: Config, environment: Environment, spend: Spend, deadline: Deadline | None = None) -> Client:
    """Return a client of the configured YouTube, to be used as a context."""
    from syncer.youtube.client import Client, Terms
    from syncer.youtube.retry import Retry

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


def spending(sync: Sync) -> Spend:
    """Return a `Spend` that takes units from the ledger and counts them in the sync's tally."""
    counting = Lock()  # requests go out from several threads

    def spend(bucket: Bucket) -> bool:
        limit, reserve = limits(sync.config, bucket, scheduled=sync.options.scheduled)
        if not spend_unit(sync.database, bucket, sync.environment.clock(), limit=limit, reserve=reserve):
            return False
        with counting:
            sync.tally.units[bucket] += 1
        return True

    return spend


def _keep(answer: Answer, sync: Sync, number: int) -> None:
    """Save what the answer says, and count it."""
    database, tally = sync.database, sync.tally
    tally.requests[answer.bucket, answer.outcome] += 1
    tally.problems += answer.problems
    tally.unasked[answer.bucket] += answer.unasked
    if answer.outcome is Outcome.ANSWERED:
        absent = set(answer.asked) - answer.statistics.keys() if answer.bucket is Bucket.GENERAL else set()
        save_readings(database, number, list(_readings(answer, absent)))
        tally.asked.update(answer.asked)
        tally.answered.update(video for video in answer.asked if video in answer.statistics)  # no second copy of ids
        tally.missing.update(absent)
    elif answer.outcome is Outcome.SPENT:
        if answer.parked_until is not None:
            tally.asked.update(answer.asked)
            park(database, answer.bucket, answer.parked_until)
            note_spent_day(sync.config, database, answer.bucket, answer.at)
    elif answer.outcome is not Outcome.UNAVAILABLE:
        tally.asked.update(answer.asked)
        if answer.outcome is Outcome.REJECTED and len(answer.asked) > 1:
            return  # its halves are asked about again
        tally.failed.update(answer.asked)
        for problem in _problems(answer):
            if problem not in tally.problems:  # said once, however many batches fail in the same way
                tally.problems.append(problem)


def _problems(answer: Answer) -> Iterable[Problem]:
    """Yield what is wrong where asking ended without an answer; what we ended ourselves is told elsewhere."""
    if answer.outcome is Outcome.REJECTED:
        (video,) = answer.asked
        message = (
            f"YouTube rejects every {METHODS[answer.bucket]} request that names this video, and answers without it: "
            "see whether the ID is right."
        )
        yield Problem(ProblemKind.REFUSED_VIDEO, video, message)
    elif answer.outcome is not Outcome.STOPPED:
        yield Problem(ProblemKind.REQUEST_FAILED, METHODS[answer.bucket], answer.message or "")


def _unasked(tally: Tally) -> Iterable[Problem]:
    """Yield one problem a method, however many items were not requested."""
    for bucket, number in tally.unasked.items():
        if number:
            message = f"YouTube sent {counted(number, 'item')} that syncer did not request. Ignored."
            yield Problem(ProblemKind.BAD_ANSWER, METHODS[bucket], message)


def note_early_end(tally: Tally, breakers: Mapping[Bucket, Breaker], deadline: Deadline) -> None:
    """Say why videos were left to the next sync, where it was neither the quota nor somebody who cancelled."""
    for bucket, breaker in breakers.items():
        if breaker.is_open and tally.unsettled():
            failures = "this failure, like those of the last sync" if breaker.probing else f"{MAX_FAILURES} in a row"
            _give_up(tally, bucket, f"After {failures}, no more was asked; the next sync begins with one request.")
    if not deadline.left() and not deadline.cancelled() and (tally.unsettled() or Outcome.STOPPED in tally.outcomes):
        _give_up(tally, Bucket.STATS, f"The asking was ended after {deadline.seconds:.0f} s: the next sync goes on.")


def _give_up(tally: Tally, bucket: Bucket, why: str) -> None:
    """Add why no more requests were sent to what the last ones failed of."""
    tally.given_up = True
    for place, problem in reversed(list(enumerate(tally.problems))):
        if problem.kind is ProblemKind.REQUEST_FAILED and problem.subject == METHODS[bucket]:
            tally.problems[place] = replace(problem, message=f"{problem.message} {why}")
            return
    tally.problems.append(Problem(ProblemKind.REQUEST_FAILED, METHODS[bucket], why))


def _readings(answer: Answer, absent: Collection[VideoId]) -> Iterable[Reading]:
    for video, statistics in answer.statistics.items():
        yield Reading(video, answer.at, statistics)
    for video in sorted(absent):
        yield Reading(video, answer.at, None)
