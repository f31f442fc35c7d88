"""Counts in data files: a whole file in YAML, JSON or TOML, in the shapes that sites have."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from syncer.front_matter.block import LARGEST_PAGE_BYTES, Syntax
from syncer.front_matter.data import MAX_BYTES
from syncer.front_matter.find import find
from syncer.front_matter.keys import PageContents, keys_of
from syncer.front_matter.locate import MAX_DATA_ITEMS, BlockText, locate_slots
from syncer.front_matter.parse import parse
from syncer.front_matter.rewrite import rewrite
from syncer.front_matter.tree import Tree
from syncer.front_matter.wanted import Wanted
from syncer.model import Count, Detail, Fields, Format, Problem, ProblemKind
from tests.examples import PROVING, examples
from tests.front_matter.drawing import any_bytes, blocks
from tests.front_matter.pages import ID, NEW_DATE, OTHER_ID, changes, difference

THIRD_ID = "dQw4w9WgXcQ"
READERS: dict[str, Callable[[str], Any]] = {"yml": yaml.safe_load, "json": json.loads, "toml": tomllib.loads}


def mapped(video_id: str, views: str = "views", **others: Any) -> Fields:
    return Fields(video_id, {Count.VIEWS: views}, **others)


def written(text: str, mapping: Fields, path: str, new: str = "31250") -> str:
    data = text.encode()
    found = find(data, mapping, path)
    assert found.problems == ()
    result = rewrite(data, mapping, changes(found, new), path)
    assert isinstance(result, bytes), result
    return result.decode()


def fields_in(text: str, mapping: Fields, path: str) -> list[tuple[str, str, str | None]]:
    found = find(text.encode(), mapping, path)
    assert found.problems == ()
    return [(slot.video_id, value.field, value.text) for slot in found.slots for value in slot.values]


JEKYLL_TALKS = f"""\
# Talks, newest first.
---
- title: "Locks: how they work" # 2024
  youtube_id: {ID}
  views:   48210   # of the video
  tags: [canal, lock]
- title: No video yet
  youtube_id:
  views: 7
- {{title: In braces, youtube_id: '{OTHER_ID}', views: "9"}}
"""

HUGO_JSON = f"""\
{{"talks": [
\t{{ "title": "Caf\\u00e9 \\/ 1", "video": {{"id":"{ID}","views":48210}} }},
\t{{ "title": "No video", "video": null }},
\t{{"video":{{ "views" : "9", "id" : "https:\\/\\/youtu.be\\/{OTHER_ID}" }}}}
]}}"""

ELEVENTY_JSON = f'[\n  {{\n    "id": "{ID}",\n    "views": 48210\n  }},\n  {{\n    "id": "{OTHER_ID}"\n  }}\n]\n'

CONFERENCE_TOML = f"""\
title = "Canals 2026"

[[events]]
name = 'Day one'
[[events.talks]]
id = "{ID}"
views = 48210 # so far
[[events.talks]]
id = '{OTHER_ID}'
views = '''9'''

