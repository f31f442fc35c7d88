"""What is wrong with one item of a data file leaves the others as they are, and is never silent."""

from __future__ import annotations

import pytest

from syncer.front_matter.find import find
from syncer.model import Count, Fields, ProblemKind
from tests.site import ids

A, B = ids(2, seed=38)
VIEWS = {Count.VIEWS: "views"}
MERGED = Fields("v[].id", VIEWS, where={"p": "youtube"})


@pytest.mark.parametrize(
    "other",
    ["[v.{0}.x]\ny = 1\n", "[v.{0}.x.y]\nz = 1\n", "[[v.{0}.x]]\ny = 1\n", "[v]\n{0}.x.y = 1\n", "[v.{0}]\nx.y = 1\n"],
)
@pytest.mark.parametrize("first", [True, False])
def test_an_id_of_toml_that_has_only_other_keys_is_skipped(other: str, *, first: bool) -> None:
    parts = [f"[v.{A}]\nviews = 1\n", other.format(B)]
    if other.startswith("[v]"):
        parts[0] = "" if first else f"[v.{A}]\nviews = 1\n"
        parts[1] = f"[v]\n{A}.views = 1\n{B}.x.y = 1\n" if first else parts[1]
    found = find("".join(parts if first else parts[::-1]).encode(), Fields("v.{}", VIEWS), "a.toml")
    assert found.problems == ()
    assert {slot.video_id: slot.texts for slot in found.slots} == {A: ("1",), B: ()}


def test_a_table_above_a_mapped_count_may_have_only_other_tables() -> None:
    text = f'[[v]]\nid = "{A}"\n[v.meta.x]\ny = 1\n[[v]]\nid = "{B}"\nmeta.views = 2\n'
    found = find(text.encode(), Fields("v[].id", {Count.VIEWS: "meta.views"}), "a.toml")
    assert (found.problems, [slot.texts for slot in found.slots]) == ((), [(), ("2",)])


def test_an_item_that_is_an_alias_is_one_problem_and_the_others_are_found() -> None:
    text = f"defs:\n- &x {{id: {A}, views: 1}}\n- &y {{name: none}}\nv:\n- *x\n- *y\n- id: {B}\n  views: 2\n"
    found = find(text.encode(), Fields("v[].id", VIEWS), "a.yml")
    assert [(each.kind, each.line) for each in found.problems] == [(ProblemKind.ALIAS, 5)]
    assert [(slot.video_id, slot.texts) for slot in found.slots] == [(B, ("2",))]
    assert find(text.encode(), MERGED, "a.yml").problems == ()


@pytest.mark.parametrize("merge", ["<<: {p: youtube}", "<<: *d", "<<: [*d]", "<<: {<<: *d}"])
def test_a_provider_that_a_merge_key_sets_is_one_problem_and_the_others_are_found(merge: str) -> None:
    text = f"d: &d {{p: youtube}}\nv:\n- id: {A}\n  {merge}\n  views: 1\n- {{id: {B}, p: youtube, views: 2}}\n"
    found = find(text.encode(), MERGED, "a.yml")
    assert [(each.kind, each.line) for each in found.problems] == [(ProblemKind.READERS_DISAGREE, 4)]
    assert [(slot.video_id, slot.texts) for slot in found.slots] == [(B, ("2",))]


def test_an_item_of_which_a_merge_key_says_another_provider_is_skipped() -> None:
    text = f"v:\n- id: {A}\n  <<: {{p: vimeo}}\n  views: 1\n"
    assert find(text.encode(), MERGED, "a.yml").problems == ()
