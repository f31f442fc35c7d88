"""A page is changed only where all readers of its front matter see the same video and would see the new count.

The tables are what Psych, go-yaml, js-yaml and `yaml` on npm were seen to read differently; decision record 0013.
"""

from __future__ import annotations

import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from syncer.front_matter.differences import MAX_MERGED_MAPPINGS
from syncer.front_matter.find import find, find_in_tree
from syncer.front_matter.keys import PageContents, keys_of
from syncer.front_matter.leaves import leaves
from syncer.front_matter.rewrite import rewrite
from syncer.model import Fields, Problem, ProblemKind
from tests.examples import examples
from tests.front_matter.pages import ID, OTHER_ID, block, changes, difference, fields, rewritten

NESTED = fields("links.youtube", "links.viewcount", "links.likeCount")
LISTED = fields("videos[].id", insert=True)

BREAKS = {
    "\x85": "U+0085 (next line)",
    "\u2028": "U+2028 (line separator)",
    "\u2029": "U+2029 (paragraph separator)",
    "\r": "a carriage return (U+000D) without a line feed",
}

BROKEN = [
    (f"vid_id: {ID}\ndescription: |\n  Numbers:%viewcount: 3\n", 3),
    (f"vid_id: {ID}\ndescription: |\n  Numbers:\n  so far%viewcount: 3\n", 4),
    (f"vid_id: {ID}\ntitle: x # so far%viewcount: 10\n", 2),
    (f"# seen%viewcount: 3\nvid_id: {ID}\n", 1),
    (f"viewcount: 1\ndescription: >\n  See%vid_id: {ID}\n", 3),
    (f"vid_id: {ID}\nviewcount: 5%\n", 2),
    (f"viewcount: 5\nvid_id: {ID}%\n", 2),
    (f"vid_id: {ID}\nviewcount: 5\n%likeCount: 6\n", 3),
    (f"vid_id: {ID}\nviewcount:%  5\n", 2),
]
"""Blocks in which a key or a value is there for some readers only, `%` being the character; and its line."""


@pytest.mark.parametrize(
    ("text", "line", "character"),
    [
        (text.replace("%", character), line, character)
        for text, line in BROKEN
        for character in BREAKS
        if not (character == "\r" and text.endswith("%\n"))  # that is a line end like any other
    ],
)
def test_what_breaks_lines_for_some_readers_only_is_named(text: str, line: int, character: str) -> None:
    found = find(block(text), fields(), "page.md")
    assert found.slots == ()
    (problem,) = found.problems
    assert (problem.kind, problem.line) == (ProblemKind.READERS_DISAGREE, line + 1)
    assert BREAKS[character] in problem.message


@pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029"])
@pytest.mark.parametrize(
    "text",
    [
        "title: one%(two\nvid_id: @\nviewcount: 5\n",
        'title: "one%two"\nvid_id: @\nviewcount: 5\n',
        "title: 'one%two' # three\nvid_id: @\nviewcount: 5\n",
        "description: |\n  one%two: 3\nvid_id: @\nviewcount: 5\n",
        "# one%# two\nvid_id: @\nviewcount: 5\n",
        "vid_id: @\nviewcount: 5 # one%# two\n",
        "a: [b%, c]\nvid_id: @\nviewcount: 5\n",
        "vid_id: @\nlinks: {viewcount: 7}\ndescription: >-\n  one%\n  two\nviewcount: 5\n",
    ],
)
def test_a_character_that_breaks_no_mapped_line_is_not_a_problem(character: str, text: str) -> None:
    page = block(text.replace("%", character).replace("@", ID))
    assert difference(page, rewritten(page, fields(), "901")) == (b"5", b"901")


