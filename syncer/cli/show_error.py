"""Shows an error that ends a command, or keeps one site from its turn: on standard error, or as a JSON document."""

from __future__ import annotations

import re
import sys

from syncer.cli.log_setup import for_standard_error
from syncer.cli.suggested import SUGGESTED, spelled
from syncer.errors import Bug, SyncerError
from syncer.redact import redact
from syncer.wording import safe

LONG_WORD = re.compile(r"(\S{100})\S{1000,}")
"""A word that is shortened in messages: no path that you would search for is so long."""


def logged_bug(error: Exception) -> Bug:
    """Log the traceback of this error, and return what to show of it."""
    import logging

    logging.getLogger("syncer").critical("this is a bug in syncer; please report it", exc_info=error)
    return Bug(error)


def error_document(error: SyncerError) -> dict[str, object]:
    """Return the JSON document of an error."""
    return error.document(message_of(error))


def show_error(error: SyncerError, *, usage: str = "", site: str = "") -> None:
    """Print an error on standard error, after the lines of `usage`; `site`: which one it is about, of several."""
    subject = f"syncer: {safe(site)}: " if site else "syncer: "
    lines = message_of(error).split("\n")  # a config has a line for each finding
    text = "\n".join(f"{subject if site or not number else ''}{safe(line)}" for number, line in enumerate(lines))
    print(for_standard_error(f"{usage}{text}", "ERROR"), file=sys.stderr)


def message_of(error: SyncerError) -> str:
    """Return what is shown of an error: without secrets, and with no word that is too long to read."""
    return SUGGESTED.sub(spelled, LONG_WORD.sub(r"\1...", redact(str(error))))
