"""The log on standard error: plain lines for people, JSON for machines, the key in neither."""

from __future__ import annotations

import logging
import os
import sys
from datetime import UTC, datetime

from syncer.redact import Redactor
from syncer.wording import safe, safe_json

BUILT_IN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What every record has; the rest was given as `extra`."""

STANDARD_ERROR = 2

PRIORITIES = {"CRITICAL": 2, "ERROR": 3, "WARNING": 4, "INFO": 6, "DEBUG": 7}
"""Syslog's numbers."""


def start_log(level: str, *, as_json: bool, key: str | None) -> None:
    """Send records of `level` and above to standard error; everything passes the redactor."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(Redactor(key))
    error = os.fstat(STANDARD_ERROR)
    is_journal = os.environ.get("JOURNAL_STREAM") == f"{error.st_dev}:{error.st_ino}"  # systemd.exec(5)
    handler.setFormatter(_Json() if as_json else _Journal() if is_journal else _Text())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.ERROR if level == "ERROR" else logging.WARNING)
    logging.getLogger("syncer").setLevel(level)


class _Text(logging.Formatter):
    """One line, and a traceback below it."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{record.levelname} {safe(record.getMessage())}"
        return f"{line}\n{record.exc_text}" if record.exc_text else line


class _Journal(_Text):
    """For systemd's journal: the same, each line with its priority before it, as sd-daemon(3) has it."""

    def format(self, record: logging.LogRecord) -> str:
        priority = PRIORITIES[record.levelname]
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).splitlines())


class _Json(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        document = {
            "at": datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in BUILT_IN},
        }
        if record.exc_text:
            document["traceback"] = record.exc_text
        return safe_json(document)
