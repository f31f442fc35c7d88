"""Says what went wrong with a request."""

from __future__ import annotations

from starlette.exceptions import HTTPException

from syncer.errors import SyncerError

MESSAGES = {
    "Not Found": "There is nothing at this address.",
    "Method Not Allowed": "This address does not accept this method.",
}
"""What Starlette's own errors say, and what syncer says instead."""


def explained(error: Exception) -> tuple[int, str, str]:
    """Return the HTTP status, the kind and the message of an error."""
    match error:
        case HTTPException():
            return error.status_code, "http", MESSAGES.get(error.detail, error.detail)
        case SyncerError():
            return 503, error.kind, str(error)
        case _:
            return 500, "bug", f"This is a bug ({type(error).__name__}). The log of the daemon has the traceback."
