"""The videos of the simulator: which ones exist, their states, and their counts at any time."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from syncer.simulator.growth import Growth, growth
from syncer.simulator.playing import Playing

COUNTS = ("viewCount", "likeCount", "commentCount")
LARGEST_COUNT = 2**63 - 1
START = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
"""When fixed counts apply, unless the world has another start."""

_SHAPE = re.compile(r"[0-9A-Za-z_-]{11}", re.ASCII)
_POSSIBLE = re.compile(r"[0-9A-Za-z_-]{10}[AEIMQUYcgkosw048]", re.ASCII)
"""An ID is 64 bits in base64: the last of its eleven characters has only four bits."""

_T = TypeVar("_T")


class WorldError(ValueError):
    """The file of videos is not valid; the message says where and why."""


class VideoState(StrEnum):
    """What the public can see of a video."""

    PUBLIC = "public"
    PRIVATE = "private"
    DELETED = "deleted"
    LIKES_HIDDEN = "likes-hidden"
    COUNTS_HIDDEN = "counts-hidden"
    """Statistics are there, without counts."""
    NO_STATISTICS = "no-statistics"
    """The whole part is missing, as has been reported for videos that had it again a day later."""
    LIVE = "live"
    UNLISTED = "unlisted"
    PREMIERE = "premiere"
    """Announced, but not shown yet. Assumption: all its counts are 0; the alternative is `counts-hidden`."""


@dataclass(frozen=True, slots=True)
class Video:
    """What a world fixes about one video."""

    state: VideoState = VideoState.PUBLIC
    counts: Mapping[str, int] = field(default_factory=dict)
    """Counts at the world's start, by YouTube's names; they grow. Others come from the seed."""
    playing: Playing = field(default_factory=Playing)
    changes: tuple[tuple[datetime, Video], ...] = ()
    """What it is from each of these times on, in their order."""

    def at(self, at: datetime) -> Video:
        """Return what it is at a time."""
        return next((later for since, later in reversed(self.changes) if since <= at), self)


@dataclass(frozen=True, slots=True)
class Sight:
    """A video as the public sees it at one time."""

    state: VideoState
    growth: Growth
    counts: Mapping[str, int]
    """Hidden ones are absent."""
    playing: Playing
    at: datetime


@dataclass(frozen=True, slots=True)
class World:
    """All videos: every possible ID is a public video, unless `videos` or `strict` exclude it."""

    seed: int = 1
    videos: Mapping[str, Video] = field(default_factory=dict)
    strict: bool = False
    """Only the listed videos exist."""
    start: datetime = START
    """When the fixed counts apply."""

    @staticmethod
    def load(path: Path, seed: int = 1, start: datetime = START) -> World:
        """Read a TOML file: `strict`, `start`, and a table `[videos.ID]` for each video.

        A table may have `state`, counts, the names of `Playing`, and `changes`: tables with a time `at` and what is
        different from then on.

        The `start` of the file overrides the parameter. Raises WorldError for anything else in it, and OSError.
        """
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
            return _world(document, seed, start)
        except (WorldError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise WorldError(f"{path}: {error}") from error

    def statistics(self, video_id: str, at: datetime) -> dict[str, int] | None:
        """Return the counts that are returned at this time, without hidden ones. None: the video is left out."""
        sight = self.see(video_id, at)
        return None if sight is None else dict(sight.counts)

    def see(self, video_id: str, at: datetime) -> Sight | None:
        """Return the video as the public sees it; None: private, deleted, unpublished or unknown."""
        video = self.videos.get(video_id)
        if video is None:
            if self.strict or not _POSSIBLE.fullmatch(video_id):
                return None
            video = _PLAIN
        video = video.at(at)
        state, playing = video.state, video.playing
        if state is VideoState.PUBLIC and (broadcast := playing.broadcast(at)):
            state = _OF_PHASE[broadcast.phase]
        life = growth(self.seed, video_id)
        now = at.timestamp()
        if state in _UNSEEN or now < life.published:
            return None
        if state in _COUNTLESS:
            return Sight(state, life, {}, playing, at)
        if state is VideoState.PREMIERE:
            return Sight(state, life, dict.fromkeys(COUNTS, 0), playing, at)
        views = life.views(now)
        if video.counts:
            counts = _from_fixed(video.counts, life, views, life.views(self.start.timestamp()))
        else:
            counts = _from_views(life, views)
        if state is VideoState.LIKES_HIDDEN:
            del counts["likeCount"]
        return Sight(state, life, counts, playing, at)


_PLAIN = Video()
_OF_PHASE = {"upcoming": VideoState.PREMIERE, "live": VideoState.LIVE, "none": VideoState.PUBLIC}
_UNSEEN = frozenset({VideoState.PRIVATE, VideoState.DELETED})
_COUNTLESS = frozenset({VideoState.COUNTS_HIDDEN, VideoState.NO_STATISTICS})


def _from_views(life: Growth, views: int) -> dict[str, int]:
    likes, comments = int(views * life.likes_a_view), int(views * life.comments_a_view)
    return {"viewCount": views, "likeCount": likes, "commentCount": comments}


def _from_fixed(fixed: Mapping[str, int], life: Growth, views: int, views_at_start: int) -> dict[str, int]:
    """Let fixed counts grow as the seed's do; a count that is not fixed is in proportion to the views."""
    now, then = _from_views(life, views), _from_views(life, views_at_start)
    grown = {name: max(0, value + now[name] - then[name]) for name, value in fixed.items()}
    counts = _from_views(life, grown.get("viewCount", views)) | grown
    return {name: min(count, LARGEST_COUNT) for name, count in counts.items()}


