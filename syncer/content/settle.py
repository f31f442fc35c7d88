"""Settles what several collections want of one page: each count belongs to one of them."""

from __future__ import annotations

from collections.abc import Sequence

from syncer.model import Count, Page, Problem, ProblemKind, Slot, Value, VideoId, slot_of


def settle(pages: Sequence[Page]) -> list[Page] | Problem:
    """Give each count to the first mapping that names it; a Problem where another wants something else there."""
    owners: dict[str, tuple[VideoId, Count]] = {}
    settled = []
    for page in pages:
        before = dict(owners)
        for slot in page.slots:
            for value in slot.values:
                wanted = (slot.video_id, value.count)
                if owners.setdefault(value.field, wanted) != wanted:
                    return _conflict(page.path, slot, value, owners[value.field])
        slots = tuple(
            slot_of(slot.video_id, slot.line, [value for value in slot.values if value.field not in before])
            for slot in page.slots
        )
        settled.append(page._replace(slots=slots))
    return settled


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
