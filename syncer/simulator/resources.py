"""The resources in answers: what each method returns for a video, part by part, and for the whole request."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeAlias

from syncer.simulator.assumptions import Assumptions
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
    contents = {name: part(video_id, sight) for name, part in known.items() if name in parts}
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
    broadcast = {VideoState.LIVE: "live", VideoState.PREMIERE: "upcoming"}
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
        "liveBroadcastContent": broadcast.get(sight.state, "none"),
        "localized": {"title": title, "description": description},
    }


def _list_content(_id: str, sight: Sight) -> Json:
    minutes, seconds = divmod(_seconds(sight), 60)
    hours, minutes = divmod(minutes, 60)
    duration = "".join(f"{n}{unit}" for n, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if n)
    return {
        "duration": f"PT{duration}" if duration else "P0D",  # a running live stream has no length
        "dimension": "2d",
        "definition": "hd",
        "caption": "false",
        "licensedContent": False,
        "contentRating": {},
        "projection": "rectangular",
    }


def _streaming(_id: str, sight: Sight) -> Json:
    if sight.state is VideoState.LIVE:
        return {"actualStartTime": _time(sight), "concurrentViewers": str(sight.counts["viewCount"] // 100)}
    if sight.state is VideoState.PREMIERE:
        return {"scheduledStartTime": _time(sight)}
    return None


def _seconds(sight: Sight) -> int:
    return 0 if sight.state is VideoState.LIVE else sight.growth.duration


def _time(sight: Sight) -> str:
    return datetime.fromtimestamp(sight.growth.published, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


_STATUS: Json = {
    "uploadStatus": "processed",
    "privacyStatus": "public",
    "license": "youtube",
    "embeddable": True,
    "publicStatsViewable": True,
    "madeForKids": False,
}

_LIST_PARTS: Mapping[str, Part] = {
    "snippet": _list_snippet,
    "contentDetails": _list_content,
    "status": lambda _id, _sight: _STATUS,
    "statistics": lambda _id, sight: _statistics(sight, "viewCount", "likeCount", "favoriteCount", "commentCount"),
    "liveStreamingDetails": _streaming,
}
_STATS_PARTS: Mapping[str, Part] = {
    "snippet": lambda _id, sight: {"publishTime": _time(sight)},
    "statistics": lambda _id, sight: _statistics(sight, "viewCount", "likeCount", "commentCount"),
    "contentDetails": lambda _id, sight: {"duration": f"{_seconds(sight)}s"},
}
