"""Compares the counts in pages with the accepted readings, and dates what changes."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime

from syncer.model import (
    Change,
    Count,
    Detail,
    Edit,
    Page,
    Place,
    Reading,
    VideoId,
    Why,
    count_in_log,
    item_of,
    key_of,
    place_at,
)


@dataclass(frozen=True, slots=True)
class Suppression:
    """A number that is not written to a place until YouTube returns another one."""

    place: Place
    count: Count
    number: int
    restored: int
    """The number that replaced it there, which is no longer suppressed."""


def diff(
    page: Page,
    accepted: Mapping[VideoId, Reading],
    only: Container[VideoId] | None = None,
    suppressed: AbstractSet[tuple[Place, int]] = frozenset(),
) -> tuple[Change, ...]:
    """Return the changes that update the page's counts to the accepted readings; `only` narrows to these videos.

    A video without a reading, a count that YouTube hides, and a number that is suppressed at its place change nothing.
    A slot's date becomes the day of its reading, but only together with a count of the slot.
    """
    path, changes = page.path, list[Change]()
    for video_id, _, fields, texts in page.slots:
        reading = accepted.get(video_id)
        if reading is None:
            continue
        _, at, given = reading
        if given is None or (only is not None and video_id not in only):
            continue
        before = len(changes)
        for field, old in zip(fields, texts, strict=True):
            kind = field.kind
            if not isinstance(kind, Count):  # of the others, `decide.details` has those that do not follow the counts
                day = f"{at.astimezone(UTC):%Y-%m-%d}"
                if kind is Detail.CHECKED_AT and len(changes) > before and day != old:
                    changes.append(Change(path, video_id, field.field, kind, old, day, at, Why.CHECKED))
                continue
            new = given.get(kind)
            if new is None or (old is not None and int(old) == new):
                continue
            if not suppressed or (place_at(path, field.field, video_id), new) not in suppressed:
                why = Why.CHANGED if field.present else Why.INSERTED
                changes.append(Change(path, video_id, field.field, kind, old, str(new), at, why))
    return tuple(changes)


def suppressed_by(changes: Iterable[Change]) -> Iterator[Suppression]:
    """Yield what becomes suppressed once these changes are made: the numbers that an undo or a drop replaces.

    Dates are not: they are written together with counts only.
    """
    for change in changes:
        if (change.why is Why.UNDO or change.why is Why.DROPPED) and change.old is not None:
            kind = change.kind
            if isinstance(kind, Count):
                yield Suppression(change.place, kind, int(change.old), int(change.new))


def without_older(
    edits: Sequence[Edit], lines: Iterable[Mapping[str, str | int | None]], oldest: datetime, now: datetime
) -> list[Edit]:
    """Return the edits without the changes whose reading is older than one that the diff log has for the same count.

    That happens after an old state was restored. `lines` are those of the log since `oldest`, the oldest of the
    readings; some may be older, and say nothing. A line from the future was written while the clock was wrong, and is
    ignored. A date that follows counts stays only with a count of its slot.
    """

    def key_of_change(change: Change) -> tuple[object, ...]:
        return change.path, change.video_id, count_in_log(change.kind) or key_of(change.field)

    newest: dict[tuple[object, ...], datetime] = {}
    wanted: AbstractSet[tuple[object, ...]] = frozenset()
    for line in lines:
        name = line["count"] or key_of(str(line["field"]))
        key, as_of = (line["path"], line["video_id"], name), datetime.fromisoformat(str(line["as_of"]))
        if oldest < as_of <= now:
            changes = (change for edit in edits for change in edit.changes) if not wanted else ()
            wanted = wanted or set(map(key_of_change, changes))
            if key in wanted:
                newest[key] = max(as_of, newest.get(key, as_of))
    if not newest:
        return list(edits)

    def is_newest(change: Change) -> bool:
        return change.as_of >= newest.get(key_of_change(change), change.as_of)

    def newest_of(edit: Edit) -> Edit:
        rewrites = tuple((fields, with_counts(filter(is_newest, changes))) for fields, changes in edit.rewrites)
        return edit._replace(rewrites=tuple((fields, kept) for fields, kept in rewrites if kept))

    return [edit for edit in map(newest_of, edits) if edit.rewrites]


def with_counts(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Return the changes without the dates that follow counts, and that no count of their slot goes before."""
    kept: list[Change] = []
    for change in changes:
        is_free = change.kind is not Detail.CHECKED_AT
        if is_free or (kept and _slot(kept[-1]) == _slot(change)):
            kept.append(change)
    return tuple(kept)


def _slot(change: Change) -> tuple[VideoId, str]:
    return change.video_id, item_of(change.field)


def hidden(
    pages: Iterable[Page], accepted: Mapping[VideoId, Reading], only: Container[VideoId] | None = None
) -> Iterator[tuple[VideoId, Count]]:
    """Yield the counts that the pages have and YouTube did not return, some more than once."""
    incomplete = {
        video: reading.statistics
        for video, reading in accepted.items()
        if reading.statistics is not None and len(reading.statistics) < len(Count)
        if only is None or video in only
    }
    for page in pages if incomplete else ():
        for slot in page.slots:
            if (given := incomplete.get(slot.video_id)) is not None:
                counts = [field.kind for field in slot.fields if isinstance(field.kind, Count)]
                yield from [(slot.video_id, count) for count in counts if count not in given]


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
