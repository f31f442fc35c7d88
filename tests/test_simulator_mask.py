"""The `fields` parameter of the simulator: its syntax, what it keeps, what it refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.simulator.mask import ANYTHING, Mask, MaskError, Schema, apply, check, parse
from syncer.simulator.wire import Json
from tests.examples import examples

DOCUMENT: Json = {
    "kind": "k",
    "items": [{"id": "a", "statistics": {"v": "1", "l": "2"}}, {"id": "b"}],
    "page": {"n": 2},
}


@pytest.mark.parametrize(
    ("text", "mask"),
    [
        ("a", {"a": {}}),
        ("a,b", {"a": {}, "b": {}}),
        ("a/b", {"a": {"b": {}}}),
        ("a(b,c)", {"a": {"b": {}, "c": {}}}),
        ("a/b(c,d/e),f", {"a": {"b": {"c": {}, "d": {"e": {}}}}, "f": {}}),
        ("a(b(c(d)))", {"a": {"b": {"c": {"d": {}}}}}),
        ("*", {"*": {}}),
        ("a/*/b", {"a": {"*": {"b": {}}}}),
        ("a/b,a/c", {"a": {"b": {}, "c": {}}}),
        ("a/b,a", {"a": {}}),
        ("a,a/b", {"a": {}}),
    ],
)
def test_mask_reads_names_groups_and_paths(text: str, mask: Mask) -> None:
    assert parse(text) == mask


@pytest.mark.parametrize(
    "text",
    ["", ",", "a,", ",a", "a,,b", "a(", "a()", "a(b", "a)", "a(b))", "/a", "a/", "a//b", "(a)", "a b", "a;b", "é"],
)
def test_a_text_that_is_not_a_mask_is_refused(text: str) -> None:
    with pytest.raises(MaskError):
        parse(text)


@pytest.mark.parametrize("text", ["a(" * 5000 + "b" + ")" * 5000, "a/" * 5000 + "b"])
def test_mask_refuses_more_levels_than_any_answer_has(text: str) -> None:
    with pytest.raises(MaskError):
        parse(text)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("*", DOCUMENT),
        ("kind", {"kind": "k"}),
        ("page,kind", {"kind": "k", "page": {"n": 2}}),  # in the document's order
        ("items/id", {"items": [{"id": "a"}, {"id": "b"}]}),
        ("items(id,statistics/v)", {"items": [{"id": "a", "statistics": {"v": "1"}}, {"id": "b"}]}),
        ("items/statistics", {"items": [{"statistics": {"v": "1", "l": "2"}}, {}]}),
        ("items/*/l", {"items": [{"id": "a", "statistics": {"l": "2"}}, {"id": "b"}]}),
        ("items(*/l,statistics/v)", {"items": [{"id": "a", "statistics": {"v": "1", "l": "2"}}, {"id": "b"}]}),
    ],
)
def test_mask_keeps_what_it_names(text: str, left: Json) -> None:
    assert apply(parse(text), DOCUMENT) == left


SCHEMA: Schema = {"kind": {}, "items": {"id": {}, "statistics": {"v": {}}}, "free": ANYTHING}


@pytest.mark.parametrize(
    "text", ["kind", "*", "items", "items(id,statistics/v)", "items/*/v", "*/statistics/v", "free/x"]
)
def test_mask_that_fits_the_schema_passes(text: str) -> None:
    assert is_accepted(text)


@pytest.mark.parametrize("text", ["kinds", "items/statistic", "items/id/x", "kind/x", "items/*/w"])
def test_mask_with_a_name_that_cannot_be_there_is_refused(text: str) -> None:
    assert not is_accepted(text)


def is_accepted(text: str) -> bool:
    try:
        check(parse(text), SCHEMA)
    except MaskError:
        return False
    return True


@given(st.text(alphabet="ab*,/() -é", max_size=30) | st.text(max_size=20))
@examples(300)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        mask = parse(text)
    except MaskError:
        return
    left = apply(mask, DOCUMENT)
    assert apply(mask, left) == left


NAMES = st.sampled_from(["a", "b", "c"])
MASKS = st.recursive(
    NAMES,
    lambda inner: st.builds("{}({})".format, NAMES, inner) | st.builds("{},{}".format, inner, inner),
    max_leaves=8,
)


def _documents(levels: int) -> Json:
    return "leaf" if levels == 0 else {name: _documents(levels - 1) for name in "abcd"}


def _paths(value: Json, path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    if not isinstance(value, dict):
        return {path}
    return {found for name, below in value.items() for found in _paths(below, (*path, name))}


@given(MASKS, MASKS)
@examples(150)
def test_two_masks_joined_by_a_comma_keep_what_either_keeps(one: str, other: str) -> None:
    document = _documents(6)
    kept = [_paths(apply(parse(text), document)) for text in (one, other, f"{one},{other}")]
    assert kept[2] == kept[0] | kept[1]
