"""Checks the body of a 200 before a word of it is believed: no number leaves here that YouTube did not give."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

from syncer.model import LARGEST_COUNT, Bucket, Count, Problem, ProblemKind, Statistics, VideoId


class Outcome(StrEnum):
    """How one request for one batch ended."""

    ANSWERED = "answered"
    SPENT = "spent"
    """The bucket has no unit left, here or at YouTube: another bucket may serve."""
    UNAVAILABLE = "unavailable"
    """This project does not have the method (404, 501): the other method may serve."""
    FAILED = "failed"
    """Every try failed in a way that passes: the next sync asks again."""
    REFUSED = "refused"
    """Key or project is refused: asking on is of no use until a person acts."""
    REJECTED = "rejected"
    """YouTube calls the request itself wrong: it is not sent again unchanged. About one video: because of its id."""
    STOPPED = "stopped"
    """We ended it ourselves before there was an answer: told to stop, or out of time."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of asking one method about one batch."""

    bucket: Bucket
    asked: tuple[VideoId, ...]
    outcome: Outcome
    at: datetime
    statistics: Mapping[VideoId, Statistics]
    """Of the videos that were returned and passed the check; empty unless ANSWERED."""
    problems: tuple[Problem, ...] = ()
    unasked: int = 0
    """Items that were not requested."""
    message: str | None = None
    """For all outcomes but ANSWERED: one sentence that says why and what to do."""
    parked_until: datetime | None = None
    """With SPENT, where YouTube said so: when the bucket is filled again."""
    attempts: int = 0
    """How often it was tried."""


Fetch = Callable[[Bucket, Sequence[VideoId]], Answer]
"""Asks one method about one batch of at most 50 videos; safe to call from several threads."""


Spend = Callable[[Bucket], bool]
"""Takes one unit from a bucket before a request goes out; False: there is none left to take."""


class Tries(NamedTuple):
    """What failures that pass cost."""

    repeated: int = 0
    """How often a request was sent again."""
    waited: float = 0.0
    """Seconds between tries, of all connections together."""
    failures: Mapping[str, int] = MappingProxyType({})
    """How often a try failed, by class."""


METHODS: Final = {Bucket.STATS: "videos.batchGetStats", Bucket.GENERAL: "videos.list"}
"""The method that draws on a bucket, as people know it (`docs/youtube.md`)."""

_KINDS: Final = {Bucket.STATS: "youtube#batchGetStatsResponse", Bucket.GENERAL: "youtube#videoListResponse"}
_COUNTS = tuple(Count)  # an enumeration takes its time to enumerate
_LONGEST = len(str(LARGEST_COUNT))
_SHOWN = 24


@dataclass(frozen=True, slots=True)
class Checked:
    """What of an answer holds."""

    statistics: dict[VideoId, Statistics]
    """Of every asked video that was returned; a count that does not hold is absent."""
    problems: tuple[Problem, ...] = ()
    """What is wrong with counts: of each video a few at most."""
    unasked: int = 0
    """Items that were not requested."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """An answer that is not YouTube's answer to this question at all."""

    why: str


def check(body: bytes, bucket: Bucket, asked: Sequence[VideoId]) -> Checked | Foreign:
    """Return what holds in the body of a 200 that answers the bucket's method about the `asked` videos.

    Counts are int64 in JSON strings; absent ones are hidden (`docs/youtube.md`). A proxy's page, a cut-off body and
    another request's answer are `Foreign`.
    """
    items = _items(body, bucket)
    if isinstance(items, Foreign):
        return items
    ours = {str(video): video for video in asked}
    statistics, differing, problems, unasked = dict[VideoId, Statistics](), set[VideoId](), list[Problem](), 0
    for item in items:
        video = ours.get(name) if isinstance(item, dict) and isinstance(name := item.get("id"), str) else None
        if video is None or not isinstance(item, dict):
            unasked += 1
            continue
        counts, wrong = _counts(video, item.get("statistics", {}))
        if video not in statistics:
            statistics[video] = counts
            problems += wrong
        elif statistics[video] != counts:
            differing.add(video)
    if items and not statistics:
        return Foreign("it holds no video that was asked for")
    for video in sorted(differing):
        statistics[video] = {}
        problems.append(_bad(video, "YouTube sent this video twice with different counts; none was believed."))
    return Checked(statistics, tuple(problems), unasked)


def _items(body: bytes, bucket: Bucket) -> list[object] | Foreign:
    try:
        document = json.loads(body.decode("utf-8"), object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError, MemoryError):
        return Foreign("it is no whole JSON document" if body else "it is empty")
    if not isinstance(document, dict) or document.get("kind") != _KINDS[bucket]:
        return Foreign(f"it is not of the kind {_KINDS[bucket]}")
    items = document.get("items", [])  # absent where no video was found (`docs/youtube.md`, Absent videos)
    return items if isinstance(items, list) else Foreign("it has no list of items")


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return the object; raise ValueError where a name stands in it twice, because its value is not clear."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name twice")
    return found


def _refuse(name: str) -> object:
    """Raise ValueError: NaN and Infinity are Python's, not JSON's."""
    raise ValueError(name)


def _counts(video: VideoId, statistics: object) -> tuple[Statistics, list[Problem]]:
    if not isinstance(statistics, dict):
        return {}, [_bad(video, "YouTube sent this video's statistics in an unknown form; they were ignored.")]
    good: dict[Count, int] = {}
    problems = []
    for count in _COUNTS:
        if count in statistics:
            value = statistics[count]
            if (number := _number(value)) is not None:
                good[count] = number
            else:
                message = f"YouTube gave {_shown(value)} as {count}, which is no count; it was ignored."
                problems.append(_bad(video, message))
    return good, problems


def _number(value: object) -> int | None:
    """Return the count that a value is, if it is one."""
    if isinstance(value, str) and value.isdigit() and value.isascii() and len(value) <= _LONGEST:
        number = int(value)
        return number if number <= LARGEST_COUNT else None
    return None


def _shown(value: object) -> str:
    """Return the value in plain ASCII if it is a short one: whoever sent it may have sent anything."""
    text = "" if isinstance(value, dict | list) else ascii(value)
    return text if 0 < len(text) <= _SHOWN else "something long"


def _bad(subject: str, message: str) -> Problem:
    return Problem(ProblemKind.BAD_ANSWER, subject, message)
