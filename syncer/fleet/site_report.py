"""What a host says of its sites to the others."""

from __future__ import annotations

from datetime import datetime

from syncer.control import DaemonState
from syncer.state.fleet import SiteReport
from syncer.wording import safe


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
