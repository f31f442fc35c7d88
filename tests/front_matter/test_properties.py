"""What holds for all pages: generated ones, nasty ones, and any bytes at all."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from syncer.front_matter.block import head_suffices
from syncer.front_matter.find import find, find_in_tree
from syncer.front_matter.keys import PageContents, keys_of
from syncer.front_matter.leaves import leaves
from syncer.front_matter.plain import find_plain, plain_splices, splice
from syncer.front_matter.rewrite import rewrite
from syncer.front_matter.rewrite_tree import tree_splices
from syncer.front_matter.video_id import parse_video_id
from syncer.model import Count, Fields, Problem
from tests.examples import examples
from tests.front_matter.drawing import NASTY, any_bytes, blocks, counts, pages
from tests.front_matter.pages import ID, NEW_DATE, change, changes, difference, fields

MAPPINGS = [
    fields(),
    fields(insert=True),
    fields("links.youtube", "links.viewcount"),
    fields("videos[].id", insert=True),
    fields(date="updated"),
    fields(insert=True, date="updated"),
    fields("videos[].id", insert=True, date="updated"),
]
mappings = st.sampled_from(MAPPINGS)
FLAT = [mapping for mapping in MAPPINGS if mapping.video_id == "vid_id"]
flat_mappings = st.sampled_from(FLAT)


def require_that_the_ways_agree(data: bytes, mapping: Fields) -> bool:
    """Compare both ways, in what they find and in what they write; say whether the fast way answered."""
    keys = keys_of(mapping)
    fast, true = find_plain(data, keys), find_in_tree(data, keys, "page.md")
    assert fast is None or PageContents(fast) == true
    for new in ("0", "1234567890123456789"):
        made = changes(true, new)
        plain, parsed = plain_splices(data, keys, made), tree_splices(data, keys, made, "page.md")
        if plain is not None:
            assert isinstance(parsed, list)
            assert splice(data, plain) == splice(data, parsed)
    return fast is not None


@examples(1200)
@given(blocks, flat_mappings)
def test_the_fast_path_finds_what_the_full_parser_finds_or_leaves_it_to_it(text: str, mapping: Fields) -> None:
    require_that_the_ways_agree(f"---\n{text}---\n".encode(), mapping)


@pytest.mark.parametrize(
    "form", ["{0}: {1}", "{0}:   {1}  ", "{0}: {1} # c", "{0}: [{1}]", "{0}: [x,{1} , y]", "{0}: {1}:"]
)
@pytest.mark.parametrize("name", ["title", "viewcount", "vid_id", "updated"])
def test_the_two_ways_agree_on_every_nasty_value(form: str, name: str) -> None:
    answered = 0
    for value in NASTY:
        lines = {"title": "title: x", "vid_id": f"vid_id: {ID}", "viewcount": "viewcount: 5", "updated": "updated: ''"}
        lines[name] = form.format(name, value)
        for end in ("\n", "\r\n"):
            page = end.join(["---", *lines.values(), "---", ""]).encode()
            answered += require_that_the_ways_agree(page, fields(date="updated"))
    assert answered > 0 or name != "title" or form == "{0}: {1}:"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "# note",
        "a:",
        "a: b",
        "a: 'b' # c",
        'a: "\\/"',
        'a: ["b c","d"]',
        "a: [b, c-d]",
        "a: https://example.com/#b",
        "a: é",
        "a: [/b/, /c]",
        "a:\n- b\n- c",
        "a:\n  - b\n  - 'c'\n\n  # note\n  - [d, e]",
        "a: # note\n    - b",
        "a:\n  b: c\n  vid_id: d\n  e:\n  - f\n  g:\n    - h\n  i:\n    viewcount: x",
        "a:\n    b: c\n    d:\n      - e",
    ],
)
def test_plain_lines_go_the_fast_way(line: str) -> None:
    assert require_that_the_ways_agree(f"---\n{line}\nvid_id: {ID}\n---\n".encode(), fields())


@pytest.mark.parametrize("line", ["vid_id:", "vid_id: ''", "vid_id: # note", f"vid_id: #{ID}", "title: x"])
@pytest.mark.parametrize(
    "count",
    [
        *("viewcount:", 'viewcount: ""  # 5', "viewcount: # 5", "likeCount: '5'", "", "a: b"),
        *("updated:", "updated: '' # c", "updated: 2026-10-01\nviewcount: 5"),
    ],
)
def test_what_is_empty_or_absent_goes_the_fast_way(line: str, count: str) -> None:
    for mapping in FLAT:
        assert require_that_the_ways_agree(f"---\n{line}\n{count}\n---\n".encode(), mapping)
        assert require_that_the_ways_agree(f"---\n{count}\nvid_id: {ID}\n---\n".encode(), mapping)


@examples(500)
@given(blocks, mappings)
def test_a_block_is_rewritten_there_and_back(text: str, mapping: Fields) -> None:
    require_there_and_back(f"---\n{text}---\nBody\r\rlast".encode(), mapping)


@examples(500)
@given(pages(), mappings, counts)
def test_a_page_is_changed_only_at_each_count_and_date(page: bytes, mapping: Fields, new: str) -> None:
    found = find(page, mapping, "page.md")
    for slot in found.slots:
        for value in slot.values:
            result = rewrite(page, mapping, [change(slot.video_id, value, new)], "page.md")
            assert isinstance(result, bytes)
            gone, came = difference(page, result)
            assert gone.decode() in (value.text or "")
            written = new if isinstance(value.kind, Count) else f'"{NEW_DATE}"'
            assert came.decode() in f" {written}" or not value.present
    require_there_and_back(page, mapping)


@given(pages())
def test_a_written_page_holds_one_slot(page: bytes) -> None:
    assert len(find(page, fields(), "page.md").slots) + len(find(page, fields("videos[].id"), "page.md").slots) == 1


def require_there_and_back(data: bytes, mapping: Fields) -> None:
    found = find(data, mapping, "page.md")
    there = [one for one in changes(found, "1234567") if one.old is not None]
    if not there:
        return
    identity = [one._replace(new=one.old or "") for one in there]
    assert rewrite(data, mapping, identity, "page.md") == data
    result = rewrite(data, mapping, there, "page.md")
    assert isinstance(result, bytes)
    again = find(result, mapping, "page.md")
    assert [slot.video_id for slot in again.slots] == [slot.video_id for slot in found.slots]
    assert {one.field: one.old for one in changes(again, "0") if one.old} == {one.field: one.new for one in there}
    back = [one._replace(old=one.new, new=one.old or "") for one in there]
    assert rewrite(result, mapping, back, "page.md") == data


@examples(1000)
@given(any_bytes, mappings)
def test_any_bytes_are_read_or_refused(data: bytes, mapping: Fields) -> None:
    found = find(data, mapping, "page.md")
    assert isinstance(found, PageContents)
    leaves(data)
    for slot in found.slots:
        for value in slot.values:
            result = rewrite(data, mapping, [change(slot.video_id, value, "31")], "page.md")
            assert isinstance(result, bytes), (found, result)


@examples(400)
@given(any_bytes, st.integers(0, 80), mappings)
def test_a_head_that_suffices_gives_the_same_as_the_whole_page(data: bytes, length: int, mapping: Fields) -> None:
    head = data[:length]
    if head_suffices(head):
        assert find(head, mapping, "page.md") == find(data, mapping, "page.md")


@examples(400)
@given(st.text(max_size=40))
def test_any_text_is_an_id_or_none_or_a_problem(text: str) -> None:
    assert isinstance(parse_video_id(text, "page.md"), str | Problem | None)


def test_both_yaml_loaders_give_the_same_offsets() -> None:
    text = f"videos:\n  - id: '{ID}'\n    views: 5 # é\n    likes:\n"
    marks = []
    for loader in (yaml.SafeLoader, yaml.CSafeLoader):
        scalars = [event for event in yaml.parse(text, loader) if isinstance(event, yaml.ScalarEvent)]
        marks.append([(event.value, event.start_mark and event.start_mark.index) for event in scalars])
    assert marks[0] == marks[1]