def test_a_fault_is_named_at_the_line_that_an_editor_shows() -> None:
    page = block(f"title: one\u2028two\nvid_id: {ID}\nx: a: b\ny: 1\n")
    (problem,) = find(page, fields(), "page.md").problems
    assert (problem.kind, problem.line) == (ProblemKind.INVALID_FRONT_MATTER, 4)
    assert find(block("a: b\u2028c\n# none here\n"), fields(), "page.md") == PageContents()


def read_by_all(text: str) -> list[object]:
    """Read a block as readers do that take all, fewer and fewest characters for line breaks; None: refused."""
    fewer = re.sub("[\x85\u2028\u2029]", "x", text)
    return [_read(way) for way in (text, fewer, re.sub("\r(?!\n)", "x", fewer))]


def _read(text: str) -> object:
    try:
        return next(iter(yaml.load_all(text, Loader=yaml.BaseLoader)), None)
    except yaml.YAMLError:
        return None


_KEYS = st.sampled_from(["title", "title", "viewcount", "likeCount", "updated", "vid_id", "d"])
_TEXTS = st.sampled_from(
    ["x", '"a b"', "'c'", "5", '"5"', "2026-10-01", "", ID, "|\n  t\n  u", ">\n  t", "a\n  b", '"a\n  b"', "x # y"]
)
_LINES = st.builds("{}: {}".format, _KEYS, _TEXTS) | st.sampled_from(["# c", "", "  # d"])


@examples(800)
@given(st.lists(_LINES, max_size=5), st.lists(st.tuples(st.integers(0, 200), st.sampled_from([*BREAKS])), max_size=3))
def test_a_page_that_is_changed_is_changed_alike_for_all_who_read_it(
    lines: list[str], breaks: list[tuple[int, str]]
) -> None:
    text = "\n".join(["first: 1", f"vid_id: {ID}", "viewcount: 5", *lines, ""])
    for place, character in breaks:
        at = place % len(text)
        text = text[:at] + character + text[at:]
    for mapping in (fields(date="updated"), fields(insert=True, date="updated")):
        require_that_all_see_the_change(text, mapping)


def require_that_all_see_the_change(text: str, mapping: Fields) -> None:
    page = f"---\n{text}---\n".encode()
    found = find(page, mapping, "page.md")
    made = changes(found, "901")
    result = rewrite(page, mapping, made, "page.md") if made else page
    if isinstance(result, Problem) or result == page:
        return
    new = {one.field: one.new for one in made}
    for before, after in zip(read_by_all(text), read_by_all(result.decode()[4:-4]), strict=True):
        if isinstance(before, dict):
            assert isinstance(after, dict)
            assert after["vid_id"] == found.slots[0].video_id
            assert {name: after[name] for name in new} == new
            assert {**before, **new} == after


@pytest.mark.parametrize(
    "video_id",
    [
        "123_4567_89",
        "0x123456789",
        "0o123456712",
        "01234567012",
        "00000000000",
        "1234567e890",
        "-0123456789",
        "0b101010101",
    ],
)
def test_an_unquoted_id_that_is_a_number_for_some_readers_is_left_alone(video_id: str) -> None:
    for text in (f"vid_id: {video_id}\nviewcount: 5\n", f"viewcount: 5\nvid_id: &a {video_id} # c\n"):
        (problem,) = find(block(text), fields(), "page.md").problems
        assert problem.kind is ProblemKind.READERS_DISAGREE
    for quoted in (f"'{video_id}'", f'"{video_id}"', f"https://youtu.be/{video_id}", f"|-\n  {video_id}"):
        assert find(block(f"vid_id: {quoted}\n"), fields(), "page.md").slots[0].video_id == video_id
    assert find(f"+++\nvid_id = '{video_id}'\n+++\n".encode(), fields(), "page.md").slots[0].video_id == video_id


@pytest.mark.parametrize(
    "video_id", ["12345678901", "-1234567890", "1234-56-789", "1234567g890", "true_______", "_1234567890"]
)
def test_an_unquoted_id_that_all_readers_take_alike_is_taken(video_id: str) -> None:
    assert find(block(f"vid_id: {video_id}\n"), fields(), "page.md").slots[0].video_id == video_id


