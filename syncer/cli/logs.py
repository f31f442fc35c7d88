"""The log on standard error: plain lines for people, JSON for machines, the key in neither."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from syncer.redact import Redactor

BUILT_IN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What every record has; the rest was given as `extra`."""


def start_log(level: str, *, as_json: bool, key: str | None) -> None:
    """Send records of `level` and above to standard error; everything passes the redactor."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(Redactor(key))
    handler.setFormatter(_Json() if as_json else logging.Formatter("%(levelname)s %(message)s"))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.ERROR if level == "ERROR" else logging.WARNING)
    logging.getLogger("syncer").setLevel(level)


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
        return json.dumps(document, ensure_ascii=False, default=str)
