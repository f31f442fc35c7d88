"""The resources in answers: what each method returns for a video, part by part, and for the whole request."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeAlias

from syncer.simulator.assumptions import Assumptions
from syncer.simulator.growth import DAY_SECONDS
from syncer.simulator.mask import ANYTHING, Schema
from syncer.simulator.wire import Json
from syncer.simulator.world import Sight, VideoState

Item: TypeAlias = dict[str, Json]
Part: TypeAlias = Callable[[str, Sight], Json]
"""Makes one part of a video, given its ID; None: the part is left out."""


def _leaves(*names: str) -> Schema:
    return {name: {} for name in names}


_STATISTICS = _leaves("viewCount", "likeCount", "dislikeCount", "favoriteCount", "commentCount")

LIST_SCHEMA: Schema = {
    **_leaves("kind", "etag", "eventId", "nextPageToken", "prevPageToken", "visitorId"),
    "tokenPagination": ANYTHING,
    "pageInfo": _leaves("totalResults", "resultsPerPage"),
    "items": {
        **_leaves("kind", "etag", "id"),
        "statistics": _STATISTICS,
        **dict.fromkeys(
            (
                *("snippet", "contentDetails", "status", "liveStreamingDetails", "localizations", "player"),
                *("recordingDetails", "topicDetails", "paidProductPlacementDetails", "fileDetails"),
                *("processingDetails", "suggestions"),
            ),
            ANYTHING,
        ),
    },
}
"""The names in an answer of videos.list. Source: https://developers.google.com/youtube/v3/docs/videos"""

STATS_SCHEMA: Schema = {
    **_leaves("kind", "etag"),
    "items": {
        **_leaves("kind", "etag", "id"),
        "snippet": _leaves("publishTime"),
        "statistics": _leaves("viewCount", "likeCount", "commentCount"),
        "contentDetails": _leaves("duration", "durationMillis"),
    },
    "summary": _leaves("requestedVideoCount", "succeededVideoCount", "failedVideoCount", "failedVideoIds"),
}
"""The names in an answer of batchGetStats.

Source: https://developers.google.com/youtube/v3/docs/videos/batchGetStats
"""


def video(video_id: str, sight: Sight, parts: Sequence[str]) -> Item:
    """Return one item of videos.list."""
    return _item("youtube#video", video_id, sight, parts, _LIST_PARTS)


def video_stats(video_id: str, sight: Sight, parts: Sequence[str]) -> Item:
    """Return one item of batchGetStats."""
    return _item("youtube#videoStats", video_id, sight, parts, _STATS_PARTS)


def video_list(items: Sequence[Item], _requested: Sequence[str], _assumptions: Assumptions) -> Item:
    """Return the whole answer of videos.list: it does not repeat what was requested."""
    count = len(items)
    page = {"totalResults": count, "resultsPerPage": count}
    return {"kind": "youtube#videoListResponse", "etag": _etag_of(items), "items": items, "pageInfo": page}


def batch_stats(items: Sequence[Item], requested: Sequence[str], assumptions: Assumptions) -> Item:
    """Return the whole answer of batchGetStats to a request for these ids."""
    answer: Item = {"kind": "youtube#batchGetStatsResponse", "etag": _etag_of(items), "items": items}
    if assumptions.summary:
        returned = {item["id"] for item in items}
        failed = [video_id for video_id in dict.fromkeys(requested) if video_id not in returned]
        counts = {
            "requestedVideoCount": len(items) + len(failed),
            "succeededVideoCount": len(items),
            "failedVideoCount": len(failed),
        }
        as_strings = assumptions.summary_counts_as_strings
        written = {name: str(count) if as_strings else count for name, count in counts.items()}
        answer["summary"] = {**written, "failedVideoIds": failed}
    return answer


def items_of(document: Item) -> list[Item]:
    """Return the items of a whole answer."""
    items = document.get("items")
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _item(kind: str, video_id: str, sight: Sight, parts: Sequence[str], known: Mapping[str, Part]) -> Item:
    wanted = (name for name in known if name in parts and name not in sight.playing.without)
    contents = {name: known[name](video_id, sight) for name in wanted}
    content = {name: value for name, value in contents.items() if value is not None}
    return {"kind": kind, "etag": etag(f"{video_id} {content}"), "id": video_id, **content}


