"""Says what a failed request means, by one table that is read top to bottom (`docs/youtube.md` has the facts)."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import zlib
from collections.abc import Container
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Final

import httplib2

from syncer.model import Bucket
from syncer.youtube.answer import METHODS
from syncer.youtube.body import LIMIT_ZERO, PER_DAY, Evidence, read_evidence
from syncer.youtube.connection import ErrorStatus, ResponseTooLarge


class FailureKind(Enum):
    """The classes of failure: what to do about one."""

    RETRY = "retry"
    """It passes: try again, a few times."""
    DAY = "quota day"
    """YouTube's bucket is empty until midnight Pacific."""
    NO_UNIT = "no unit"
    """syncer's own ledger has no unit left: nothing was sent."""
    CONFIGURATION = "configuration"
    """Somebody has to act, mostly in Google's console: further requests are of no use."""
    UNAVAILABLE = "unavailable"
    """This method is not available; the other one may be."""
    OUR_BUG = "our bug"
    """The request was wrong: never to be repeated unchanged."""
    STOPPED = "stopped"
    """syncer ended it: the sync was told to stop, or its time was up."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What one failed request means."""

    kind: FailureKind
    message: str
    """One sentence that says why, and what to do."""
    retry_after: float | None = None
    """Seconds that the server asks to wait."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: it fits where the status fits and, if it names any, one word or phrase, and the bucket."""

    kind: FailureKind
    status: Container[int]
    message: str
    words: AbstractSet[str] = frozenset()
    """Any of these as a `reason`, as an ErrorInfo reason, or as the `status`."""
    phrase: str = ""
    """This regular expression in the message, case ignored."""
    bucket: Bucket | None = None
    google: bool = False
    """Only if the body has Google's form."""


_REFUSED: Final = frozenset({400, 401, 403, 429})
_CREDENTIALS: Final = "in the Google Cloud console under APIs & Services > Credentials"
_RESTRICTIONS: Final = f"remove that restriction {_CREDENTIALS}, or make a key for syncer without it"

TABLE: Final = (
    # The key and the project: somebody has to act.
    Row(
        FailureKind.CONFIGURATION,
        _REFUSED,
        f"The API key has expired: renew it, or make a new one, {_CREDENTIALS}.",
        words={"keyExpired"},
        phrase="key expired",
    ),
    Row(
        FailureKind.CONFIGURATION,
        _REFUSED,
        f"YouTube does not know the API key: copy it again, or make a new one, {_CREDENTIALS}.",
        words={"API_KEY_INVALID", "keyInvalid"},
        phrase="key not valid",
    ),
    Row(
        FailureKind.CONFIGURATION,
        _REFUSED,
        "The request reached YouTube without an API key: see that no proxy removes its x-goog-api-key header, "
        f"and that the key is one {_CREDENTIALS}.",
        words={"dailyLimitExceededUnreg"},
        phrase="unregistered callers|missing a valid API key",
    ),
    Row(
        FailureKind.CONFIGURATION,
        _REFUSED,
        "The key's project has not enabled the YouTube Data API v3: enable it in the Google Cloud console under "
        "APIs & Services > Library; it works a few minutes later.",
        words={"SERVICE_DISABLED", "accessNotConfigured"},
    ),
    Row(
        FailureKind.CONFIGURATION,
        _REFUSED,
        f"The API key is restricted to web pages (HTTP referrers), and can never work from here: {_RESTRICTIONS}.",
        words={"API_KEY_HTTP_REFERRER_BLOCKED"},
        phrase="requests from referer",
    ),
    Row(
        FailureKind.CONFIGURATION,
        _REFUSED,
        f"The API key is restricted to web pages or to other IP addresses: {_RESTRICTIONS}.",
        words={"ipRefererBlocked"},
    ),
    Row(
        FailureKind.CONFIGURATION,
        _REFUSED,
        f"The API key does not allow this machine's IP address: add the address to the key {_CREDENTIALS}.",
        words={"API_KEY_IP_ADDRESS_BLOCKED"},
        phrase="IP address restriction",
    ),
    Row(
        FailureKind.CONFIGURATION,
        _REFUSED,
        f"The API key is restricted to an Android or iOS app, and can never work from here: {_RESTRICTIONS}.",
        words={"API_KEY_ANDROID_APP_BLOCKED", "API_KEY_IOS_APP_BLOCKED"},
        phrase="android client|ios client",
    ),
    Row(
        FailureKind.CONFIGURATION,
        _REFUSED,
        f"The API key's restrictions leave out the YouTube Data API v3: add it to the key {_CREDENTIALS}.",
        words={"API_KEY_SERVICE_BLOCKED"},
        phrase="requests to this api .* are blocked",
    ),
    Row(
        FailureKind.CONFIGURATION,
        _REFUSED,
        "Google has suspended the key's project, or closed its billing ({status}): see the notices in the Google Cloud "
        "console under IAM & Admin.",
        words={"CONSUMER_SUSPENDED", "CONSUMER_INVALID", "BILLING_DISABLED"},
    ),
    Row(
        FailureKind.CONFIGURATION,
        _REFUSED,
        "The key's project has a limit of 0 for {method}: ask for quota in the Google Cloud console under "
        "IAM & Admin > Quotas.",
        words={LIMIT_ZERO},
    ),
    Row(
        FailureKind.CONFIGURATION,
        {401},
        f"YouTube wants more than this key ({{status}}): see that it is an API key, not an OAuth one, {_CREDENTIALS}.",
    ),
    # Limits: one of a day can look like one of a minute.
    Row(
        FailureKind.DAY,
        {403, 429},
        "YouTube's quota for {method} is spent until midnight Pacific Time.",
        words={"quotaExceeded", "dailyLimitExceeded", PER_DAY},
    ),
    Row(
        FailureKind.RETRY,
        {403},
        "YouTube asks for fewer requests a minute ({status}): the next sync asks again.",
        words={"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED"},
    ),
    Row(FailureKind.RETRY, {429}, "YouTube asks for fewer requests a minute ({status}): the next sync asks again."),
    Row(
        FailureKind.CONFIGURATION,
        {403},
        f"YouTube refuses {{method}} to this key ({{status}}): see its restrictions {_CREDENTIALS}.",
        google=True,
    ),
    Row(
        FailureKind.RETRY,
        {403, 407},
        "Something between here and YouTube refuses the request ({status}): see what proxy or firewall is in the way.",
    ),
    # The method.
    Row(
        FailureKind.UNAVAILABLE,
        {404, 501},
        "The key's project does not have {method} ({status}): videos.list is asked instead.",
        bucket=Bucket.STATS,
    ),
    Row(
        FailureKind.CONFIGURATION,
        {404, 501},
        "There is no {method} at the configured address ({status}): see youtube.endpoint in the config.",
        bucket=Bucket.GENERAL,
    ),
    # What passes.
    Row(FailureKind.RETRY, {408}, "YouTube gave up on the request ({status}): the next sync asks again."),
    Row(FailureKind.RETRY, range(500, 600), "YouTube has trouble of its own ({status}): the next sync asks again."),
    Row(
        FailureKind.RETRY,
        range(300, 400),
        "The request was redirected ({status}), which YouTube never does: see youtube.endpoint, and what proxy or "
        "login page is in the way.",
    ),
    # What is wrong with the request itself.
    Row(
        FailureKind.OUR_BUG,
        range(400, 500),
        "YouTube rejects the request ({status}): if it rejects them all, that is an error in syncer; please report it.",
    ),
    Row(
        FailureKind.RETRY,
        range(1000),
        "The answer has a status that YouTube never gives ({status}): see what proxy is in the way.",
    ),
)
"""What an answer other than 200 means: the first row that fits counts, and the last one always fits."""

