"""All faults by name, and their syntax, `NAME[@stats|@general][@VIDEO][:WHEN]`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Final

from syncer.simulator.acts import Kind
from syncer.simulator.echoes import ECHOES
from syncer.simulator.known_errors import KEYS, LIMITS, OUTAGES, REQUESTS
from syncer.simulator.units import BucketName
from syncer.simulator.wrong_answers import BODIES, DOCUMENTS, ITEMS
from syncer.simulator.wrong_counts import COUNTS
from syncer.simulator.wrong_wire import CONNECTIONS, FIELDS_AND_PLACES

GROUPS: Final[Mapping[str, Mapping[str, Kind]]] = {
    "The key and the project": KEYS,
    "Limits": LIMITS,
    "The request": REQUESTS,
    "Outages": OUTAGES,
    "Bodies": BODIES,
    "Documents": DOCUMENTS,
    "Items and counts": ITEMS,
    "Counts and states": COUNTS,
    "Connections": CONNECTIONS,
    "Header fields": FIELDS_AND_PLACES,
    "The key sent back": ECHOES,
}
KINDS: Final[Mapping[str, Kind]] = {name: kind for group in GROUPS.values() for name, kind in group.items()}
"""Every fault by its name."""
FORMS = "a request 3 or 2-5, every third */3, a share 0.3 or 30%, or a time START/END"
"""How to write when a fault occurs."""


class FaultError(ValueError):
    """The syntax of a fault is wrong; the message says how to write it."""


@dataclass(frozen=True, slots=True)
class When:
    """Which requests a fault affects: those that meet all of these conditions."""

    first: int = 1
    """The first request, counted from 1 among those that the fault can affect since it was switched on."""
    last: int | None = None
    every: int = 1
    """3: the third, the sixth, and so on."""
    share: float = 1.0
    """Of the requests, 0 to 1; which ones depends only on the seed."""
    start: datetime | None = None
    """By the simulator's clock, with a time zone; the end is not included."""
    end: datetime | None = None

    def holds(self, position: int, at: datetime, luck: float) -> bool:
        """Return whether it affects the request at this position and time; `luck` is from 0 to below 1."""
        return (
            self.first <= position
            and (self.last is None or position <= self.last)
            and position % self.every == 0
            and luck < self.share
            and (self.start is None or self.start <= at)
            and (self.end is None or at < self.end)
        )


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of fault, and which requests and videos it affects."""

    name: str
    """One of `KINDS`."""
    bucket: BucketName | None = None
    """Only requests that use this bucket; None: both methods."""
    video: str | None = None
    """Only requests that name it, and in them only its item."""
    when: When = When()


def parse_fault(text: str) -> Fault:
    """Read `NAME[@stats|@general][@VIDEO][:WHEN]`. Raises FaultError.

    WHEN is a position `3`, positions `2-5` or `2-`, every third `*/3`, a share `0.3` or `30%`, or a time of the
    simulator's clock `2026-11-22T15:00:00Z/2026-11-23T08:00:00Z`, of which either end can be left out.
    """
    head, mark, when = text.partition(":")
    name, *places = head.split("@")
    if name not in KINDS:
        near = get_close_matches(name, KINDS, 1)
        remedy = f"did you mean {near[0]}?" if near else "`syncer simulate --list-faults` lists all faults"
        raise FaultError(f"{text}: unknown fault {name!r}; {remedy}")
    fault = Fault(name, when=_when(text, when) if mark else When())
    for place in places:
        if fault.bucket is None and place in {"stats", "general"}:
            fault = replace(fault, bucket="stats" if place == "stats" else "general")
        elif fault.video is None and _VIDEO.fullmatch(place):
            fault = replace(fault, video=place)
        else:
            raise FaultError(
                f"{text}: {place!r} cannot follow an @; write stats or general, or a video ID, each at most once"
            )
    return fault


def _when(text: str, when: str) -> When:
    if match := _POSITIONS.fullmatch(when):
        first, dash, last = match.groups()
        span = When(first=int(first), last=int(last) if last else None if dash else int(first))
        valid = span.first >= 1 and (span.last is None or span.first <= span.last)
    elif match := _EVERY.fullmatch(when):
        span = When(every=max(1, int(match[1])))
        valid = int(match[1]) >= 1
    elif match := _SHARE.fullmatch(when):
        span = When(share=float(match[1]) / 100 if match[1] else float(when))
        valid = 0 < span.share <= 1
    else:
        start, slash, end = when.partition("/")
        try:
            span = When(start=_moment(start), end=_moment(end))
        except ValueError:
            span = When()
        if not slash or span == When():
            raise FaultError(f"{text}: {when!r} is not valid after the colon; write {FORMS}")
        valid = span.start is None or span.end is None or span.start < span.end
    if not valid:
        raise FaultError(f"{text}: {when!r} is not possible; write {FORMS}")
    return span


def _moment(text: str) -> datetime | None:
    """Return the time; without a zone it is in UTC, as everywhere on the command line."""
    if not text:
        return None
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


_VIDEO = re.compile(r"[0-9A-Za-z_-]{11}", re.ASCII)
_POSITIONS = re.compile(r"(\d{1,9})(?:(-)(\d{1,9})?)?", re.ASCII)
_EVERY = re.compile(r"\*/(\d{1,9})", re.ASCII)
_SHARE = re.compile(r"(\d+)%|\d*\.\d+", re.ASCII)
