"""Reads the body of a response: the counts of a 200, each checked, and the reasons of an error."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from syncer.model import LARGEST_COUNT, Bucket, Count, Problem, ProblemKind, Statistics, VideoId

if TYPE_CHECKING:
    from syncer.decide.availability import Availability

PER_DAY: Final = "limit per day"
"""syncer's own word: the response names a limit that lasts until midnight Pacific."""
LIMIT_ZERO: Final = "limit zero"
"""syncer's own word: the response names a limit of 0."""

_DOCUMENT_KINDS: Final = {Bucket.STATS: "youtube#batchGetStatsResponse", Bucket.GENERAL: "youtube#videoListResponse"}
_COUNTS = tuple(Count)  # an enumeration takes its time to enumerate
_COUNT_DIGITS = len(str(LARGEST_COUNT))
_ABSENT = object()
_SHOWN_CHARACTERS = 24
_TEXT_CHARACTERS: Final = 2000
"""How much of an error's text is read. Google's are shorter, and a search takes longer in a long text."""
_PLAIN_WORD = re.compile(r"[A-Za-z_]{3,50}")


_Facts = TypeVar("_Facts")
_Read = Callable[[VideoId, Mapping[str, object]], tuple[_Facts, list[Problem]]]


@dataclass(frozen=True, slots=True)
class CheckedBody:
    """The valid contents of the body of a 200."""

    statistics: dict[VideoId, Statistics]
    """Of every requested video that was returned; a count that is not valid is absent."""
    problems: tuple[Problem, ...] = ()
    """What is wrong with counts: a few at most for each video."""
    unrequested: int = 0
    """Items that were not requested."""
    availability: Mapping[VideoId, Availability] = field(default_factory=dict)
    """What the items say about playing, if that was requested: then they have no counts."""


@dataclass(frozen=True, slots=True)
class ForeignBody:
    """A body that is not YouTube's response to this request."""

    why: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the body of an error says."""

    words: frozenset[str] = frozenset()
    """Every `reason`, every ErrorInfo reason and the `status`, and syncer's own words for limits."""
    message: str = ""
    reason: str = ""
    """The most specific word, to be shown; only letters and `_`, whatever was sent."""
    google: bool = False
    """Whether the body has Google's form: then it comes from the API, and not from a proxy."""


def check_body(body: bytes, bucket: Bucket, videos: Sequence[VideoId]) -> CheckedBody | ForeignBody:
    """Return what is valid in the body of the bucket's method's 200 to a request for these `videos`.

    Counts are int64 in JSON strings; absent ones are hidden (`docs/youtube.md`). A proxy's page, a body that was cut
    off and the response to another request are a `ForeignBody`.
    """
    nothing: Statistics = {}
    read = read_items(body, bucket, videos, _counts, nothing=nothing, what="counts")
    return read if isinstance(read, ForeignBody) else CheckedBody(*read)


def read_items(
    body: bytes, bucket: Bucket, videos: Sequence[VideoId], read: _Read[_Facts], *, nothing: _Facts, what: str
) -> tuple[dict[VideoId, _Facts], tuple[Problem, ...], int] | ForeignBody:
    """Return what `read` returns about each of these videos, all problems, and how many items were not requested.

    `read` is given a video and its item, and returns what the item says and what is wrong with it. A video that is
    there twice has `nothing` if its items differ: the problem says that these are different `what`.
    """
    items = _items(body, bucket)
    if isinstance(items, ForeignBody):
        return items
    requested = {str(video): video for video in videos}
    found, differing, problems, unrequested = dict[VideoId, _Facts](), set[VideoId](), list[Problem](), 0
    for item in items:
        video = requested.get(name) if isinstance(item, dict) and isinstance(name := item.get("id"), str) else None
        if video is None or not isinstance(item, dict):
            unrequested += 1
            continue
        facts, wrong = read(video, item)
        if video not in found:
            found[video] = facts
            problems += wrong
        elif found[video] != facts:
            differing.add(video)
    if items and not found:
        return ForeignBody("it has none of the requested videos")
    for video in sorted(differing):
        found[video] = nothing
        problems.append(bad(video, f"YouTube returned this video twice, with different {what}. They were ignored."))
    return found, tuple(problems), unrequested


