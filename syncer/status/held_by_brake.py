"""What the safety brake holds: the counts that fell most, or some of the videos. Other syncs never load this."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from syncer.decide.unconfirmed import NOT_PLAYING, Brake
from syncer.model import Count
from syncer.state.database import Database
from syncer.state.judging import braked_falls, braked_missing

ROWS: Final = 10
"""The largest number of counts or videos that are named."""

HEADINGS: Final = {
    "falling": "The counts that fell most:",
    "missing": "Videos that YouTube did not return, for example:",
    NOT_PLAYING: "Videos that would stop playing, for example:",
}
"""What to write above the rows, by the brake's reason."""


def held_rows(database: Database, brake: Brake, counts: Iterable[Count]) -> list[tuple[str, ...]]:
    """Return rows that name what made the brake hold readings: each begins with a video. `counts` are those of pages.

    What YouTube says about playing is not stored while it is held: of that, there are none.
    """
    if brake.reason == "falling":
        falls = braked_falls(database, counts, ROWS)
        return [(video, count.value, f"{before} -> {now}") for video, count, before, now in falls]
    return [(video,) for video in braked_missing(database, ROWS)] if brake.reason == "missing" else []
