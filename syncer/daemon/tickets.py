"""The syncs that were triggered: a running one, at most one that waits, and how the last ones ended."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from syncer.control import Ticket
from syncer.errors import Bug, SyncerError

TICKETS_KEPT = 10
"""How many tickets are remembered: a client that follows one polls every second, and a report can be megabytes."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """What the sync of a ticket must do for everybody who holds that ticket."""

    number: int
    accept: bool


class Tickets:
    """Safe for several threads; it never waits for a sync."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tickets: dict[int, Ticket] = {}
        self._number = 0
        self._waiting: Trigger | None = None

    def draw(self, *, accept: bool) -> Ticket:
        """Return the ticket that waits, or a new one. If one of those who get it accepts, the sync accepts."""
        with self._lock:
            if self._waiting is None:
                self._number += 1
                self._waiting = Trigger(self._number, accept)
                self._tickets[self._number] = Ticket(self._number, "waiting", None, None)
                self._tickets.pop(self._number - TICKETS_KEPT, None)
            elif accept:
                self._waiting = replace(self._waiting, accept=True)
            return self._tickets[self._waiting.number]

    def find(self, number: int) -> Ticket | None:
        """Return the ticket of this number; None where there is none, or it is too old."""
        with self._lock:
            return self._tickets.get(number)

    @property
    def waits(self) -> bool:
        """Whether a sync was triggered that has not begun."""
        with self._lock:
            return self._waiting is not None

    def take(self) -> Trigger | None:
        """Return the trigger of the sync that begins now; None where it was not triggered."""
        with self._lock:
            taken, self._waiting = self._waiting, None
            if taken:
                self._tickets[taken.number] = Ticket(taken.number, "running", None, None)
            return taken

    def close(self, taken: Trigger, report: str, error: str | None) -> None:
        """Note how the sync ended: its JSON document, and what went wrong if that is not a report."""
        with self._lock:
            self._tickets[taken.number] = Ticket(taken.number, "done", report, error)


def trouble_of(error: BaseException) -> tuple[str, dict[str, object]]:
    """Return why there was no sync, in a sentence, and the JSON document for whoever triggered it."""
    known = error if isinstance(error, SyncerError) else Bug(error, "the daemon's log")
    return str(known), known.document(str(known))
