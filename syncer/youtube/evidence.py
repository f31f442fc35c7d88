"""Reads what an error answer says, whatever form it has: JSON in Google's form, JSON in no form, HTML, nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

PER_DAY: Final = "limit per day"
"""A word of ours: the answer names a limit that lasts until midnight Pacific."""
LIMIT_ZERO: Final = "limit zero"
"""A word of ours: the answer names a limit of nothing at all."""

_LONGEST: Final = 2000
"""Characters of a text that are looked at. Google's are shorter; what is sought in one takes time by its length."""
_HARMLESS = re.compile(r"[A-Za-z_]{3,50}")


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer as it came, decompressed."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the body of an error answer says."""

    words: frozenset[str] = frozenset()
    """Every `reason`, every ErrorInfo reason and the `status`, and our own words for limits."""
    message: str = ""
    reason: str = ""
    """The word that says most, for people; only letters and `_`, whatever was sent."""
    google: bool = False
    """Whether the body has Google's form: then it comes from the API, and not from something in between."""


def read_evidence(body: bytes) -> Evidence:
    """Return what an error body says; a body in no known form says nothing. The forms: `docs/youtube.md`."""
    try:
        document = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError, MemoryError):
        return Evidence()
    if isinstance(document, list) and document:
        document = document[0]
    error = document.get("error") if isinstance(document, dict) else None
    if isinstance(error, str):
        return Evidence(message=_text(error))
    if not isinstance(error, dict):
        return Evidence()
    message, reasons = _text(error.get("message")), list(_reasons(error))
    reason = next(filter(_HARMLESS.fullmatch, reasons), "")
    return Evidence(frozenset([*reasons, *_limits(error, message)]), message, reason, google=True)


def _reasons(error: dict[str, object]) -> Iterator[str]:
    """Yield the words that name the error, the most telling first."""
    for entry in [*_entries(error.get("details")), *_entries(error.get("errors"))]:
        yield _text(entry.get("reason"))
    yield _text(error.get("status"))


def _limits(error: dict[str, object], message: str) -> Iterator[str]:
    """Yield our words for the limit: but for ErrorInfo's metadata and the message, a daily one looks like any other."""
    if "per day" in message.lower():
        yield PER_DAY
    for entry in _entries(error.get("details")):
        metadata = entry.get("metadata")
        if not isinstance(metadata, dict):
            continue
        if _text(metadata.get("quota_unit")).startswith("1/d/") or "PerDay" in _text(metadata.get("quota_limit")):
            yield PER_DAY
        if metadata.get("quota_limit_value") == "0":
            yield LIMIT_ZERO


def _entries(value: object) -> list[dict[str, object]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _text(value: object) -> str:
    return value[:_LONGEST] if isinstance(value, str) else ""
