"""What the daemon lets others see and do while it runs: the values, and the functions through which they reach it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the sync that goes on is."""

    stage: str
    """`scan`, `ask` or `write`."""
    done: int
    of: int | None
    """None: nobody knows yet."""


@dataclass(frozen=True, slots=True)
class Live:
    """What the daemon is at now."""

    running: bool
    """Whether a sync goes on."""
    progress: Progress | None
    next_sync: datetime | None
    started: datetime
    """When the daemon began."""
    interval: timedelta
    """The longest distance of two scheduled syncs; when the last good one is older than two of it, all is not well."""
    trouble: str | None = None
    """Why the last try made no sync, in a sentence; None where it made one. Then its report says how that went."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A sync that somebody triggered."""

    number: int
    """Counted from 1, since the daemon began."""
    state: Literal["waiting", "running", "done"]
    report: str | None
    """What `syncer sync --json` would have printed, once it is done: a report, or an error with its exit code."""
    error: str | None
    """What went wrong, in a sentence, where the report is such an error."""


class Control(NamedTuple):
    """How others reach the daemon; safe in any thread, and quick to answer."""

    live: Callable[[], Live]
    trigger: Callable[[bool], Ticket]
    """Ask for a sync now; True lets through what a brake or an unconfirmed count holds.

    While a sync goes on it leads to exactly one more: all who trigger meanwhile get the ticket of that one.
    """
    ticket: Callable[[int], Ticket | None]
    """The ticket of this number; None where there is none, or it was forgotten since."""
