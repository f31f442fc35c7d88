"""What a rewritten page looks like, and when none is made."""

from __future__ import annotations

import tomllib

import pytest

from syncer.front_matter.find import find
from syncer.front_matter.rewrite import rewrite
from syncer.model import Fields, Problem, ProblemKind
from tests.front_matter.pages import ID, OTHER_ID, PAGE, block, change, changes, fields, rewritten


def test_a_page_in_the_mission_s_form() -> None:
    expected = PAGE.replace("48210", "901").replace("517", "901")
    for end in ("\n", "\r\n"):
        tail = b"\xff \r\r no last line end"
        page = PAGE.replace("\n", end).encode() + tail
        assert rewritten(page, fields(), "901") == expected.replace("\n", end).encode() + tail


@pytest.mark.parametrize("other", ["", "list:\n  - the true way\n"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("viewcount: 48210", "viewcount: 901"),
        ('viewcount: "48210"', 'viewcount: "901"'),
        ("viewcount: '48210'", "viewcount: '901'"),
        ('viewcount: ""', 'viewcount: "901"'),
        ("viewcount: ''", "viewcount: '901'"),
        ("viewcount:", "viewcount: 901"),
        ("viewcount: ", "viewcount: 901 "),
        ("viewcount: ~", "viewcount: 901"),
        ("viewcount: null # none", "viewcount: 901 # none"),
        ("viewcount:     # aligned", "viewcount: 901     # aligned"),
        ("viewcount:   5   # aligned", "viewcount:   901   # aligned"),
        ("viewcount: 0755", "viewcount: 901"),
    ],
)
def test_the_style_of_a_value_stays(old: str, new: str, other: str) -> None:
    page = block(f"vid_id: {ID}\n{old}\n{other}title: 48210\n")
    assert rewritten(page, fields(), "901") == page.replace(f"{old}\n".encode(), f"{new}\n".encode())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{vid_id: @, viewcount: 5}", "{vid_id: @, viewcount: 901}"),
        ("{vid_id: @, viewcount: }", "{vid_id: @, viewcount: 901 }"),
        ("{vid_id: @, viewcount: , a: b}", "{vid_id: @, viewcount: 901 , a: b}"),
        ('{"vid_id":"@","viewcount":5}', '{"vid_id":"@","viewcount":901}'),
        ('{"vid_id":"@","viewcount":}', '{"vid_id":"@","viewcount": 901}'),
        ("? vid_id\n: @\n? viewcount\n: 5", "? vid_id\n: @\n? viewcount\n: 901"),
        ('"vid_id": @\n\'viewcount\'   : "5"', '"vid_id": @\n\'viewcount\'   : "901"'),
    ],
)
def test_yaml_of_other_forms(old: str, new: str) -> None:
    page = block(old.replace("@", ID) + "\n")
    assert rewritten(page, fields(), "901") == block(new.replace("@", ID) + "\n")


def test_a_count_without_a_colon_is_a_problem() -> None:
    (problem,) = find(block(f"{{vid_id: {ID}, viewcount}}\n"), fields(), "page.md").problems
    assert problem.kind is ProblemKind.CANNOT_PLACE


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("viewcount = 5 # c", "viewcount = 901 # c"),
        ('viewcount="5"', 'viewcount="901"'),
        ("viewcount = ''", "viewcount = '901'"),
        ('viewcount = """5"""', 'viewcount = """901"""'),
        ('"viewcount" = "" ', '"viewcount" = "901" '),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_toml(old: str, new: str, end: str) -> None:
    text = f'+++\nvid_id = "{ID}"\n@\na = [ 5, # c\n]\n[t]\nviewcount = 5\n+++\nBody 5'.replace("\n", end)
    assert rewritten(text.replace("@", old).encode(), fields(), "901") == text.replace("@", new).encode()


@pytest.mark.parametrize(("old", "new"), [("5", "901"), ('"5"', '"901"'), ('""', '"901"'), ("null", "901")])
def test_json(old: str, new: str) -> None:
    text = f'{{\r\n\t"vid_id": "{ID}", "a": "\\/", "viewcount" : @\r\n}}\r\nBody }}'
    assert rewritten(text.replace("@", old).encode(), fields(), "901") == text.replace("@", new).encode()


def test_several_slots_at_once() -> None:
    page = block(f"videos:\n- id: {ID}\n  viewcount: 1\n- {{id: {OTHER_ID}, likeCount: '2', viewcount: 1}}\n")
    expected = page.replace(b": 1", b": 901").replace(b"'2'", b"'901'")
    assert rewritten(page, fields("videos[].id"), "901") == expected


