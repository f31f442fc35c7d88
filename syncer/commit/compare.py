"""Compares the counts of a page on disk with those that the last commit has."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from syncer.model import Change, Count, Place, Slot, VideoId, Why

PlacedCount = tuple[Place, str]
"""A place, without the numbers of list items in it, and the count there."""


@dataclass(frozen=True, slots=True)
class CountDifference:
    """A count on disk that the last commit does not have."""

    place: Place
    count: Count
    field: str
    """The field in the commit: the number of an item in a list may differ there."""
    old: str | None
    """What the commit has; None where the value is empty or absent."""
    new: str
    """What is on disk."""
    present: bool
    """False: the commit's page lacks the key, and it would be inserted."""

    @property
    def placed(self) -> PlacedCount:
        """The count on disk with its place, as the diff log can be searched for it."""
        return without_item_numbers(self.place), self.new

    def change(self, as_of: datetime) -> Change:
        """Return the change that the commit's text needs; `as_of` is when YouTube said the count."""
        why = Why.CHANGED if self.present else Why.INSERTED
        return Change(self.place.path, self.place.video_id, self.field, self.count, self.old, self.new, as_of, why)


def without_item_numbers(place: Place) -> Place:
    """Return the place without its number in a list: an item keeps its counts when others come in above it."""
    return place._replace(field=_without_numbers(place.field)) if "[" in place.field else place


@lru_cache(maxsize=4096)
def _without_numbers(field: str) -> str:
    return re.sub(r"\[[0-9]+\]", "[]", field)


def compare(path: str, committed: Sequence[Slot], on_disk: Sequence[Slot]) -> Iterator[CountDifference]:
    """Yield the counts that differ. A count whose key's place the commit's page does not have is not among them."""
    for before, now in _paired(committed, on_disk):
        if before.fields is now.fields and before.texts == now.texts:
            continue
        known = {field.count: (field, text) for field, text in zip(before.fields, before.texts, strict=True)}
        for field, new in zip(now.fields, now.texts, strict=True):
            if field.count in known and new is not None:
                committed_field, old = known[field.count]
                if new != old:
                    place = Place(path, field.field, now.video_id)
                    yield CountDifference(place, field.count, committed_field.field, old, new, committed_field.present)


def _paired(committed: Sequence[Slot], on_disk: Sequence[Slot]) -> Iterator[tuple[Slot, Slot]]:
    """Yield the slots that are on both sides, in pairs.

    A video's slots pair in their order where both sides have as many: items of a list move, and bring their counts.
    """
    if [slot.video_id for slot in committed] == [slot.video_id for slot in on_disk]:
        yield from zip(committed, on_disk, strict=True)
        return
    before, now = _by_video(committed), _by_video(on_disk)
    for video_id, slots in now.items():
        if len(before[video_id]) == len(slots):
            yield from zip(before[video_id], slots, strict=True)


def _by_video(slots: Sequence[Slot]) -> defaultdict[VideoId, list[Slot]]:
    by_video: defaultdict[VideoId, list[Slot]] = defaultdict(list)
    for slot in slots:
        by_video[slot.video_id].append(slot)
    return by_video
