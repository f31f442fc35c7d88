"""Says what went wrong with a request."""

from __future__ import annotations

from typing import NamedTuple

from starlette.exceptions import HTTPException

from syncer.errors import SyncerError

MESSAGES = {
    "Not Found": "There is nothing at this address.",
    "Method Not Allowed": "This address does not accept this method.",
}
"""What Starlette's own errors say, and what syncer says instead."""


class Explanation(NamedTuple):
    """What went wrong with a request."""

    status: int
    """The HTTP status."""
    kind: str
    message: str

    @property
    def document(self) -> dict[str, dict[str, str]]:
        """The JSON document for programs."""
        return {"error": {"kind": self.kind, "message": self.message}}


def explained(error: Exception) -> Explanation:
    """Return what is said of an error."""
    match error:
        case HTTPException():
            return Explanation(error.status_code, "http", MESSAGES.get(error.detail, error.detail))
        case SyncerError():
            return Explanation(503, error.kind, str(error))
        case _:
            bug = f"This is a bug ({type(error).__name__}). The log of the daemon has the traceback."
            return Explanation(500, "bug", bug)