INSERTED = [
    ("yaml", "---\nvid_id: @\ntitle: x\n---\n", "---\nvid_id: @\nviewcount: 901\nlikeCount: 901\ntitle: x\n---\n"),
    ("quoted id", '---\nvid_id: "@" # c\n---\n', '---\nvid_id: "@" # c\nviewcount: 901\nlikeCount: 901\n---\n'),
    (
        "sibling's style",
        '---\nvid_id: "@"\nlikeCount: 5\n---\n',
        '---\nvid_id: "@"\nviewcount: 901\nlikeCount: 901\n---\n',
    ),
    (
        "sibling's quotes",
        "---\nvid_id: @\nlikeCount: ''\n---\n",
        "---\nvid_id: @\nviewcount: '901'\nlikeCount: '901'\n---\n",
    ),
    ("quoted keys", '---\n"vid_id": "@"\n---\n', '---\n"vid_id": "@"\n"viewcount": 901\n"likeCount": 901\n---\n'),
    ("crlf", "---\r\nvid_id: @\r\na: b\n---\n", "---\r\nvid_id: @\r\nviewcount: 901\r\nlikeCount: 901\r\na: b\n---\n"),
    (
        "folded id",
        "---\nvid_id: >-\r\n  @\na: b\n---\n",
        "---\nvid_id: >-\r\n  @\nviewcount: 901\nlikeCount: 901\na: b\n---\n",
    ),
    ("flow", "---\n{vid_id: @, a: b}\n---\n", "---\n{vid_id: @, viewcount: 901, likeCount: 901, a: b}\n---\n"),
    ("flow list", "---\na: [b]\nvid_id: @\n---\n", "---\na: [b]\nvid_id: @\nviewcount: 901\nlikeCount: 901\n---\n"),
    ("toml", "+++\n vid_id='@' # c\n+++\n", "+++\n vid_id='@' # c\n viewcount=901\n likeCount=901\n+++\n"),
    ("json", '{\n  "vid_id": "@"\n}\n', '{\n  "vid_id": "@",\n  "viewcount": 901,\n  "likeCount": 901\n}\n'),
    ("one-line json", '{"vid_id": "@", "a": 1}', '{"vid_id": "@", "viewcount": 901, "likeCount": 901, "a": 1}'),
    ("dense json", '{"vid_id":"@","likeCount":1}', '{"vid_id":"@","viewcount":901,"likeCount":901}'),
    (
        "crlf json",
        '{\r\n\t"vid_id": "@"\r\n}',
        '{\r\n\t"vid_id": "@",\r\n\t"viewcount": 901,\r\n\t"likeCount": 901\r\n}',
    ),
]


@pytest.mark.parametrize(("old", "new"), [pytest.param(old, new, id=name) for name, old, new in INSERTED])
def test_absent_counts_are_added_after_the_id(old: str, new: str) -> None:
    page = old.replace("@", ID).encode()
    assert rewritten(page, fields(insert=True), "901") == new.replace("@", ID).encode()
    assert not all(value.present for slot in find(page, fields(insert=True), "p").slots for value in slot.values)
    assert all(value.present for slot in find(page, fields(), "p").slots for value in slot.values)


INSERTED_DEEPER = [
    (
        fields("videos[].id", "v", insert=True),
        "---\nvideos:\n- id: @\n  likeCount: 1\n---\n",
        "---\nvideos:\n- id: @\n  v: 901\n  likeCount: 901\n---\n",
    ),
    (
        fields("videos[].id", "v", insert=True),
        "---\nvideos:\n  -   id: @\n---\n",
        "---\nvideos:\n  -   id: @\n      v: 901\n      likeCount: 901\n---\n",
    ),
    (
        fields("videos[].id", "v", insert=True),
        "---\nvideos: [{id: @}]\n---\n",
        "---\nvideos: [{id: @, v: 901, likeCount: 901}]\n---\n",
    ),
    (
        fields("a.b", "a.v", "a.yes", insert=True),
        "---\na:\n    b: @ # c\n---\n",
        '---\na:\n    b: @ # c\n    v: 901\n    "yes": 901\n---\n',
    ),
    (
        fields("a.b", "a.v", "a.w", insert=True),
        '+++\n[a]\n"b" = "@"\n+++\n',
        '+++\n[a]\n"b" = "@"\n"v" = 901\n"w" = 901\n+++\n',
    ),
    (
        fields("a.b", "a.v", "a.w", insert=True),
        '+++\na.b = "@"\na.w = 1\n+++\n',
        '+++\na.b = "@"\na.v = 901\na.w = 901\n+++\n',
    ),
    (
        fields("a.b", "a.v", "a.w", insert=True),
        '+++\na = { b = "@" }\n+++\n',
        '+++\na = { b = "@", v = 901, w = 901 }\n+++\n',
    ),
    (
        fields("a[].b", "v", "w", insert=True),
        '+++\n[[a]]\nb = "@"\n[[a]]\n+++\n',
        '+++\n[[a]]\nb = "@"\nv = 901\nw = 901\n[[a]]\n+++\n',
    ),
]