CHAIN = "".join(f"a{n}: &a{n} {{<<: *a{n - 1}}}\n" for n in range(1, MAX_MERGED_MAPPINGS + 1))

MERGES = [
    (fields(), "vid_id: @\n<<: {viewcount: 9}\n"),
    (fields(), "<<: {viewcount: 9}\nvid_id: @\nviewcount: 5\n"),
    (fields(), "vid_id: @\nviewcount:\n'<<': {viewcount: 9}\n"),
    (fields(), "base: &b {viewcount: 9}\nvid_id: @\n<<: *b\n"),
    (fields(), "base: &b {x: 9}\nmore: &m {likeCount: 9}\nvid_id: @\n<<: [*b, *m]\n"),
    (fields(), "base: &b {viewcount: 9}\nmore: &m {<<: *b, x: 1}\nvid_id: @\n<<: *m\n"),
    (fields(), "both: &b [{x: 1}, {viewcount: 9}]\nvid_id: @\n<<: *b\n"),
    (fields(), "<<: {x: 1}\nvid_id: @\n<<: {viewcount: 9}\n"),
    (fields(), "base: &b {vid_id: @}\n<<: *b\nviewcount: 5\n"),
    (fields(insert=True), "base: &b {likeCount: 9}\nvid_id: @\nviewcount: 5\n<<: *b\n"),
    (NESTED, "base: &b {links: {viewcount: 9}}\n<<: *b\nlinks: {youtube: @}\n"),
    (NESTED, "base: &b {viewcount: 9}\nlinks:\n  <<: *b\n  youtube: @\n"),
    (LISTED, "base: &b {viewcount: 9}\nvideos:\n- <<: *b\n  id: @\n"),
    (LISTED, "base: &b {videos: []}\n<<: *b\nvideos:\n- id: @\n"),
    (fields(), f"a0: &a0 {{}}\n{CHAIN}vid_id: @\n<<: *a{MAX_MERGED_MAPPINGS}\n"),
]


@pytest.mark.parametrize(("mapping", "text"), MERGES)
def test_a_page_whose_merge_key_sets_a_mapped_key_is_left_alone(mapping: Fields, text: str) -> None:
    found = find(block(text.replace("@", ID)), mapping, "page.md")
    assert found.slots == ()
    assert [problem.kind for problem in found.problems] == [ProblemKind.READERS_DISAGREE]


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("base: &b {viewcount: 9}\nvid_id: @\n<<: *b\n", "set it here instead"),
        (
            "base: &b {viewcount: 9}\nvid_id: @\nviewcount: 5\n<<: *b\n",
            "remove it from the merged mapping, or remove '<<'",
        ),
        ("base: &b {vid_id: @}\n<<: *b\nvid_id: @\n", "remove it from the merged mapping, or remove '<<'"),
    ],
)
def test_what_is_advised_about_a_merge_key_is_not_done_already(text: str, advice: str) -> None:
    (problem,) = find(block(text.replace("@", ID)), fields(), "page.md").problems
    assert advice in problem.message
    assert ("set it here instead" in problem.message) is (advice == "set it here instead")


@pytest.mark.parametrize("insert", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        "base: &b {x: 9}\nvid_id: @\n<<: *b\nviewcount: 5\nlikeCount: 5\n",
        "base: &b {viewcount: 9}\nother:\n  <<: *b\nvid_id: @\nviewcount: 5\n",
        "a: &a {<<: *a, x: 1}\nvid_id: @\n<<: *a\nviewcount: 5\n",
        "a: &a [*a, {x: 1}]\nvid_id: @\n<<: *a\nviewcount: 5\n",
        "vid_id: @\n<<:\nviewcount: 5\n",
        "vid_id: @\n<<: text\nviewcount: 5\n",
    ],
)
def test_a_merge_key_that_sets_no_mapped_key_is_not_a_problem(text: str, insert: bool) -> None:
    page = block(text.replace("@", ID))
    changed = rewritten(page, fields(insert=insert), "901")
    assert b"viewcount: 901\n" in changed
    assert (b"likeCount: 901\n" in changed) is (insert or b"likeCount" in page)


