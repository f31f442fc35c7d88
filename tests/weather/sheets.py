"""The pages of the random stories, as their author knows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tests.site import FORMS, ids

POOL = ids(70, seed=11)
"""Some of them are on no page at first."""


class Slot(NamedTuple):
    """One video's place as its author has it, and its counts as they stand."""

    video: str
    views: str
    likes: str


@dataclass
class Sheet:
    """A page as its author knows it."""

    path: str
    write: Callable[[Sequence[Slot]], bytes]
    """The page with these slots, without what the author has added at its end."""
    slots: list[Slot]
    end: bytes = b""

    @property
    def page(self) -> bytes:
        return self.write(self.slots) + self.end


def single(number: int) -> Callable[[Sequence[Slot]], bytes]:
    return lambda slots: FORMS[number](*slots[0])


def listed(slots: Sequence[Slot]) -> bytes:
    """A list of videos, with the counts once in quotes and once without."""
    items = "".join(f'  - id: {s.video!r}\n    viewcount: "{s.views}"\n    likeCount: {s.likes}\n' for s in slots)
    return f"---\nvideos:\n{items}---\nviewcount: 1\n".encode()


def first_sheets() -> Iterator[Sheet]:
    """Five pages with a video each, two with 25, and one video that is on two of them."""
    for number in range(len(FORMS)):
        yield Sheet(f"content/{number}.md", single(number), [Slot(POOL[number], "1", "2")])
    for number, some in enumerate((POOL[4:29], POOL[29:54])):
        yield Sheet(f"content/lists/{number}.md", listed, [Slot(video, "3", "4") for video in some])
