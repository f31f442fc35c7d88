"""What is found in a page, and what is said of it."""

from __future__ import annotations

import time

import pytest

from syncer.front_matter.find import find
from syncer.front_matter.keys import PageContents, keys_of, slot_of
from syncer.front_matter.leaves import leaves
from syncer.model import Count, Fields, ProblemKind, Value, VideoId
from tests.front_matter.pages import ID, OTHER_ID, PAGE, block, difference, fields, rewritten


def test_a_page_in_the_mission_s_form() -> None:
    values = (Value(Count.VIEWS, "viewcount", "48210"), Value(Count.LIKES, "likeCount", "517"))
    expected = PageContents((slot_of(VideoId(ID), 4, values),))
    assert find(PAGE.encode(), fields(), "page.md") == expected
    assert find(PAGE.replace("\n", "\r\n").encode(), fields(), "page.md") == expected
    assert find(b"\xef\xbb\xbf" + PAGE.encode() + b"\xff\xfe\r\r", fields(), "page.md") == expected


YAML_COUNTS = [
    ("48210", "48210"),
    ('"48210"', "48210"),
    ("'48210'", "48210"),
    ("0", "0"),
    ("007", "007"),
    ("9223372036854775807", "9223372036854775807"),
    ("", None),
    ('""', None),
    ("''", None),
    ("~", None),
    ("null", None),
    ("   # none yet", None),
    ("5 # so few", "5"),
]


@pytest.mark.parametrize(("source", "text"), YAML_COUNTS)
@pytest.mark.parametrize("other", ["", "list:\n  - the true way\n"])
def test_a_count_of_yaml_is_read(source: str, text: str | None, other: str) -> None:
    (slot,) = find(block(f"vid_id: {ID}\nviewcount: {source}\n{other}"), fields(), "page.md").slots
    assert slot.values == (Value(Count.VIEWS, "viewcount", text),)


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("1.2M", ProblemKind.NOT_A_COUNT),
        ('"1,567"', ProblemKind.NOT_A_COUNT),
        ("1_000", ProblemKind.NOT_A_COUNT),
        ("0x1F", ProblemKind.NOT_A_COUNT),
        ("1.0", ProblemKind.NOT_A_COUNT),
        ("-5", ProblemKind.NOT_A_COUNT),
        ("+5", ProblemKind.NOT_A_COUNT),
        ("[5]", ProblemKind.NOT_A_COUNT),
        ("{a: 5}", ProblemKind.NOT_A_COUNT),
        ("9223372036854775808", ProblemKind.NOT_A_COUNT),
        ("12345678901234567890", ProblemKind.NOT_A_COUNT),
        ('" 5"', ProblemKind.NOT_A_COUNT),
        ('"\\x35"', ProblemKind.NOT_A_COUNT),
        ("\u0665", ProblemKind.NOT_A_COUNT),
        ("yes", ProblemKind.NOT_A_COUNT),
        ("&a 5", ProblemKind.ALIAS),
        ("*n", ProblemKind.ALIAS),
        ("!!str 5", ProblemKind.TAG),
        ("!!null ''", ProblemKind.TAG),
        ("! 5", ProblemKind.TAG),
        ("|\n  5", ProblemKind.BLOCK_SCALAR),
        (">-\n  5", ProblemKind.BLOCK_SCALAR),
    ],
)
def test_a_value_that_is_not_a_plain_count_is_refused_and_the_other_count_is_kept(
    source: str, kind: ProblemKind
) -> None:
    found = find(block(f"n: &n 1\nvid_id: {ID}\nviewcount: {source}\nlikeCount: 7\n"), fields(), "page.md")
    assert [slot.values for slot in found.slots] == [(Value(Count.LIKES, "likeCount", "7"),)]
    assert [(problem.kind, problem.line, problem.subject) for problem in found.problems] == [(kind, 4, "page.md")]


@pytest.mark.parametrize("text", ["links: &l\n  youtube: {id}\n  v: 5\n", "links: !x\n  youtube: {id}\n  v: 5\n"])
def test_an_anchor_or_a_tag_on_the_way_to_a_count_is_refused(text: str) -> None:
    found = find(block(text.replace("{id}", ID)), fields("links.youtube", "links.v"), "page.md")
    assert [slot.values for slot in found.slots] == [()]
    assert found.problems[0].kind in {ProblemKind.ALIAS, ProblemKind.TAG}


