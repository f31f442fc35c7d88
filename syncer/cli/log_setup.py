"""The log on standard error: text or JSON lines, never with the key or another secret."""

from __future__ import annotations

import logging
import os
import sys
from datetime import UTC, datetime

from syncer.cli.suggested import SUGGESTED, spelled
from syncer.redact import Redactor
from syncer.wording import safe, safe_json

BUILT_IN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""The attributes that every record has; all others were passed as `extra`."""

STANDARD_ERROR = 2

REDACTOR = Redactor()
"""On the handler of the log. It learns the secrets of each site, once they are known, and forgets none."""

PRIORITIES = {"CRITICAL": 2, "ERROR": 3, "WARNING": 4, "INFO": 6, "DEBUG": 7}
"""Syslog's numbers."""


def start_log(level: str, *, as_json: bool) -> None:
    """Send records of `level` and above to standard error, without the secrets that `REDACTOR` knows."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(REDACTOR)
    handler.setFormatter(_Json() if as_json else _Text())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.ERROR if level == "ERROR" else logging.WARNING)
    logging.getLogger("syncer").setLevel(level)


def name_sites() -> None:
    """Let each line of the log name the site that it is about."""
    from syncer.daemon.site_names import SiteNames

    for handler in logging.getLogger().handlers:
        handler.addFilter(SiteNames())


def for_standard_error(text: str, level: str) -> str:
    """Return lines of that level as standard error takes them.

    Where it is systemd's journal, each line begins with its priority (sd-daemon(3)); `JOURNAL_STREAM` names the
    journal by device and inode (systemd.exec(5)), since a program that a service starts may have another one.
    """
    error = os.fstat(STANDARD_ERROR)
    if os.environ.get("JOURNAL_STREAM") != f"{error.st_dev}:{error.st_ino}":
        return text
    return "\n".join(f"<{PRIORITIES[level]}>{line}" for line in text.splitlines())


def _message_of(record: logging.LogRecord) -> str:
    return SUGGESTED.sub(spelled, record.getMessage())


class _Text(logging.Formatter):
    """One line, and a traceback below it."""

    def format(self, record: logging.LogRecord) -> str:
        site = f"{safe(vars(record)['site'])}: " if "site" in vars(record) else ""
        line = f"{record.levelname} {site}{safe(_message_of(record))}"
        text = f"{line}\n{record.exc_text}" if record.exc_text else line
        return for_standard_error(text, record.levelname)


class _Json(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        document = {
            "at": datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message_of(record),
            **{name: value for name, value in vars(record).items() if name not in BUILT_IN},
        }
        if record.exc_text:
            document["traceback"] = record.exc_text
        return safe_json(document)
