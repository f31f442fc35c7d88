"""Decides whether a video still plays, from what `videos.list` says about it, and when to look again."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from hashlib import blake2b
from typing import Final, TypeVar

from syncer.model import VideoId

FIELDS: Final = {
    "snippet": ("liveBroadcastContent",),
    "status": ("uploadStatus", "privacyStatus", "embeddable", "madeForKids"),
    "contentDetails": ("regionRestriction", "contentRating"),
    "liveStreamingDetails": ("scheduledStartTime", "actualStartTime", "actualEndTime"),
}
"""The parts of a video that are requested, and what is read of each (`docs/youtube.md`, Whether a video plays)."""

CONFIRMED_MISSES: Final = 2
"""After so many readings, a day apart, in which YouTube left a video out, it is missing."""

SOON: Final = timedelta(hours=1)
"""After so long a video that does not play is looked at again: it may be back."""

BROADCAST: Final = timedelta(days=1)
"""After so long a broadcast is looked at again, which may have ended, and what one of the two methods left out."""


_T = TypeVar("_T")


class PlayState(StrEnum):
    """Whether a video plays on the site. Where several are true, the first of them counts."""

    MISSING = "missing"
    """Removed or private: YouTube does not say which."""
    BLOCKED = "blocked"
    """In one of the regions of the config; without any, in all countries."""
    NOT_EMBEDDABLE = "not-embeddable"
    AGE_RESTRICTED = "age-restricted"
    UPCOMING = "upcoming"
    LIVE = "live"
    UNLISTED = "unlisted"
    PUBLIC = "public"

    @property
    def plays(self) -> bool:
        """Whether a visitor of the site can play it, or will be able to when it starts."""
        return self in _PLAYING


_PLAYING: Final = frozenset({PlayState.UPCOMING, PlayState.LIVE, PlayState.UNLISTED, PlayState.PUBLIC})
_GONE: Final = frozenset({"deleted", "failed", "rejected"})
"""Values of `uploadStatus` with which there is nothing to play."""
_LATEST_SECONDS: Final = 253_402_300_800
"""The year 10000."""
_COUNTRY: Final = re.compile(r"[A-Z]{2}")


@dataclass(frozen=True, slots=True)
class Availability:
    """What YouTube says about one video at one time."""

    state: PlayState | None
    """None: YouTube left out what would say so. No state follows from what is absent."""
    made_for_kids: bool | None = None
    """None: not said."""
    blocked_in: str = ""
    """Country codes, `DE, CH`; `all but DE, CH`; `all`; empty: not blocked, or not said."""
    starts_at: datetime | None = None
    """When an upcoming broadcast is to start, if that is known."""
    details: Mapping[str, str] = field(default_factory=dict)
    """What else is said for details of pages, by their keys in the config (`decide.details`)."""

    def facts(self) -> str:
        """Return what is said beside the state, as JSON for `availability_from`; what is not said is left out."""
        starts = None if self.starts_at is None else int(self.starts_at.timestamp())
        facts = {"made_for_kids": self.made_for_kids, "blocked_in": self.blocked_in or None, "starts_at": starts}
        facts |= self.details
        return json.dumps({name: value for name, value in facts.items() if value is not None})


def availability_from(state: PlayState | None, text: str) -> Availability:
    """Return what has this state and these `facts`. Raises ValueError."""
    facts = json.loads(text)
    if isinstance(facts, dict):
        kids, blocked, starts = (facts.get(name) for name in ("made_for_kids", "blocked_in", "starts_at"))
        known = isinstance(kids, bool | None) and isinstance(blocked, str | None)
        if known and (starts is None or (type(starts) is int and 0 <= starts < _LATEST_SECONDS)):
            starts_at = None if starts is None else datetime.fromtimestamp(starts, UTC)
            others = facts.keys() - {"made_for_kids", "blocked_in", "starts_at"}
            details = {name: value for name in others if isinstance(value := facts[name], str)}
            return Availability(state, kids, blocked or "", starts_at, details)
    raise ValueError(f"{text!r} is not what is known of a video")


def availability_of(item: Mapping[str, object], regions: Collection[str]) -> tuple[Availability, Sequence[str]]:
    """Return what an item of `videos.list` says, and the names in it whose values are of a form that is not known.

    `regions`: the countries whose blocks count, as ISO 3166-1 alpha-2. What is absent or of an unknown form says
    nothing.
    """
    read = _Reader(item)
    privacy, uploaded = read.value("status", "privacyStatus", str), read.value("status", "uploadStatus", str)
    embeddable = read.value("status", "embeddable", bool)
    rating = read.mapping("contentDetails", "contentRating").get("ytRating")
    started, ended = read.moment("actualStartTime"), read.moment("actualEndTime")
    word, starts_at = read.value("snippet", "liveBroadcastContent", str), None
    restriction = read.mapping("contentDetails", "regionRestriction")
    allowed, blocked = (read.countries(restriction, name) for name in ("allowed", "blocked"))
    except_in = None if allowed is None else set(allowed) - set(blocked or ())
    closed = except_in is not None and not except_in
    codes = set(blocked or ()) if except_in is None else set(regions) - except_in
    state: PlayState | None = None
    if privacy == "private" or uploaded in _GONE:
        state = PlayState.MISSING
    elif codes.intersection(regions) or closed:
        state = PlayState.BLOCKED
    elif embeddable is False:
        state = PlayState.NOT_EMBEDDABLE
    elif rating == "ytAgeRestricted":
        state = PlayState.AGE_RESTRICTED
    elif ended is None and started is None and word == "upcoming":
        state, starts_at = PlayState.UPCOMING, read.moment("scheduledStartTime")
    elif ended is None and (started is not None or word == "live"):
        state = PlayState.LIVE
    elif privacy in {"public", "unlisted"}:
        state = PlayState(privacy)
    listed = ", ".join(sorted(blocked or () if except_in is None else except_in))
    if except_in is not None:
        listed = f"all but {listed}" if listed else "all"
    return Availability(state, read.value("status", "madeForKids", bool), listed, starts_at), sorted(read.wrong)


class _Reader:
    """Reads one item, and notes the names whose values are of an unknown form."""

    def __init__(self, item: Mapping[str, object]) -> None:
        self.wrong: set[str] = set()
        self._item = item

    def mapping(self, part: str, name: str | None = None) -> Mapping[str, object]:
        """Return a part, or an object in it; empty where it is absent."""
        found = self._item.get(part, {}) if name is None else self.mapping(part).get(name, {})
        if isinstance(found, dict):
            return found
        self.wrong.add(name or part)
        return {}

    def value(self, part: str, name: str, kind: type[_T]) -> _T | None:
        """Return a value of this type; None where it is absent."""
        found = self.mapping(part).get(name)
        if isinstance(found, kind):
            return found
        if name in self.mapping(part):
            self.wrong.add(name)
        return None

    def moment(self, name: str) -> datetime | None:
        """Return a time of the broadcast, of RFC 3339 and from 1970 on, in UTC."""
        text = self.value("liveStreamingDetails", name, str)
        if text is None:
            return None
        with suppress(ValueError, OverflowError):
            at = datetime.fromisoformat(text)
            if at.tzinfo is not None and at.timestamp() >= 0:
                return at.astimezone(UTC)
        self.wrong.add(name)
        return None

    def countries(self, restriction: Mapping[str, object], name: str) -> Sequence[str] | None:
        found = restriction.get(name)
        if name not in restriction:
            return None
        if isinstance(found, list) and all(isinstance(each, str) and _COUNTRY.fullmatch(each) for each in found):
            return found
        self.wrong.add(name)
        return None


def next_check(video: VideoId, found: Availability | None, at: datetime, every: timedelta) -> datetime:
    """Return when a video is due again that was looked at at this time; None: YouTube left it out.

    Each video has its own moment in every interval, by its ID: those that were looked at together are due one after
    the other.
    """
    if found is None:
        return at + min(every, BROADCAST)
    if found.state is None or not found.state.plays:
        return at + min(every, SOON)
    seconds = max(1, int(every.total_seconds()))
    own = int.from_bytes(blake2b(video.encode(), digest_size=8).digest()) % seconds
    rounds = (int(at.timestamp()) - own) // seconds + 1
    due = datetime.fromtimestamp(own + rounds * seconds, UTC)
    if found.starts_at is not None and found.starts_at > at:
        return min(due, found.starts_at)
    return min(due, at + BROADCAST) if found.state in {PlayState.LIVE, PlayState.UPCOMING} else due