@pytest.mark.parametrize(
    "text",
    [
        "vid_id:\n",
        "vid_id: null\n",
        'vid_id: ""\n',
        "vid_id: []\n",
        "vid_id: https://vimeo.com/76979871\n",
        "title: about vid_id\n",
        "nested:\n  vid_id: kq3vT7mZ_dE\n",
        "Vid_id: TBD\n",
        "a: 1\na: 2\nb: vid_id\n",
        "- vid_id\n",
        "vid_id\n",
        "vid_id2: TBD\n",
    ],
)
def test_a_page_without_a_video_is_not_a_problem(text: str) -> None:
    assert find(block(text), fields(), "page.md") == PageContents()


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("TBD", ProblemKind.NOT_A_VIDEO_ID),
        ("[a, b]", ProblemKind.NOT_A_VIDEO_ID),
        ("{a: b}", ProblemKind.NOT_A_VIDEO_ID),
        ("*n", ProblemKind.ALIAS),
        (f"!!str {ID}", ProblemKind.TAG),
        (f"https://www.youtube.com/watch?v={ID}&v={OTHER_ID}", ProblemKind.IDS_DISAGREE),
    ],
)
def test_an_id_that_cannot_be_read_is_a_problem_with_its_line(source: str, kind: ProblemKind) -> None:
    found = find(block(f"n: &n {ID}\nvid_id: {source}\nviewcount: 5\n"), fields(), "page.md")
    assert found.slots == ()
    assert [(problem.kind, problem.line) for problem in found.problems] == [(kind, 3)]


@pytest.mark.parametrize(
    "source", [f"&v {ID}", f">-\n  https://youtu.be/{ID}", f"|\n  {ID}", f'"https:\\/\\/youtu.be\\/{ID}"']
)
def test_an_id_whose_value_is_certain_is_read_in_any_dress(source: str) -> None:
    (slot,) = find(block(f"vid_id: {source}\nviewcount: 5\n"), fields(), "page.md").slots
    assert slot.video_id == ID


@pytest.mark.parametrize(
    "text",
    [
        f"vid_id: {ID}\nvid_id: {OTHER_ID}\n",
        f"vid_id:\nvid_id: {ID}\n",
        f"vid_id: {ID}\nviewcount: 1\nviewcount: 2\n",
        f'vid_id: {ID}\nviewcount: 1\n"view\\x63ount": 2\n',
        f"vid_id: {ID}\n? viewcount\n: 1\nlikeCount: 3\nviewcount:\n",
        f"{{vid_id: {ID}, viewcount: 1, viewcount: 1}}\n",
    ],
)
def test_a_page_with_a_mapped_key_twice_is_left_alone(text: str) -> None:
    found = find(block(text), fields(), "page.md")
    assert found.slots == ()
    assert [problem.kind for problem in found.problems] == [ProblemKind.DUPLICATE_KEY]


ELSEWHERE = [
    'vid_id: @\nviewcount: 5\ntitle: a\n"title": b\n',
    "vid_id: @\nlinks: {a: 1, a: 2}\nviewcount: 5\n",
    "tags:\n  - a\nvid_id: @\ntags:\n  - b\nviewcount: 5\n",
    "other: {vid_id: x, vid_id: y, viewcount: 1, viewcount: 2}\nvid_id: @\nviewcount: 5\n",
    '{"a": 1, "vid_id": "@", "a": {"viewcount": 1, "viewcount": 2}, "viewcount": 5}',
]
"""A key appears twice, but not one above a mapped value."""


@pytest.mark.parametrize("text", ELSEWHERE)
def test_another_key_twice_is_not_a_reason_to_leave_a_page_alone(text: str) -> None:
    text = text.replace("@", ID)
    page = text.encode() if text.startswith('{"') else block(text)
    changed = rewritten(page, fields(), "901")
    assert difference(page, changed) == (b"5", b"901")


def test_every_key_above_a_mapped_key_must_appear_once() -> None:
    mapping = fields("links.youtube", "links.stats.views", "likes")
    good = f"links:\n  a: 1\n  a: 2\n  youtube: {ID}\n  stats:\n    views: 5\n    b: 1\n    b: 2\nc: 1\nc: 2\n"
    assert len(find(block(good), mapping, "page.md").slots) == 1
    for line in ("links: {x: 1}\n", "  stats: {}\n", "    views: 6\n", "  youtube:\n"):
        depth = line[: len(line) - len(line.lstrip())]
        anchor = {"": "c: 1\n", "  ": "  a: 1\n", "    ": "    b: 1\n"}[depth]
        found = find(block(good.replace(anchor, line + anchor)), mapping, "page.md")
        assert found.slots == ()
        assert [problem.kind for problem in found.problems] == [ProblemKind.DUPLICATE_KEY]


