"""The values that a request to YouTube ends in, and the names of the two methods that can be requested."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from syncer.model import Bucket, Problem, Statistics, VideoId

METHODS: Final = {Bucket.STATS: "videos.batchGetStats", Bucket.GENERAL: "videos.list"}
"""The method that draws on each bucket, as YouTube names it (`docs/youtube.md`)."""


class Outcome(StrEnum):
    """How the request of one batch ended."""

    ANSWERED = "answered"
    SPENT = "spent"
    """The bucket has no unit left, here or at YouTube: another bucket may serve."""
    UNAVAILABLE = "unavailable"
    """This project does not have the method (404, 501): the other method may serve."""
    FAILED = "failed"
    """Every attempt failed in a way that passes: the next sync requests the batch again."""
    REFUSED = "refused"
    """The key or the project is refused: further requests are of no use until somebody acts."""
    REJECTED = "rejected"
    """YouTube calls the request itself wrong: do not send it again unchanged. For a single video: its id is wrong."""
    STOPPED = "stopped"
    """syncer ended the request before there was an answer: it was told to stop, or the time was up."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the request of one batch returned."""

    bucket: Bucket
    videos: tuple[VideoId, ...]
    """The videos of the batch."""
    outcome: Outcome
    at: datetime
    statistics: Mapping[VideoId, Statistics]
    """Of the videos that were returned and passed the checks; empty unless ANSWERED."""
    problems: tuple[Problem, ...] = ()
    unrequested: int = 0
    """Returned items that were not requested."""
    message: str | None = None
    """For all outcomes but ANSWERED: one sentence that says why and what to do."""
    parked_until: datetime | None = None
    """For SPENT, where YouTube said so: when the bucket has units again."""
    attempts: int = 0
    """How many it took."""


Fetch = Callable[[Bucket, Sequence[VideoId]], Answer]
"""Requests one batch of at most 50 videos from the bucket's method; safe to call from several threads."""

Spend = Callable[[Bucket], bool]
"""Takes one unit from a bucket before a request goes out; False: there is none left."""


class Tries(NamedTuple):
    """What failures that pass cost."""

    repeated: int = 0
    """How often a request was sent again."""
    failures: Mapping[str, int] = MappingProxyType({})
    """How often an attempt failed, by class."""
