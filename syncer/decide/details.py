"""Decides what pages show of a video beside its counts, as YouTube says it: one rule for each such field."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from syncer.decide.availability import Availability
from syncer.model import Change, Count, Detail, Page, VideoId, Why


class CheckedVideo(NamedTuple):
    """What is known of a video, and when YouTube was last asked."""

    said: Availability
    since: datetime | None
    """Since when it is in its state."""
    checked_at: datetime


class Said(NamedTuple):
    """Where YouTube says what a field shows, as a text: a part of its video, the name there, and the text's pattern."""

    part: str
    name: str
    pattern: str


class DetailRule(NamedTuple):
    """What a field shows of a video, and what the diff log says about it."""

    said: Said | None = None
    """What is requested for it, and stored with each check."""
    text: Callable[[CheckedVideo, str | None], str | None] | None = None
    """Returns what a field that shows this text, or None, is to show: empty for nothing; None: leave it as it is.

    Without this function it shows what is said.
    """
    written: Why = Why.CHANGED
    removed: Why = Why.CHANGED

    def shown(self, detail: Detail, video: CheckedVideo, old: str | None) -> str | None:
        """Return what a field is to show of this detail; None: leave it as it is."""
        if self.text:
            return self.text(video, old)
        text = video.said.details.get(detail)
        return text if self.said and text and re.fullmatch(self.said.pattern, text) else None


Rules = Mapping[Detail, DetailRule]


def requested_parts(parts: Mapping[str, Sequence[str]], rules: Rules | None = None) -> Mapping[str, Sequence[str]]:
    """Return these parts of a video, and what is read of each, with what the details need. `rules`: if not DETAILS."""
    found = {part: list(names) for part, names in parts.items()}
    for said in filter(None, (rule.said for rule in (rules or DETAILS).values())):
        found.setdefault(said.part, []).append(said.name)
    return found


def details_of(item: Mapping[str, object], rules: Rules | None = None) -> tuple[Mapping[str, str], Sequence[str]]:
    """Return what an item of `videos.list` says for details, and the names whose values are of a form not known.

    What is absent says nothing. `rules`: if not DETAILS.
    """
    found, wrong = dict[str, str](), list[str]()
    for detail, rule in (rules or DETAILS).items():
        part = item.get(rule.said.part) if rule.said else None
        if rule.said and isinstance(part, dict) and rule.said.name in part:
            value = part[rule.said.name]
            if isinstance(value, str) and re.fullmatch(rule.said.pattern, value):
                found[detail] = value
            else:
                wrong.append(rule.said.name)
    return found, wrong


def detail_changes(
    page: Page,
    known: Mapping[VideoId, CheckedVideo],
    only: Container[VideoId] | None = None,
    rules: Rules | None = None,
) -> tuple[Change, ...]:
    """Return the changes after which the page shows what is known; a video that is not known changes nothing.

    `only` narrows to these videos. `rules`: if not DETAILS.
    """
    changes = []
    for video_id, _, fields, texts in page.slots:
        video = known.get(video_id)
        if video is None or (only is not None and video_id not in only):
            continue
        for field, old in zip(fields, texts, strict=True):
            kind = field.kind
            if isinstance(kind, Count) or (rule := (rules or DETAILS).get(kind)) is None:
                continue
            new = rule.shown(kind, video, old)
            if new is not None and new != (old or ""):
                why = rule.written if new else rule.removed
                why = Why.INSERTED if why is Why.CHANGED and not field.present else why
                changes.append(Change(page.path, video_id, field.field, kind, old, new, video.checked_at, why))
    return tuple(changes)


def _unavailable_since(known: CheckedVideo, shown: str | None) -> str | None:
    """Return the day since which a video does not play.

    A day that is there stays: the video may change from one state in which it does not play to another, or the state
    may be a new one.
    """
    if known.said.state is None or known.since is None:
        return None
    return "" if known.said.state.plays else shown or f"{known.since.astimezone(UTC):%Y-%m-%d}"


DETAILS: Final[Rules] = {
    Detail.UNAVAILABLE_SINCE: DetailRule(text=_unavailable_since, written=Why.UNAVAILABLE, removed=Why.AVAILABLE),
}
