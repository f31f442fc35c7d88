"""Which item of a list an earlier one is now."""

from __future__ import annotations

import pytest

from syncer.decide.same_items import Item, Texts, find_items
from syncer.model import Change, Count, VideoId, Why, item_of, key_of, without_item_numbers
from tests.site import NOON, ids

A, B, C = map(VideoId, ids(3, seed=18))

File = list[tuple[VideoId | None, int]]
"""The items of a list by their order, each with its views; None: not a video of syncer's."""


def items(file: File) -> dict[Item, int]:
    return {(video, f"talks[{number}]"): views for number, (video, views) in enumerate(file) if video}


def texts(views: int) -> Texts:
    return {("views", "viewCount"): str(views)}


@pytest.mark.parametrize(
    ("wanted", "found", "again"),
    [
        ([(A, 1), (B, 2)], [(A, 1), (B, 9)], {0: 0, 1: 1}),
        ([(A, 1), (B, 2)], [(None, 0), (A, 1), (B, 9)], {0: 1, 1: 2}),
        ([(A, 1), (B, 2)], [(B, 2), (A, 1)], {0: 1, 1: 0}),
        ([(A, 1), (B, 2)], [(B, 2)], {1: 0}),
        ([(A, 1), (A, 2)], [(None, 0), (A, 9), (A, 2)], {0: 1, 1: 2}),
        ([(A, 1), (A, 1), (B, 1)], [(B, 1), (A, 9), (A, 1)], {0: 1, 1: 2, 2: 0}),
        ([(A, 1), (None, 0), (A, 2)], [(None, 0), (A, 2), (A, 1), (A, 3)], {0: 2, 2: 1}),
        ([(A, 1), (None, 0), (A, 2)], [(None, 0), (A, 2)], {}),
        ([(A, 1), (None, 0), (A, 1)], [(None, 0), (A, 1)], {0: 1}),
        ([(None, 0), (A, 1), (B, 2)], [(A, 1), (A, 1), (A, 1), (B, 2)], {1: 1, 2: 3}),
        ([(None, 0), (A, 1), (B, 2)], [(A, 1), (A, 9), (A, 1), (B, 2)], {1: 0, 2: 3}),
    ],
    ids=[
        "nothing has moved, whatever it says",
        "one on top",
        "sorted",
        "one is gone",
        "the video twice, one edited",
        "the video twice, among others",
        "one more: by what it says",
        "one less: which one it was is not known",
        "one less: they were alike",
        "one more: the one with its number",
        "one more: the one with its number says something else",
    ],
)
def test_an_item_is_found_by_its_video_and_its_order(wanted: File, found: File, again: dict[int, int]) -> None:
    """A video that is not syncer's stands for items that do not count."""
    now = {item: texts(views) for item, views in items(found).items()}
    result = find_items({item: [texts(views)] for item, views in items(wanted).items()}, now)
    assert {item: place for (_, item), place in result.items()} == {
        f"talks[{before}]": f"talks[{after}]" for before, after in again.items()
    }


def test_what_is_likelier_is_looked_for_first() -> None:
    found = {(A, "[1]"): texts(2), (A, "[2]"): texts(1)}
    assert find_items({(A, "[0]"): [texts(1), texts(2)]}, found) == {(A, "[0]"): "[2]"}
    assert find_items({(A, "[0]"): [texts(2), texts(1)]}, found) == {(A, "[0]"): "[1]"}
    assert find_items({(A, "[0]"): [texts(3), texts(2)]}, found) == {(A, "[0]"): "[1]"}


@pytest.mark.parametrize(
    ("field", "item", "key", "place"),
    [
        ("viewcount", "", "viewcount", "viewcount"),
        ("video.views", "", "video.views", "video.views"),
        ("videos[12].meta.views", "videos[12]", "meta.views", "videos[].meta.views"),
        ("[0].talks[3].views", "[0].talks[3]", "views", "[].talks[].views"),
        ("{abc}.views", "{abc}", "views", "{abc}.views"),
        ("[7].views[1]", "[7]", "views[1]", "[].views[1]"),
    ],
)
def test_a_field_consists_of_an_item_and_a_key_and_its_place_has_no_numbers(
    field: str, item: str, key: str, place: str
) -> None:
    assert (item_of(field), key_of(field), without_item_numbers(field)) == (item, key, place)
    change = Change("a.yml", A, field, Count.VIEWS, "1", "2", NOON, Why.CHANGED)
    assert change.place == ("a.yml", place, A)
