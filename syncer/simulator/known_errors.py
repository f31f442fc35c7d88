"""Errors of the API that only a fault causes, by name: keys, projects, limits, requests, outages."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from syncer.simulator import refusals
from syncer.simulator.acts import Kind, Refuse, Scene
from syncer.simulator.error_form import PROJECT, Refusal, error_info, legacy, limit_exceeded, quota_message, refusal
from syncer.simulator.units import pacific_day
from syncer.simulator.wire import Json

UNITS_PER_DAY = 10_000
"""The units a day that an error names."""

_CONSOLE = f"https://console.developers.google.com/apis/api/youtube.googleapis.com/overview?project={PROJECT}"
_DISABLED = (
    f"has not been used in project {PROJECT} before or it is disabled. Enable it by visiting {_CONSOLE} then retry. "
    "If you enabled this API recently, wait a few minutes for the action to propagate to our systems and retry."
)
_EXPIRED = "API key expired. Please renew the API key."
_DAILY = (
    "Daily Limit Exceeded. The quota will be reset at midnight Pacific Time (PT). You may monitor your quota usage "
    "and adjust limits in the API Console."
)


def _service_blocked(scene: Scene) -> Refusal:
    """Assumption: the name of batchGetStats follows the pattern of the other methods."""
    method = {"stats": "BatchGetStats", "general": "List"}[scene.bucket]
    name = f"youtube.api.v3.V3DataVideoService.{method}"
    return refusals.forbidden(f"Requests to this API youtube method {name} are blocked.", "API_KEY_SERVICE_BLOCKED")


def _project(message: str, reason: str) -> Refusal:
    """Return an error of a whole project, which has no list of errors."""
    info = error_info(reason, service="youtube.googleapis.com", consumer=f"projects/{PROJECT}")
    error: Json = {"code": 403, "message": message, "status": "PERMISSION_DENIED", "details": [info]}
    return Refusal(403, {"error": error})


def _service_disabled() -> Refusal:
    link = {"description": "Google developers console API activation", "url": _CONSOLE}
    return refusal(
        403,
        f"YouTube Data API v3 {_DISABLED}",
        "accessNotConfigured",
        domain="usageLimits",
        more={"extendedHelp": "https://console.developers.google.com"},
        status="PERMISSION_DENIED",
        details=[
            {"@type": "type.googleapis.com/google.rpc.Help", "links": [link]},
            error_info("SERVICE_DISABLED", service="youtube.googleapis.com", consumer=f"projects/{PROJECT}"),
        ],
    )


def _day_limit(scene: Scene, limit: int = UNITS_PER_DAY) -> Refusal:
    """Assumption: the error for the general bucket has the form of the other bucket's."""
    if scene.bucket == "stats":
        return refusals.stats_quota_exceeded(limit, pacific_day(scene.at))
    window = {} if limit == 0 else {"window_start_time": str(int(pacific_day(scene.at).timestamp()))}
    return limit_exceeded(
        "Queries",
        "per day",
        limit,
        quota_limit="defaultPerDayPerProject",
        quota_unit="1/d/{project}",
        quota_metric="youtube.googleapis.com/default",
        **window,
    )


def _server_error(code: int, message: str, status: str) -> Refusal:
    return refusal(code, message, "backendError", status=status)


def unavailable() -> Refusal:
    """503: the service is down."""
    return _server_error(503, "The service is currently unavailable.", "UNAVAILABLE")


def _free(sentence: str, make: Callable[[], Refusal]) -> Kind:
    return Kind(sentence, Refuse(lambda _scene: make(), free=True))


def _paid(sentence: str, make: Callable[[], Refusal]) -> Kind:
    return Kind(sentence, Refuse(lambda _scene: make()))


def _blocked(sentence: str, message: str, reason: str | None = None) -> Kind:
    return _free(sentence, lambda: refusals.forbidden(message, reason))