def read_evidence(body: bytes) -> Evidence:
    """Return what the body of an error says; nothing for an unknown form. The forms: `docs/youtube.md`."""
    try:
        document = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError, MemoryError):
        return Evidence()
    if isinstance(document, list) and document:
        document = document[0]
    error = document.get("error") if isinstance(document, dict) else None
    if isinstance(error, str):
        return Evidence(message=_text(error))
    if not isinstance(error, dict):
        return Evidence()
    message, details = _text(error.get("message")), _entries(error.get("details"))
    entries = [*details, *_entries(error.get("errors"))]  # the most specific reason first
    reasons = [*(_text(entry.get("reason")) for entry in entries), _text(error.get("status"))]
    reason = next(filter(_PLAIN_WORD.fullmatch, reasons), "")
    return Evidence(frozenset([*reasons, *_limits(message, details)]), message, reason, google=True)


def _items(body: bytes, bucket: Bucket) -> list[object] | ForeignBody:
    try:
        document = json.loads(body.decode("utf-8"), object_pairs_hook=_unique_names, parse_constant=_refuse)
    except (ValueError, RecursionError, MemoryError):
        return ForeignBody("it is not a complete JSON document" if body else "it is empty")
    if not isinstance(document, dict) or document.get("kind") != _DOCUMENT_KINDS[bucket]:
        return ForeignBody(f"it is not a {_DOCUMENT_KINDS[bucket]}")
    items = document.get("items", [])  # absent where no video was found (`docs/youtube.md`, Missing videos)
    return items if isinstance(items, list) else ForeignBody("it has no list of items")


def _unique_names(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return the object; raise ValueError where it has a name twice, because its value is ambiguous."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name twice")
    return found


def _refuse(name: str) -> object:
    """Raise ValueError: NaN and Infinity are Python's, not JSON's."""
    raise ValueError(name)


def _counts(video: VideoId, item: Mapping[str, object]) -> tuple[Statistics, list[Problem]]:
    """Return the valid counts of an item, and a problem for each of the others."""
    statistics = item.get("statistics", {})
    if not isinstance(statistics, dict):
        return {}, [bad(video, "YouTube returned this video's statistics in an unknown form. They were ignored.")]
    good: dict[Count, int] = {}
    problems = []
    for count in _COUNTS:
        value = statistics.get(count, _ABSENT)
        if value is _ABSENT:
            continue
        digits = isinstance(value, str) and len(value) <= _COUNT_DIGITS and value.isdigit() and value.isascii()
        if digits and (number := int(value)) <= LARGEST_COUNT:
            good[count] = number
        else:
            text = "" if isinstance(value, dict | list) else ascii(value)
            shown = text if 0 < len(text) <= _SHOWN_CHARACTERS else "something long"
            problems.append(bad(video, f"YouTube returned {shown} as {count}, which is not a count. It was ignored."))
    return good, problems


def bad(subject: str, message: str) -> Problem:
    """Return the problem of a video about which YouTube returned something that is not valid."""
    return Problem(ProblemKind.BAD_ANSWER, subject, message)


def _limits(message: str, details: Sequence[dict[str, object]]) -> Iterator[str]:
    """Yield syncer's words for the limit. Only the message and ErrorInfo's metadata show that it is a daily one."""
    if "per day" in message.lower():
        yield PER_DAY
    for detail in details:
        metadata = detail.get("metadata")
        if not isinstance(metadata, dict):
            continue
        if _text(metadata.get("quota_unit")).startswith("1/d/") or "PerDay" in _text(metadata.get("quota_limit")):
            yield PER_DAY
        if metadata.get("quota_limit_value") == "0":
            yield LIMIT_ZERO


def _entries(value: object) -> list[dict[str, object]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _text(value: object) -> str:
    return value[:_TEXT_CHARACTERS] if isinstance(value, str) else ""