def test_in_json_and_toml_a_merge_key_is_a_key_like_any_other() -> None:
    for page in (
        f'{{"<<": {{"viewcount": 9}}, "vid_id": "{ID}", "viewcount": 5}}',
        f"+++\n'<<' = {{viewcount = 9}}\nvid_id = '{ID}'\nviewcount = 5\n+++\n",
    ):
        assert difference(page.encode(), rewritten(page.encode(), fields(), "901")) == (b"5", b"901")


ODD = [
    ("{vid_id: @, viewcount:5}\n", fields()),
    ("{viewcount:5, vid_id: @, viewcount: 5}\n", fields()),
    ("a: [{id: @, viewcount:}]\nvideos: [{id: @, viewcount:5}]\n", LISTED),
    ("{vid_id: @, a:#b: 1, viewcount: 5}\n", fields()),
    ("vid_id: @\nview\tcount: 6\nviewcount: 5\n", fields()),
    ("vid_id: @\n? viewcount: 6\nlikeCount: 5\n", fields()),
    ("{vid_id: @, ?viewcount: 5}\n", fields()),
    ("other: {?a: 1}\nvid_id: @\nviewcount: 5\n", fields()),
    ("title: !\nvid_id: @\nviewcount: 5\n", fields()),
    ("tags:\n- a\n-\nvid_id: @\nviewcount: 5\n", fields()),
    ("vid_id: @\ntags:\n- # none\n\n# here\nviewcount: 5\n", fields()),
    ("links:\n  a:\n  - b\n  - \n  youtube: @\n  viewcount: 5\n", NESTED),
    ("videos:\n- tags:\n  - &x\n  id: @\n", LISTED),
    ("{?\nviewcount: 5, vid_id: @}\n", fields()),
    ("vid_id: @\n=<<: {viewcount: 4}\nviewcount: 5\n", fields()),
    ("vid_id: @\n<<: {viewcount:4}\nviewcount: 5\n", fields()),
    ("vid_id: @\ntags:\n- !t\n- a\nviewcount: 5\n", fields()),
    ("vid_id: @\nviewcount: !!null # c\nlikeCount: 5\n", fields()),
    ("&a: 1\nvid_id: @\nviewcount: 5\n", fields()),
    ("title:\n  &a\nvid_id: @\nviewcount: 5\n", fields()),
    ("? title\n: &a\nvid_id: @\nviewcount: 5\n", fields()),
    ("tags:\n-\n  &a\n- b\nvid_id: @\nviewcount: 5\n", fields()),
    ("title: |\n\n'vid_id': @\nviewcount: 5\n", fields()),
    ('vid_id: @\ntitle: >-\n\n\n"viewcount": 5\n', fields()),
    ("! vid_id: @\nviewcount: 5\n", fields()),
    ("vid_id: @\n&a viewcount: 5\n", fields()),
    ("vid_id: @\n!!str viewcount: 5\n", fields()),
    ("vid_id: @\non: 5\n", fields(views="on")),
    ("No: @\nviewcount: 5\n", fields("No")),
    ("vid_id: @\n1_0: 5\n", fields(views="1_0")),
    ("vid_id: @\nviewcount: 5\n\x85--- x\x85viewcount: 6\n", fields()),
]
"""Blocks that one of the readers was seen to read in another way, whatever breaks lines."""


@pytest.mark.parametrize(("text", "mapping"), ODD)
def test_a_construct_that_readers_take_differently_leaves_the_page_alone(text: str, mapping: Fields) -> None:
    found = find(block(text.replace("@", ID)), mapping, "page.md")
    assert found.slots == ()
    kinds = {problem.kind for problem in found.problems}
    assert kinds <= {ProblemKind.READERS_DISAGREE, ProblemKind.INVALID_FRONT_MATTER}
    assert len(found.problems) == 1


