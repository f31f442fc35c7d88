"""What is known of a fleet: its hosts and sites, without what reads them from a server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

ALIVE_SECONDS: Final = 35
"""After so long without a heartbeat, another worker may use the host's name, and others see it as silent."""


@dataclass(frozen=True, slots=True)
class HostRow:
    """A host of the fleet."""

    host: str
    is_running: bool
    """Whether a worker runs there, or did when it was last seen."""
    silent_seconds: int
    """Seconds since its last heartbeat."""
    draining: bool
    version: str

    @property
    def is_silent(self) -> bool:
        """Whether it should have said that it is alive."""
        return self.is_running and self.silent_seconds > ALIVE_SECONDS


@dataclass(frozen=True, slots=True)
class SiteReport:
    """How a site is, as its host reports it. Times are seconds from now, negative in the past."""

    site: str
    running: bool
    last_sync: str | None = None
    finished: int | None = None
    exit_code: int | None = None
    changed_counts: int | None = None
    problems: int | None = None
    missing: int | None = None
    next_sync: int | None = None
    late_after: int | None = None
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class SyncAnswer:
    """What became of a requested sync."""

    exit_code: int
    text: str


@dataclass(frozen=True, slots=True)
class SiteRow:
    """A site of the fleet: its owner, and what that reported last."""

    host: str
    path: str
    report: SiteReport

    @property
    def is_late(self) -> bool:
        """Whether its last good sync is longer ago than it should be."""
        return self.report.late_after is not None and self.report.late_after < 0

    @property
    def is_unreported(self) -> bool:
        """Whether its owner has said nothing of it yet: neither of a sync nor when it begins one."""
        report = self.report
        return (
            report.last_sync is None and not report.running and report.late_after is None and report.next_sync is None
        )


@dataclass(frozen=True, slots=True)
class Fleet:
    """All hosts and sites, by name."""

    at: datetime
    """When this was so, by the server's clock. The times in the rows are relative to it."""
    hosts: Sequence[HostRow]
    sites: Sequence[SiteRow]
