"""Applies `write.min_change`, `rounding`, `at_least_every` and `at_most_every`; other sites never load this file."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from syncer.decide.diff import with_counts
from syncer.decide.thresholds import (
    NARROWED_ROUND,
    HeldBack,
    Holding,
    Round,
    due_together,
    judge_change,
    round_opens,
)
from syncer.diff_log.lines import LOG, lines_backwards, sync_time
from syncer.model import Change, Count, Edit, ProblemKind, Why, WritePolicy
from syncer.state.intents import Record
from syncer.state.syncs import OPEN_PAGE_SYNCS, open_pages
from syncer.state.writes import forget_writes, last_round, last_writes, note_writes, save_held_back, save_round
from syncer.sync.options import Sync

if TYPE_CHECKING:
    from syncer.config.sections import Config

_OF_NO_ROUND = frozenset({Why.UNDO, Why.DROPPED})
"""What is written at any time, as details are, and neither begins a round nor waits for one."""


def due_edits(sync: Sync, edits: Sequence[Edit]) -> list[Edit]:
    """Return the edits without the counts that are held back, which are counted in the sync's tally."""
    holding, due = holding_of(sync), list[Edit]()
    remembers = any(policy.at_least_every for policy in sync.config.policies)
    written = last_writes(sync.database, {edit.path for edit in edits}) if remembers else {}

    def judge(change: Change, policy: WritePolicy | None) -> Change | HeldBack:
        if policy is None or not isinstance(change.kind, Count):
            return change
        return judge_change(change, policy, written.get(change.place), holding.now, holding.opens)

    for edit in edits:
        judged = [
            (fields, due_together(changes, [judge(change, fields.policy) for change in changes]))
            for fields, changes in edit.rewrites
        ]
        held = [each for _, changes in judged for each in changes if isinstance(each, HeldBack)]
        for reason, until in held:
            holding.counts[reason] += 1
            if until:
                holding.until[reason] = min(until, holding.until.get(reason, until))
        if held:
            holding.pages += edit.path != holding.last
            holding.last = edit.path
        kept = (
            (fields, with_counts(each for each in changes if isinstance(each, Change))) for fields, changes in judged
        )
        if rewrites := tuple((fields, changes) for fields, changes in kept if changes):
            due.append(edit._replace(rewrites=rewrites))
    return due


def recording_of(config: Config, changes: Sequence[Change], now: datetime, began: datetime) -> Record:
    """Return what records, in the transaction that marks these changes as done, that they were written.

    `began` is when the round began that they belong to. An undo, a drop and a detail have none.
    """
    remembers = any(policy.at_least_every for policy in config.policies)
    counts = (change for change in changes if remembers and isinstance(change.kind, Count))
    places = {change.place for change in counts}
    by_sync = any(isinstance(change.kind, Count) and change.why not in _OF_NO_ROUND for change in changes)
    last = Round(began, complete=False, written=now) if config.write.at_most_every and by_sync else None
    return partial(note_writes, places=places, at=now, last=last)


def begin_round(sync: Sync) -> None:
    """Record that the round of this sync has begun, although no count was written."""
    save_round(sync.database, Round(holding_of(sync).began, complete=False, written=sync.tally.started))


def holding_of(sync: Sync) -> Holding:
    """Return what this sync holds back so far."""
    if sync.tally.holding is None:
        now, every, narrowed = sync.tally.started, sync.config.write.at_most_every, sync.options.is_narrowed
        last = _last_round(sync, every) if every else None
        opens = round_opens(every, last, now, whole=not narrowed)
        continued = narrowed and last and not last.complete and now < last.began + (every or NARROWED_ROUND)
        sync.tally.holding = Holding(now, opens, last.began if last and continued else now)
    return sync.tally.holding


def _last_round(sync: Sync, every: timedelta) -> Round | None:
    """Return the last round; the log tells of a sync that wrote pages while `at_most_every` was not in the config."""
    last, since = last_round(sync.database), sync.tally.started - every
    since = max(since, last.written) if last else since
    with closing(lines_backwards(sync.config.state_directory / LOG, None, since=since)) as lines:
        written = next((sync_time(line) for line in lines if line["count"] and line["why"] not in _OF_NO_ROUND), None)
    if written and (last is None or written > last.written):
        last = Round(written, complete=True, written=written)
        save_round(sync.database, last)
    return last


def finish_holding(sync: Sync) -> None:
    """After a sync that compared all pages, save what is held back, and complete the round.

    It is not complete while the next sync can write a page that this one had to leave: one that was saved meanwhile, or
    is open elsewhere, but not for so many syncs that it is a Problem.
    """
    tally, holding = sync.tally, holding_of(sync)
    if sync.options.is_narrowed or tally.compared < tally.pages or sync.environment.cancelled():
        return
    last = last_round(sync.database)
    leaves = any(syncs < OPEN_PAGE_SYNCS for syncs in open_pages(sync.database).values()) or any(
        problem.kind is ProblemKind.EDITED_MEANWHILE for problem in tally.problems
    )
    save_held_back(sync.database, holding.total(), last and last._replace(complete=last.complete or not leaves))
    longest = max(filter(None, (policy.at_least_every for policy in sync.config.policies)), default=None)
    if longest:  # what was written before is due, as is what was never written
        forget_writes(sync.database, before=holding.now - longest)
