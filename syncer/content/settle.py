"""Settles what several collections want of one page: each count belongs to one of them."""

from __future__ import annotations

from collections.abc import Sequence

from syncer.front_matter.letter_case import fold_key
from syncer.model import Count, Page, Problem, ProblemKind, Slot, Value, VideoId, slot_of


def settle(pages: Sequence[Page]) -> list[Page] | Problem:
    """Give each count to the first mapping that names it; a Problem where another mapping would write another number.

    Keys that two mappings would insert, and that differ only in letter case, are a Problem too.
    """
    owners: dict[str, tuple[VideoId, Count]] = {}
    letters: dict[str, str] = {}
    settled = []
    for page in pages:
        before = dict(owners)
        for slot in page.slots:
            for value in slot.values:
                wanted = (slot.video_id, value.count)
                if letters.setdefault(fold_key(value.field), value.field) != value.field:
                    return _one_but_for_letters(page.path, slot, value, letters[fold_key(value.field)])
                if owners.setdefault(value.field, wanted) != wanted:
                    return _conflict(page.path, slot, value, owners[value.field])
        slots = tuple(
            slot_of(slot.video_id, slot.line, [value for value in slot.values if value.field not in before])
            for slot in page.slots
        )
        settled.append(page._replace(slots=slots))
    return settled


def _one_but_for_letters(path: str, slot: Slot, value: Value, other: str) -> Problem:
    message = (
        f"{value.field} and {other} differ only in letter case, which Hugo and others ignore;"
        " use the same letters in the collections' counts"
    )
    return Problem(ProblemKind.KEY_CASE, path, message, slot.line)


def _conflict(path: str, slot: Slot, value: Value, owner: tuple[VideoId, Count]) -> Problem:
    video, count = owner
    if video == slot.video_id:
        message = f"{value.field} would be written with {count} and with {value.count}; correct the collections' counts"
        return Problem(ProblemKind.CANNOT_PLACE, path, message, slot.line)
    message = (
        f"{value.field} would be written for two videos, {video} and {slot.video_id}; "
        "let the ids agree, or map the count in one collection only"
    )
    return Problem(ProblemKind.IDS_DISAGREE, path, message, slot.line)
