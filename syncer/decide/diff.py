"""Compares the counts in pages with the accepted readings."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from syncer.model import Change, Count, Edit, Page, Place, Reading, Slot, Statistics, VideoId, Why

Suppression = tuple[Place, Count, int]
"""A slot's field, its count, and a number that is not written there until YouTube returns another one."""


def diff(
    page: Page,
    accepted: Mapping[VideoId, Reading],
    only: Container[VideoId] | None = None,
    suppressed: Mapping[Place, int] = MappingProxyType({}),
) -> tuple[Change, ...]:
    """Return the changes that update the page's counts to the accepted readings; `only` narrows to these videos.

    A video without a reading, a count that YouTube hides, and a number that is suppressed for its field change nothing.
    """
    changes: list[Change] = []
    for slot, reading, given in _compared(page, accepted, only):
        for field, old in zip(slot.fields, slot.texts, strict=True):
            new = given.get(field.count)
            if new is None or (old is not None and int(old) == new):
                continue
            if not suppressed or suppressed.get(Place(page.path, field.field, slot.video_id)) != new:
                why = Why.CHANGED if field.present else Why.INSERTED
                changes.append(
                    Change(page.path, slot.video_id, field.field, field.count, old, str(new), reading.at, why)
                )
    return tuple(changes)


def suppressed_by(changes: Iterable[Change]) -> Iterator[Suppression]:
    """Yield what becomes suppressed once these changes are made: the numbers that an undo or a drop replaces."""
    for change in changes:
        if change.why in {Why.UNDO, Why.DROPPED} and change.old is not None:
            yield Place(change.path, change.field, change.video_id), change.count, int(change.old)


def without_older(edits: Iterable[Edit], lines: Iterable[Mapping[str, str | int | None]], now: datetime) -> list[Edit]:
    """Return the edits without the changes whose reading is older than one that the diff log has for the same count.

    That happens after an old state was restored. `lines` are those of the log since the oldest of the readings. A line
    from the future was written while the clock was wrong, and is ignored.
    """
    newest: dict[tuple[object, ...], datetime] = {}
    for line in lines:
        key, as_of = (line["path"], line["video_id"], line["count"]), datetime.fromisoformat(str(line["as_of"]))
        if as_of <= now:
            newest[key] = max(as_of, newest.get(key, as_of))

    def is_newest(change: Change) -> bool:
        return change.as_of >= newest.get((change.path, change.video_id, change.count.value), change.as_of)

    def newest_of(edit: Edit) -> Edit:
        rewrites = ((fields, tuple(filter(is_newest, changes))) for fields, changes in edit.rewrites)
        return replace(edit, rewrites=tuple((fields, kept) for fields, kept in rewrites if kept))

    return [edit for edit in map(newest_of, edits) if edit.rewrites]


def hidden(
    page: Page, accepted: Mapping[VideoId, Reading], only: Container[VideoId] | None = None
) -> Iterator[tuple[VideoId, Count]]:
    """Yield the counts that the page has and YouTube did not return."""
    for slot, _, given in _compared(page, accepted, only):
        for field in slot.fields:
            if field.count not in given:
                yield slot.video_id, field.count


def pages_naming(
    pages: Iterable[tuple[str, Iterable[VideoId]]], videos: AbstractSet[VideoId]
) -> dict[VideoId, list[str]]:
    """Return the paths of the pages that name each of these videos, sorted; a video on no page is left out.

    `pages` are the paths of pages with the videos that each names.
    """
    found: dict[VideoId, set[str]] = {}
    for path, named in pages if videos else ():
        for video in named:
            if video in videos:
                found.setdefault(video, set()).add(path)
    return {video: sorted(paths) for video, paths in found.items()}


def _compared(
    page: Page, accepted: Mapping[VideoId, Reading], only: Container[VideoId] | None
) -> Iterator[tuple[Slot, Reading, Statistics]]:
    for slot in page.slots:
        reading = accepted.get(slot.video_id)
        if reading is not None and reading.statistics is not None and (only is None or slot.video_id in only):
            yield slot, reading, reading.statistics
