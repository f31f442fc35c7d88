"""What each fault may cost, as docs/reference promises it: the exit code of the sync, and what its pages say then."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from syncer.simulator.faults import GROUPS
from syncer.simulator.units import BucketName


class Says(Enum):
    """What the pages say afterwards of the videos of a struck batch. All other batches are true, but for STOPPED."""

    TRUE = "the truth"
    KEPT = "what they said before"
    GIVEN = "what the fault made YouTube say, where it said anything; else what they said before"
    STOPPED = "what they said before; of the batches after it, too"


class End(NamedTuple):
    """How a sync ends."""

    code: int
    says: Says


class Ends(NamedTuple):
    """How a sync ends that the fault strikes so often."""

    once: End
    """One request, which may be tried a second time."""
    batch: End
    """The only request for one batch."""
    always: End
    """Every request."""


WELL = End(0, Says.TRUE)
FAILED = End(1, Says.KEPT)
NOTHING = End(3, Says.KEPT)
STOPPED = End(3, Says.STOPPED)
LEFT_OUT = End(1, Says.STOPPED)
BELIEVED = End(0, Says.GIVEN)
UNKNOWN = End(0, Says.KEPT)
BRAKED = End(1, Says.KEPT)

HARMLESS = Ends(WELL, WELL, WELL)
PASSES = Ends(WELL, FAILED, NOTHING)
"""Trouble that costs a retry; without a second try the batch waits for the next sync."""
SENT_AGAIN = Ends(WELL, WELL, NOTHING)
"""The same, where httplib2 sends again by itself; or where YouTube rejects a batch, and takes its halves."""
REFUSED = Ends(STOPPED, STOPPED, STOPPED)
"""A person has to act: asking ends. What was answered before is used."""
SPOILT = Ends(FAILED, FAILED, FAILED)
"""The answer holds, but nothing of its counts does."""
SPENT = Ends(LEFT_OUT, LEFT_OUT, LEFT_OUT)
"""The day's quota: the rest of the videos waits for tomorrow."""
SEEN = Ends(BELIEVED, BELIEVED, BELIEVED)
"""Well-formed, plausible, and what YouTube says at this time."""
HIDDEN = Ends(UNKNOWN, UNKNOWN, UNKNOWN)
GONE = UNCONFIRMED = Ends(UNKNOWN, UNKNOWN, BRAKED)
"""Missing videos and unconfirmed counts are no failure; too many at once are: a brake holds."""
FALLEN = Ends(BELIEVED, BELIEVED, BRAKED)
TOLD = Ends(*[End(1, Says.TRUE)] * 3)
"""All is true, and a problem says what was odd."""

OF_A_GROUP: Mapping[str, Ends] = {
    "The key and the project": REFUSED,
    "Limits": PASSES,
    "The request": SENT_AGAIN,
    "Outages": PASSES,
    "Bodies": PASSES,
    "Documents": PASSES,
    "Items and counts": SPOILT,
    "Counts and states": SEEN,
    "Connections": PASSES,
    "Header fields": PASSES,
    "The key sent back": PASSES,
}
"""What most faults of a group cost."""

OF_A_FAULT: Mapping[str, Ends | tuple[Ends, Ends]] = {
    # Limits: a daily one closes the bucket; of videos.batchGetStats, videos.list takes over. So early, it may be cut.
    "day-limit": (TOLD, SPENT),
    "day-limit-plain": (TOLD, SPENT),
    "day-limit-legacy": (TOLD, SPENT),
    "quota-exceeded": (TOLD, SPENT),
    "quota-exceeded-debug": (TOLD, SPENT),
    "day-limit-zero": REFUSED,
    # Outages and bodies: a method that is not to be had is left to the other one; a wrong request is halved.
    "not-implemented": (HARMLESS, REFUSED),
    "html-404": (HARMLESS, REFUSED),
    "html-501": (HARMLESS, REFUSED),
    "html-400": SENT_AGAIN,
    "html-400-short": SENT_AGAIN,
    "html-413": SENT_AGAIN,
    # Documents: nobody relies on the summary; no list of items says that no video was found.
    "no-items": (HARMLESS, GONE),
    "no-summary": HARMLESS,
    "wrong-summary": HARMLESS,
    "word-summary": HARMLESS,
    # Items: the other method is asked about what the first one leaves out; an answer without one good item is none.
    "all-missing": (HARMLESS, GONE),
    "stranger": TOLD,
    "strangers": TOLD,
    "other-videos": PASSES,
    "no-id": PASSES,
    "twice": HARMLESS,
    "shuffled": HARMLESS,
    "no-statistics": HIDDEN,
    # Counts and states.
    "private": (HARMLESS, GONE),
    "counts-hidden": HIDDEN,
    "falling": FALLEN,
    "collapsed": UNCONFIRMED,
    "zero": UNCONFIRMED,
    # Connections: slow is not too slow yet.
    "late": HARMLESS,
    "slow-headers": HARMLESS,
    "close": SENT_AGAIN,
    "garbage": SENT_AGAIN,
    # The key sent back: where it stands in the place of a count, or where nobody looks.
    "echo-counts": SPOILT,
    "echo-fields": HARMLESS,
    "echo-mirror": SENT_AGAIN,
}
"""What is otherwise than in its group; of a pair the first is for videos.batchGetStats, the second for videos.list."""


def ends(fault: str, bucket: BucketName) -> Ends:
    """What a fault of one method costs."""
    own = OF_A_FAULT.get(fault) or next(OF_A_GROUP[name] for name, kinds in GROUPS.items() if fault in kinds)
    return own if isinstance(own, Ends) else own[bucket == "general"]
