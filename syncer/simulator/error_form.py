"""The forms of the API's errors: the current one, and an older one that still occurs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from syncer.simulator.wire import Json

PROJECT = "424242424242"
"""The number of the invented project that every key belongs to."""


class Refusal(Exception):
    """The API refuses a request: an HTTP status and a document."""

    def __init__(self, status: int, document: Json) -> None:
        super().__init__(status)
        self.status = status
        self.document = document


def refusal(
    code: int,
    message: str | None,
    reason: str,
    *,
    domain: str = "global",
    own_message: str | None = None,
    location: tuple[str, str] | None = None,
    more: Mapping[str, str] | None = None,
    status: str | None = None,
    details: Sequence[Json] = (),
) -> Refusal:
    """Return a refusal with one error in the current form.

    `own_message` is the message of the one error, if it differs from that of the whole; `location` is a location and
    its type; `more` are more members of the one error.
    """
    first: dict[str, Json] = {"message": own_message or message, "domain": domain, "reason": reason}
    if location is not None:
        first |= {"location": location[0], "locationType": location[1]}
    error: dict[str, Json] = {"code": code, "message": message, "errors": [{**first, **(more or {})}]}
    if status is not None:
        error["status"] = status
    if details:
        error["details"] = list(details)
    return Refusal(code, {"error": error})


def legacy(code: int, message: str, reason: str, *, domain: str = "usageLimits", **more: str) -> Refusal:
    """Return a refusal with one error in the older form: no `status`, no `details`, another order."""
    first = {"domain": domain, "reason": reason, "message": message, **more}
    return Refusal(code, {"error": {"errors": [first], "code": code, "message": message}})


def error_info(reason: str, **metadata: str) -> Json:
    """Return the detail that names an error for programs."""
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    return {"@type": kind, "reason": reason, "domain": "googleapis.com", "metadata": metadata}


def limit_exceeded(metric: str, window: str, limit: int, **metadata: str) -> Refusal:
    """Return the 429 of a limit: `metric` as it is displayed, `window` such as `per day`, `limit` in units."""
    everywhere = {
        "service": "youtube.googleapis.com",
        "consumer": f"projects/{PROJECT}",
        "quota_location": "global",
        "quota_limit_value": str(limit),
    }
    info = error_info("RATE_LIMIT_EXCEEDED", **metadata, **everywhere)
    return refusal(429, quota_message(metric, window), "rateLimitExceeded", status="RESOURCE_EXHAUSTED", details=[info])


def quota_message(metric: str, window: str) -> str:
    """Return what the 429 of a limit says; `metric` and `window` as in `limit_exceeded`."""
    return (
        f"Quota exceeded for quota metric '{metric}' and limit '{metric} {window}' of service 'youtube.googleapis.com'"
        f" for consumer 'project_number:{PROJECT}'."
    )
