"""Counts how often a method fails in a row, and says when to ask it no more: one breaker for each bucket."""

from __future__ import annotations

from typing import Final

from syncer.youtube.answer import Outcome

MOST_FAILURES: Final = 5
"""Failed requests in a row, each with all its tries, after which the rest of a sync asks no more."""


class Breaker:
    """Opens after `MOST_FAILURES` in a row; where the sync before ended so, after one: a probe."""

    def __init__(self, *, failing: bool = False) -> None:
        """Take whether the method was failing when the last sync ended."""
        self.probing = failing
        """Whether the next failure is one too many, because there was no answer since the last sync."""
        self._in_a_row = 0

    @property
    def is_open(self) -> bool:
        """Whether the method is to be asked no more."""
        return self._in_a_row >= (1 if self.probing else MOST_FAILURES)

    @property
    def failing(self) -> bool:
        """Whether the next sync has to begin with a probe."""
        return self.probing or self.is_open

    def at_once(self, connections: int) -> int:
        """Return how many requests may be under way now: none, or one to see whether it is answered, or all."""
        if self.is_open:
            return 0
        return 1 if self.probing else connections

    def note(self, outcome: Outcome) -> None:
        """Count how a request ended. What is neither an answer nor a failure says nothing."""
        if outcome is Outcome.ANSWERED:
            self.probing, self._in_a_row = False, 0
        elif outcome is Outcome.FAILED:
            self._in_a_row += 1
