"""Which counts of a page wait: they stand on disk, and the last commit has others."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from syncer.model import Change, Count, Place, Slot, VideoId, Why


@dataclass(frozen=True, slots=True)
class Waiting:
    """A count on disk that the last commit does not have."""

    place: Place
    count: Count
    field: str
    """The field in the commit: of an item in a list, the number may be another one there."""
    old: str | None
    """What the commit has; None where the value is empty or absent."""
    new: str
    """What stands on disk."""
    present: bool
    """False: the commit's page lacks the key, and it would be inserted."""

    def change(self, as_of: datetime) -> Change:
        """Return what the commit's text is to have; `as_of` is when YouTube said it."""
        why = Why.CHANGED if self.present else Why.INSERTED
        return Change(self.place.path, self.place.video_id, self.field, self.count, self.old, self.new, as_of, why)


def wherever(place: Place) -> Place:
    """Return the place without its number in a list: an item keeps its counts when others come in above it."""
    return place._replace(field=_without_numbers(place.field)) if "[" in place.field else place


def waiting(path: str, committed: Sequence[Slot], on_disk: Sequence[Slot]) -> Iterator[Waiting]:
    """Yield the counts that differ. A count whose place the commit's page does not have is not among them."""
    for there, here in _paired(committed, on_disk):
        if there.fields is here.fields and there.texts == here.texts:
            continue
        known = {field.count: (field, text) for field, text in zip(there.fields, there.texts, strict=True)}
        for field, new in zip(here.fields, here.texts, strict=True):
            if field.count in known and new is not None:
                committed_field, old = known[field.count]
                if new != old:
                    place = Place(path, field.field, here.video_id)
                    yield Waiting(place, field.count, committed_field.field, old, new, committed_field.present)


def _paired(committed: Sequence[Slot], on_disk: Sequence[Slot]) -> Iterator[tuple[Slot, Slot]]:
    """Yield the slots that are on both sides, with their likes.

    A video's slots pair in their order where both sides have as many: items of a list move, and bring their counts.
    """
    if [slot.video_id for slot in committed] == [slot.video_id for slot in on_disk]:
        yield from zip(committed, on_disk, strict=True)
        return
    there, here = _by_video(committed), _by_video(on_disk)
    for video_id, slots in here.items():
        if len(there[video_id]) == len(slots):
            yield from zip(there[video_id], slots, strict=True)


def _by_video(slots: Sequence[Slot]) -> defaultdict[VideoId, list[Slot]]:
    found: defaultdict[VideoId, list[Slot]] = defaultdict(list)
    for slot in slots:
        found[slot.video_id].append(slot)
    return found


@lru_cache(maxsize=4096)
def _without_numbers(field: str) -> str:
    return re.sub(r"\[[0-9]+\]", "[]", field)
