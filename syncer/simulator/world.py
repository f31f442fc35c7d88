"""The videos of the simulator: which ones exist, their states, and their counts at any time."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from syncer.simulator.growth import Growth, growth

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
    PREMIERE = "premiere"
    """Announced, but not shown yet. Assumption: all its counts are 0; the alternative is `counts-hidden`."""


@dataclass(frozen=True, slots=True)
class Video:
    """What a world fixes about one video."""

    state: VideoState = VideoState.PUBLIC
    counts: Mapping[str, int] = field(default_factory=dict)
    """Counts at the world's start, by YouTube's names; they grow. Others come from the seed."""


@dataclass(frozen=True, slots=True)
class Sight:
    """A video as the public sees it at one time."""

    state: VideoState
    growth: Growth
    counts: Mapping[str, int]
    """Hidden ones are absent."""


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
        """Read a TOML file: `strict`, `start`, and a table `[videos.ID]` with `state` and counts for each video.

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
        life = growth(self.seed, video_id)
        now = at.timestamp()
        if video.state in _UNSEEN or now < life.published:
            return None
        if video.state in _COUNTLESS:
            return Sight(video.state, life, {})
        if video.state is VideoState.PREMIERE:
            return Sight(video.state, life, dict.fromkeys(COUNTS, 0))
        views = life.views(now)
        if video.counts:
            counts = _from_fixed(video.counts, life, views, life.views(self.start.timestamp()))
        else:
            counts = _from_views(life, views)
        if video.state is VideoState.LIKES_HIDDEN:
            del counts["likeCount"]
        return Sight(video.state, life, counts)


_PLAIN = Video()
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
    start = _typed(document.get("start", start), datetime, "start", "a date and time such as 2026-11-22T15:00:00Z")
    if start.tzinfo is None:
        raise WorldError("start has no time zone; add Z for UTC")
    tables = _typed(document.get("videos", {}), dict, "videos", "a table of tables")
    videos = {video_id: _video(video_id, table) for video_id, table in tables.items()}
    return World(seed, videos, _typed(document.get("strict", False), bool, "strict", "true or false"), start)


def _video(video_id: str, table: object) -> Video:
    where = f"videos.{video_id}"
    if not _SHAPE.fullmatch(video_id):
        raise WorldError(f"{where}: a video ID has eleven characters of A-Z a-z 0-9 _ -")
    keys: dict[str, object] = _typed(table, dict, where, "a table")
    _only(keys, {"state", *COUNTS}, where)
    state = keys.get("state", "public")
    if state not in list(VideoState):
        raise WorldError(f"{where}.state must be one of {', '.join(VideoState)}, but is {state!r}")
    counts: dict[str, int] = {}
    for name in COUNTS:
        if name in keys:
            count = keys[name]
            if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= LARGEST_COUNT:
                raise WorldError(f"{where}.{name} must be a whole number from 0 to {LARGEST_COUNT}, but is {count!r}")
            counts[name] = count
    return Video(VideoState(str(state)), counts)


def _only(table: Mapping[str, object], known: set[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise WorldError(f"{where} has an unknown key {key!r}; the keys are {', '.join(sorted(known))}")


def _typed(value: object, kind: type[_T], name: str, wanted: str) -> _T:
    if not isinstance(value, kind):
        raise WorldError(f"{name} must be {wanted}, but is {value!r}")
    return value
