"""API keys that were written into a config: found wherever they stand, and printed nowhere."""

from __future__ import annotations

import re

from syncer.redact import NEW_START, OLD_START

_API_KEY = re.compile(rf"({OLD_START}|{NEW_START})[0-9A-Za-z_-]{{16,}}")
"""A key, or one that was cut short."""

NO_KEY_HERE = (
    "an API key must not stand in the config, which is shared and committed; put it into the environment variable"
    " that youtube.api_key_env names (YOUTUBE_API_KEY), or into a file that youtube.api_key_file names,"
    " and replace a key that was ever committed"
)


def holds_key(text: str) -> bool:
    """Tells whether something in the text looks like an API key."""
    return _API_KEY.search(text) is not None


def lines_with_keys(text: str) -> list[int]:
    """Return the lines, from 1, that hold what looks like an API key, comments too."""
    return [number for number, line in enumerate(text.split("\n"), 1) if holds_key(line)]


def without_keys(message: str) -> str:
    """Return the message with what looks like an API key cut down to its first letters."""
    return _API_KEY.sub(r"\1...", message)