@pytest.mark.parametrize("word", ["false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"])
def test_an_unquoted_false_is_no_video(word: str) -> None:
    for text in (f"vid_id: {word}\n", f"vid_id: {word} # c\nviewcount: x\n", f"{{vid_id: {word}}}\n"):
        assert find(block(text), fields(insert=True), "page.md") == PageContents()
    nested = find(block(f"videos:\n- id: {word}\n- id: {ID}\n"), fields("videos[].id"), "page.md")
    assert [slot.video_id for slot in nested.slots] == [ID]
    (problem,) = find(block(f"vid_id: '{word}'\n"), fields(), "page.md").problems
    assert problem.kind is ProblemKind.NOT_A_VIDEO_ID


def test_false_in_toml_and_json_is_no_video() -> None:
    assert find(b"+++\nvid_id = false\nviewcount = 1\n+++\n", fields(), "page.md") == PageContents()
    assert find(b'{"vid_id": false, "viewcount": 1}', fields(), "page.md") == PageContents()
    for text in ("vid_id: fALSE\n", "vid_id: n\n", "vid_id: true\n", '{"vid_id": "no"}\n'):
        assert find(block(text), fields(), "page.md").problems != ()


def test_a_list_of_videos() -> None:
    text = (
        f"videos:\n  - id: {ID}\n    v: '1'\n  - title: none here\n  - id: {OTHER_ID}\n    stats: {{n: 2}}\n  - plain\n"
    )
    found = find(block(text), fields("videos[].id", "v", "stats.n"), "page.md")
    assert found.problems == ()
    assert found.slots == (
        slot_of(VideoId(ID), 3, (Value(Count.VIEWS, "videos[0].v", "1"),)),
        slot_of(VideoId(OTHER_ID), 6, (Value(Count.LIKES, "videos[2].stats.n", "2"),)),
    )


def test_lists_may_nest() -> None:
    text = f"parts:\n  - videos:\n      - id: {ID}\n        v: 3\n"
    (slot,) = find(block(text), fields("parts[].videos[].id", "v"), "page.md").slots
    assert slot.values == (Value(Count.VIEWS, "parts[0].videos[0].v", "3"),)


TOML = f"""+++
title = "a # b"   # "c"
date = 2026-11-22 10:00:00
multi = \"\"\"
vid_id = "no"
\"\"\"
"quoted key" = 'x'
tags = [
  "a", # vid_id
  'b',
]
extra.youtube_id = "{ID}"
extra.view_count = 48210
[table]
vid_id = '{ID}'
viewcount = "17"
likeCount = ''
inline = {{ id = "{ID}", v = 5, "w" = '6' }}
[[videos]]
id = \"\"\"{ID}\"\"\"
v = \"\"\"7\"\"\"
[videos.stats]
n = 8
[[videos]]
id = '''{OTHER_ID}'''
v = '''9'''
+++
"""