@pytest.mark.parametrize(("mapping", "old", "new"), INSERTED_DEEPER)
def test_absent_counts_are_added_in_the_same_table(mapping: Fields, old: str, new: str) -> None:
    assert rewritten(old.replace("@", ID).encode(), mapping, "901") == new.replace("@", ID).encode()


def test_where_adding_is_not_certain_the_other_count_is_still_written() -> None:
    page = block(f"? vid_id\n: {ID}\nlikeCount: 5\n")
    assert [problem.kind for problem in find(page, fields(insert=True), "page.md").problems] == [
        ProblemKind.CANNOT_PLACE
    ]
    assert rewritten(page, fields(insert=True), "901") == page.replace(b"likeCount: 5", b"likeCount: 901")


def test_an_inline_table_of_dotted_toml_keys_is_not_added_to() -> None:
    page = f'+++\na = {{ b.id = "{ID}", b.w = 5 }}\n+++\n'.encode()
    mapping = fields("a.b.id", "a.b.v", "a.b.w", insert=True)
    assert [problem.kind for problem in find(page, mapping, "page.md").problems] == [ProblemKind.CANNOT_PLACE]
    assert tomllib.loads(rewritten(page, mapping, "901").decode().strip("+\n"))["a"]["b"] == {"id": ID, "w": 901}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("viewcount: 5", "viewcount: 6"),
        ("viewcount: 5", "viewcount: '6'"),
        ("viewcount: 5", "viewcount:"),
        ("viewcount: 5", "viewcount: many"),
        ("viewcount: 5\n", ""),
        (ID, OTHER_ID),
        ("vid_id", "vod_id"),
        ("likeCount: 7", "likeCount: 7\nlikeCount: 7"),
        ("likeCount: 7", "likeCount: a: b"),
        ("---\nBody", "Body"),
        ("---\nvid", "vid"),
    ],
)
@pytest.mark.parametrize("other", ["", "list:\n  - the true way\n"])
def test_a_page_that_has_changed_since_is_left_alone(old: str, new: str, other: str) -> None:
    page = block(f"vid_id: {ID}\nviewcount: 5\nlikeCount: 7\n{other}")
    wanted = changes(find(page, fields(), "page.md"), "901")
    edited = page.replace(old.encode(), new.encode(), 1)
    assert edited != page
    problem = rewrite(edited, fields(), wanted, "page.md")
    assert isinstance(problem, Problem)
    assert (problem.kind, problem.subject) == (ProblemKind.EDITED_MEANWHILE, "page.md")


def test_a_missing_count_that_was_added_since_is_left_alone() -> None:
    page = block(f"vid_id: {ID}\n")
    wanted = changes(find(page, fields(insert=True), "page.md"), "901")
    edited = block(f"vid_id: {ID}\nviewcount: 900\n")
    assert isinstance(rewrite(edited, fields(insert=True), wanted, "page.md"), Problem)


def test_an_edit_elsewhere_in_the_page_is_kept() -> None:
    page = block(f"vid_id: {ID}\nviewcount: 5\n")
    wanted = changes(find(page, fields(), "page.md"), "901")
    edited = page.replace(b"Body", b"Another body").replace(b"vid_id", b"title: new\nvid_id")
    assert rewrite(edited, fields(), wanted, "page.md") == edited.replace(b"viewcount: 5", b"viewcount: 901")


def test_no_changes_change_nothing() -> None:
    assert rewrite(PAGE.encode(), fields(), [], "page.md") == PAGE.encode()


@pytest.mark.parametrize("new", ["", "1.2M", "-1", "1 # c", "\u0665", "1\n"])
def test_nothing_but_digits_is_ever_written(new: str) -> None:
    (slot,) = find(PAGE.encode(), fields(), "page.md").slots
    with pytest.raises(ValueError, match="only values of a known form"):
        rewrite(PAGE.encode(), fields(), [change(ID, slot.values[0], new)], "page.md")


@pytest.mark.parametrize("text", [f"vid_id: {ID}\nviewcount:\n", f"vid_id: {ID}\n"])
def test_no_field_is_changed_twice(text: str) -> None:
    wanted = changes(find(block(text), fields(insert=True), "page.md"), "901")[:1]
    with pytest.raises(ValueError, match="twice"):
        rewrite(block(text), fields(insert=True), wanted * 2, "page.md")
