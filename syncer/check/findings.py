"""What a check finds: one line each, with how bad it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

SHOWN_EXAMPLES = 5
"""Examples named in one finding."""


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    name: str
    level: Level
    message: str
    """What was found and, unless it is ok, what to do."""


def examples(names: Sequence[str]) -> str:
    """Return the first few names, and how many more there are."""
    more = f" and {len(names) - SHOWN_EXAMPLES:,} more" if len(names) > SHOWN_EXAMPLES else ""
    return ", ".join(names[:SHOWN_EXAMPLES]) + more
