"""Decides what pages show of a video beside its counts, as YouTube says it: one function for each such field."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from syncer.decide.availability import Availability
from syncer.model import Change, Detail, Page, VideoId, Why


class CheckedVideo(NamedTuple):
    """What is known of a video, and when YouTube was last asked."""

    said: Availability
    since: datetime | None
    """Since when it is in its state."""
    checked_at: datetime


class DetailRule(NamedTuple):
    """What a field shows of a video, and what the diff log says about it."""

    text: Callable[[CheckedVideo, str | None], str | None]
    """Returns what a field that shows this text, or None, is to show: empty for nothing; None: leave it as it is."""
    written: Why = Why.CHANGED
    removed: Why = Why.CHANGED


def detail_changes(
    page: Page, known: Mapping[VideoId, CheckedVideo], only: Container[VideoId] | None = None
) -> tuple[Change, ...]:
    """Return the changes after which the page shows what is known; a video that is not known changes nothing.

    `only` narrows to these videos.
    """
    changes = []
    for video_id, _, fields, texts in page.slots:
        video = known.get(video_id)
        if video is None or (only is not None and video_id not in only):
            continue
        for field, old in zip(fields, texts, strict=True):
            detail = DETAILS.get(field.kind) if isinstance(field.kind, Detail) else None
            new = detail.text(video, old) if detail else None
            if detail and new is not None and new != (old or ""):
                why = detail.written if new else detail.removed
                why = Why.INSERTED if why is Why.CHANGED and not field.present else why
                changes.append(Change(page.path, video_id, field.field, field.kind, old, new, video.checked_at, why))
    return tuple(changes)


def _unavailable_since(known: CheckedVideo, shown: str | None) -> str | None:
    """Return the day since which a video does not play.

    A day that is there stays: the video may change from one state in which it does not play to another, or the state
    may be a new one.
    """
    if known.said.state is None or known.since is None:
        return None
    return "" if known.said.state.plays else shown or f"{known.since.astimezone(UTC):%Y-%m-%d}"


DETAILS: Final[Mapping[Detail, DetailRule]] = {
    Detail.UNAVAILABLE_SINCE: DetailRule(_unavailable_since, written=Why.UNAVAILABLE, removed=Why.AVAILABLE),
}