@pytest.mark.parametrize(
    ("mapping", "texts"),
    [
        (fields("extra.youtube_id", "extra.view_count", "extra.like_count"), {"extra.view_count": "48210"}),
        (
            fields("table.vid_id", "table.viewcount", "table.likeCount"),
            {"table.viewcount": "17", "table.likeCount": None},
        ),
        (fields("table.inline.id", "table.inline.v", "table.inline.w"), {"table.inline.v": "5", "table.inline.w": "6"}),
        (fields("videos[].id", "v", "stats.n"), {"videos[0].v": "7", "videos[0].stats.n": "8", "videos[1].v": "9"}),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_toml_in_all_its_forms(mapping: Fields, texts: dict[str, str | None], end: str) -> None:
    found = find(TOML.replace("\n", end).encode(), mapping, "page.md")
    assert found.problems == ()
    assert {value.field: value.text for slot in found.slots for value in slot.values} == texts


@pytest.mark.parametrize("source", ["1_000", "0x1F", "+5", "5.0", "true", "[5]", "1979-05-27", '"1,567"', "{a = 1}"])
def test_a_value_that_is_not_a_plain_count_is_refused_in_toml(source: str) -> None:
    found = find(f'+++\nvid_id = "{ID}"\nviewcount = {source}\n+++\n'.encode(), fields(), "page.md")
    assert [(problem.kind, problem.line) for problem in found.problems] == [(ProblemKind.NOT_A_COUNT, 3)]


@pytest.mark.parametrize("source", ["-5", "5.0", "5e3", "true", "[5]", '"5 "', '"\\u0035"', "{}"])
def test_a_value_that_is_not_a_plain_count_is_refused_in_json(source: str) -> None:
    found = find(f'{{"vid_id": "{ID}",\n"viewcount": {source}}}'.encode(), fields(), "page.md")
    assert [(problem.kind, problem.line) for problem in found.problems] == [(ProblemKind.NOT_A_COUNT, 2)]


def test_json_at_the_top_and_in_fences() -> None:
    text = (
        f'{{"a": [1, {{"b": null}}, "]"], "vid_id": "https:\\/\\/youtu.be\\/{ID}", "viewcount": 5, "likeCount": null}}'
    )
    values = (Value(Count.VIEWS, "viewcount", "5"), Value(Count.LIKES, "likeCount", None))
    for page in (text, f"{text}\nBody }}", f"---json\n{text}\n---\n"):
        (slot,) = find(page.encode(), fields(), "page.md").slots
        assert slot.values == values


@pytest.mark.parametrize(
    ("page", "kind", "line"),
    [
        (f"---\nvid_id: {ID}\ntitle: Foo: Bar\n---\n", ProblemKind.INVALID_FRONT_MATTER, 3),
        (f"---\nvid_id: {ID}\na: *b\n---\n", ProblemKind.INVALID_FRONT_MATTER, 3),
        (f"---\nvid_id: {ID}\na: \x07\n---\n", ProblemKind.INVALID_FRONT_MATTER, None),
        (f'\n+++\nvid_id = "{ID}"\na = b\n+++\n', ProblemKind.INVALID_FRONT_MATTER, 4),
        (f'+++\nvid_id = "{ID}"\nvid_id = "{ID}"\n+++\n', ProblemKind.DUPLICATE_KEY, 3),
        (f'+++\nvid_id = "{ID}"\na = {"9" * 5000}\n+++\n', ProblemKind.INVALID_FRONT_MATTER, None),
        (f'{{"vid_id": "{ID}",\n"a": b}}', ProblemKind.INVALID_FRONT_MATTER, 2),
        (f'{{"vid_id": "{ID}",\n"viewcount": 1, "viewcount": 2}}', ProblemKind.DUPLICATE_KEY, 2),
        (f'{{"vid_id": "{ID}", "a": {"9" * 5000}}}', ProblemKind.INVALID_FRONT_MATTER, None),
    ],
)
def test_a_block_that_cannot_be_parsed_is_a_problem(page: str, kind: ProblemKind, line: int | None) -> None:
    found = find(page.encode(), fields(), "page.md")
    assert found.slots == ()
    assert [problem.kind for problem in found.problems] == [kind]
    assert line in (None, found.problems[0].line)


@pytest.mark.parametrize(
    "page", [b"---\ntitle: a: b\n---\nvid_id", b"---\ntitle: a: b\nvid_id2: x\n---\n", b"+++\na\n+++\n"]
)
def test_a_block_that_cannot_be_parsed_and_has_no_id_is_not_a_problem(page: bytes) -> None:
    assert find(page, fields(), "page.md") == PageContents()


def test_a_block_that_is_not_utf8_is_a_problem_with_its_line() -> None:
    (problem,) = find(b"---\nvid_id: x\ntitle: caf\xe9\n---\n", fields(), "page.md").problems
    assert (problem.kind, problem.line) == (ProblemKind.NOT_UTF8, 3)
    assert find(b"---\ntitle: caf\xe9\n---\nvid_id\n", fields(), "page.md") == PageContents()


LAUGHS = "a: &a [x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [
        LAUGHS,
        "a: " + "[" * 200_000,
        "a: " + "{a: " * 100_000,
        "".join(f"{' ' * depth}k:\n" for depth in range(1000)),
        pytest.param("".join(f"key{number}: {number}\n" for number in range(8_000)), marks=pytest.mark.storm),
        pytest.param("a: [" + "x, " * 60_000 + "]\n", marks=pytest.mark.storm),
        'a: "' + "\\" * 500_001 + '"\n',
        "&a " * 200_000,
        "a: '" + "x" * 900_000 + "'\n",
    ],
    ids=["laughs", "brackets", "braces", "indents", "keys", "items", "backslashes", "anchors", "long"],
)
def test_a_huge_block_is_read_in_linear_time(text: str) -> None:
    for page in (f"---\n{text}vid_id: {ID}\n---\n", f"---\nx: [\n1]\nvid_id: {ID}\n{text}\n---\n"):
        started = time.process_time()
        find(page.encode(), fields(insert=True), "page.md")
        leaves(page.encode())
        assert time.process_time() - started < 10


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 100_000,
        "a = " + "{a = " * 50_000,
        pytest.param("".join(f"key{number} = {number}\n" for number in range(15_000)), marks=pytest.mark.storm),
        pytest.param("".join(f"[t{number}]\n" for number in range(15_000)), marks=pytest.mark.storm),
        pytest.param("".join(f"[[t]]\nid = '{ID}'\n" for number in range(20_000)), marks=pytest.mark.storm),
    ],
    ids=["brackets", "braces", "keys", "tables", "items"],
)
def test_a_huge_toml_block_is_read_in_linear_time(text: str) -> None:
    started = time.process_time()
    find(f"+++\nvid_id = '{ID}'\n{text}\n+++\n".encode(), fields("t[].id", insert=True), "page.md")
    find(f"+++\nvid_id = '{ID}'\n{text}\n+++\n".encode(), fields(), "page.md")
    assert time.process_time() - started < 20