def indented(text: str, by: int) -> str:
    return "".join(f"{' ' * by}{line}" for line in text.splitlines(keepends=True))


EMPTY_LAST = [
    "-\n",
    "- # c\n",
    "-\n\n# c\n",
    "- a\n- \n",
    "- - a\n  -\n",
    "- a:\n  -\n",
    "- a: !!seq\n  -\n",
    "-\n  - b\n  -\n",
    "- ? a\n  :\n    -\n",
]
"""Lists whose last item is empty, or that of the last list in them."""

NAMES = ["tags:\n", "tags: # c\n", "tags: &t\n", "tags: !!seq\n", "? tags\n:\n", "x:\ntags:\n"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("end", ["", "# c\n"])
@pytest.mark.parametrize("indent", [0, 1, 2])
@pytest.mark.parametrize("tail", EMPTY_LAST)
def test_an_empty_last_item_does_not_take_in_the_items_that_follow(name: str, end: str, indent: int, tail: str) -> None:
    tags = name + indented(tail, indent) + end
    for first in (
        f"- id: {ID}\n  views: 5\n{indented(tags, 2)}",
        f"- {indented(tags, 2)[2:]}  id: {ID}\n{indented(tags, 2)}",
    ):
        for by in (0, 2):
            require_that_it_is_left(f"videos:\n{indented(f'{first}- id: {OTHER_ID}', by)}\n", LISTED)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("key", ["vid_id: {}", "? vid_id\n: {}", "# c\n?   vid_id\n: {}", "&k x: y\nvid_id: {}"])
@pytest.mark.parametrize("tail", [tail for tail in EMPTY_LAST if "a" not in tail and "b" not in tail] + ["- a\n-\n"])
def test_an_empty_last_item_does_not_take_in_the_keys_that_follow(name: str, key: str, tail: str) -> None:
    text = f"{name}{tail}{key.format(ID)}\n"
    require_that_it_is_left(text, fields())
    require_that_it_is_left(f"links:\n{indented(text.replace('vid_id', 'youtube'), 2)}", NESTED)


def require_that_it_is_left(text: str, mapping: Fields) -> None:
    found = find(block(text), mapping, "page.md")
    assert (found.slots, [problem.kind for problem in found.problems]) == ((), [ProblemKind.READERS_DISAGREE]), text


@pytest.mark.parametrize(
    "text",
    [
        "tags:\n- a\n- ''\nvid_id: @\nviewcount: 5\n",
        "tags:\n  -\nvid_id: @\nviewcount: 5\n",
        "tags:\n-\n- a\nvid_id: @\nviewcount: 5\n",
        "tags:\n- |\nvid_id: @\nviewcount: 5\n",
        "a:\n  tags:\n  - b\n  -\nvid_id: @\nviewcount: 5\n",
        "a:\n- tags:\n    - b\n    -\n  c: d\n- e\nvid_id: @\nviewcount: 5\n",
        "a:\n- - b\n  -\nvid_id: @\nviewcount: 5\n",
        "vid_id: @\nviewcount: 5\na:\n- tags:\n  - b\n  - # c\n# d\n",
        "a: [b, ]\nvid_id: @\nviewcount: 5\n",
        "vid_id: @\nviewcount: 5\ntags:\n- a\n-\n",
        "title: a?\nvid_id: @\nviewcount: 5\n",
        "title: a\ufeffb\nvid_id: @\nviewcount: 5\n",
    ],
)
def test_a_similar_construct_is_not_a_problem(text: str) -> None:
    page = block(text.replace("@", ID))
    assert difference(page, rewritten(page, fields(), "901")) == (b"5", b"901")


@pytest.mark.parametrize(
    "text",
    [
        "title: !\nvid_id2: @\n",
        "{vid_id2: @, viewcount:5}\n",
        "title: |\n\n'x': 1\n",
        "videos: &v\n- !t\n",
    ],
)
def test_such_a_construct_without_a_video_is_not_a_problem(text: str) -> None:
    assert find(block(text.replace("@", ID)), fields(), "page.md") == PageContents()


WIDER = [
    "tags:\n  -\ta\n  -\tb c\nvid_id: @\nviewcount: 5\n",
    "tags:\n- \ta # c\n-\t \t'b: c'\n-\t[e, f]\n-\t{g: h}\n-\thttps://a.b\n-\t|\n  d\nvid_id: @\nviewcount: 5\n",
    "vid_id: @\nviewcount: 5\ntags:\r\n  -\ta\r\n  -\t&b b\n  -\t*b\n",
    "a: &x 1\nb: &x 2\nvid_id: @\nviewcount: 5\nc: *x\n",
    "a: &x {viewcount: 1}\nb: &x {c: 2}\n<<: *x\nvid_id: @\nviewcount: 5\n",
]
"""Blocks that libyaml refuses, or PyYAML alone, and all other readers read alike."""


@pytest.mark.parametrize("text", WIDER)
def test_what_is_read_alike_by_all_who_read_it_is_updated(text: str) -> None:
    page = block(text.replace("@", ID))
    changed = rewritten(page, fields(), "901")
    assert changed == page.replace(b"viewcount: 5", b"viewcount: 901")
    assert ("vid_id", ID) in [leaf[:2] for leaf in leaves(page)]


@pytest.mark.parametrize(
    "line",
    ["title: What is it?", "title: 'What is it?'", "a:\n- why?", "a: [why?, how?]", "a: {b: why?}", "a: |\n  why?"],
)
def test_a_question_mark_at_the_end_of_a_text_does_not_mark_a_key(line: str) -> None:
    page = block(f"{line}\nvid_id: {ID}\nb: why?\nviewcount: 5\n")
    assert find_in_tree(page, keys_of(fields()), "page.md") == find(page, fields(), "page.md")
    assert difference(page, rewritten(page, fields(), "901")) == (b"5", b"901")


@pytest.mark.parametrize("line", ["-\ta: b", "-\t- a", "-\t? a", "-\ta:", "\ta: b", "x:\n\t- a", "-\t'a': b"])
def test_a_tab_that_would_indent_keys_is_refused(line: str) -> None:
    (problem,) = find(block(f"vid_id: {ID}\nviewcount: 5\ntags:\n{line}\n"), fields(), "page.md").problems
    assert (problem.kind, problem.line) in {
        (ProblemKind.INVALID_FRONT_MATTER, 5),
        (ProblemKind.INVALID_FRONT_MATTER, 6),
    }


@pytest.mark.parametrize(
    "text",
    ["%vid_id: @\nviewcount: 5\n", "%# c\nvid_id: @\n", "\n%viewcount: 4\nvid_id: @\n", "vid_id: @\n%viewcount: 5\n"],
)
def test_a_byte_order_mark_at_the_start_of_a_line_is_named(text: str) -> None:
    page = block(text.replace("%", "\ufeff").replace("@", ID))
    (problem,) = find(page, fields(), "page.md").problems
    assert (problem.kind, problem.line) == (ProblemKind.READERS_DISAGREE, 2 + text[: text.index("%")].count("\n"))
    assert "U+FEFF (byte order mark)" in problem.message
    assert find(page, fields("other_id"), "page.md") == PageContents()


def test_a_second_document_hides_nothing() -> None:
    """Psych reads the first document of two, and only libyaml breaks the line at U+2028."""
    (problem,) = find(block(f"# so far\u2028 viewcount: 4\nvid_id: {OTHER_ID}\n"), fields(), "page.md").problems
    assert problem.kind is ProblemKind.READERS_DISAGREE
