"""Pages as their authors know them, and how counts are found in them: nothing here comes from the program."""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple


class Slot(NamedTuple):
    """One video's place in a page, with its counts as texts."""

    video: str
    views: str
    likes: str


class Form(NamedTuple):
    """A form of page: how it is written, and where the counts are in it."""

    write: Callable[[Sequence[Slot]], bytes]
    counts: re.Pattern[bytes]
    """Its groups are the views and the likes of one slot; it matches once for each, in their order."""
    field: Callable[[int, str], str]
    """The diff log's name of the field of a slot."""


@dataclass
class Sheet:
    """A page as its author has it."""

    path: str
    form: Form
    slots: list[Slot]
    end: bytes = b""
    """What the author has added."""
    by_hand: set[str] = field(default_factory=set)
    """All counts that the author has ever saved in it."""

    @property
    def page(self) -> bytes:
        """The page as its author saves it."""
        return self.form.write(self.slots) + self.end

    def read(self, page: bytes) -> list[Slot] | None:
        """Return the slots of the page as it is on disk; None where a byte beside the counts is another."""
        found = self.form.counts.findall(page)[: len(self.slots)]
        texts = [(views.decode("ascii"), likes.decode("ascii")) for views, likes in found]
        if len(texts) != len(self.slots):
            return None
        slots = [Slot(slot.video, *counts) for slot, counts in zip(self.slots, texts, strict=True)]
        return slots if self.form.write(slots) + self.end == page else None


def _quoted(slots: Sequence[Slot]) -> bytes:
    (slot,) = slots
    return (
        f'---\r\ntitle: "Caf\u00e9: a \\"tour\\""\r\nvid_id: "{slot.video}"\r\ntags: ["salt","bread"]\r\n'
        f'viewcount: "{slot.views}"\r\nlikeCount: "{slot.likes}"\r\n---\r\nviewcount: "1"<br />\r\n---\r\nend'
    ).encode()


def _plain(slots: Sequence[Slot]) -> bytes:
    (slot,) = slots
    return (
        f"---\nlikeCount:   {slot.likes}   # by hand\n\n'viewcount': {slot.views}\n"
        f"vid_id: https://youtu.be/{slot.video}?t=3\n...\n\nviewcount: 7\n"
    ).encode()


def _toml(slots: Sequence[Slot]) -> bytes:
    (slot,) = slots
    head = f"+++\nvid_id = '{slot.video}'\nviewcount = {slot.views} # so far\nlikeCount = \"{slot.likes}\"\n+++\r\n"
    return head.encode() + b"\xff\xfe body"


def _listed(slots: Sequence[Slot]) -> bytes:
    items = "".join(f'  - id: {s.video!r}\n    viewcount: "{s.views}"\n    likeCount: {s.likes}\n' for s in slots)
    return f"---\nvideos:\n{items}---\nviewcount: 1\n".encode()


def _alone(number: int, name: str) -> str:
    assert number == 0
    return name


SINGLES = (
    Form(_quoted, re.compile(rb'viewcount: "(\d+)"\r\nlikeCount: "(\d+)"'), _alone),
    Form(_toml, re.compile(rb'viewcount = (\d+) # so far\nlikeCount = "(\d+)"'), _alone),
    Form(_plain, re.compile(rb"likeCount:   (?=\d+   # by hand\n\n'viewcount': (\d+))(\d+)"), _alone),
)
LISTED = Form(
    _listed,
    re.compile(rb'    viewcount: "(\d+)"\n    likeCount: (\d+)\n'),
    lambda number, name: f"videos[{number}].{name}",
)

LIST_VIDEOS = 5
"""Videos of the one page of a site that lists some."""


def new_videos(number: int, random: Random) -> list[str]:
    """Return IDs that YouTube can have given out."""
    return [urlsafe_b64encode(random.randbytes(8)).decode("ascii").rstrip("=") for _ in range(number)]


def new_sheets(videos: Sequence[str]) -> dict[str, Sheet]:
    """Return a page for each video, but for the last ones, which one page lists."""
    *singles, listed = [[video] for video in videos[:-LIST_VIDEOS]] + [list(videos[-LIST_VIDEOS:])]
    sheets = [
        Sheet(f"content/{number}.md", SINGLES[number % len(SINGLES)], [Slot(video[0], "1", "2")])
        for number, video in enumerate(singles)
    ]
    sheets.append(Sheet("content/lists/all.md", LISTED, [Slot(video, "1", "2") for video in listed]))
    return {sheet.path: sheet for sheet in sheets}
