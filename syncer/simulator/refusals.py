"""The API's own errors: for invalid requests, invalid keys and spent limits."""

from __future__ import annotations

from datetime import datetime

from syncer.simulator.error_form import PROJECT, Refusal, error_info, limit_exceeded, refusal

INVALID_KEY = "API key not valid. Please pass a valid API key."


def no_key() -> Refusal:
    """403: the request has no key."""
    return forbidden(
        "Method doesn't allow unregistered callers (callers without established identity)."
        " Please use API Key or other form of API consumer identity to call this API."
    )


def empty_key() -> Refusal:
    """403: the key is empty."""
    return forbidden("The request is missing a valid API key.")


def invalid_key() -> Refusal:
    """400: the key does not exist."""
    details = [error_info("API_KEY_INVALID", service="youtube.googleapis.com")]
    return refusal(400, INVALID_KEY, "badRequest", status="INVALID_ARGUMENT", details=details)


def general_quota_exceeded(debug: str | None = None) -> Refusal:
    """403: the project's general units of the day are spent; `debug` is a line that some of these errors add."""
    link = '<a href="/youtube/v3/getting-started#quota">quota</a>'
    message = f"The request cannot be completed because you have exceeded your {link}."
    more = {"debugInfo": debug} if debug else None
    return refusal(403, message, "quotaExceeded", domain="youtube.quota", more=more)


def stats_quota_exceeded(limit: int, day: datetime) -> Refusal:
    """429: the units of batchGetStats are spent for the day that began at `day`.

    Assumption: the names of metric and limit follow the pattern of other methods with a bucket of their own.
    """
    window = {} if limit == 0 else {"window_start_time": str(int(day.timestamp()))}
    return limit_exceeded(
        "Video Batch Get Stats",
        "per day",
        limit,
        quota_limit="defaultVideoBatchGetStatsPerDayPerProject",
        quota_unit="1/d/{project}",
        quota_metric="youtube.googleapis.com/video_batch_get_stats",
        **window,
    )


def minute_quota_exceeded(limit: int) -> Refusal:
    """429: too many requests in this minute."""
    return limit_exceeded(
        "Queries",
        "per minute",
        limit,
        quota_limit="defaultPerMinutePerProject",
        quota_unit="1/min/{project}",
        quota_metric="youtube.googleapis.com/default",
    )


def too_many_ids_for_list() -> Refusal:
    """400: more than 50 IDs for videos.list."""
    message = "The request specifies an invalid filter parameter."
    return refusal(400, message, "invalidFilters", domain="youtube.parameter", location=("parameters.", "other"))


def invalid_argument() -> Refusal:
    """400: an argument is not valid."""
    return refusal(400, "Request contains an invalid argument.", "badRequest", status="INVALID_ARGUMENT")


def no_filter(expected: str) -> Refusal:
    """400: there is no ID; `expected` are the filters of the method."""
    return refusal(
        400,
        f"No filter selected. Expected one of: {expected}",
        "missingRequiredParameter",
        domain="youtube.parameter",
        location=("parameters.", "other"),
    )


def missing_parameter(name: str) -> Refusal:
    """400: a required parameter is missing."""
    return refusal(400, f"Required parameter: {name}", "required", location=(name, "parameter"))


def unknown_part(part: str) -> Refusal:
    """400: the part does not exist. Assumption: the body still has the members of an older recording."""
    return refusal(400, part, "unknownPart", domain="youtube.part", location=("part", "parameter"))


def invalid_fields(piece: str) -> Refusal:
    """400: `fields` is not valid. Assumption: the error is like that of other Google APIs of the same age."""
    message = f"Invalid field selection {piece}".rstrip()
    return refusal(400, message, "invalidParameter", location=("fields", "parameter"))


def forbidden(message: str, reason: str | None = None) -> Refusal:
    """403: the key is not allowed to do this; `reason` is that of ErrorInfo, if there is one."""
    consumer = f"projects/{PROJECT}"
    details = [error_info(reason, service="youtube.googleapis.com", consumer=consumer)] if reason else []
    return refusal(403, message, "forbidden", status="PERMISSION_DENIED", details=details)
