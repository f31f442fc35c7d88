"""Identifies the items of one video in two texts of a file that do not have as many of them, by what is around them.

The author added or removed such an item. The counts themselves say nothing: a sync changes them.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date
from typing import NamedTuple

from syncer.commit.compare import UNKNOWN_TIME
from syncer.content.page_file import attempt
from syncer.front_matter.rewrite import splices_for
from syncer.model import Change, Count, Fields, Slot, VideoId, Why

_AROUND_VALUE = b" \t\r\n\"'"
"""What a value that was empty before may have got around it."""

_SEPARATORS = re.compile(rb"[\r\n{}\[\]]")
"""Between lines, and between items on one line."""

MAX_COMPARISONS = 10_000
"""The most pairs of one video's items that are compared."""


class _Surroundings(NamedTuple):
    """The text around the values of an item, without the values themselves."""

    before: bytes
    """From the value of the item before it."""
    between: tuple[bytes, ...]
    after: bytes
    """To the value of the item after it."""

    def may_be(self, other: _Surroundings) -> bool:
        """Return whether nothing says that both are not the same item, and at least one side of it is the same.

        One text may be a part of the other, and one side needs to have only its nearest line in common, or what is in
        the same braces: the item there may be new, or gone.
        """
        before, mine = sorted((other.before, self.before), key=len)
        after, own = sorted((other.after, self.after), key=len)
        same_before, same_after = mine.endswith(before), own.startswith(after)
        near_before = _SEPARATORS.split(before)[-1] == _SEPARATORS.split(mine)[-1]
        near_after = _SEPARATORS.split(after, maxsplit=1)[0] == _SEPARATORS.split(own, maxsplit=1)[0]
        one_side = (before and same_before and (same_after or near_after)) or (
            after and same_after and (same_before or near_before)
        )
        return bool(one_side) and self.between == other.between


def pair_by_surroundings(
    path: str, fields: Fields, videos: Collection[VideoId], *texts: tuple[bytes, Sequence[Slot]]
) -> Iterator[tuple[Slot, Slot]]:
    """Yield the slots of these videos that can only be the same item in two texts of a file.

    An item that may be several of the other text is in no pair, and neither is one of a video with very many items.
    """
    before, now = (_surroundings(text, slots, path, fields, videos) for text, slots in texts)
    (_, committed), (_, on_disk) = texts
    of_before, of_now = _by_video(committed, before), _by_video(on_disk, now)
    for video in videos:
        there, here = of_before[video], of_now[video]
        if len(there) * len(here) <= MAX_COMPARISONS:
            likely = [(old, new) for old in there for new in here if before[old].may_be(now[new])]
            times = Counter(("before", old) for old, _ in likely) + Counter(("now", new) for _, new in likely)
            for old, new in likely:
                if times["before", old] == times["now", new] == 1:
                    yield committed[old], on_disk[new]


def _by_video(slots: Sequence[Slot], numbers: Iterable[int]) -> defaultdict[VideoId, list[int]]:
    by_video: defaultdict[VideoId, list[int]] = defaultdict(list)
    for number in numbers:
        by_video[slots[number].video_id].append(number)
    return by_video


def _surroundings(
    text: bytes, slots: Sequence[Slot], path: str, fields: Fields, videos: Collection[VideoId]
) -> dict[int, _Surroundings]:
    """Return what is around each slot of these videos, by the slot's number; one without a value is left out."""
    with_values = [number for number, slot in enumerate(slots) if any(field.present for field in slot.fields)]
    wanted = [False, *(slots[number].video_id in videos for number in with_values), False]
    near = [number for at, number in enumerate(with_values) if any(wanted[at : at + 3])]
    spans = _spans(text, slots, near, path, fields)
    found = {}
    for at, number in enumerate(with_values):
        if wanted[at + 1] and number in spans:
            stop = spans[with_values[at - 1]][-1][1] if at else 0
            following = with_values[at + 1 : at + 2]
            start = spans[following[0]][0][0] if following else len(text)
            ends = [stop, *(end for span in spans[number] for end in span), start]
            if ends == sorted(ends):
                parts = [text[a:b].strip(_AROUND_VALUE) for a, b in zip(ends[::2], ends[1::2], strict=True)]
                before, *between, after = parts
                found[number] = _Surroundings(before, tuple(between), after)
    return found


def _spans(
    text: bytes, slots: Sequence[Slot], numbers: Sequence[int], path: str, fields: Fields
) -> dict[int, list[tuple[int, int]]]:
    """Return where the values of these slots are, by the slot's number, in order; nothing if that is uncertain.

    A slot's number, written instead of its values, tells which value is whose.
    """
    own: dict[str, int] = {}
    changes = []
    for number in numbers:
        slot = slots[number]
        for value in slot.values:
            if value.present:
                new = str(number) if isinstance(value.kind, Count) else date.fromordinal(number + 1).isoformat()
                own[new] = number
                changes.append(
                    Change(path, slot.video_id, value.field, value.kind, value.text, new, UNKNOWN_TIME, Why.CHANGED)
                )
    splices = attempt(splices_for, text, fields, changes, path)
    found: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for start, stop, new_text in splices if isinstance(splices, list) else ():
        found[own[re.sub(rb"[^0-9-]", b"", new_text).decode()]].append((start, stop))
    return dict(found) if len(found) == len(numbers) else {}