UNANSWERED: Final[tuple[tuple[type[Exception], str], ...]] = (
    (
        ssl.SSLCertVerificationError,
        "The server's certificate cannot be verified: see this machine's clock, and what proxy is in the way.",
    ),
    (TimeoutError, "YouTube did not answer in time: the next sync asks again."),
    (socket.gaierror, "The server's name cannot be looked up: see the network, and youtube.endpoint in the config."),
    (
        httplib2.ServerNotFoundError,
        "The server's name cannot be looked up: see the network, and youtube.endpoint in the config.",
    ),
    (ConnectionRefusedError, "The server takes no connection: see the network, and youtube.endpoint in the config."),
    (OSError, "The connection broke ({reason}): the next sync asks again."),
    (
        ResponseTooLarge,
        "The answer is far too large to be YouTube's, so it was not read: see what proxy is in the way.",
    ),
    (http.client.HTTPException, "The answer is no whole HTTP message ({reason}): the next sync asks again."),
    (httplib2.HttpLib2Error, "The answer cannot be read ({reason}): the next sync asks again."),
    (zlib.error, "The answer cannot be unpacked: the next sync asks again."),
    (ValueError, "The answer cannot be read ({reason}): the next sync asks again."),
    (RecursionError, "The answer cannot be read ({reason}): the next sync asks again."),
    (MemoryError, "There is not enough memory to read the answer: the next sync asks again."),
)
"""What it means if there was no answer: the first type that fits counts, and all of them pass."""

_SECONDS = re.compile(r"[ \t]*([0-9]{1,9})[ \t]*")
_DATE = re.compile(r"[A-Za-z0-9 ,:+-]{1,64}")


def classify(answer: ErrorStatus, bucket: Bucket, at: datetime) -> Failure:
    """Return what an answer other than 200 means that arrived for the bucket's method at the moment `at`."""
    evidence = read_evidence(answer.body)
    row = next(row for row in TABLE if _fits(row, answer.status, evidence, bucket))
    message = row.message.format(method=METHODS[bucket], status=f"{answer.status} {evidence.reason}".rstrip())
    return Failure(row.kind, message, _retry_after(answer.headers.get("retry-after", ""), at))


def classify_exception(error: Exception) -> Failure:
    """Return what it means that the request ended without an answer, with one of the types in `UNANSWERED`."""
    message = next(message for kind, message in UNANSWERED if isinstance(error, kind))
    strerror = error.strerror if isinstance(error, OSError) else None
    return Failure(FailureKind.RETRY, message.format(reason=strerror or type(error).__name__))


def _fits(row: Row, status: int, evidence: Evidence, bucket: Bucket) -> bool:
    if status not in row.status or row.bucket not in (None, bucket) or (row.google and not evidence.google):
        return False
    if not row.words and not row.phrase:
        return True
    return bool(row.words & evidence.words) or bool(
        row.phrase and re.search(row.phrase, evidence.message, re.IGNORECASE)
    )


def _retry_after(value: str, at: datetime) -> float | None:
    """Return the seconds that a `Retry-After` header means, as a number or as a date (RFC 9110, 10.2.3)."""
    if match := _SECONDS.fullmatch(value):
        return float(match[1])
    if not _DATE.fullmatch(value):
        return None
    try:
        then = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # no date, or one beyond all years
        return None
    return max(0.0, (then if then.tzinfo else then.replace(tzinfo=UTC)).timestamp() - at.timestamp())