def _world(document: Mapping[str, object], seed: int, start: datetime) -> World:
    _only(document, {"strict", "start", "videos"}, "the file")
    start = _moment(document.get("start", start), "start")
    tables = _typed(document.get("videos", {}), dict, "videos", "a table of tables")
    videos = {video_id: _video(video_id, table) for video_id, table in tables.items()}
    return World(seed, videos, _typed(document.get("strict", False), bool, "strict", "true or false"), start)


def _video(video_id: str, table: object) -> Video:
    where = f"videos.{video_id}"
    if not _SHAPE.fullmatch(video_id):
        raise WorldError(f"{where}: a video ID has eleven characters of A-Z a-z 0-9 _ -")
    keys: dict[str, object] = dict(_typed(table, dict, where, "a table"))
    later = _typed(keys.pop("changes", []), list, f"{where}.changes", "a list of tables")
    first = _facts(keys, where)
    changes: list[tuple[datetime, Video]] = []
    for number, change in enumerate(later):
        named = f"{where}.changes[{number}]"
        different: dict[str, object] = dict(_typed(change, dict, named, "a table"))
        at = _moment(different.pop("at", None), f"{named}.at")
        if changes and at < changes[-1][0]:
            raise WorldError(f"{named}.at is earlier than the change before it")
        keys |= different
        changes.append((at, _facts(keys, named)))
    return replace(first, changes=tuple(changes))


def _facts(keys: Mapping[str, object], where: str) -> Video:
    """Return the video that these keys describe."""
    _only(keys, {"state", *COUNTS, *(fact.name for fact in fields(Playing))}, where)
    state = keys.get("state", "public")
    if state not in list(VideoState):
        raise WorldError(f"{where}.state must be one of {', '.join(VideoState)}, but is {state!r}")
    counts = {name: _whole(keys[name], f"{where}.{name}") for name in COUNTS if name in keys}

    def flag(name: str, *, usual: bool) -> bool:
        return _typed(keys.get(name, usual), bool, f"{where}.{name}", "true or false")

    def texts(name: str) -> tuple[str, ...] | None:
        wanted = "a list of texts"
        listed = _typed(keys[name], list, f"{where}.{name}", wanted) if name in keys else None
        return None if listed is None else tuple(_typed(text, str, f"{where}.{name}", wanted) for text in listed)

    def moment(name: str) -> datetime | None:
        return _moment(keys[name], f"{where}.{name}") if name in keys else None

    playing = Playing(
        embeddable=flag("embeddable", usual=True),
        age_restricted=flag("age_restricted", usual=False),
        made_for_kids=flag("made_for_kids", usual=False),
        blocked=texts("blocked"),
        allowed=texts("allowed"),
        scheduled=moment("scheduled"),
        started=moment("started"),
        ended=moment("ended"),
        lag_seconds=_whole(keys.get("lag_seconds", 0), f"{where}.lag_seconds"),
        without=texts("without") or (),
    )
    return Video(VideoState(str(state)), counts, playing)


def _whole(value: object, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= LARGEST_COUNT:
        raise WorldError(f"{name} must be a whole number from 0 to {LARGEST_COUNT}, but is {value!r}")
    return value


def _moment(value: object, name: str) -> datetime:
    at = _typed(value, datetime, name, "a date and time such as 2026-11-22T15:00:00Z")
    if at.tzinfo is None:
        raise WorldError(f"{name} has no time zone; add Z for UTC")
    return at


def _only(table: Mapping[str, object], known: set[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise WorldError(f"{where} has an unknown key {key!r}; the keys are {', '.join(sorted(known))}")


def _typed(value: object, kind: type[_T], name: str, wanted: str) -> _T:
    if not isinstance(value, kind):
        raise WorldError(f"{name} must be {wanted}, but is {value!r}")
    return value
