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
    "contentDetails": ("definition", "regionRestriction", "contentRating"),
    "liveStreamingDetails": ("scheduledStartTime", "actualStartTime", "actualEndTime"),
}
"""The parts of a video that are requested, and what is read of each (`docs/youtube.md`, Whether a video plays).

`definition` is always there: it tells a video without restrictions from one whose `contentDetails` were left out.
"""

CONFIRMED_MISSES: Final = 2
"""After so many readings, a day apart, in which YouTube left a video out, it is missing."""

SOON: Final = timedelta(hours=1)
"""After so long a video that does not play is looked at again: it may be back."""

BROADCAST: Final = timedelta(days=1)
"""After so long a broadcast is looked at again, which may have ended, and what one of the two methods left out."""

COUNTRIES: Final = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ "
    "CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO "
    "FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE "
    "JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO "
    "MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW "
    "PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM "
    "TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW"
)
"""The codes of ISO 3166-1 alpha-2, and XK, which is in use for Kosovo."""


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
_PRIVACIES: Final = frozenset({"public", "unlisted", "private"})
_UPLOADED: Final = frozenset({"processed", "uploaded"})
_GONE: Final = frozenset({"deleted", "failed", "rejected"})
"""The other values of `uploadStatus`, with which there is nothing to play."""
_AGE_RESTRICTED: Final = "ytAgeRestricted"
_RATINGS: Final = frozenset({_AGE_RESTRICTED, "ytUnspecified"})
_WORDS: Final = frozenset({"none", "upcoming", "live", "completed"})
_BESIDE: Final = frozenset({"madeForKids", "scheduledStartTime"})
"""What no state needs."""
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

    `regions`: the countries whose blocks count, as ISO 3166-1 alpha-2. That a video does not play follows from the one
    value that says it. That it plays follows only if all that could say otherwise is there and of a known form. Only
    within `contentDetails`, and of the times of a broadcast, YouTube leaves out what is not so.
    """
    read = _Reader()
    status, content, times = (read.part(item, name) for name in ("status", "contentDetails", "liveStreamingDetails"))
    privacy = read.word(status, "privacyStatus", _PRIVACIES)
    uploaded = read.word(status, "uploadStatus", _UPLOADED | _GONE)
    embeddable, made_for_kids = (read.value(status, name, bool) for name in ("embeddable", "madeForKids"))
    rating = read.word(read.part(content, "contentRating"), "ytRating", _RATINGS)
    is_blocked, blocked_in = read.block(content, regions)
    word = read.word(read.part(item, "snippet"), "liveBroadcastContent", _WORDS)
    scheduled, started, ended = (
        read.moment(times, f"{name}Time") for name in ("scheduledStart", "actualStart", "actualEnd")
    )
    state: PlayState | None = None
    if privacy == "private" or uploaded in _GONE:
        state = PlayState.MISSING
    elif is_blocked:
        state = PlayState.BLOCKED
    elif embeddable is False:
        state = PlayState.NOT_EMBEDDABLE
    elif rating == _AGE_RESTRICTED:
        state = PlayState.AGE_RESTRICTED
    elif privacy is None or not (uploaded and embeddable and content) or read.wrong - _BESIDE:
        state = None
    elif ended or word == "completed" or (word == "none" and not started):
        state = PlayState(privacy)
    elif started:
        state = PlayState.LIVE
    elif word:
        state = PlayState(word)
    starts_at = scheduled if state is PlayState.UPCOMING else None
    return Availability(state, made_for_kids, blocked_in, starts_at), sorted(read.wrong)


class _Reader:
    """Reads values of an item, and notes the names of those that are of an unknown form."""

    def __init__(self) -> None:
        self.wrong: set[str] = set()

    def value(self, part: Mapping[str, object], name: str, kind: type[_T]) -> _T | None:
        """Return a value of this type; None where it is absent."""
        found = part.get(name)
        if isinstance(found, kind):
            return found
        if name in part:
            self.wrong.add(name)
        return None

    def part(self, item: Mapping[str, object], name: str) -> Mapping[str, object]:
        """Return a part of the item, or an object in a part; empty where it is absent."""
        return self.value(item, name, dict) or {}

    def word(self, part: Mapping[str, object], name: str, known: Collection[str]) -> str | None:
        """Return a value that is one of the known words."""
        found = self.value(part, name, str)
        if found is None or found in known:
            return found
        self.wrong.add(name)
        return None

    def moment(self, part: Mapping[str, object], name: str) -> datetime | None:
        """Return a time of RFC 3339, from 1970 on, in UTC."""
        text = self.value(part, name, str)
        if text is None:
            return None
        with suppress(ValueError, OverflowError):
            at = datetime.fromisoformat(text)
            if at.tzinfo is not None and at.timestamp() >= 0:
                return at.astimezone(UTC)
        self.wrong.add(name)
        return None

    def countries(self, part: Mapping[str, object], name: str) -> set[str]:
        """Return those of a list that are codes of countries."""
        found = self.value(part, name, list) or []
        codes = {code for code in found if isinstance(code, str) and _COUNTRY.fullmatch(code)}
        if not codes.issuperset(map(str, found)):
            self.wrong.add(name)
        return codes

    def block(self, content: Mapping[str, object], regions: Collection[str]) -> tuple[bool, str]:
        """Return whether it is said that the video is blocked in one of the regions or everywhere, and where it is."""
        restriction = self.part(content, "regionRestriction")
        allowed, blocked = (self.countries(restriction, name) for name in ("allowed", "blocked"))
        if "regionRestriction" in content and restriction.keys().isdisjoint({"allowed", "blocked"}):
            self.wrong.add("regionRestriction")
        if "allowed" in restriction and "allowed" not in self.wrong:
            shown = allowed - blocked
            listed = ", ".join(sorted(shown))
            return not shown or not shown.issuperset(regions), f"all but {listed}" if listed else "all"
        everywhere = blocked.issuperset(code for code in COUNTRIES.split() if code != "XK")
        return everywhere or not blocked.isdisjoint(regions), "all" if everywhere else ", ".join(sorted(blocked))


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
