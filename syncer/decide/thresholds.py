"""Decides which counts that differ are written now, and which are held back, why and until when.

`min_change` and `rounding` look at the size of a difference, `at_least_every` and `at_most_every` at the time. A round
is a sync in which `at_most_every` lets pages be written, with those that complete it after it was cut short.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from syncer.model import Change, Count, Threshold, Why, WritePolicy

NO_THRESHOLD = Threshold()

NARROWED_ROUND = timedelta(days=1)
"""How long narrowed syncs continue a round that no sync of all pages has completed."""


class Reason(StrEnum):
    """Why a count that differs is held back: the key of `write` that says so."""

    MIN_CHANGE = "min_change"
    ROUNDING = "rounding"
    AT_MOST_EVERY = "at_most_every"


class HeldBack(NamedTuple):
    """Why a count is not written now."""

    reason: Reason
    until: datetime | None
    """When it is written at the latest, by the first sync from then on; None: once it differs by enough."""


class Round(NamedTuple):
    """The last round in which pages were written."""

    began: datetime
    complete: bool
    """False: it was cut short, and the next sync continues it."""
    written: datetime
    """When the last sync started that wrote pages in it."""


class HeldBackCounts(NamedTuple):
    """How many counts that differ a sync holds back, and on how many pages."""

    counts: Mapping[Reason, int]
    until: Mapping[Reason, datetime]
    """When the first of them are written at the latest; absent where that depends on the counts alone."""
    pages: int


@dataclass(slots=True)
class Holding:
    """What a sync holds back so far."""

    now: datetime
    """When the sync started: to it, all its pages are written at that time."""
    opens: datetime | None
    """When pages can be written; None: now. Decided once for a sync, because its own writes begin a round."""
    began: datetime
    """When the round began that its writes belong to."""
    counts: Counter[Reason] = field(default_factory=Counter)
    until: dict[Reason, datetime] = field(default_factory=dict)
    pages: int = 0
    last: str = ""
    """The last page of them: one with many videos comes in parts."""

    def total(self) -> HeldBackCounts:
        """Return it as the state keeps it."""
        return HeldBackCounts(dict(self.counts), dict(self.until), self.pages)


def judge_change(
    change: Change, policy: WritePolicy, written: datetime | None, now: datetime, opens: datetime | None
) -> Change | HeldBack:
    """Return the change if it is written now, as a heartbeat if it is too small otherwise; or why it is held back.

    `written` is when this place was last written; None: that is not known, and a difference of any size is due. So is
    it if that time is still to come: the clock was wrong. `opens` is what `round_opens` returned. A count that would
    be late in the next round is due in this one.
    """
    reason = _too_small(change, policy)
    if reason is None:
        return HeldBack(Reason.AT_MOST_EVERY, opens) if opens else change
    if policy.at_least_every is None:
        return HeldBack(reason, None)
    due = now if written is None or written > now else written + policy.at_least_every
    if due > (opens or now) + (policy.at_most_every or timedelta()):
        return HeldBack(reason, due)
    return HeldBack(Reason.AT_MOST_EVERY, opens) if opens else change._replace(why=Why.HEARTBEAT)


def due_together(changes: Sequence[Change], judged: Sequence[Change | HeldBack]) -> list[Change | HeldBack]:
    """Return what was judged, with what is held back written too if another slot of its place is written now.

    What the state knows about a place, such as when it was last written, is then true of all its slots.
    """
    due = {change.place for change in judged if isinstance(change, Change) and "[" in change.field}
    return [
        change if due and isinstance(each, HeldBack) and change.place in due else each
        for change, each in zip(changes, judged, strict=True)
    ]


def round_opens(every: timedelta | None, last: Round | None, now: datetime, *, whole: bool) -> datetime | None:
    """Return when the next round can begin, with rounds at most so often; None: pages can be written now.

    A round that is not complete is continued, by a narrowed sync only on its first day: if all syncs are narrowed,
    none of them completes it. A last round later than now by more than the interval is ignored: the clock was wrong,
    and pages would wait for years.
    """
    if every is None or last is None or last.began > now + every or last.began + every <= now:
        return None
    if not last.complete and (whole or now < last.began + NARROWED_ROUND):
        return None
    return last.began + every


def displayed(number: int) -> int:
    """Return the number that YouTube's short form of a count stands for: 1,200,000 of `1.2M` for 1,254,867.

    Below 1,000 that is the number itself; above, two digits up to `9.9K`, `9.9M` and so on, and whole thousands,
    millions or billions otherwise, always rounded down (`docs/youtube.md`).
    """
    if number < 1000:
        return number
    unit = int(f"1{'000' * ((len(str(number)) - 1) // 3)}")
    step = unit // 10 if number < 10 * unit else unit
    return number // step * step


def _too_small(change: Change, policy: WritePolicy) -> Reason | None:
    """Return which key finds the difference too small; None if it is large enough, or there was no count before."""
    if change.old is None:
        return None
    old, new = int(change.old), int(change.new)
    least, difference = policy.min_change.get(Count(change.kind), NO_THRESHOLD), abs(new - old)
    if difference <= least.number or difference * 10_000 <= least.share * old:
        return Reason.MIN_CHANGE
    if policy.display and displayed(old) == displayed(new):
        return Reason.ROUNDING
    return None