def etag(content: str) -> str:
    """Return 27 characters that depend on the content, like YouTube's: a hash of 20 bytes in base64."""
    digest = hashlib.sha1(content.encode(), usedforsecurity=False).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _etag_of(items: Sequence[Item]) -> str:
    return etag(" ".join(str(item["etag"]) for item in items))


def _statistics(sight: Sight, *names: str) -> Json:
    """Return the part with these counts, in this order; `favoriteCount` is always 0."""
    if sight.state is VideoState.NO_STATISTICS:
        return None
    counts = {**sight.counts, "favoriteCount": 0}
    return {name: str(counts[name]) for name in names if name in counts}


def _list_snippet(video_id: str, sight: Sight) -> Json:
    title, description = f"Simulated video {video_id}", "A video that exists only in the simulator."
    broadcast = sight.playing.broadcast(sight.at)
    word = broadcast.word if broadcast else {VideoState.LIVE: "live", VideoState.PREMIERE: "upcoming"}.get(sight.state)
    return {
        "publishedAt": _time(sight),
        "channelId": "UCsimulatedchannel000000",
        "title": title,
        "description": description,
        "thumbnails": {
            "default": {"url": f"https://i.ytimg.com/vi/{video_id}/default.jpg", "width": 120, "height": 90}
        },
        "channelTitle": "Simulated channel",
        "categoryId": "27",
        "liveBroadcastContent": word or "none",
        "localized": {"title": title, "description": description},
    }


def _list_content(_id: str, sight: Sight) -> Json:
    minutes, seconds = divmod(_seconds(sight), 60)
    hours, minutes = divmod(minutes, 60)
    duration = "".join(f"{n}{unit}" for n, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if n)
    playing = sight.playing
    regions = {"allowed": playing.allowed, "blocked": playing.blocked}
    restriction = {name: list(countries) for name, countries in regions.items() if countries is not None}
    return {
        "duration": f"PT{duration}" if duration else "P0D",  # a running live stream has no length
        "dimension": "2d",
        "definition": "hd",
        "caption": "false",
        "licensedContent": False,
        **({"regionRestriction": restriction} if restriction else {}),
        "contentRating": {"ytRating": "ytAgeRestricted"} if playing.age_restricted else {},
        "projection": "rectangular",
    }


def _streaming(_id: str, sight: Sight) -> Json:
    viewers = {"concurrentViewers": str(sight.counts.get("viewCount", 0) // 100)}
    broadcast = sight.playing.broadcast(sight.at)
    if broadcast:
        times = {name: _written(at.timestamp()) for name, at in broadcast.times.items()}
        return {**times, **(viewers if broadcast.phase == "live" else {})}
    if sight.state is VideoState.LIVE:
        return {"actualStartTime": _time(sight), **viewers}
    if sight.state is VideoState.PREMIERE:
        days = int(sight.at.timestamp()) // DAY_SECONDS
        return {"scheduledStartTime": _written((days + 2) * DAY_SECONDS)}  # a midnight that is still to come
    return None


def _seconds(sight: Sight) -> int:
    return 0 if sight.state is VideoState.LIVE else sight.growth.duration


def _time(sight: Sight) -> str:
    return _written(sight.growth.published)


def _written(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _status(_id: str, sight: Sight) -> Json:
    playing = sight.playing
    return {
        "uploadStatus": "processed",
        "privacyStatus": "unlisted" if sight.state is VideoState.UNLISTED else "public",
        "license": "youtube",
        **({} if playing.embeddable is None else {"embeddable": playing.embeddable}),
        "publicStatsViewable": True,
        **({} if playing.made_for_kids is None else {"madeForKids": playing.made_for_kids}),
    }


_LIST_PARTS: Mapping[str, Part] = {
    "snippet": _list_snippet,
    "contentDetails": _list_content,
    "status": _status,
    "statistics": lambda _id, sight: _statistics(sight, "viewCount", "likeCount", "favoriteCount", "commentCount"),
    "liveStreamingDetails": _streaming,
}
_STATS_PARTS: Mapping[str, Part] = {
    "snippet": lambda _id, sight: {"publishTime": _time(sight)},
    "statistics": lambda _id, sight: _statistics(sight, "viewCount", "likeCount", "commentCount"),
    "contentDetails": lambda _id, sight: {"duration": f"{_seconds(sight)}s"},
}
