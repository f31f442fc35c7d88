"""An inserted count has the type of the page's nearest mapped count; without one, the type that the config names."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from syncer.model import CountType
from tests.examples import examples
from tests.front_matter.pages import ID, fields, rewritten

FLAT = fields(insert=True)
LIST = fields("videos[].id", "views", "likes", insert=True)


def read(page: bytes) -> Any:  # what the parsers of a site's generator see
    text = page.decode()
    if text.startswith("{"):
        return json.loads(text)
    if text.startswith("+++"):
        return tomllib.loads(text.split("+++")[1])
    return yaml.safe_load(text.split("---")[1])


@pytest.mark.parametrize("insert_as", ["number", "string"])
@pytest.mark.parametrize(
    "page",
    [
        "---\nvid_id: @\n---\n",
        '---\nvid_id: "@"\n---\n',
        "---\nvid_id: '@' # c\n---\n",
        "---\nvid_id: >-\n  @\n---\n",
        "---\n{vid_id: @, a: b}\n---\n",
        '---\n{"vid_id":"@"}\n---\n',
        '+++\nvid_id = "@"\n+++\n',
        "+++\nvid_id='@'\n+++\n",
        '+++\nvid_id = """@"""\n+++\n',
        '{"vid_id": "@"}',
        '{\n\t"vid_id": "@"\n}\n',
        '---\nvid_id: "@"\ncomments: "5"\nother: {viewcount: "6"}\n---\n',
    ],
)
def test_without_a_mapped_count_the_config_names_the_type(page: str, insert_as: CountType) -> None:
    new = read(rewritten(page.replace("@", ID).encode(), replace(FLAT, insert_as=insert_as), "901"))

    wanted = 901 if insert_as == "number" else "901"
    assert (new["viewcount"], new["likeCount"]) == (wanted, wanted)


def test_a_string_is_quoted_as_the_id_is() -> None:
    strings = replace(FLAT, insert_as="string")

    for quote in ("'", '"'):
        page = f"---\nvid_id: {quote}{ID}{quote}\n---\n".encode()
        assert f"\nviewcount: {quote}901{quote}\n".encode() in rewritten(page, strings, "901")
    assert b'\nviewcount: "901"\n' in rewritten(f"---\nvid_id: {ID}\n---\n".encode(), strings, "901")


@pytest.mark.parametrize("insert_as", ["number", "string"])
@pytest.mark.parametrize(
    ("page", "wanted"),
    [
        ("---\nlikeCount: 5\nvid_id: '@'\n---\n", 901),
        ('---\nlikeCount: "5"\nvid_id: @\n---\n', "901"),
        ("---\nvid_id: '@'\nlikeCount: ''\n---\n", "901"),
        ('---\nvid_id: "@"\nlikeCount:\n---\n', 901),
        ('---\nvid_id: "@"\nlikeCount: ~\n---\n', 901),
        ('+++\nvid_id = "@"\nlikeCount = 5\n+++\n', 901),
        ('+++\nlikeCount = """5"""\nvid_id = "@"\n+++\n', "901"),
        ('{"vid_id": "@", "likeCount": null}', 901),
        ('{"vid_id": "@", "likeCount": ""}', "901"),
    ],
)
def test_a_mapped_count_beside_it_is_followed_whatever_the_config_names(
    page: str, wanted: object, insert_as: CountType
) -> None:
    new = read(rewritten(page.replace("@", ID).encode(), replace(FLAT, insert_as=insert_as), "901"))

    assert new["viewcount"] == wanted
    assert str(new["likeCount"]) == "901"


_COUNTS = st.sampled_from(["", "views: 5", 'views: "5"', "likes: ''", "likes: ~", "views: '5'", "other: '5'"])
_ITEMS = st.lists(st.tuples(_COUNTS, _COUNTS, st.booleans()), min_size=1, max_size=5)


def _yaml_list(items: list[list[str]]) -> str:
    return "---\nvideos:\n" + "".join("  - " + "\n    ".join(item) + "\n" for item in items) + "---\n"


def _flow_list(items: list[list[str]]) -> str:
    return "---\nvideos: [" + ", ".join("{" + ", ".join(item) + "}" for item in items) + "]\n---\n"


@examples(300)
@given(_ITEMS, st.sampled_from([_yaml_list, _flow_list]), st.sampled_from(["number", "string"]))
def test_the_nearest_mapped_count_of_the_page_is_followed(
    drawn: list[tuple[str, str, bool]], form: Callable[[list[list[str]]], str], insert_as: CountType
) -> None:
    items = []
    for before, after, padded in drawn:
        names = [before.partition(":")[0], after.partition(":")[0]]
        if names[0] != names[1]:
            items.append([*filter(None, [before, "note: " + "x" * 40 * padded, f"id: {ID}", after])])
    page = form(items)
    was = [(match.start(2), match[2][:1] in {"'", '"'}) for match in re.finditer(r"(views|likes): ?([^\n,}]*)", page)]
    at = [match.start(1) for match in re.finditer(r"\bid: (\S)", page)]

    new = read(rewritten(page.encode(), replace(LIST, insert_as=insert_as), "901"))

    for number, (item, place) in enumerate(zip(items, at, strict=True)):
        near = sorted((abs(start - place), quoted) for start, quoted in was)
        if near and len({quoted for distance, quoted in near if distance <= near[0][0] + 2}) > 1:
            continue  # as near on both sides: either will do
        wanted = "901" if (near[0][1] if near else insert_as == "string") else 901
        for key in ("views", "likes"):
            if not any(line.startswith(key) for line in item):
                assert new["videos"][number][key] == wanted
