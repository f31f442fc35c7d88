"""Recognises API keys, and removes them and other secrets from everything that is stored, printed and logged."""

from __future__ import annotations

import logging
import re
import traceback
from base64 import b64encode
from collections.abc import Iterator
from functools import lru_cache

MASK = "[key]"
"""The text that replaces a key."""

HOOK_MASK = "[hook]"
"""The text that replaces the address of the build hook."""

SHORTEST_TARGET = 8
"""Characters. What follows the host in the address of a hook is the secret; a shorter path is on every line."""

ANY_KEY = re.compile(r"[!-~]+")
"""The characters that a key can have: it is sent in a header."""

_OLD_START = "AIza"
_NEW_START = r"(?:(?<![0-9A-Za-z_-])|(?<=%[0-9A-Fa-f]{2}))AQ(?:\.|%2[Ee])"
"""The beginnings of Google's two forms of a key. `FAQ.` and a long file name is not a key."""

KEY_OR_PART = re.compile(rf"({_OLD_START}|{_NEW_START})[0-9A-Za-z_-]{{16,}}")
"""A key in one of Google's forms, or the first part of one; the group is its beginning."""

_GOOGLE_KEY = re.compile(rf"{_OLD_START}[0-9A-Za-z_-]{{35}}|{_NEW_START}[0-9A-Za-z_-]{{30,}}")
"""Whole keys: 39 characters, or, since 2026, `AQ.` and some fifty."""

SHORTEST_IN_BASE64 = 6
"""Characters. The base64 form of a shorter key cannot be distinguished from other words."""

_WITHOUT_SECRETS = (frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}) - {
    "msg",
    "exc_text",
    "stack_info",
}
"""Attributes of a record that hold nothing from outside."""


def redact(text: str, key: str | None = None) -> str:
    """Return `text` without `key`, also percent-encoded or in base64, and without any key in one of Google's forms."""
    if key:
        text = _spelled(key).sub(MASK, text)
    return _GOOGLE_KEY.sub(MASK, text)


def without_hook(text: str, hook: str | None) -> str:
    """Return `text` without the address of a build hook, and without what follows the host in it, in any encoding."""
    if hook:
        target = "/" + hook.partition("://")[2].partition("/")[2]
        for secret in (hook, target) if len(target) >= SHORTEST_TARGET else (hook,):
            text = _spelled(secret).sub(HOOK_MASK, text)
    return text


class Redactor(logging.Filter):
    """Removes the secrets from the message, arguments, traceback and extra fields of every record.

    Add it to each *handler*: a filter on a logger does not see the records of the loggers below it.
    """

    def __init__(self) -> None:
        """Know no secret yet: only keys in Google's forms are removed."""
        super().__init__()
        self._keys: tuple[str, ...] = ()
        self._hooks: tuple[str, ...] = ()

    def learn(self, key: str | None = None, hook: str | None = None) -> None:
        """Remove this key, and this address of a build hook, from now on, too. None is ever forgotten."""
        # the longest first: one that begins like another would lose its beginning, and its end would be shown
        self._keys = tuple(sorted({*self._keys, key or ""} - {""}, key=len, reverse=True))
        self._hooks = tuple(sorted({*self._hooks, hook or ""} - {""}, key=len, reverse=True))

    def filter(self, record: logging.LogRecord) -> bool:
        """Remove the secrets from the record itself, and return True."""
        record.msg, record.args = record.getMessage(), None
        if record.exc_info and not record.exc_text:
            record.exc_text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
        record.exc_info = None  # text only: a handler that prints the exception itself would print the key
        texts = {name: str(value) for name, value in vars(record).items() if name not in _WITHOUT_SECRETS}
        together = "\0".join(texts.values())
        if self._clean(together) == together:  # in one go: hundreds of sites have as many secrets to look for
            return True
        for name, text in texts.items():
            clean = self._clean(text)
            if clean != text:
                setattr(record, name, clean)
        return True

    def _clean(self, text: str) -> str:
        for hook in self._hooks:
            text = without_hook(text, hook)
        for key in self._keys:
            text = _spelled(key).sub(MASK, text)
        return redact(text)


@lru_cache(maxsize=1024)
def _spelled(key: str) -> re.Pattern[str]:
    """Return a pattern for the key; any of its characters may be percent-encoded, and programs differ in which."""
    letters = "".join(f"(?:{re.escape(letter)}|%(?i:{ord(letter):02x}))" for letter in key)
    return re.compile("|".join([letters, *_in_base64(key)]))


def _in_base64(key: str) -> Iterator[str]:
    """Yield patterns for the key's base64 form at the beginning, in the middle or at the end of a text.

    The letters depend on the key's offset modulo three bytes; letters shared with neighbouring text are left out.
    """
    if len(key) < SHORTEST_IN_BASE64:
        return
    for before in range(3):
        shared = before and before + 1
        text = b64encode(b"\0" * before + key.encode()).decode().rstrip("=")
        text = text[shared : -1 if (before + len(key)) % 3 else None]
        yield "".join({"+": "[+-]", "/": "[/_]"}.get(letter, letter) for letter in text)
