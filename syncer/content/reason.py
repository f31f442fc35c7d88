"""Says why one page could not be dealt with: in its Problem, and of a bug in the log, with its traceback."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

log = logging.getLogger("syncer.content")


def attempt(work: Callable[Parameters, Result], *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result | None:
    """Return what the work on one page returns; None where it raises: one page never ends a command."""
    try:
        return work(*args, **kwargs)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with the page
        reason_of(error)
        return None


def reason_of(error: Exception) -> str:
    """Return in a few words what an exception says of the page in hand."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    if isinstance(error, MemoryError):
        return "it takes more memory than there is"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    log.error("a bug in syncer; please report it", exc_info=error, extra={"event": "page-failed"})
    return f"a bug in syncer ({type(error).__name__}), the log has the traceback"
