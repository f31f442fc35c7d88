"""What an API key looks like, and how it is kept out of what is stored, printed and logged."""

from __future__ import annotations

import logging
import re
import traceback
from base64 import b64encode
from collections.abc import Iterator
from functools import lru_cache

MASK = "[key]"
"""What a key is replaced with."""

ANY_KEY = re.compile(r"[!-~]+")
"""What can be a key at all: it is sent in a header."""

_OLD_START = "AIza"
_NEW_START = r"(?:(?<![0-9A-Za-z_-])|(?<=%[0-9A-Fa-f]{2}))AQ(?:\.|%2[Ee])"
"""How Google's two forms of a key begin. `FAQ.` and a long file name is none."""

KEY_OR_PART = re.compile(rf"({_OLD_START}|{_NEW_START})[0-9A-Za-z_-]{{16,}}")
"""A key in one of Google's forms, or one that was cut short; the group is its beginning."""

_GOOGLE_KEY = re.compile(rf"{_OLD_START}[0-9A-Za-z_-]{{35}}|{_NEW_START}[0-9A-Za-z_-]{{30,}}")
"""Whole keys: 39 characters, and since 2026 `AQ.` and some fifty."""

SHORTEST_IN_BASE64 = 6
"""Characters: what base64 makes of a shorter text cannot be distinguished from other words."""

_OWN_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


def redact(text: str, key: str | None = None) -> str:
    """Return `text` without `key`, also percent-encoded or in base64, and without any key in one of Google's forms."""
    if key:
        text = _spelled(key).sub(MASK, text)
    return _GOOGLE_KEY.sub(MASK, text)


class Redactor(logging.Filter):
    """Removes the key from message, arguments, traceback and extra fields of every record that passes.

    It belongs on each *handler*: a filter on a logger does not see what the loggers below it send up.
    """

    def __init__(self, key: str | None = None) -> None:
        """Take the key to look for; without one only the form of Google's keys is looked for."""
        super().__init__()
        self._key = key

    def filter(self, record: logging.LogRecord) -> bool:
        """Remove the key from the record itself, and let it pass."""
        record.msg, record.args = redact(record.getMessage(), self._key), None
        if record.exc_info and not record.exc_text:
            record.exc_text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
        record.exc_info = None  # text only: a handler that prints the exception itself would print the key
        record.exc_text = record.exc_text and redact(record.exc_text, self._key)
        record.stack_info = record.stack_info and redact(record.stack_info, self._key)
        for name in vars(record).keys() - _OWN_ATTRIBUTES:
            text = str(getattr(record, name))
            clean = redact(text, self._key)
            if clean != text:
                setattr(record, name, clean)
        return True


@lru_cache(maxsize=1)
def _spelled(key: str) -> re.Pattern[str]:
    """Find the key, ASCII as it is; any of its characters may be encoded, and programs differ in which."""
    letters = "".join(f"(?:{re.escape(letter)}|%(?i:{ord(letter):02x}))" for letter in key)
    return re.compile("|".join([letters, *_in_base64(key)]))


def _in_base64(key: str) -> Iterator[str]:
    """Yield what base64 makes of the key, in a text of which it is the beginning, the middle or the end.

    The letters depend on where in three bytes the key begins; those that it shares with its neighbours are left out.
    """
    if len(key) < SHORTEST_IN_BASE64:
        return
    for before in range(3):
        shared = before and before + 1
        text = b64encode(b"\0" * before + key.encode()).decode().rstrip("=")
        text = text[shared : -1 if (before + len(key)) % 3 else None]
        yield "".join({"+": "[+-]", "/": "[/_]"}.get(letter, letter) for letter in text)
