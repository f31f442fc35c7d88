"""What `write.min_change` and its siblings hold back now, as a sentence and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from syncer.decide.thresholds import HeldBackCounts, Reason
from syncer.diff_log.lines import timestamp
from syncer.state.writes import held_back_counts
from syncer.wording import counted, utc

if TYPE_CHECKING:
    from syncer.config.sections import Config
    from syncer.state.database import Database


def held_back_now(config: Config, database: Database) -> HeldBackCounts | None:
    """Return what the last sync of all pages held back; None where the config holds nothing back. Raises StateError."""
    return held_back_counts(database) if config.policies else None


def held_back_outline(held: HeldBackCounts) -> str:
    """Return how many counts are held back, by which key, and until when.

    `134 counts on 92 pages: 120 by write.min_change, 14 by write.at_most_every (until 2026-12-04 20:00:00 UTC)`
    """
    parts = []
    for reason, number in held.counts.items():
        until = held.until.get(reason)
        begins = "until" if reason is Reason.AT_MOST_EVERY else "the first is due at"
        when = f" ({begins} {utc(until)})" if until else ""
        parts.append(f"{number:,} by write.{reason}{when}")
    total = counted(sum(held.counts.values()), "count")
    return f"{total} on {counted(held.pages, 'page')}: {', '.join(parts)}"


def held_back_json(held: HeldBackCounts | None) -> dict[str, object] | None:
    """Return what is held back as the JSON documents have it."""
    if held is None:
        return None
    return {
        "counts": {reason.value: number for reason, number in held.counts.items()},
        "pages": held.pages,
        "until": {reason.value: timestamp(time) for reason, time in held.until.items()},
    }
