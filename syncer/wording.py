"""How numbers and times are said to people, everywhere in the same form."""

from __future__ import annotations

from datetime import UTC, datetime


def counted(number: int, noun: str) -> str:
    """Return `1 page`, `1,200 pages`: the number and the noun, which takes an s."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def utc(at: datetime) -> str:
    """Return a time as people read it: `2026-11-22 17:48:54 UTC`."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
