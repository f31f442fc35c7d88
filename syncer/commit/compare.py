"""Compares the counts and dates of a page on disk with those in the last commit."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from syncer.front_matter.forms import can_be_empty
from syncer.model import Change, Place, Slot, ValueKind, VideoId, Why, place_at

UNKNOWN_TIME = datetime.min.replace(tzinfo=UTC)
"""A stand-in for the time of a count where nothing reads it."""

PlacedCount = tuple[Place, str]
"""A place and its count."""


@dataclass(frozen=True, slots=True)
class ValueDifference:
    """A count or date whose value on disk differs from the last commit."""

    path: str
    """The page, relative to the site."""
    video_id: VideoId
    kind: ValueKind
    field: str
    """The field on disk."""
    committed_field: str
    """The field in the commit, where the number of a list item can differ."""
    old: str | None
    """The value in the commit; None if it is empty or absent."""
    new: str
    """The value on disk; empty only for a detail that was removed."""
    present: bool
    """False: the key is not in the commit's page and is inserted."""

    @property
    def placed(self) -> PlacedCount:
        """The count on disk with its place, in the form in which the diff log is searched."""
        return place_at(self.path, self.field, self.video_id), self.new

    def change(self, as_of: datetime) -> Change:
        """Return the change to make in the commit's text; `as_of` is when YouTube returned the count."""
        why = Why.CHANGED if self.present else Why.INSERTED
        return Change(self.path, self.video_id, self.committed_field, self.kind, self.old, self.new, as_of, why)


def compare(path: str, committed: Sequence[Slot], on_disk: Sequence[Slot]) -> Iterator[ValueDifference]:
    """Yield the counts and dates that differ. One that the commit's page has no slot for is left out.

    A video that stands another number of times in the commit than on disk is left out too (`uneven`).
    """
    yield from compare_pairs(path, _paired(committed, on_disk))


def compare_pairs(path: str, pairs: Iterable[tuple[Slot, Slot]]) -> Iterator[ValueDifference]:
    """Yield the counts and dates that differ in these pairs of slots in the commit and on disk."""
    for before, now in pairs:
        if before.fields is now.fields and before.texts == now.texts:
            continue
        known = {field.kind: (field, text) for field, text in zip(before.fields, before.texts, strict=True)}
        for field, new in zip(now.fields, now.texts, strict=True):
            if field.kind in known and (new is not None or can_be_empty(field.kind)):
                there, old = known[field.kind]
                if new != old:
                    yield ValueDifference(
                        path, now.video_id, field.kind, field.field, there.field, old, new or "", there.present
                    )


def _paired(committed: Sequence[Slot], on_disk: Sequence[Slot]) -> Iterator[tuple[Slot, Slot]]:
    """Yield the slots that are on both sides, in pairs.

    If the order of videos differs, a video's slots are paired in order, provided that both sides have as many of them:
    list items can move.
    """
    if [slot.video_id for slot in committed] == [slot.video_id for slot in on_disk]:
        yield from zip(committed, on_disk, strict=True)
        return
    before, now = _by_video(committed), _by_video(on_disk)
    for video_id, slots in now.items():
        if len(before[video_id]) == len(slots):
            yield from zip(before[video_id], slots, strict=True)


def uneven(committed: Sequence[Slot], on_disk: Sequence[Slot]) -> set[VideoId]:
    """Return the videos that are on both sides, but not as many times: the author added or removed items of theirs."""
    before, now = (Counter(slot.video_id for slot in slots) for slots in (committed, on_disk))
    return {video for video, times in now.items() if before[video] not in {0, times}}


def _by_video(slots: Sequence[Slot]) -> defaultdict[VideoId, list[Slot]]:
    by_video: defaultdict[VideoId, list[Slot]] = defaultdict(list)
    for slot in slots:
        by_video[slot.video_id].append(slot)
    return by_video
