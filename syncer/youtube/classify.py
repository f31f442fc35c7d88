"""Classifies failed requests by one table that is read from top to bottom (`docs/youtube.md` has the facts)."""

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
    """It is temporary: retry a few times."""
    DAY = "quota day"
    """YouTube's bucket is empty until midnight Pacific."""
    NO_UNIT = "no unit"
    """syncer's own ledger has no unit left: nothing was sent."""
    CONFIGURATION = "configuration"
    """You have to act, usually in the Google Cloud console: further requests are of no use."""
    UNAVAILABLE = "unavailable"
    """This method is not available; the other one may be."""
    OUR_BUG = "our bug"
    """The request itself was wrong: it is never repeated unchanged."""
    STOPPED = "stopped"
    """syncer ended it: the sync was stopped, or its time was up."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What one failed request means."""

    kind: FailureKind
    message: str
    """What happened, and what to do."""
    retry_after: float | None = None
    """How many seconds the server wants the client to wait."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: it matches if the status matches, and its words or phrase and its bucket, if it has any."""

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
_RESTRICTIONS: Final = f"Remove that restriction {_CREDENTIALS}, or create a key for syncer without it"
_AGAIN: Final = "The next sync tries again."

TABLE: Final = (
    # The key and the project: you have to act.
    Row(
        FailureKind.CONFIGURATION,
        _REFUSED,
        f"The API key has expired. Renew it or create a new one {_CREDENTIALS}.",
        words={"keyExpired"},
        phrase="key expired",
    ),
    Row(
        FailureKind.CONFIGURATION,
        _REFUSED,
        f"The API key is not valid. Copy it again or create a new one {_CREDENTIALS}.",
        words={"API_KEY_INVALID", "keyInvalid"},
        phrase="key not valid",
    ),
    Row(
        FailureKind.CONFIGURATION,
        _REFUSED,
        "The request reached YouTube without an API key. Check that no proxy removes its x-goog-api-key header, "
        f"and that the key is listed {_CREDENTIALS}.",
        words={"dailyLimitExceededUnreg"},
        phrase="unregistered callers|missing a valid API key",
    ),
    Row(
        FailureKind.CONFIGURATION,
        _REFUSED,
        "The YouTube Data API v3 is not enabled in the project of the API key. Enable it in the Google Cloud console "
        "under APIs & Services > Library, and wait a few minutes.",
        words={"SERVICE_DISABLED", "accessNotConfigured"},
    ),
    Row(
        FailureKind.CONFIGURATION,
        _REFUSED,
        f"The API key is restricted to web pages (HTTP referrers), so syncer cannot use it. {_RESTRICTIONS}.",
        words={"API_KEY_HTTP_REFERRER_BLOCKED"},
        phrase="requests from referer",
    ),
    Row(
        FailureKind.CONFIGURATION,
        _REFUSED,
        f"The API key is restricted to web pages or to other IP addresses. {_RESTRICTIONS}.",
        words={"ipRefererBlocked"},
    ),
    Row(
        FailureKind.CONFIGURATION,
        _REFUSED,
        f"The API key does not allow this machine's IP address. Add the address to the key {_CREDENTIALS}.",
        words={"API_KEY_IP_ADDRESS_BLOCKED"},
        phrase="IP address restriction",
    ),
    Row(
        FailureKind.CONFIGURATION,
        _REFUSED,
        f"The API key is restricted to an Android or iOS app, so syncer cannot use it. {_RESTRICTIONS}.",
        words={"API_KEY_ANDROID_APP_BLOCKED", "API_KEY_IOS_APP_BLOCKED"},
        phrase="android client|ios client",
    ),
    Row(
        FailureKind.CONFIGURATION,
        _REFUSED,
        f"The API key does not allow the YouTube Data API v3. Add that API to the key {_CREDENTIALS}.",
        words={"API_KEY_SERVICE_BLOCKED"},
        phrase="requests to this api .* are blocked",
    ),
    Row(
        FailureKind.CONFIGURATION,
        _REFUSED,
        "Google has suspended the project of the API key, or its billing is disabled ({status}). Read the notices in "
        "the Google Cloud console under IAM & Admin.",
        words={"CONSUMER_SUSPENDED", "CONSUMER_INVALID", "BILLING_DISABLED"},
    ),
    Row(
        FailureKind.CONFIGURATION,
        _REFUSED,
        "The project of the API key has a quota of 0 for {method}. Request quota in the Google Cloud console under "
        "IAM & Admin > Quotas.",
        words={LIMIT_ZERO},
    ),
    Row(
        FailureKind.CONFIGURATION,
        {401},
        f"YouTube does not accept this key ({{status}}). Check that it is an API key, not an OAuth ID, {_CREDENTIALS}.",
    ),
    # Limits: one of a day can look like one of a minute.
    Row(
        FailureKind.DAY,
        {403, 429},
        "The day's quota for {method} is spent. It resets at midnight Pacific Time.",
        words={"quotaExceeded", "dailyLimitExceeded", PER_DAY},
    ),
    Row(
        FailureKind.RETRY,
        {403},
        f"Too many requests a minute ({{status}}). {_AGAIN}",
        words={"rateLimitExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED"},
    ),
    Row(FailureKind.RETRY, {429}, f"Too many requests a minute ({{status}}). {_AGAIN}"),
    Row(
        FailureKind.CONFIGURATION,
        {403},
        f"YouTube does not allow {{method}} with this API key ({{status}}). Check its restrictions {_CREDENTIALS}.",
        google=True,
    ),
    Row(
        FailureKind.RETRY,
        {403, 407},
        "A proxy or firewall between this machine and YouTube refused the request ({status}). Check its settings.",
    ),
    # The method.
    Row(
        FailureKind.UNAVAILABLE,
        {404, 501},
        "The project of the API key does not have {method} ({status}). videos.list is used instead.",
        bucket=Bucket.STATS,
    ),
    Row(
        FailureKind.CONFIGURATION,
        {404, 501},
        "The configured URL has no {method} ({status}). Check youtube.endpoint in the config.",
        bucket=Bucket.GENERAL,
    ),
    # What is temporary.
    Row(FailureKind.RETRY, {408}, f"The request timed out at YouTube ({{status}}). {_AGAIN}"),
    Row(FailureKind.RETRY, range(500, 600), f"YouTube has an internal error ({{status}}). {_AGAIN}"),
    Row(
        FailureKind.RETRY,
        range(300, 400),
        "The request was redirected ({status}), which YouTube never does. Check youtube.endpoint in the config, and "
        "whether a proxy or a login page of the network intervenes.",
    ),
    # What is wrong with the request itself.
    Row(
        FailureKind.OUR_BUG,
        range(400, 500),
        "YouTube rejected the request ({status}). If it rejects all, this is a bug in syncer; please report it.",
    ),
    Row(
        FailureKind.RETRY,
        range(1000),
        "The response has a status that YouTube never sends ({status}). Check whether a proxy intervenes.",
    ),
)
"""What a response other than 200 means: the first row that matches counts, and the last one always matches."""

