"""The form of numbers, times and texts in everything that is printed."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

from syncer.model import VideoId, item_of


def counted(number: int, noun: str) -> str:
    """Return `1 page`, `1,200 pages`: the number and the noun, which takes an s."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def counts_and_dates(counts: int, dates: int) -> str:
    """Return `22 counts`, `1 date`, `22 counts and 1 date`; without any, `0 counts`."""
    if not dates:
        return counted(counts, "count")
    return f"{counted(counts, 'count')} and {counted(dates, 'date')}" if counts else counted(dates, "date")


def named_field(field: str, video_id: VideoId) -> str:
    """Return a field, with its video where only the number of a list item tells which one: `[20].views (ID)`."""
    return f"{field} ({video_id})" if item_of(field).endswith("]") else field


def utc(at: datetime) -> str:
    """Return a time as people read it: `2026-11-22 17:48:54 UTC`."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def ago(seconds: float) -> str:
    """Return a length of time in one unit: `5 minutes`."""
    for name, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            return counted(int(seconds // length), name)
    return counted(max(0, int(seconds)), "second")


def safe(text: str) -> str:
    """Return a text with its control characters and lone surrogates escaped: they cannot act on the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def safe_json(document: object, indent: int | None = None) -> str:
    """Return a JSON document without characters that act on a terminal: JSON itself escapes only the oldest of them."""
    text = json.dumps(document, ensure_ascii=False, indent=indent, default=str)
    return _NOT_PLAIN.sub(lambda found: found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1], text)


_NOT_PLAIN = re.compile(r"[^\n -~]")
