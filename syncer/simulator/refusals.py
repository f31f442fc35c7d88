"""Owns the errors that the API answers with: their status and the body in the real form."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from syncer.simulator.wire import Json

PROJECT = "424242424242"
"""The number of the made-up project that every key belongs to."""


class Refusal(Exception):
    """The API refuses a request: an HTTP status and a document."""

    def __init__(self, status: int, document: Json) -> None:
        super().__init__(status)
        self.status = status
        self.document = document


def no_key() -> Refusal:
    """403: the request names no key at all."""
    return _forbidden(
        "Method doesn't allow unregistered callers (callers without established identity)."
        " Please use API Key or other form of API consumer identity to call this API."
    )


def empty_key() -> Refusal:
    """403: the key is empty."""
    return _forbidden("The request is missing a valid API key.")


def invalid_key() -> Refusal:
    """400: the key is none that was given out."""
    metadata = {"service": "youtube.googleapis.com"}
    message = "API key not valid. Please pass a valid API key."
    return _refusal(400, message, "badRequest", status="INVALID_ARGUMENT", info=("API_KEY_INVALID", metadata))


def general_quota_exceeded() -> Refusal:
    """403: the project's general units of the day are spent."""
    link = '<a href="/youtube/v3/getting-started#quota">quota</a>'
    message = f"The request cannot be completed because you have exceeded your {link}."
    return _refusal(403, message, "quotaExceeded", domain="youtube.quota")


def stats_quota_exceeded(limit: int, day: datetime) -> Refusal:
    """429: the units of batchGetStats are spent for the day that began at `day`.

    Assumption: metric and limit are named after the pattern of the other buckets of their own.
    """
    metadata = {
        "quota_location": "global",
        "window_start_time": str(int(day.timestamp())),
        "quota_limit": "defaultVideoBatchGetStatsPerDayPerProject",
        "quota_unit": "1/d/{project}",
        "quota_metric": "youtube.googleapis.com/video_batch_get_stats",
    }
    if limit == 0:
        del metadata["window_start_time"]
    return _limit_exceeded("Video Batch Get Stats", "Video Batch Get Stats per day", limit, metadata)


def minute_quota_exceeded(limit: int) -> Refusal:
    """429: too many requests in this minute."""
    metadata = {
        "quota_location": "global",
        "quota_limit": "defaultPerMinutePerProject",
        "quota_unit": "1/min/{project}",
        "quota_metric": "youtube.googleapis.com/default",
    }
    return _limit_exceeded("Queries", "Queries per minute", limit, metadata)


def too_many_ids_for_list() -> Refusal:
    """400: more than 50 ids for videos.list."""
    message = "The request specifies an invalid filter parameter."
    return _refusal(400, message, "invalidFilters", domain="youtube.parameter", location=("parameters.", "other"))


def invalid_argument() -> Refusal:
    """400: the front of the API found an argument that it does not take."""
    return _refusal(400, "Request contains an invalid argument.", "badRequest", status="INVALID_ARGUMENT")


def no_filter(expected: str) -> Refusal:
    """400: no id was given; `expected` are the filters that the method knows."""
    return _refusal(
        400,
        f"No filter selected. Expected one of: {expected}",
        "missingRequiredParameter",
        domain="youtube.parameter",
        location=("parameters.", "other"),
    )


def missing_parameter(name: str) -> Refusal:
    """400: a parameter that every request needs is absent."""
    return _refusal(400, f"Required parameter: {name}", "required", location=(name, "parameter"))


def unknown_part(part: str) -> Refusal:
    """400: there is no such part. Assumption: the body has kept the fields that it had in an older recording."""
    return _refusal(400, part, "unknownPart", domain="youtube.part", location=("part", "parameter"))


def invalid_fields(piece: str) -> Refusal:
    """400: `fields` cannot be read or names what is not there. Assumption: as other Google APIs of its age say it."""
    message = f"Invalid field selection {piece}".rstrip()
    return _refusal(400, message, "invalidParameter", location=("fields", "parameter"))


def _forbidden(message: str) -> Refusal:
    return _refusal(403, message, "forbidden", status="PERMISSION_DENIED")


def _limit_exceeded(metric: str, limit_name: str, limit: int, metadata: Mapping[str, str]) -> Refusal:
    message = (
        f"Quota exceeded for quota metric '{metric}' and limit '{limit_name}' of service 'youtube.googleapis.com'"
        f" for consumer 'project_number:{PROJECT}'."
    )
    everywhere = {
        "service": "youtube.googleapis.com",
        "consumer": f"projects/{PROJECT}",
        "quota_limit_value": str(limit),
    }
    info = ("RATE_LIMIT_EXCEEDED", {**metadata, **everywhere})
    return _refusal(429, message, "rateLimitExceeded", status="RESOURCE_EXHAUSTED", info=info)


def _refusal(
    code: int,
    message: str,
    reason: str,
    *,
    domain: str = "global",
    location: tuple[str, str] | None = None,
    status: str | None = None,
    info: tuple[str, Mapping[str, str]] | None = None,
) -> Refusal:
    """Return a refusal with one error: `location` is a place and its type, `info` ErrorInfo's reason and metadata."""
    first: dict[str, Json] = {"message": message, "domain": domain, "reason": reason}
    if location is not None:
        first |= {"location": location[0], "locationType": location[1]}
    error: dict[str, Json] = {"code": code, "message": message, "errors": [first]}
    if status is not None:
        error["status"] = status
    if info is not None:
        error["details"] = [_error_info(*info)]
    return Refusal(code, {"error": error})


def _error_info(reason: str, metadata: Mapping[str, str]) -> Json:
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    return {"@type": kind, "reason": reason, "domain": "googleapis.com", "metadata": metadata}