UNANSWERED: Final[tuple[tuple[type[Exception], str], ...]] = (
    (
        ssl.SSLCertVerificationError,
        "The server's certificate cannot be verified. Check this machine's clock, and whether a proxy intervenes.",
    ),
    (TimeoutError, f"YouTube did not respond in time. {_AGAIN}"),
    (socket.gaierror, "The server's name cannot be resolved. Check the network, and youtube.endpoint in the config."),
    (
        httplib2.ServerNotFoundError,
        "The server's name cannot be resolved. Check the network, and youtube.endpoint in the config.",
    ),
    (
        ConnectionRefusedError,
        "The server refused the connection. Check the network, and youtube.endpoint in the config.",
    ),
    (OSError, f"The connection failed ({{reason}}). {_AGAIN}"),
    (
        ResponseTooLarge,
        "The response is too large to be from YouTube, so it was not read. Check whether a proxy intervenes.",
    ),
    (http.client.HTTPException, f"The response is not a complete HTTP message ({{reason}}). {_AGAIN}"),
    (httplib2.HttpLib2Error, f"The response cannot be read ({{reason}}). {_AGAIN}"),
    (zlib.error, f"The response cannot be decompressed. {_AGAIN}"),
    (ValueError, f"The response cannot be read ({{reason}}). {_AGAIN}"),
    (RecursionError, f"The response cannot be read ({{reason}}). {_AGAIN}"),
    (MemoryError, f"There is not enough memory to read the response. {_AGAIN}"),
)
"""What it means if there was no response: the first type that matches counts, and all are temporary."""

_SECONDS = re.compile(r"[ \t]*([0-9]{1,9})[ \t]*")
_DATE = re.compile(r"[A-Za-z0-9 ,:+-]{1,64}")


def classify(answer: ErrorStatus, bucket: Bucket, at: datetime) -> Failure:
    """Return what a response other than 200 means that the bucket's method gave at the moment `at`."""
    evidence = read_evidence(answer.body)
    row = next(row for row in TABLE if _fits(row, answer.status, evidence, bucket))
    message = row.message.format(method=METHODS[bucket], status=f"{answer.status} {evidence.reason}".rstrip())
    return Failure(row.kind, message, _retry_after(answer.headers.get("retry-after", ""), at))


def classify_exception(error: Exception) -> Failure:
    """Return what it means that the request ended without a response, with one of the types in `UNANSWERED`."""
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
    except (ValueError, OverflowError):  # not a date, or one beyond all years
        return None
    return max(0.0, (then if then.tzinfo else then.replace(tzinfo=UTC)).timestamp() - at.timestamp())
