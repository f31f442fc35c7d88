"""The pattern of the layout that most pages of a site have: it finds what the full parser finds, in linear time."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.front_matter.find import find_in_tree
from syncer.front_matter.forms import FORMS
from syncer.front_matter.keys import Keys, PageContents, PlainBlocks, keys_of
from syncer.front_matter.plain import find_plain, plain_splices, splice
from syncer.front_matter.rewrite_tree import tree_splices
from syncer.model import Fields
from tests.examples import examples
from tests.front_matter.drawing import NASTY, blocks, line_ends
from tests.front_matter.pages import ID, changes, fields

USUAL = {
    "title": "x",
    "viewcount": "5",
    "tags": "[a, b]",
    "vid_id": ID,
    "updated": "2026-10-01",
    "likeCount": '"6"',
    "more": "",
    "last": "'z'",
}
UNDATED, DATED = fields(), fields(date="updated")


def page_of(lines: Sequence[str], end: str = "\n") -> bytes:
    return end.join(["---", *lines, "---", "Text"]).encode()


USUAL_PAGE = page_of([f"{name}: {value}" for name, value in USUAL.items()])


def after(page: bytes, *, lead: int = 1, mapping: Fields = UNDATED) -> Keys:
    """Return the keys as they are after pages of this layout; one page teaches it, if `lead` is 1."""
    dates = mapping.details.values()
    forms = [FORMS[detail] for detail in mapping.details]
    plain = PlainBlocks("vid_id", "viewcount", "likeCount", *dates, details=forms, lead=lead)
    keys = keys_of(mapping)._replace(plain=plain)
    find_plain(page, keys)
    return keys


def pattern_for(page: bytes, keys: Keys) -> object:
    """Return the pattern that proves a page."""
    proof = keys.plain and keys.plain.prove(page)
    assert proof, page
    return proof[0].re


def require_agreement(page: bytes, keys: Keys) -> None:
    fast, true = find_plain(page, keys), find_in_tree(page, keys, "page.md")
    assert fast is None or PageContents(fast) == true
    made = changes(true, "1234567890123456789")
    plain, parsed = plain_splices(page, keys, made), tree_splices(page, keys, made, "page.md")
    if plain is not None:
        assert isinstance(parsed, list)
        assert splice(page, plain) == splice(page, parsed)


@pytest.mark.parametrize("mapping", [UNDATED, DATED])
@pytest.mark.parametrize("name", USUAL)
def test_a_page_of_the_layout_is_read_as_the_full_parser_reads_it_whatever_its_values(
    name: str, mapping: Fields
) -> None:
    keys = after(USUAL_PAGE, mapping=mapping)
    layout, fast = pattern_for(USUAL_PAGE, keys), 0
    for value in [*NASTY, "", " ", "a  #", "a# ", "# "]:
        for end in ("\n", "\r\n"):
            page = page_of([f"{key}: {value if key == name else usual}" for key, usual in USUAL.items()], end)
            require_agreement(page, keys)
            fast += find_plain(page, keys) is not None and pattern_for(page, keys) is layout
    assert fast > 10


@examples(600)
@given(blocks, st.data())
def test_a_page_that_is_like_another_is_read_as_the_full_parser_reads_it(block: str, data: st.DataObject) -> None:
    first = f"---\n{block}vid_id: {ID}\nviewcount: 1\nlikeCount: 2\nupdated: 2026-10-01\n---\n"
    keys = after(first.encode(), mapping=data.draw(st.sampled_from([UNDATED, DATED])))
    lines = first.splitlines()
    number = data.draw(st.integers(1, len(lines) - 1))
    lines[number] = f"{lines[number].partition(':')[0]}:{data.draw(st.sampled_from(['', ' ']))}{data.draw(_values)}"
    require_agreement(data.draw(line_ends).join([*lines, ""]).encode(), keys)


_values = st.one_of(st.sampled_from(NASTY), st.just("\n- a\n- b"), st.just("\n  - a"), st.just("\n  a: b"))


@pytest.mark.parametrize(
    "tags", ["tags: [a]", "tags:\n- a\n- b", "tags:\n  - 'a'", "tags: # c\n    - a", "tags:\n  - a:b\n  - c:d"]
)
def test_keys_with_values_and_lists_are_a_layout(tags: str) -> None:
    first = page_of([tags, f"vid_id: {ID}", "likeCount: 1", "viewcount: 2"])
    keys, other = after(first), page_of([tags, "vid_id: abcdefghijk", "likeCount: 3", "viewcount: 4"])
    assert pattern_for(other, keys) is not pattern_for(first, after(first, lead=2))
    assert PageContents(find_plain(other, keys) or ()) == find_in_tree(other, keys, "page.md")


@pytest.mark.parametrize("line", ["", "# c", "a:\n  b: c", "likeCount: [1]"])
def test_any_other_line_is_left_to_the_pattern_for_any_block(line: str) -> None:
    lines = [line, f"vid_id: {ID}", "viewcount: 1", *([] if "like" in line else ["likeCount: 2"])]
    keys = after(page_of(lines))
    assert pattern_for(page_of(lines), keys) is pattern_for(USUAL_PAGE, keys)


def test_the_layout_of_most_pages_is_the_one() -> None:
    few = page_of([f"vid_id: {ID}", "viewcount: 1", "likeCount: 2"])
    keys = after(few, lead=4)
    general = pattern_for(few, keys)
    for _ in range(8):
        for page in (USUAL_PAGE, few, USUAL_PAGE):
            find_plain(page, keys)
    assert pattern_for(USUAL_PAGE, keys) is not general
    assert pattern_for(few, keys) is general


@pytest.mark.parametrize(
    "value", ["a# ", "a  # b", "'a' # b", '"a" ', "[a, b] # c", "a: ", "", " # c", "\n- a# \n- b # c"]
)
def test_a_page_that_leaves_the_layout_at_its_end_takes_linear_time(value: str) -> None:
    names = [f"key{number}" for number in range(40)]
    lines = [*(f"{name}: {value}" for name in names), f"vid_id: {ID}", "viewcount: 1", "likeCount: 2", "last: x"]
    keys = after(page_of([line.replace("a: ", "a") for line in lines]))
    started = time.process_time()
    for last in ("last: @", "lost: x", "last: x\nmore: y"):
        require_agreement(page_of([*lines[:-1], last]), keys)
    assert time.process_time() - started < 5


@pytest.mark.parametrize("title", ["\x80".encode(), "\ufffe".encode(), b"\xff", b"'\xc3'"])
def test_a_page_of_the_layout_with_bytes_that_are_no_text_for_yaml_is_left_to_the_full_parser(title: bytes) -> None:
    keys, page = after(USUAL_PAGE), USUAL_PAGE.replace(b"title: x", b"title: " + title)
    assert find_plain(page, keys) is None
    assert find_in_tree(page, keys, "page.md").problems