KEYS: Mapping[str, Kind] = {
    "key-invalid": _free("400, API_KEY_INVALID: the key does not exist.", refusals.invalid_key),
    "key-invalid-plain": _free(
        "The same without details, as in 2021.",
        lambda: refusal(400, refusals.INVALID_KEY, "badRequest", status="INVALID_ARGUMENT"),
    ),
    "key-invalid-legacy": _free("400, keyInvalid, in the old form.", lambda: legacy(400, "Bad Request", "keyInvalid")),
    "key-expired": _free(
        "400, API_KEY_INVALID; only the message says that the key has expired.",
        lambda: refusal(
            400,
            _EXPIRED,
            "badRequest",
            status="INVALID_ARGUMENT",
            details=[
                error_info("API_KEY_INVALID", service="youtube.googleapis.com"),
                {
                    "@type": "type.googleapis.com/google.rpc.LocalizedMessage",
                    "locale": "en-US",
                    "message": _EXPIRED,
                },
            ],
        ),
    ),
    "key-expired-legacy": _free("400, keyExpired, in the old form.", lambda: legacy(400, "Bad Request", "keyExpired")),
    "key-missing": _free("403, forbidden: the key is empty.", refusals.empty_key),
    "key-unregistered": _free("403, forbidden: the request has no key.", refusals.no_key),
    "key-referrer": _blocked(
        "403, API_KEY_HTTP_REFERRER_BLOCKED: the key is restricted to another web page.",
        "Requests from referer https://example.org/ are blocked.",
        "API_KEY_HTTP_REFERRER_BLOCKED",
    ),
    "key-referrer-plain": _blocked(
        "403, forbidden: the key is restricted to web pages; only the message says so.",
        "Requests from referer <empty> are blocked.",
    ),
    "key-referrer-legacy": _free(
        "403, ipRefererBlocked, in the old form.",
        lambda: legacy(
            403,
            "The request did not specify any referer. Please ensure that the client is sending referer or use the API "
            "Console to remove the referer restrictions.",
            "ipRefererBlocked",
            extendedHelp=f"https://console.developers.google.com/apis/credentials?project={PROJECT}",
        ),
    ),
    "key-ip": _blocked(
        "403, API_KEY_IP_ADDRESS_BLOCKED: the key is restricted to other IP addresses.",
        "The provided API key has an IP address restriction. The originating IP address of the call (203.0.113.7) "
        "violates this restriction.",
        "API_KEY_IP_ADDRESS_BLOCKED",
    ),
    "key-android": _blocked(
        "403, forbidden: the key is restricted to an Android app; only the message says so.",
        "Requests from this Android client application <empty> are blocked.",
    ),
    "key-ios": _blocked(
        "403, API_KEY_IOS_APP_BLOCKED: the key is restricted to an iOS app.",
        "Requests from this iOS client application <empty> are blocked.",
        "API_KEY_IOS_APP_BLOCKED",
    ),
    "key-service": Kind(
        "403, API_KEY_SERVICE_BLOCKED: the key does not allow this method.", Refuse(_service_blocked, free=True)
    ),
    "service-disabled": _free("403, SERVICE_DISABLED: the project has not enabled the API.", _service_disabled),
    "service-disabled-legacy": _free(
        "403, accessNotConfigured, in the old form.",
        lambda: legacy(
            403,
            f"Access Not Configured. YouTube Data API {_DISABLED}",
            "accessNotConfigured",
            extendedHelp=_CONSOLE,
        ),
    ),
    "project-suspended": Kind(
        "403, CONSUMER_SUSPENDED; the message contains the key itself.",
        Refuse(
            lambda scene: _project(
                f"Permission denied: Consumer 'api_key:{scene.request.key}' has been suspended.", "CONSUMER_SUSPENDED"
            ),
            free=True,
        ),
    ),
    "project-invalid": _free(
        "403, CONSUMER_INVALID: the project does not exist any more.",
        lambda: _project("Permission denied: Consumer is invalid.", "CONSUMER_INVALID"),
    ),
    "billing-disabled": _free(
        "403, BILLING_DISABLED: the billing of the project is disabled.",
        lambda: _project("This API method requires billing to be enabled.", "BILLING_DISABLED"),
    ),
    "login-required": _free(
        "401, required: an API key is not enough.",
        lambda: refusal(
            401,
            "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or"
            " other valid authentication credential. See"
            " https://developers.google.com/identity/sign-in/web/devconsole-project.",
            "required",
            own_message="Login Required.",
            location=("Authorization", "header"),
            status="UNAUTHENTICATED",
        ),
    ),
    "signup-required": _free(
        "401, youtubeSignupRequired.",
        lambda: refusal(
            401,
            "Unauthorized",
            "youtubeSignupRequired",
            domain="youtube.header",
            location=("Authorization", "header"),
        ),
    ),
    "permission-denied": _free(
        "403, with the misleading reason SERVICE_UNAVAILABLE.",
        lambda: refusal(
            403,
            "The caller does not have permission",
            "SERVICE_UNAVAILABLE",
            domain="youtube.CoreErrorDomain",
            own_message="Permission denied.",
            status="PERMISSION_DENIED",
        ),
    ),
}
"""Errors of a key or a project.

Assumption: the messages of `key-expired-legacy`, `key-ip`, `key-ios`, `project-invalid` and `billing-disabled`. No
recording of them was found; their reasons are Google's.
"""

