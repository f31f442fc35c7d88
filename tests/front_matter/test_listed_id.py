"""A list where one id belongs: of one video, of none, or of several."""

from __future__ import annotations

import json

import pytest
import tomli
import yaml

from syncer.front_matter.find import find
from syncer.model import ProblemKind
from tests.front_matter.pages import ID, OTHER_ID, block, difference, fields, rewritten

FOREIGN = "https://vimeo.com/76979871"


@pytest.mark.parametrize(
    "text",
    [
        'vid_id: ["{id}"]\nviewcount: 5\n',
        "vid_id: [ {id}, ] # c\nviewcount: 5\n",
        "viewcount: 5\nvid_id:\n  - https://youtu.be/{id}\n",
        "vid_id:\n- '{id}'\nviewcount: 5\n",
        "vid_id: &a\n- &b {id}\nviewcount: 5\n",
        "vid_id: [\n  {id} # c\n]\nviewcount: 5\n",
        "vid_id:\n  - >-\n    {id}\nviewcount: 5\n",
    ],
)
def test_a_list_of_one_is_that_one(text: str) -> None:
    page = block(text.replace("{id}", ID))
    found = find(page, fields(), "page.md")
    assert [slot.video_id for slot in found.slots] == [ID]
    assert difference(page, rewritten(page, fields(), "31")) == (b"5", b"31")


def test_a_list_of_one_in_toml_json_and_in_the_items_of_a_list() -> None:
    for page in (f'+++\nvid_id = [ "{ID}", ]\nviewcount = 5\n+++\n', f'{{"vid_id": ["{ID}"], "viewcount": 5}}\n'):
        (slot,) = find(page.encode(), fields(), "page.md").slots
        assert (slot.video_id, slot.values[0].text) == (ID, "5")
    items = block(f"talks:\n  - urls: [{ID}]\n    v: 1\n  - urls:\n      - {OTHER_ID}\n    v: 2\n")
    found = find(items, fields("talks[].urls", "v"), "page.md")
    assert [(slot.video_id, slot.values[0].text) for slot in found.slots] == [(ID, "1"), (OTHER_ID, "2")]


@pytest.mark.parametrize(
    "value",
    [
        "[]",
        "!!seq []",
        "[null]",
        "['']",
        f"[{FOREIGN}]",
        f"[{FOREIGN}, '', ~, https://www.youtube.com/@slowwaterways]",
        f"\n  - {FOREIGN}\n  - {FOREIGN}/a",
        "[https://www.youtube.com/playlist?list=PL0123456789abcdef]",
    ],
)
def test_a_list_without_a_video_is_as_silent_as_one_address(value: str) -> None:
    found = find(block(f"vid_id: {value}\nviewcount: 5\n"), fields(), "page.md")
    assert (found.slots, found.problems) == ((), ())


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (f"[{ID}, {OTHER_ID}]", ProblemKind.NOT_A_VIDEO_ID),
        (f"[{ID}, {ID}]", ProblemKind.NOT_A_VIDEO_ID),
        (f"[{ID}, {FOREIGN}]", ProblemKind.NOT_A_VIDEO_ID),
        (f"[{FOREIGN}, TBD]", ProblemKind.NOT_A_VIDEO_ID),
        (f"[[{ID}]]", ProblemKind.NOT_A_VIDEO_ID),
        (f"[{{id: {ID}}}]", ProblemKind.NOT_A_VIDEO_ID),
        (f"\n  - id: {ID}\n  - id: {OTHER_ID}", ProblemKind.NOT_A_VIDEO_ID),
        ("[TBD]", ProblemKind.NOT_A_VIDEO_ID),
        (f"['https://youtu.be/{ID} https://youtu.be/{OTHER_ID}']", ProblemKind.IDS_DISAGREE),
        ("[*n]", ProblemKind.ALIAS),
        (f"[!!str {ID}]", ProblemKind.TAG),
        (f"!!set [{ID}]", ProblemKind.TAG),
    ],
)
def test_a_list_of_several_videos_is_a_problem(value: str, kind: ProblemKind) -> None:
    found = find(block(f"n: &n {ID}\nvid_id: {value}\nviewcount: 5\n"), fields(), "page.md")
    assert found.slots == ()
    assert [problem.kind for problem in found.problems] == [kind]


@pytest.mark.parametrize(
    ("mapped", "text", "then"),
    [
        ("vid_id", "vid_id: [{0}, {1}]\n", "vid_id: [{{id: {0}, v: 1}}, {{id: {1}, v: 2}}]\n"),
        ("talks[].urls", "talks:\n- urls: [{0}, {1}]\n", "talks:\n- urls: [{{id: {0}, v: 1}}, {{id: {1}, v: 2}}]\n"),
        ("a.b", "a: {{b: [{0}, {1}]}}\n", "a: {{b: [{{id: {0}, v: 1}}, {{id: {1}, v: 2}}]}}\n"),
    ],
)
def test_what_the_message_advises_for_several_videos_works(mapped: str, text: str, then: str) -> None:
    (problem,) = find(block(text.format(ID, OTHER_ID)), fields(mapped, "v"), "page.md").problems
    advised = problem.message.partition('`video_id: "')[2].partition('"`')[0]
    assert advised == f"{mapped}[].id"
    slots = find(block(then.format(ID, OTHER_ID)), fields(advised, "v"), "page.md").slots
    assert [(slot.video_id, slot.values[0].text) for slot in slots] == [(ID, "1"), (OTHER_ID, "2")]


@pytest.mark.parametrize(
    "page",
    [
        "---\nvid_id: ['{0}']\ntags: [a]\n---\n",
        "---\nvid_id: [ {0}, ] # c\ntags: [a]\n---\n",
        "---\nvid_id:\n  - {0}\ntags: [a]\n---\n",
        "---\nvid_id:\n- '{0}' # c\n\n# about tags\ntags: [a]\n---\n",
        "---\nvid_id:\n  [\n    {0} # c\n  ]\ntags: [a]\n---\n",
        "---\n{{ vid_id: [ '{0}' ], tags: [a] }}\n---\n",
        "+++\nvid_id = ['{0}']\ntags = ['a']\n+++\n",
        "+++\nvid_id = [\n  '{0}', # c\n  # d\n]\ntags = ['a']\n+++\n",
        '{{\n  "vid_id": [\n    "{0}"\n  ],\n  "tags": ["a"]\n}}\n',
    ],
)
def test_a_missing_count_is_added_after_all_of_the_list(page: str) -> None:
    data = page.format(ID).encode()
    mapping = fields(insert=True)
    result = rewritten(data, mapping, "31")
    assert parsed(result) == {**parsed(data), "viewcount": "31", "likeCount": "31"}
    assert difference(data, result)[0] == b""


def parsed(page: bytes) -> dict[str, object]:
    """Return the front matter as the libraries read it, numbers as text."""
    text = page.decode()
    if text.startswith("{"):
        found = json.loads(text)
    elif text.startswith("+"):
        found = tomli.loads(text.strip("+\n"))
    else:
        found = yaml.safe_load(text.split("---\n")[1])
    return {key: str(value) if isinstance(value, int) else value for key, value in found.items()}
