"""Finds the items of a list again by their videos: their numbers change when items are added, removed or sorted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from syncer.model import VideoId, item_of, key_of, without_item_numbers

Item = tuple[VideoId, str]
"""A video, and the item of the file that it is in (`model.item_of`)."""

Texts = dict[tuple[str, str | None], str | None]
"""The texts of an item's values, by key and by count; `None` for a date."""


def texts_by_item(values: Iterable[tuple[VideoId, str, str | None, str | None]]) -> dict[Item, Texts]:
    """Return the texts of each item; `values` are videos, fields, counts (of a date None) and texts."""
    found: dict[Item, Texts] = {}
    keys: dict[tuple[str, str | None], tuple[str, str | None]] = {}  # each is in memory once
    for video, field, count, text in values:
        key = key_of(field), count
        found.setdefault((video, item_of(field)), {})[keys.setdefault(key, key)] = text
    return found


def find_items(wanted: Mapping[Item, Sequence[Texts]], found: Mapping[Item, Texts]) -> dict[Item, str]:
    """Return which item each of these items of a file is now; an item that cannot be identified is left out.

    `wanted` has the texts that each may have now, the likelier ones first; `found` has the texts in the file. Both are
    in the order of the file. If all items are where they were, nothing has moved. Otherwise a video's items are paired
    in order, provided that both sides have as many of them. If not, an item is the one that has its number and its
    texts, else the first one that has its texts; and if that finds only some of the video's items, the result has none
    of them, unless all are alike.
    """
    if all(item in found for item in wanted):
        return {item: item[1] for item in wanted}
    now, before = _by_video(found), _by_video(wanted)
    again: dict[Item, str] = {}
    for key, items in before.items():
        left = dict.fromkeys(now.get(key, ()))
        if len(left) == len(items):
            again |= {item: there[1] for item, there in zip(items, left, strict=True)}
            continue
        paired: dict[Item, str] = {}
        for texts in range(max(len(wanted[item]) for item in items)):
            for item in items:
                expected = wanted[item][texts].items()
                alike = (each for each in (item, *left) if each in left and expected <= found[each].items())
                if item not in paired and (there := next(alike, None)):
                    paired[item] = there[1]
                    del left[there]
        if len(paired) == len(items) or all(wanted[item] == wanted[items[0]] for item in items):
            again |= paired
    return again


def _by_video(items: Iterable[Item]) -> Mapping[Item, list[Item]]:
    by_video: defaultdict[Item, list[Item]] = defaultdict(list)
    for video, item in items:
        by_video[video, without_item_numbers(f"{item}.")].append((video, item))
    return by_video
