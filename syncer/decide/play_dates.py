"""Decides which days pages show, since which a video no longer plays (`fields.unavailable_since`)."""

from __future__ import annotations

from collections.abc import Container, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from syncer.decide.availability import PlayState
from syncer.model import Change, Date, Page, VideoId, Why


class DatedState(NamedTuple):
    """Whether a video plays, since when, and when YouTube was last asked."""

    state: PlayState
    since: datetime
    checked_at: datetime


def date_changes(
    page: Page, states: Mapping[VideoId, DatedState], only: Container[VideoId] | None = None
) -> tuple[Change, ...]:
    """Return the changes after which the page shows a day exactly for the videos that do not play.

    A day that the page has stays as it is: the video may change from one state in which it does not play to another, or
    the state may be a new one. A video without a known state changes nothing. `only` narrows to these videos.
    """
    changes = []
    for video_id, _, fields, texts in page.slots:
        known = states.get(video_id)
        if known is None or (only is not None and video_id not in only):
            continue
        for field, old in zip(fields, texts, strict=True):
            if field.kind is not Date.UNAVAILABLE_SINCE or known.state.plays is (old is None):
                continue
            new = "" if known.state.plays else f"{known.since.astimezone(UTC):%Y-%m-%d}"
            why = Why.UNAVAILABLE if new else Why.AVAILABLE
            changes.append(Change(page.path, video_id, field.field, field.kind, old, new, known.checked_at, why))
    return tuple(changes)
