"""Keeps the API key out of text: one function for what is stored or printed, one filter for what is logged."""

from __future__ import annotations

import logging
import re
import traceback
from functools import lru_cache

MASK = "[key]"
"""What stands where a key stood."""

_GOOGLE_KEY = re.compile(r"AIza[0-9A-Za-z_-]{35}")
_OWN_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


def redact(text: str, key: str | None = None) -> str:
    """Return `text` without `key`, plain or percent-encoded, and without anything in the form of a Google API key."""
    if key:
        text = _spelled(key).sub(MASK, text)
    return _GOOGLE_KEY.sub(MASK, text)


@lru_cache(maxsize=1)
def _spelled(key: str) -> re.Pattern[str]:
    """Find the key, ASCII as it is; any of its characters may be encoded, and programs differ in which."""
    return re.compile("".join(f"(?:{re.escape(letter)}|%(?i:{ord(letter):02x}))" for letter in key))


class Redactor(logging.Filter):
    """Removes the key from message, arguments, traceback and extra fields of every record that passes.

    It belongs on each *handler*: a filter on a logger does not see what the loggers below it send up.
    """

    def __init__(self, key: str | None = None) -> None:
        """Take the key to look for; without one only the form of Google's keys is looked for."""
        super().__init__()
        self._key = key

    def filter(self, record: logging.LogRecord) -> bool:
        """Clean the record in place and let it pass."""
        record.msg, record.args = redact(record.getMessage(), self._key), None
        self._clean_traceback(record)
        for name in vars(record).keys() - _OWN_ATTRIBUTES:
            setattr(record, name, self._clean(getattr(record, name)))
        return True

    def _clean_traceback(self, record: logging.LogRecord) -> None:
        """Leave the traceback as text only: a handler that prints the exception itself would print the key."""
        if record.exc_info and not record.exc_text:
            record.exc_text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
        record.exc_info = None
        record.exc_text = record.exc_text and redact(record.exc_text, self._key)
        record.stack_info = record.stack_info and redact(record.stack_info, self._key)

    def _clean(self, value: object) -> object:
        """Return the extra field as it is, or as clean text if the key stands in it."""
        text = str(value)
        clean = redact(text, self._key)
        return value if clean == text else clean
