"""Reads a line of the diff log, and checks that it is one that we wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache

from syncer.model import LARGEST_COUNT

Values = dict[str, str | int | None]
"""What a line says, by its keys."""

LARGEST_SEQ = 2**53
"""Above it no number is one that we gave."""

TEXTS = ("sync", "at", "path", "video_id", "field", "as_of", "why")
"""The keys whose values are texts."""

KEYS = {"seq", "count", "old", "new", *TEXTS}


def parse_line(raw: bytes) -> Values | None:
    """Return what a line says; None where it is none of ours: cut, no JSON, or with other values than we write."""
    try:
        line = json.loads(raw)
        if not isinstance(line, dict) or not line.keys() >= KEYS or not _is_ours(line):
            return None
        if b"\\u" in raw:  # half a character is in no name of a file, nor is a zero
            return None if b"\0" in "".join(line[key] for key in TEXTS).encode() else line
    except (ValueError, RecursionError):
        return None
    return line


def _is_ours(line: Mapping[str, object]) -> bool:
    """Whether the values are such as we write. Those of a date have no name of a count, and may be any text."""
    seq, name, old, new = line["seq"], line["count"], line["old"], line["new"]
    if type(seq) is not int or not 0 < seq < LARGEST_SEQ or not all(isinstance(line[key], str) for key in TEXTS):
        return False
    if not (_is_time(line["at"]) and _is_time(line["as_of"])):
        return False
    if name is None:
        return isinstance(old, str | None) and isinstance(new, str | None)
    return isinstance(name, str) and (old is None or _is_count(old)) and _is_count(new)


def _is_count(value: object) -> bool:
    return isinstance(value, str) and _COUNT.fullmatch(value) is not None and int(value) <= LARGEST_COUNT


@lru_cache(maxsize=1024)
def _is_time(value: object) -> bool:
    """Whether a text is a time that says its zone. Raises ValueError where it is no time."""
    return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None


_COUNT = re.compile("[0-9]{1,19}")