def test_a_huge_json_block_is_read_in_linear_time() -> None:
    started = time.process_time()
    for inner in ('"a": ' + "[" * 400_000, "".join(f'"k{number}": 1, ' for number in range(50_000)), '"\\"' * 200_000):
        find(f'{{"vid_id": "{ID}", {inner} "z": 1}}\n'.encode(), fields(), "page.md")
        find(f'---json\n{{"vid_id": "{ID}", {inner} "z": 1}}\n---\n'.encode(), fields(), "page.md")
    assert time.process_time() - started < 10


@pytest.mark.parametrize("number", [2_000, pytest.param(20_000, marks=pytest.mark.storm)])
def test_many_slots_in_one_page_take_linear_time(number: int) -> None:
    text = "videos:\n" + "".join(f"- id: {ID}\n  v: 1\n" for _ in range(number))
    started = time.process_time()
    assert len(find(block(text), fields("videos[].id", "v", insert=True), "page.md").slots) == number
    assert time.process_time() - started < number / 2_000


def test_what_is_the_same_on_many_pages_is_shared_between_them() -> None:
    plain, listed = block(f"vid_id: {ID}\nviewcount: 1\n"), block(f"videos:\n- id: {ID}\n  v: 1\n")
    for page, mapping in ((plain, fields()), (plain, fields(insert=True)), (listed, fields("videos[].id", "v"))):
        first, second = (find(page, mapping, "page.md").slots[0] for _ in range(2))
        assert first.fields is second.fields


@pytest.mark.parametrize("path", ["", "a..b", "a[]", "[][].a", "a.", "a[].b[]", "[]"])
def test_a_path_that_no_config_can_have_is_an_error(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        keys_of(Fields(path, {}))


def test_leaves_are_named_as_a_config_would_name_them() -> None:
    page = block(
        f"vid_id: {ID}\nlinks: {{youtube: x}}\nvideos:\n- id: a\n- id: 'b'\ntags: [c]\na.b: d\nn:\n".replace(
            "e: *f\n", ""
        )
    )
    assert leaves(page) == [
        ("vid_id", ID, False),
        ("links.youtube", "x", False),
        ("videos[].id", "a", False),
        ("videos[].id", "b", True),
        ("tags[]", "c", False),
        ("n", "", False),
    ]
    assert leaves(f'+++\n[extra]\nyoutube_id = "{ID}"\n+++\n'.encode()) == [("extra.youtube_id", ID, True)]
    assert leaves(f'{{"a": {{"b": "{ID}"}}}}'.encode()) == [("a.b", ID, True)]


@pytest.mark.parametrize(
    "page", [b"", b"# Title\n", b"---\na: b: c\n---\n", b"---\na: \xff\n---\n", b"---\na: 1\n", b"---\nx\n---\n"]
)
def test_there_are_no_leaves_without_a_readable_block(page: bytes) -> None:
    assert leaves(page) == []
