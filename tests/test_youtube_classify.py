"""Every row of the table of failures means what the facts about the API say (`docs/youtube.md`)."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import ssl
import time
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httplib2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.model import Bucket
from syncer.youtube.body import read_evidence
from syncer.youtube.classify import TABLE, UNANSWERED, Failure, FailureKind, classify, classify_exception
from syncer.youtube.connection import ErrorStatus, ResponseTooLarge
from tests.canned_youtube import error, error_info
from tests.examples import examples

AT = datetime(2026, 11, 22, 15, 0, tzinfo=UTC)
HTML = b"<!DOCTYPE html>\n<html lang=en><title>Error (Bad Gateway)</title>\n"
QUOTA = 'The request cannot be completed because you have exceeded your <a href="/quota">quota</a>.'
PER_DAY = "Quota exceeded for quota metric 'Stats' and limit 'Stats per day' of service 'y' for consumer 'c'."
PER_MINUTE = PER_DAY.replace("per day", "per minute")


def blocked(reason: str, **metadata: str) -> bytes:
    return error(403, "No.", reason="forbidden", status="PERMISSION_DENIED", details=[error_info(reason, **metadata)])


def limited(text: str = "No.", **metadata: str) -> bytes:
    details = [error_info("RATE_LIMIT_EXCEEDED", **metadata)] if metadata else []
    return error(429, text, reason="rateLimitExceeded", status="RESOURCE_EXHAUSTED", details=details)


def failure(status: int, body: bytes, bucket: Bucket = Bucket.STATS, **headers: str) -> Failure:
    return classify(
        ErrorStatus(status, {name.replace("_", "-"): value for name, value in headers.items()}, body), bucket, AT
    )


REFUSED = FailureKind.CONFIGURATION
DAY, OUR_BUG, RETRY = FailureKind.DAY, FailureKind.OUR_BUG, FailureKind.RETRY

CASES: list[tuple[int, bytes, FailureKind, str]] = [
    # the key
    (400, error(400, "API key expired. Please renew the API key.", reason="badRequest"), REFUSED, "expired"),
    (400, error(400, "Bad Request", reason="keyExpired"), REFUSED, "expired"),
    (400, error(400, "API key not valid. Please pass a valid API key."), REFUSED, "API key is not valid"),
    (400, error(400, "?", details=[error_info("API_KEY_INVALID")]), REFUSED, "API key is not valid"),
    (400, error(400, "Bad Request", reason="keyInvalid"), REFUSED, "API key is not valid"),
    (403, error(403, "The request is missing a valid API key."), REFUSED, "without an API key"),
    (403, error(403, "Method doesn't allow unregistered callers (x)."), REFUSED, "without an API key"),
    (403, error(403, "x", reason="dailyLimitExceededUnreg"), REFUSED, "without an API key"),
    (403, error(403, "Not used before.", reason="accessNotConfigured"), REFUSED, "Enable it in"),
    (403, blocked("SERVICE_DISABLED"), REFUSED, "Enable it in"),
    (403, blocked("API_KEY_HTTP_REFERRER_BLOCKED"), REFUSED, "so syncer cannot use it"),
    (403, error(403, "Requests from referer <empty> are blocked."), REFUSED, "restricted to web pages (HTTP"),
    (403, error(403, "No referer.", reason="ipRefererBlocked"), REFUSED, "or to other IP addresses"),
    (403, blocked("API_KEY_IP_ADDRESS_BLOCKED"), REFUSED, "Add the address"),
    (403, error(403, "The key has an IP address restriction."), REFUSED, "Add the address"),
    (403, blocked("API_KEY_ANDROID_APP_BLOCKED"), REFUSED, "Android or iOS"),
    (403, blocked("API_KEY_IOS_APP_BLOCKED"), REFUSED, "Android or iOS"),
    (403, error(403, "Requests from this Android client application <empty> are blocked."), REFUSED, "Android"),
    (403, error(403, "Requests from this iOS client application <empty> are blocked."), REFUSED, "Android or iOS"),
    (403, blocked("API_KEY_SERVICE_BLOCKED"), REFUSED, "Add that API to the key"),
    (403, error(403, "Requests to this API youtube method x are blocked."), REFUSED, "Add that API to the key"),
    (403, blocked("CONSUMER_SUSPENDED"), REFUSED, "suspended"),
    (403, blocked("CONSUMER_INVALID"), REFUSED, "CONSUMER_INVALID"),
    (403, blocked("BILLING_DISABLED"), REFUSED, "billing"),
    (401, error(401, "Login Required.", reason="required"), REFUSED, "401 required"),
    (401, b"", REFUSED, "(401)"),
    (403, error(403, "Permission denied.", reason="SERVICE_UNAVAILABLE"), REFUSED, "403 SERVICE_UNAVAILABLE"),
    (429, limited(PER_DAY, quota_unit="1/d/{project}", quota_limit_value="0"), REFUSED, "quota of 0"),
    # limits
    (403, error(403, QUOTA, reason="quotaExceeded"), DAY, "midnight Pacific"),
    (403, error(403, "Daily Limit Exceeded.", reason="dailyLimitExceeded"), DAY, "midnight Pacific"),
    (429, limited(PER_DAY), DAY, "midnight Pacific"),
    (429, limited("?", quota_unit="1/d/{project}", quota_limit_value="100"), DAY, "midnight Pacific"),
    (429, limited("?", quota_limit="defaultStatsPerDayPerProject"), DAY, "midnight Pacific"),
    (429, limited(PER_MINUTE, quota_unit="1/min/{project}", quota_limit="PerMinute"), RETRY, "requests a minute"),
    (429, limited("Resource has been exhausted (e.g. check quota)."), RETRY, "requests a minute"),
    (429, HTML, RETRY, "(429)"),
    (403, error(403, "x", reason="rateLimitExceeded"), RETRY, "403 rateLimitExceeded"),
    (403, error(403, "x", reason="userRateLimitExceeded"), RETRY, "requests a minute"),
    # what is temporary
    (403, HTML, RETRY, "A proxy or firewall between"),
    (407, HTML, RETRY, "A proxy or firewall between"),
    (408, b"", RETRY, "timed out at YouTube"),
    (500, error(500, None), RETRY, "500 backendError"),
    (500, b'{"error": "internal"}', RETRY, "(500)"),
    (502, HTML, RETRY, "(502)"),
    (503, error(503, status="UNAVAILABLE"), RETRY, "503 backendError"),
    (504, b"", RETRY, "(504)"),
    (301, b"", RETRY, "redirected (301)"),
    (304, b"", RETRY, "redirected (304)"),
    (204, b"", RETRY, "never sends (204)"),
    (999, b"", RETRY, "never sends (999)"),
    # our bug
    (400, error(400, "The request specifies an invalid filter.", reason="invalidFilters"), OUR_BUG, "report it"),
    (400, error(400, "No filter selected.", reason="missingRequiredParameter"), OUR_BUG, "report it"),
    (400, error(400, "statistics", reason="unknownPart"), OUR_BUG, "400 unknownPart"),
    (400, error(400, "Request contains an invalid argument.", reason="badRequest"), OUR_BUG, "400 badRequest"),
    (400, HTML, OUR_BUG, "(400)"),
    (414, b"", OUR_BUG, "(414)"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "kind", "says"), CASES)
@pytest.mark.parametrize("bucket", Bucket)
def test_each_failure_has_its_class_and_says_what_to_do(
    status: int, body: bytes, kind: FailureKind, says: str, bucket: Bucket
) -> None:
    found = failure(status, body, bucket)
    assert found.kind is kind
    assert says in found.message
    assert found.message.endswith(".")
    assert "{" not in found.message


@pytest.mark.parametrize("status", [404, 501])
@pytest.mark.parametrize("body", [b"", HTML, error(404, reason="notFound")])
def test_without_the_first_method_the_other_takes_over_and_without_that_one_the_address_is_wrong(
    status: int, body: bytes
) -> None:
    assert failure(status, body, Bucket.STATS).kind is FailureKind.UNAVAILABLE
    wrong = failure(status, body, Bucket.GENERAL)
    assert wrong.kind is FailureKind.CONFIGURATION
    assert "youtube.endpoint" in wrong.message


def test_every_word_and_every_phrase_of_the_table_has_a_case() -> None:
    said = [read_evidence(body) for _, body, _, _ in CASES]
    words = frozenset[str]().union(*(evidence.words for evidence in said))
    assert {word for row in TABLE for word in row.words} <= words
    for phrase in (phrase for row in TABLE for phrase in row.phrase.split("|")):
        assert any(re.search(phrase, evidence.message, re.IGNORECASE) for evidence in said), phrase


def test_every_row_has_a_case() -> None:
    shown = {failure(status, body).message for status, body, _, _ in CASES}
    shown |= {failure(404, b"", bucket).message for bucket in Bucket}
    missing = [row.message for row in TABLE if not any(text.startswith(row.message.split("{")[0]) for text in shown)]
    assert missing == []


@pytest.mark.parametrize(
    "body",
    [b"[]", b'[{"error": {"errors": [{"reason": "quotaExceeded"}]}}]', b'{"error": []}', b'{"error": {"errors": "x"}}',
     b'{"error": {"errors": ["x", null, {"reason": 1}], "details": {"a": 1}, "message": ["per day"]}}',
     b'{"error": {"details": [{"metadata": "PerDay"}, {"metadata": {"quota_limit_value": [0]}}]}}',
     b"\xff", b"[" * 100_000],
)  # fmt: skip
def test_a_body_of_an_unknown_form_is_no_error_of_syncer(body: bytes) -> None:
    assert failure(503, body).kind is RETRY
    assert failure(429, body).kind is (DAY if b"quotaExceeded" in body else RETRY)


@pytest.mark.parametrize("text", ["requests to this api ", "per day ", "x"])
def test_a_message_without_end_takes_no_longer_than_google_s(text: str) -> None:
    body = error(403, "Permission denied. " + text * (4_000_000 // len(text)), reason="forbidden")
    began = time.process_time()
    failure(403, body)
    assert time.process_time() - began < 2


def test_only_harmless_words_of_a_response_are_shown() -> None:
    key = "AIza" + "Sy" + "0" * 33
    shown = failure(400, error(400, f"Consumer 'api_key:{key}'", reason=f"no {key}", status="<b>", details=[])).message
    assert key not in shown
    assert "<b>" not in shown


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30.0),
        (" 0 ", 0.0),
        ("Sun, 22 Nov 2026 15:02:00 GMT", 120.0),
        ("Sun, 22 Nov 2026 15:02:00 -0000", 120.0),
        ("Sun, 22 Nov 2026 14:00:00 GMT", 0.0),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("9" * 5000, None),
        ("\t30 ", 30.0),
        *((f"0{space}", None) for space in "\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\0"),
        ("1_0", None),
        ("+1", None),
        ("1, 2", None),
        ("nan", None),
        ("Sun, 22 Nov 0000 15:02:00 GMT", 0.0),
        ("Sun, 22 Nov 2026 99:02:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 251607027539.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 251606941199.0),
        ("Mon, 01 Jan 0001 00:00:00 +2359", 0.0),
        ("soon", None),
        ("Sun, 22 Nov 99999999999999999999 15:02:00 GMT", None),
        ("Sun, 22 Nov 2026 15:02:00 +99999999999999", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(
    value: str, seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    found = failure(503, b"", retry_after=value)
    monkeypatch.undo()
    time.tzset()
    assert found.retry_after == seconds


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ssl.SSLCertVerificationError("x"), "certificate"),
        (TimeoutError("timed out"), "in time"),
        (socket.gaierror(-2, "Name or service not known"), "resolved"),
        (httplib2.ServerNotFoundError("x"), "resolved"),
        (ConnectionRefusedError(111, "Connection refused"), "refused the connection"),
        (ConnectionResetError(104, "Connection reset by peer"), "failed (Connection reset by peer)"),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), "failed (EOF occurred"),
        (http.client.RemoteDisconnected("x"), "failed (RemoteDisconnected)"),
        (http.client.IncompleteRead(b"x"), "IncompleteRead"),
        (http.client.BadStatusLine("x"), "BadStatusLine"),
        (httplib2.FailedToDecompressContent("x", {}, ""), "FailedToDecompressContent"),
        (zlib.error("x"), "decompressed"),
        (ValueError("x"), "ValueError"),
        (ResponseTooLarge(), "too large"),
        (RecursionError("x"), "RecursionError"),
        (MemoryError(), "memory"),
    ],
)
def test_no_response_is_a_temporary_failure(error: Exception, says: str) -> None:
    found = classify_exception(error)
    assert found.kind is RETRY
    assert says in found.message


def test_every_exception_of_the_list_can_be_reached() -> None:
    for place, (kind, _) in enumerate(UNANSWERED):
        assert not any(issubclass(kind, earlier) for earlier, _ in UNANSWERED[:place])


WORDS = sorted({word for row in TABLE for word in row.words})
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from([*WORDS, "0", "1/d/x", "per day"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "errors", "details", "reason", "message", "metadata", "quota_limit_value"]), inner
        )
    ),
    max_leaves=15,
)


@examples(300)
@given(st.integers(100, 999), st.binary() | VALUES.map(lambda value: json.dumps(value).encode()), st.text())
def test_any_answer_has_a_class(status: int, body: bytes, retry_after: str) -> None:
    found = failure(status, body, retry_after=retry_after)
    assert found.message.endswith(".")
    assert found.retry_after is None or found.retry_after >= 0


BODIES = os.environ.get("SYNCER_BODIES")
with_bodies = pytest.mark.skipif(not BODIES, reason="SYNCER_BODIES names no directory of recorded answers")
BY_WORD = {  # what a recorded body's name tells: the first that fits
    "limit-zero": FailureKind.CONFIGURATION,
    "API_KEY": FailureKind.CONFIGURATION,
    "keyInvalid": FailureKind.CONFIGURATION,
    "401": FailureKind.CONFIGURATION,
    "quotaExceeded": DAY,
    "dailyLimit": DAY,
    "per-day": DAY,
    "video-uploads": DAY,
    "ateLimitExceeded": RETRY,
    "403": FailureKind.CONFIGURATION,
    "429": RETRY,
    "400": OUR_BUG,
    "404": FailureKind.UNAVAILABLE,
    "50": RETRY,
}


def recorded() -> list[Path]:
    files = sorted(Path(BODIES or os.devnull, "errors").rglob("[1-9]*"))
    return [file for file in files if not file.name.endswith(".headers.json")]


@with_bodies
def test_there_are_recorded_errors() -> None:
    assert len(recorded()) > 35


@pytest.mark.parametrize("file", recorded(), ids=lambda file: file.stem)
def test_a_recorded_error_is_of_its_class(file: Path) -> None:
    expected = next(kind for word, kind in BY_WORD.items() if word in file.name)
    found = failure(int(file.name[:3]), file.read_bytes())
    assert found.kind is expected, found
