"""Which counts of a page wait: they stand on disk, and the last commit has others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from syncer.model import Count, Place, Slot


@dataclass(frozen=True, slots=True)
class Waiting:
    """A count on disk that the last commit does not have."""

    place: Place
    count: Count
    old: str | None
    """What the commit has; None where the value is empty or absent."""
    new: str
    """What stands on disk."""
    present: bool
    """False: the commit's page lacks the key, and it would be inserted."""


def waiting(path: str, committed: Sequence[Slot], on_disk: Sequence[Slot]) -> Iterator[Waiting]:
    """Yield the counts that differ. A count whose place the commit's page does not have is not among them."""
    there = {
        Place(path, field.field, slot.video_id): (field, text)
        for slot in committed
        for field, text in zip(slot.fields, slot.texts, strict=True)
    }
    for slot in on_disk:
        for field, new in zip(slot.fields, slot.texts, strict=True):
            place = Place(path, field.field, slot.video_id)
            known, old = there.get(place, (None, None))
            if known and known.count is field.count and new is not None and new != old:
                yield Waiting(place, field.count, old, new, known.present)
