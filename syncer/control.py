"""What the running daemon shows to other threads, and what they can make it do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

Stage = Literal["scan", "ask", "write"]
"""What a running sync is doing: it scans pages, requests counts from YouTube, and writes pages."""


@dataclass(frozen=True, slots=True)
class SyncProgress:
    """How far the running sync is."""

    stage: Stage
    done: int
    of: int | None
    """None: not known yet."""


@dataclass(frozen=True, slots=True)
class LastSync:
    """How the last finished sync that covers a site went, whichever process made it."""

    sync: str
    """Its name."""
    finished: datetime
    exit: int
    pages: int
    changed_pages: int
    changed_counts: int
    problems: int
    """With those that later syncs about parts of the site found."""
    missing: int
    """How many videos were missing."""
    over_quota: int = 0
    """How many videos were left out for lack of quota."""
    brake: bool = False
    """Whether the safety brake held what was read."""


@dataclass(frozen=True, slots=True)
class DaemonState:
    """What the daemon does for one site at one moment."""

    running: bool
    """Whether a sync is running, or one that was triggered waits for its turn."""
    progress: SyncProgress | None
    next_sync: datetime | None
    started: datetime
    """When the daemon started."""
    interval: timedelta
    """The longest time between two scheduled syncs. After twice as long without a good one, the daemon is unhealthy."""
    trouble: str | None = None
    """Why the last attempt made no sync, in a sentence; None if it made one, whose report says how it went."""
    config_error: str | None = None
    """Why the config that was last read is not in use, one finding a line; None where it is."""
    last: LastSync | None = None
    """None: there is none, or its report was deleted or cannot be read."""
    stalled: bool = False
    """Whether the running sync has made no progress for minutes."""
    last_whole: datetime | None = None
    """When the last good sync of the whole site began, whichever process made it; None: there is none."""
    gone: int = 0
    """How many videos YouTube left out in three syncs, at least a day apart."""
    waits: bool = False
    """Whether no sync is running, and one that was triggered waits for its turn."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A sync that was triggered."""

    number: int
    """Counted from 1, since the daemon started."""
    state: Literal["waiting", "running", "done"]
    report: str | None
    """What `syncer sync --json` would print, once it is done: a report, or an error with its exit code."""
    error: str | None
    """What went wrong, in a sentence, if the report is an error."""


class Control(Protocol):
    """How other threads reach the daemon. Every method is safe in any thread and returns at once."""

    def state(self) -> DaemonState:
        """Return what the daemon is doing now."""
        ...

    def trigger(self, accept: bool) -> Ticket:  # noqa: FBT001 - who triggers says it in JSON or in a form
        """Request a sync now; `accept` writes values that the safety brake or an unconfirmed count holds.

        While a sync is running, all triggers lead to exactly one more sync, and get its ticket.
        """
        ...

    def ticket(self, number: int) -> Ticket | None:
        """Return the ticket of this number; None where there is none, or it is too old."""
        ...