LIMITS: Mapping[str, Kind] = {
    "day-limit": Kind("429 that looks like a limit per minute but lasts a day.", Refuse(_day_limit, free=True)),
    "day-limit-plain": _free(
        "The same without details: only the message says 'per day'.",
        lambda: refusal(429, quota_message("Video Batch Get Stats", "per day"), "rateLimitExceeded"),
    ),
    "day-limit-legacy": _free(
        "403, dailyLimitExceeded, in the old form.", lambda: legacy(403, _DAILY, "dailyLimitExceeded")
    ),
    "day-limit-zero": Kind(
        "429 for a limit of 0: the project has no quota at all.",
        Refuse(lambda scene: _day_limit(scene, 0), free=True),
    ),
    "quota-exceeded": _free("403, quotaExceeded, the form of the general bucket.", refusals.general_quota_exceeded),
    "quota-exceeded-debug": _free(
        "The same with a debug line that names the limit.",
        lambda: refusals.general_quota_exceeded(
            "Code: 8; Description: ?metric=youtube.googleapis.com/default&limit=defaultPerDayPerProject"
            "&qs_error_code=INSUFFICIENT_TOKENS"
        ),
    ),
    "minute-limit": _free("429 for a limit per minute.", lambda: refusals.minute_quota_exceeded(1_800_000)),
    "exhausted": _free(
        "429 that does not name the limit.",
        lambda: refusal(
            429,
            "Resource has been exhausted (e.g. check quota).",
            "rateLimitExceeded",
            status="RESOURCE_EXHAUSTED",
        ),
    ),
    "rate-limit-legacy": _free(
        "403, rateLimitExceeded, in the old form.", lambda: legacy(403, "Rate Limit Exceeded", "rateLimitExceeded")
    ),
    "user-rate-limit-legacy": _free(
        "403, userRateLimitExceeded, in the old form.",
        lambda: legacy(403, "User Rate Limit Exceeded", "userRateLimitExceeded"),
    ),
}
"""Limits. Unlike the simulator's own limits, they begin and end with the fault."""

REQUESTS: Mapping[str, Kind] = {
    "bad-request": _paid("400, badRequest.", refusals.invalid_argument),
    "invalid-filters": _paid("400, invalidFilters.", refusals.too_many_ids_for_list),
    "missing-parameter": _paid("400, missingRequiredParameter.", lambda: refusals.no_filter("myRating, chart, id")),
    "unknown-part": _paid(
        "400, unknownPart, in the old form.",
        lambda: legacy(
            400, "statistics", "unknownPart", domain="youtube.part", locationType="parameter", location="part"
        ),
    ),
    "incompatible-parameters": _paid(
        "400, incompatibleParameters.",
        lambda: refusal(
            400,
            "Incompatible parameters specified in the request.",
            "incompatibleParameters",
            domain="youtube.parameter",
            location=("parameters.", "other"),
        ),
    ),
}
"""Errors for an invalid request; with a video ID, for the requests that name it.

Assumption: the message of `incompatible-parameters`.
"""

OUTAGES: Mapping[str, Kind] = {
    "internal": _paid("500, INTERNAL.", lambda: _server_error(500, "Internal error encountered.", "INTERNAL")),
    "backend-500": _paid(
        "500, backendError, in the old form.", lambda: legacy(500, "Backend Error", "backendError", domain="global")
    ),
    "backend-503": _paid(
        "503, backendError, in the old form.", lambda: legacy(503, "Backend Error", "backendError", domain="global")
    ),
    "unavailable": _paid("503, UNAVAILABLE.", unavailable),
    "deadline": _paid(
        "504, DEADLINE_EXCEEDED.",
        lambda: _server_error(504, "Deadline expired before operation could complete.", "DEADLINE_EXCEEDED"),
    ),
    "not-implemented": _paid(
        "501, UNIMPLEMENTED: the project does not have the method.",
        lambda: _server_error(501, "Operation is not implemented, or supported, or enabled.", "UNIMPLEMENTED"),
    ),
    "null-message": _paid(
        "500 with a message that is null.", lambda: Refusal(500, {"error": {"code": 500, "message": None}})
    ),
    "error-list": _paid(
        "500 with a document that is a list.",
        lambda: Refusal(500, [{"error": {"code": 500, "message": "Internal error encountered."}}]),
    ),
    "error-string": _paid("403 with an error that is a word.", lambda: Refusal(403, {"error": "forbidden"})),
}
"""YouTube's own errors. Assumption: the messages of `deadline` and `not-implemented`."""