[[events]]
name = "Day two"
talks = [ {{ id = "{THIRD_ID}", views = 0 }} ]
"""

BY_ID_YAML = f'videos:\n  {ID}:\n    title: x\n    views: 48210\n  "{OTHER_ID}": {{views: 9}}\n  {THIRD_ID}:\n'


@pytest.mark.parametrize(
    ("path", "video_id", "views", "text", "found"),
    [
        (
            "_data/talks.yml",
            "[].youtube_id",
            "views",
            JEKYLL_TALKS,
            [(ID, "[0].views", "48210"), (OTHER_ID, "[2].views", "9")],
        ),
        (
            "data/videos.json",
            "talks[].video.id",
            "video.views",
            HUGO_JSON,
            [(ID, "talks[0].video.views", "48210"), (OTHER_ID, "talks[2].video.views", "9")],
        ),
        ("src/_data/videos.json", "[].id", "views", ELEVENTY_JSON, [(ID, "[0].views", "48210")]),
        (
            "data/schedule.toml",
            "events[].talks[].id",
            "views",
            CONFERENCE_TOML,
            [
                (ID, "events[0].talks[0].views", "48210"),
                (OTHER_ID, "events[0].talks[1].views", "9"),
                (THIRD_ID, "events[1].talks[0].views", "0"),
            ],
        ),
        (
            "_data/videos.YAML",
            "videos.{}",
            "views",
            BY_ID_YAML,
            [(ID, f"videos.{{{ID}}}.views", "48210"), (OTHER_ID, f"videos.{{{OTHER_ID}}}.views", "9")],
        ),
        ("v.json", "{}", "n.v", f'{{"{ID}": {{"n": {{"v": 5}}}}}}', [(ID, f"{{{ID}}}.n.v", "5")]),
        ("v.toml", "{}", "views", f'[{ID}]\nviews = 5\n["{OTHER_ID}"]\nx = 1\n', [(ID, f"{{{ID}}}.views", "5")]),
        ("one.yml", "id", "views", f"id: {ID}\nviews: 5\n", [(ID, "views", "5")]),
    ],
)
def test_only_the_counts_of_each_shape_change(
    path: str, video_id: str, views: str, text: str, found: list[tuple[str, str, str]]
) -> None:
    mapping = mapped(video_id, views)
    for end in ("\n", "\r\n"):
        for start in ("", "\ufeff") if not path.endswith("json") else ("",):
            whole = start + text.replace("\n", end)
            assert fields_in(whole, mapping, path) == found
            new = written(whole, mapping, path)
            assert new == replaced(whole, [old for _, _, old in found], "31250")
            assert fields_in(new, mapping, path) == [(video, field, "31250") for video, field, _ in found]


def replaced(text: str, olds: list[str], new: str) -> str:
    """Replace whole numbers in the order in which they stand; each is the only one of its digits after the last."""
    done = ""
    for old in olds:
        before, _, text = _partition(text, old)
        done += before + new
    return done + text


def _partition(text: str, digits: str) -> tuple[str, str, str]:
    at = next(at for at in range(len(text)) if text.startswith(digits, at) and _is_count(text, at, len(digits)))
    return text[:at], digits, text[at + len(digits) :]


def _is_count(text: str, at: int, length: int) -> bool:
    before = text[:at].rstrip(" \"'").rstrip()
    return before.endswith(("views:", "views =", '"views":', '"views" :', '"v":')) and text[at - 1] in " :\"'"


@pytest.mark.parametrize(
    ("path", "text", "video_id", "after"),
    [
        ("a.yml", f"- id: {ID}\n  t: x\n", "[].id", f"- id: {ID}\n  views: 31250\n  t: x\n"),
        ("a.yml", f"- {{id: {ID}, t: x}}\n", "[].id", f"- {{id: {ID}, views: 31250, t: x}}\n"),
        ("a.yml", f"{ID}:\n  t: x\n", "{}", f"{ID}:\n  views: 31250\n  t: x\n"),
        ("a.yml", f"{ID}: {{t: x}}\n", "{}", f"{ID}: {{views: 31250, t: x}}\n"),
        ("a.json", f'[{{"id":"{ID}"}}]', "[].id", f'[{{"id":"{ID}","views":31250}}]'),
        ("a.json", f'{{"{ID}": {{\n  "t": 1\n}}}}', "{}", f'{{"{ID}": {{\n  "views": 31250,\n  "t": 1\n}}}}'),
        ("a.toml", f'[[v]]\nid="{ID}"\n', "v[].id", f'[[v]]\nid="{ID}"\nviews=31250\n'),
        ("a.toml", f"[{ID}]\n  t = 1\n", "{}", f"[{ID}]\n  views = 31250\n  t = 1\n"),
    ],
)
def test_a_missing_count_is_added_beside_the_id(path: str, text: str, video_id: str, after: str) -> None:
    assert written(text, mapped(video_id, insert_missing=True), path) == after


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("path", "text", "video_id", "line"),
    [
        ("a.yml", f"- t: x\n  id: {ID}", "[].id", "  views: 31250"),
        ("a.yml", f"v:\n  - id: {ID} # a comment", "v[].id", "    views: 31250"),
        ("a.toml", f'[[t]]\nid = "{ID}"', "t[].id", "views = 31250"),
        ("a.yml", f"id: {ID}", "id", "views: 31250"),
    ],
)
def test_a_missing_count_is_added_to_a_last_line_that_does_not_end(
    path: str, text: str, video_id: str, line: str, ending: str
) -> None:
    text = text.replace("\n", ending)
    between = ending if ending in text else "\n"
    assert written(text, mapped(video_id, insert_missing=True), path) == f"{text}{between}{line}"


@pytest.mark.parametrize("text", [f"{ID}:\n", f"{ID}: {{}}\n", f"{ID}: x\n"])
def test_no_count_is_added_where_an_id_has_no_table(text: str) -> None:
    found = find(text.encode(), mapped("{}", insert_missing=True), "a.yml")
    assert [slot.values for slot in found.slots] == [()]
    (problem,) = found.problems
    assert problem.kind is ProblemKind.CANNOT_PLACE
    assert problem.message.startswith("This video ID has no keys below it, so the count 'views' was not added")


@pytest.mark.parametrize("pair", ["youtube_id: _p7LdYf3kEA", "? youtube_id : _p7LdYf3kEA"])
def test_a_pair_without_braces_in_a_list_gets_no_count_and_the_other_items_do(pair: str) -> None:
    mapping, text = mapped("[].youtube_id", insert_missing=True), f"[{{youtube_id: {ID}}}, {pair}]\n"
    found = find(text.encode(), mapping, "a.yml")
    (problem,) = found.problems
    assert (problem.kind, problem.line) == (ProblemKind.CANNOT_PLACE, 1)
    assert problem.message == "This item has no braces, so the count 'views' was not added: put it in braces."
    new = rewrite(text.encode(), mapping, changes(found, "31250"), "a.yml")
    assert new == f"[{{youtube_id: {ID}, views: 31250}}, {pair}]\n".encode()


def test_each_document_is_read_and_a_field_says_which() -> None:
    text = f"---\n- id: {ID}\n  views: 5\n---\n- id: {ID}\n  views: 6\n...\n---\n[]\n"
    assert fields_in(text, mapped("[].id"), "a.yml") == [(ID, "[0].views", "5"), (ID, "---[1].[0].views", "6")]
    assert written(text, mapped("[].id"), "a.yml") == text.replace("5", "31250").replace("views: 6", "views: 31250")


@pytest.mark.parametrize("text", ["", "\n", "# nothing yet\n", "---\n", "---\n[]\n", "[]", "{}", "null\n", "id\n"])
def test_a_file_without_videos_has_none(text: str) -> None:
    for video_id in ("[].id", "{}", "id", "videos.{}"):
        assert find(text.encode(), mapped(video_id), "a.yml") == PageContents()


WHERE = {"provider": "youtube"}


def test_items_of_another_provider_are_skipped_silently() -> None:
    text = f"""\
