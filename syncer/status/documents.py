"""The JSON documents of status, quota, histories and videos, the same for commands and the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, TypedDict

from syncer.decide.unconfirmed import view_meaning
from syncer.diff_log.lines import timestamp
from syncer.model import Bucket, Count, Reading, VideoId
from syncer.status.build_status import build_json
from syncer.status.held_back import held_back_json
from syncer.status.play_report import UNKNOWN
from syncer.status.report import problem_json
from syncer.status.sharing import LedgerDocument, sharing_json

if TYPE_CHECKING:
    from syncer.decide.quota import BucketStatus
    from syncer.state.search import KnownVideo
    from syncer.state.shared_ledger import Sharing
    from syncer.status.status import Status

Row = dict[str, str | int | bool | None]


class QuotaOfBucket(TypedDict):
    """What a bucket has left today, in units."""

    spent: int
    left: int
    parked_until: str | None


def status_json(status: Status) -> dict[str, object]:
    """Return the status as `syncer status --json` prints it."""
    leftovers, demand = status.leftovers, status.demand
    return {
        "site": status.site,
        "syncs": list(status.syncs),
        "next_sync": timestamp(status.next_sync),
        "quota": quota_json(status.buckets, status.sharing),
        "quota_resets": timestamp(status.quota_resets),
        "units_a_day": {"needed": round(demand.needed, 1), "budget": demand.budget},
        "longest_unread": {"video_id": demand.oldest[0], "read_at": timestamp(demand.oldest[1])}
        if demand.oldest
        else None,
        "missing": [{"video_id": video.video_id, "since": timestamp(video.since)} for video in status.missing],
        "gone": [{"video_id": video.video_id, "since": timestamp(video.since)} for video in status.gone],
        "unconfirmed": [{"video_id": video, "count": count.value} for video, count in status.unconfirmed],
        "held_by_brake": status.braked,
        "held_by_undo": status.suppressed,
        "held_back": held_back_json(status.held_back),
        "hidden": [{"video_id": video, "count": count.value} for video, count in status.hidden],
        "states": {state.value if state else UNKNOWN: number for state, number in status.states.items()},
        "not_playing": [
            {"video_id": video, "state": state.value, "since": timestamp(since)}
            for video, state, since in status.not_playing
        ],
        "problems": [problem_json(problem) for problem in status.problems],
        "open": status.open,
        "deploy": build_json(status.build) if status.build else None,
        "cut_short": {
            "written": leftovers.written,
            "unwritten": leftovers.unwritten,
            "files": len(leftovers.files),
        }
        if leftovers
        else None,
    }


def quota_json(
    buckets: Mapping[Bucket, BucketStatus], sharing: Sharing | None
) -> dict[str, QuotaOfBucket | LedgerDocument | None]:
    """Return what is left of the day's quota, by bucket, None where that is unknown; and who shares the ledger."""
    of_buckets: dict[str, QuotaOfBucket] = {
        bucket.value: {
            "spent": each.spent,
            "left": each.left,
            "parked_until": timestamp(each.parked_until) if each.parked_until else None,
        }
        for bucket, each in buckets.items()
    }
    ledger = sharing_json(sharing, buckets) if sharing else None
    return {**dict.fromkeys(bucket.value for bucket in Bucket), **of_buckets, "ledger": ledger}


def history_json(video: VideoId, readings: Sequence[Reading]) -> dict[str, object]:
    """Return a video's readings as `syncer history --json` prints them."""
    return {"video_id": video, "readings": [reading_row(reading) for reading in readings]}


def reading_row(reading: Reading) -> Row:
    """Return a reading as a row of `syncer history`."""
    since = view_meaning(reading.at)
    return {
        "at": timestamp(reading.at),
        "present": reading.statistics is not None,
        **_counts(reading),
        "views_mean_since": since.isoformat() if since else None,
    }


def meaning_changes(readings: Sequence[Reading]) -> list[date]:
    """Return the days, between these readings, on which YouTube changed what counts as a view."""
    days = {day for day in (view_meaning(reading.at) for reading in readings) if day}
    earliest = min(reading.at for reading in readings)
    return sorted(day for day in days if day > earliest.date())


def video_json(video: KnownVideo) -> Row:
    """Return a video as a search result: with the counts that pages are compared with."""
    return {
        "video_id": video.video_id,
        "pages": video.pages,
        "path": video.path,
        "as_of": timestamp(video.reading.at) if video.reading else None,
        **_counts(video.reading),
        "missing_since": timestamp(video.missing_since) if video.missing_since else None,
        "state": video.said.state.value if video.said.state else None,
        "state_since": timestamp(video.since) if video.since else None,
    }


def _counts(reading: Reading | None) -> dict[str, int | None]:
    statistics = (reading.statistics if reading else None) or {}
    return {count.value: statistics.get(count) for count in Count}
