"""What a host says to the others: how its sites are, and what became of the syncs that they requested."""

from __future__ import annotations

import json
from datetime import datetime

from syncer.control import DaemonState, Ticket
from syncer.errors import ExitCode
from syncer.state.fleet import SiteReport, SyncAnswer
from syncer.status.stored_reports import last_sync
from syncer.wording import counted, safe


def report_of(site: str, state: DaemonState | str, now: datetime) -> SiteReport:
    """Return how a site is, or why it is left out, for the others."""
    if isinstance(state, str):
        return SiteReport(site, running=False, trouble=safe(state))

    def seconds(at: datetime | None) -> int | None:
        return None if at is None else round((at - now).total_seconds())

    last = state.last
    late = (state.last_whole or state.started) + 2 * state.interval
    return SiteReport(
        site,
        state.running,
        last.sync if last else None,
        seconds(last.finished) if last else None,
        last.exit if last else None,
        last.changed_counts if last else None,
        last.problems if last else None,
        last.missing if last else None,
        seconds(state.next_sync),
        seconds(late),
        safe(state.trouble) if state.trouble else None,
    )


def answer_of(host: str, ticket: Ticket) -> SyncAnswer:
    """Return how a requested sync went that has ended."""
    document = json.loads(ticket.report or "{}")
    if ticket.error:
        return SyncAnswer(document["exit"], f"no sync on {host}: {safe(ticket.error)}")
    last = last_sync(document)
    changed, problems = counted(last.changed_counts, "count"), counted(last.problems, "problem")
    return SyncAnswer(last.exit, f"{changed} changed on {host}, {problems}.")


def no_sync(host: str, why: str) -> SyncAnswer:
    """Return why a requested sync was not made."""
    return SyncAnswer(int(ExitCode.CANNOT_RUN), f"no sync on {host}: {safe(why)}")