- {{id: {ID}, provider: youtube, views: 1}}
- {{id: 123456789, provider: vimeo, views: 2}}
- {{id: my-talk-at-the-lock, views: 3}}
- {{id: {OTHER_ID}, provider: "youtube", views: 4}}
- {{id: {THIRD_ID}, provider: YouTube, views: 5}}
"""
    assert [field for _, field, _ in fields_in(text, mapped("[].id", where=WHERE), "a.yml")] == [
        "[0].views",
        "[3].views",
    ]
    assert len(find(text.encode(), mapped("[].id"), "a.yml").problems) == 2


def test_a_page_of_another_provider_is_skipped_silently() -> None:
    page = f"---\nid: {ID}\nprovider: youtube\nviews: 1\n---\n".encode()
    assert len(find(page, mapped("id", where=WHERE), "a.md").slots) == 1
    for other in (
        page.replace(b"youtube", b"vimeo"),
        page.replace(b"provider", b"other"),
        page.replace(ID.encode(), b"x:"),
    ):
        assert find(other, mapped("id", where={**WHERE, "provider": "youtube"}), "a.md").slots == ()
    assert find(
        page.replace(b"youtube", b"vimeo").replace(ID.encode(), b"slug"), mapped("id", where=WHERE), "a.md"
    ) == (PageContents())


@pytest.mark.parametrize(
    ("value", "text"), [("true", "true"), ("1", "1"), ("1", '"1"'), ("yes", "yes"), ("0x1F", "0x1F"), ("a b", "a b")]
)
def test_a_value_is_compared_as_it_is_written(value: str, text: str) -> None:
    file = f"- id: {ID}\n  show: {text}\n  views: 1\n"
    assert len(fields_in(file, mapped("[].id", where={"show": value}), "a.yml")) == 1
    assert fields_in(file, mapped("[].id", where={"show": f"{value}x"}), "a.yml") == []


def test_the_keys_of_a_mapping_that_are_no_ids_are_one_problem() -> None:
    text = f"title: x\n{ID}: {{views: 1}}\nnote: y\n"
    found = find(text.encode(), mapped("{}"), "a.yml")
    assert [slot.video_id for slot in found.slots] == [ID]
    assert [(each.kind, each.line) for each in found.problems] == [(ProblemKind.NOT_A_VIDEO_ID, 1)]
    assert "2 keys" in found.problems[0].message
    assert find(b"title: x\nnote: y\n<<: {a: b}\n", mapped("{}"), "a.yml") == PageContents()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (f"- id: {ID}\n  views: 1\n  views: 2\n", ProblemKind.DUPLICATE_KEY),
        ("- id: 123_4567_89\n  views: 1\n", ProblemKind.READERS_DISAGREE),
        (f"- &a\n  id: {ID}\n  views: 1\n- *a\n", ProblemKind.ALIAS),
        (f"- id: {ID}\n  views: 1.2M\n", ProblemKind.NOT_A_COUNT),
        (f"x: &d {{views: 1}}\ntalks:\n- <<: *d\n  id: {ID}\n", ProblemKind.READERS_DISAGREE),
        (f"- id: {ID}\n  views: [\n", ProblemKind.INVALID_FRONT_MATTER),
        (f"- id: {ID}\n  a: !t\n  views: 1\n", ProblemKind.READERS_DISAGREE),
        (f"- id: {ID}\n  n: a\x85  views: 3\n", ProblemKind.READERS_DISAGREE),
    ],
)
def test_what_is_uncertain_is_refused_as_in_front_matter(text: str, kind: ProblemKind) -> None:
    for video_id in ("[].id", "talks[].id"):
        problems = find(text.encode(), mapped(video_id), "a.yml").problems
        if problems or text.startswith("x:") == (video_id == "talks[].id"):
            of_items = 2 if "- *a" in text else 1  # the anchor's and the alias's
            assert [problem.kind for problem in problems] == [kind] * of_items
            assert "front matter" not in problems[0].message


def test_a_key_twice_among_the_ids_is_a_problem_of_that_id() -> None:
    text = f"{ID}: {{views: 1}}\n{OTHER_ID}: {{views: 1}}\n{ID}: {{views: 2}}\n"
    found = find(text.encode(), mapped("{}"), "a.yml")
    assert [slot.video_id for slot in found.slots] == [OTHER_ID]
    assert {problem.kind for problem in found.problems} == {ProblemKind.DUPLICATE_KEY}


def test_keys_in_two_letter_cases_are_two_keys_in_data() -> None:
    text = f"- id: {ID}\n  views: 1\n  Views: 2\n"
    assert fields_in(text, mapped("[].id"), "a.yml") == [(ID, "[0].views", "1")]
    assert find(f"- Id: {ID}\n".encode(), mapped("[].id"), "a.yml").miscased_key == "[].Id"


def test_a_file_with_a_body_is_told_from_a_page_with_front_matter() -> None:
    for path, text in (
        ("a.json", f'{{"id": "{ID}"}}\nBody.\n'),
        ("a.toml", f'+++\nid = "{ID}"\n+++\nBody.\n'),
        ("a.yml", f"---\nid: {ID}\n---\nBody: [a\n"),
    ):
        (problem,) = find(text.encode(), mapped("id"), path).problems
        assert problem.message.endswith("set `format: front_matter`.")
        page = find(text.encode(), mapped("id", format=Format.FRONT_MATTER), path)
        assert [slot.video_id for slot in page.slots] == [ID]
    (problem,) = find(f'[{{"id": "{ID}"}}'.encode(), mapped("[].id"), "a.json").problems
    assert "front_matter" not in problem.message


def test_the_format_wins_over_the_suffix() -> None:
    text = f"- id: {ID}\n  views: 1\n"
    assert len(fields_in(text, mapped("[].id", format=Format.YAML), "a.txt")) == 1
    (problem,) = find(text.encode(), mapped("[].id", format=Format.DATA), "a.txt").problems
    assert problem.message.startswith("`format: data` needs a file name that ends in")
    assert find(text.encode(), mapped("id"), "a.txt") == PageContents()


def test_a_file_of_too_many_bytes_or_videos_is_refused() -> None:
    item = f"- id: {ID}\n"
    for path, text in (
        ("a.yml", item + "#" * MAX_BYTES[Format.YAML]),
        ("a.yml", item * (MAX_DATA_ITEMS + 1)),
        ("a.toml", f'[[videos]]\nid = "{ID}"\n' + "#" * MAX_BYTES[Format.TOML]),
        ("a.toml", f"videos = [{f'{{id = {ID!r}}}, ' * (MAX_DATA_ITEMS + 1)}]"),
        ("a.json", f'[{{"id": "{ID}"}}]' + " " * LARGEST_PAGE_BYTES),
        ("a.csv", f"id\n{ID}\n" + "\n" * LARGEST_PAGE_BYTES),
    ):
        mapping = mapped({"a.toml": "videos[].id", "a.csv": "id"}.get(path, "[].id"))
        (problem,) = find(text.encode(), mapping, path).problems
        assert problem.kind is ProblemKind.TOO_LARGE
        assert problem.message.endswith("split it into several files.")
    assert len(find((item * MAX_DATA_ITEMS).encode(), mapped("[].id"), "a.yml").slots) == MAX_DATA_ITEMS


def test_a_page_that_grows_beyond_the_limit_is_not_written() -> None:
    text = f"- id: {ID}\n  views: 1\n"
    data = (text + "#" * (MAX_BYTES[Format.YAML] - len(text))).encode()
    found = find(data, mapped("[].id"), "a.yml")
    result = rewrite(data, mapped("[].id"), changes(found, "31250"), "a.yml")
    assert isinstance(result, Problem)
    assert result.kind is ProblemKind.TOO_LARGE


def test_a_table_that_grows_beyond_the_limit_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "syncer.front_matter.csv_table.LARGEST_PAGE_BYTES", 1 << 20
    )  # to prove a change of 64 MiB takes 14 seconds
    text = f"id,views\n{ID},1\n"
    data = (text + "\n" * ((1 << 20) - len(text))).encode()
    mapping = mapped("id")
    made = changes(find(data, mapping, "a.csv"), "31250")
    result = rewrite(data, mapping, made, "a.csv")
    assert isinstance(result, Problem)
    assert (result.kind, result.message) == (
        ProblemKind.TOO_LARGE,
        "With the new counts, the file would be larger than 1 MiB: split it into several files.",
    )
    assert isinstance(rewrite(data[:-4], mapping, made, "a.csv"), bytes)


DATED = Fields("[].id", {Count.VIEWS: "views", Count.LIKES: "n.likes"}, details={Detail.CHECKED_AT: "seen"})
MAPPINGS = [
    DATED,
    mapped("[].id", insert_missing=True),
    mapped("videos[].id", where={"title": "a"}),
    mapped("{}"),
    mapped("videos.{}", insert_missing=True),
    mapped("vid_id", "viewcount"),
    mapped("vid_id", "d.viewcount", details={Detail.CHECKED_AT: "updated"}),
]
mappings = st.sampled_from(MAPPINGS)


def require_the_same_slots(text: str, syntax: Syntax, mapping: Fields) -> int:
    """Compare what is found in a tree of everything and in one of what is wanted."""
    keys, block = keys_of(mapping), BlockText(text, syntax, 1, "a", is_data=True)
    whole = parse(text, syntax)
    wanted = parse(text, syntax, Wanted(keys))
    if not isinstance(whole, Tree) and "more than one document" in whole.reason:
        return 0
    assert locate_slots(block, wanted, keys) == locate_slots(block, whole, keys)
    return len(locate_slots(block, wanted, keys)[0])


_indented = blocks.map(lambda text: "".join(f"  {line}\n" for line in text.splitlines()))
_lists = st.builds(
    "videos:\n- id: {}\n  views: 5\n{}- id: x\n{}".format, st.sampled_from([ID, OTHER_ID]), _indented, blocks
)


@examples(250 if PROVING else 120)
@given(blocks | _lists | _lists.map(lambda text: text[len("videos:\n") :]), mappings)
def test_what_is_left_out_of_the_tree_of_a_yaml_file_makes_no_difference(text: str, mapping: Fields) -> None:
    require_the_same_slots(text, Syntax.YAML, mapping)


_scalars = st.sampled_from([ID, OTHER_ID, "x", "", "5", 5, 0, None, True, 1.5, "é\u2028😀", "a\\/b", '"', "2026-10-01"])
_names = st.sampled_from(
    ["id", "views", "n", "likes", "seen", "title", "videos", ID, OTHER_ID, "vid_id", "viewcount", "syncer", "b"]
)
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=4), max_leaves=12
)
_items = st.dictionaries(_names, _values, max_size=4).map(lambda item: {"id": ID, "views": 5, **item})
documents = st.one_of(
    _values,
    st.lists(_items, max_size=4),
    st.lists(_items, max_size=4).map(lambda items: {"title": "a", "videos": items}),
    st.dictionaries(st.sampled_from([ID, OTHER_ID, THIRD_ID, "x"]), _items, max_size=3),
    st.dictionaries(st.sampled_from([ID, OTHER_ID, "y"]), _items, max_size=3).map(lambda entries: {"videos": entries}),
)


def _in_toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {_in_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_in_toml, value)) + "]"
    return json.dumps("" if value is None else value, ensure_ascii=False)


def _toml_file(value: Any) -> str:
    """Write a mapping with its tables below it, as people do."""
    if not isinstance(value, Mapping):
        return ""
    lines = [f"{json.dumps(key)} = {_in_toml(each)}" for key, each in value.items() if not _is_open(each)]
    for key, each in value.items():
        if _is_open(each):
            head = f"[[{json.dumps(key)}]]" if isinstance(each, list) else f"[{json.dumps(key)}]"
            for table in each if isinstance(each, list) else [each]:
                lines += [head, *(f"{json.dumps(name)} = {_in_toml(inner)}" for name, inner in table.items())]
    return "\n".join([*lines, ""])


def _is_open(value: Any) -> bool:
    return isinstance(value, Mapping) or (
        isinstance(value, list) and bool(value) and all(isinstance(item, Mapping) for item in value)
    )


_FILES: dict[str, list[Callable[[Any], str]]] = {
    "yml": [
        lambda value: yaml.safe_dump(value, allow_unicode=True, sort_keys=False),
        lambda value: yaml.safe_dump(value, default_flow_style=True, width=40, explicit_start=True),
        lambda value: "# c\n---\n" + json.dumps(value, indent=1),
    ],
    "json": [json.dumps, lambda value: json.dumps(value, indent=2, ensure_ascii=False)],
    "toml": [_toml_file],
}
_forms = st.sampled_from([(suffix, form) for suffix, forms in _FILES.items() for form in forms])


@examples(250 if PROVING else 120)
@given(documents, _forms, mappings)
def test_a_file_of_any_shape_changes_only_at_its_counts(
    value: Any, form: tuple[str, Callable[[Any], str]], mapping: Fields
) -> None:
    suffix, write = form
    text, path = write(value), f"a.{suffix}"
    syntax = {"yml": Syntax.YAML, "json": Syntax.JSON, "toml": Syntax.TOML}[suffix]
    require_the_same_slots(text, syntax, mapping)
    data = text.encode()
    found = find(data, mapping, path)
    made = changes(found, "987654321")
    if not made:
        return
    result = rewrite(data, mapping, made, path)
    assert isinstance(result, bytes), result
    before, after = READERS[suffix](text), READERS[suffix](result.decode())
    expected = {change.new for change in made} | {int(change.new) for change in made if change.new.isdigit()}
    assert len(list(_differences(before, after, expected))) == len(made)
    back = [change._replace(old=change.new, new=change.old) for change in made if change.old is not None]
    if len(back) == len(made):
        assert rewrite(result, mapping, back, path) == data


def _differences(before: Any, after: Any, expected: set[Any]) -> Any:
    """Yield what is new in `after`; everything else must be as before."""
    if isinstance(before, dict) and isinstance(after, dict):
        assert before.keys() <= after.keys()
        assert [key for key in after if key in before] == list(before)
        for key, value in after.items():
            if key in before:
                yield from _differences(before[key], value, expected)
            else:
                assert value in expected or str(value) == NEW_DATE
                yield value
    elif isinstance(before, list) and isinstance(after, list):
        assert len(before) == len(after)
        for old, new in zip(before, after, strict=True):
            yield from _differences(old, new, expected)
    elif before != after:
        assert after in expected or str(after) == NEW_DATE
        yield after


@examples(250 if PROVING else 120)
@given(any_bytes, mappings, st.sampled_from(["yml", "json", "toml"]))
def test_any_bytes_are_read_or_refused(data: bytes, mapping: Fields, suffix: str) -> None:
    found = find(data, mapping, f"a.{suffix}")
    made = changes(found, "31")
    if made:
        assert isinstance(rewrite(data, mapping, made, f"a.{suffix}"), bytes)


def test_a_part_that_a_small_edit_would_change_elsewhere_is_seen() -> None:
    text = f"- id: {ID}\n  views: 5\n  b: [x, {{c: d}}]\n"
    gone, came = difference(text.encode(), written(text, mapped("[].id"), "a.yml").encode())
    assert (gone, came) == (b"5", b"31250")


def test_line_ends_are_searched_once_also_in_a_file_on_one_line() -> None:
    block = BlockText('[{"id": 1}]', Syntax.JSON, 1, "a.json", is_data=True)
    assert [block.line_of(offset) for offset in (0, 5)] == [1, 1]
    assert block.newlines  # else each item of a file searches all of it again


@pytest.mark.parametrize(
    ("path", "text", "line", "message"),
    [
        ("a.yml", "- id: @\n  views: 1_000\n", 2, "'[0].views' is 1_000, which syncer does not overwrite: write only "),
        ("a.yml", "- id: @\n  views: 31k\n", 2, "write only digits, or leave it empty."),
        ("a.json", '[{"id": "@", "views": 5.0}]', 1, "write only digits, or `null`."),
        ("a.toml", '[[v]]\nid = "@"\nviews = 0x10\n', 3, 'write only digits, or `""`.'),
        ("a.yml", "- {id: @, views, t: 1}\n", 1, "The count '[0].views' has no colon: write `views:`, or remove it."),
        ("a.yml", "- id: @ -b5Nw0yRfhs\n", 1, "names more than one video (kq3vT7mZ_dE and -b5Nw0yRfhs): keep one of"),
        ("a.yml", '- id: @\n- t: "\0"\n', 2, "Invalid YAML: it contains U+0000, a character that YAML does not allow."),
        (
            "a.yml",
            "- id: \u00e9\n- t: \ufffe\n",
            2,
            "it contains U+FFFE, a character that YAML does not allow. Fix this line",
        ),
        ("a.yml", "- id: @\n- t: {% x %}\n", 2, "A value that begins with a sign such as % or @ needs quotes."),
        ("a.yml", "- id: @\n\tviews: 5\n", 2, "Indent with spaces, not with tabs."),
        ("a.yml", "-\tid: @\n", 1, "Indent with spaces, not with tabs."),
        ("a.yml", "- id: @\n  t: *new*\n", 2, "A value that begins with * or & needs quotes."),
        ("a.yml", "- id: @\r  views: 5\r", 1, "save the file with LF or CRLF line ends."),
        ("a.json", '// x\n[{"id": "@"}]', 1, "Invalid JSON: JSON has no comments. Fix this line"),
        ("a.json", '[\n{"id": "@" /* x */}]', 2, "Invalid JSON: JSON has no comments. Fix this line"),
        ("a.json", '[{"id": "@",}]', 1, "Invalid JSON: there is a comma after the last value."),
        ("a.json", '[{"id": "@"}\n,]', 2, "Invalid JSON: there is a comma after the last value."),
        ("a.json", "[{'id': '@'}]", 1, "Invalid JSON: JSON has double quotes only."),
        ("a.json", '{"id": "@"}\n{"id": "@"}', 2, "Invalid JSON: there is more after the end of the value."),
    ],
)
def test_what_is_said_can_be_done_in_a_file_of_this_format(path: str, text: str, line: int, message: str) -> None:
    by_path = {"a.json": "id" if text.startswith("{") else "[].id", "a.toml": "v[].id"}
    found = find(text.replace("@", ID).encode(), mapped(by_path.get(path, "[].id")), path)
    (problem,) = found.problems
    assert message in problem.message
    assert problem.line == line
    assert "front matter" not in problem.message


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    ("path", "text"), [("a.yml", "- id: @\n"), ("a.json", '[{"id": "@"}]'), ("a.toml", '[[id]]\nid = "@"\n')]
)
def test_a_file_in_utf_16_is_named(path: str, text: str, encoding: str) -> None:
    mapping = mapped("id[].id" if path == "a.toml" else "[].id")
    (problem,) = find(text.replace("@", ID).encode(encoding), mapping, path).problems
    assert (problem.kind, problem.message) == (ProblemKind.NOT_UTF8, "The file is UTF-16: save it as UTF-8.")
    assert find(text.replace("id", "x").encode(encoding), mapping, path) == PageContents()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.yml", "- id: @\n  views: 5\n- t: {{ x }}\n"),
        ("a.json", '\ufeff[{"id": "@", "views": 5}]'),
        ("a.json", '[{"id": "@", "views": 5, "t": NaN}]'),
        ("a.json", '[{"id": "@", "views": 5, "t": 1, "t": 2}]'),
        ("a.toml", 'v = [{id = "@", views = 5,\n}]\n'),
    ],
    ids=["a mapping as a key", "a byte order mark", "NaN", "a key twice", "TOML 1.1"],
)
def test_a_reader_that_refuses_a_file_has_no_say_as_with_front_matter(path: str, text: str) -> None:
    """Each of these is refused by some readers, and means the same to all others."""
    text = text.replace("@", ID)
    new = written(text, mapped("v[].id" if path == "a.toml" else "[].id"), path)
    assert new == text.replace("views = 5", "views = 31250").replace('"views": 5', '"views": 31250').replace(
        "views: 5", "views: 31250"
    )
