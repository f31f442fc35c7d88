"""What the tests of front matter share: a page in the mission's form, fields, and changes to what was found."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from datetime import UTC, datetime

from syncer.front_matter.find import find
from syncer.front_matter.keys import PageContents
from syncer.front_matter.rewrite import rewrite
from syncer.model import Change, Count, Detail, Fields, Problem, Value, VideoId, Why

ID = "kq3vT7mZ_dE"
OTHER_ID = "-b5Nw0yRfhs"

PAGE = f"""---
title: "How a canal lock lifts a barge"
image: "https:\\/\\/i.ytimg.com\\/vi\\/{ID}\\/hqdefault.jpg"
vid_id: "{ID}"
categories: "Education"
tags: ["canal","lock gate","water"]
date: "2023-02-11T08:15:00+01:00"
vid_date: "2019-05-04T16:20:11Z"
duration: "PT7M41S"
viewcount: "48210"
likeCount: "517"
dislikeCount: ""
channel: "Slow Waterways"
---
Gates, paddles and patience.
"""


NEW_DATE = "2026-11-22"


def fields(
    video_id: str = "vid_id",
    views: str = "viewcount",
    likes: str = "likeCount",
    *,
    insert: bool = False,
    date: str | None = None,
) -> Fields:
    """Return a mapping of two counts, and of a date if `date` is its key."""
    dates = {} if date is None else {Detail.CHECKED_AT: date}
    return Fields(video_id, {Count.VIEWS: views, Count.LIKES: likes}, insert, details=dates)


def change(video_id: str, value: Value, new: str) -> Change:
    """Return the change of one count to `new`, or of one date to another one."""
    at = datetime(2026, 11, 22, 15, 0, 5, tzinfo=UTC)
    new = NEW_DATE if isinstance(value.kind, Detail) else new
    return Change("page.md", VideoId(video_id), value.field, value.kind, value.text, new, at, Why.CHANGED)


def changes(found: PageContents, new: str) -> list[Change]:
    """Return the changes that set every count found to `new`, and every date to one date."""
    return [change(slot.video_id, value, new) for slot in found.slots for value in slot.values]


def rewritten(data: bytes, mapping: Fields, new: str) -> bytes:
    """Return the page with every count that is found set to `new`."""
    result = rewrite(data, mapping, changes(find(data, mapping, "page.md"), new), "page.md")
    assert not isinstance(result, Problem), result
    return result


def block(text: str) -> bytes:
    """Return a page with this YAML as its front matter."""
    return f"---\n{text}---\nBody.\n".encode()


def difference(old: bytes, new: bytes) -> tuple[bytes, bytes]:
    """Return what is left of both when the common beginning and the common end are cut off."""
    shorter = min(len(old), len(new))
    start = _longest(shorter, lambda size: old[:size] == new[:size])
    end = _longest(shorter - start, lambda size: old[len(old) - size :] == new[len(new) - size :])
    return old[start : len(old) - end], new[start : len(new) - end]


def _longest(limit: int, is_common: Callable[[int], bool]) -> int:
    """Return the largest size up to a limit that two texts have in common."""
    return bisect_left(range(1, limit + 1), True, key=lambda size: not is_common(size))
