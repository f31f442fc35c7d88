"""The results of a request to YouTube, and the names of its two methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from syncer.model import Bucket, Problem, Statistics, VideoId

if TYPE_CHECKING:
    from syncer.decide.availability import Availability

METHODS: Final = {Bucket.STATS: "videos.batchGetStats", Bucket.GENERAL: "videos.list"}
"""The method that draws on each bucket, as YouTube names it (`docs/youtube.md`)."""


class Outcome(StrEnum):
    """How the request of one batch ended."""

    ANSWERED = "answered"
    SPENT = "spent"
    """The bucket has no unit left, by syncer's ledger or by YouTube's: use the other bucket."""
    UNAVAILABLE = "unavailable"
    """This project does not have the method (404, 501): use the other one."""
    FAILED = "failed"
    """Every attempt failed for a temporary reason: the next sync requests the batch again."""
    REFUSED = "refused"
    """The key or the project is refused: further requests are of no use until you act."""
    REJECTED = "rejected"
    """YouTube rejected the request itself: do not repeat it unchanged. For a single video: its ID is wrong."""
    STOPPED = "stopped"
    """syncer ended the request before there was a response: the sync was stopped, or its time was up."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the request of one batch returned."""

    bucket: Bucket
    videos: tuple[VideoId, ...]
    """The videos of the batch."""
    outcome: Outcome
    at: datetime
    statistics: Mapping[VideoId, Statistics]
    """Of the videos that were returned and passed the checks; empty unless ANSWERED with counts."""
    availability: Mapping[VideoId, Availability] = field(default_factory=dict)
    """Of the videos that were returned; empty unless ANSWERED about playing."""
    problems: tuple[Problem, ...] = ()
    unrequested: int = 0
    """Returned items that were not requested."""
    message: str | None = None
    """For all outcomes but ANSWERED: what happened, and what to do."""
    parked_until: datetime | None = None
    """For SPENT by YouTube's ledger: when the bucket has units again."""
    attempts: int = 0
    """How many attempts were made."""


Fetch = Callable[[Bucket, Sequence[VideoId]], Answer]
"""Requests one batch of at most 50 videos from the bucket's method; safe to call from several threads."""

Spend = Callable[[Bucket], bool]
"""Takes one unit from a bucket before a request is sent; False: none is left."""


class Tries(NamedTuple):
    """How much was retried."""

    repeated: int = 0
    """How often a request was sent again."""
    failures: Mapping[str, int] = MappingProxyType({})
    """How often an attempt failed, by class."""
