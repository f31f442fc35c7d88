"""The last net under a rewrite: two blocks are compared in all but the counts that were changed."""

from __future__ import annotations

import pytest

from syncer.front_matter.tree import Tree, Unreadable, digest
from syncer.front_matter.yaml_tree import parse_yaml

BEFORE = "a: x\nviews: 5\nb: [1, {c: d}]\n"


def tree(text: str) -> Tree:
    parsed = parse_yaml(text)
    assert not isinstance(parsed, Unreadable)
    return parsed


@pytest.mark.parametrize(
    "after", [BEFORE, BEFORE.replace("5", "901"), BEFORE.replace("5", "'6'"), BEFORE.replace("views: 5\n", "")]
)
def test_a_changed_count_alone_is_no_difference(after: str) -> None:
    but_after = frozenset({after.index("views")} if "views" in after else set())
    assert digest(tree(BEFORE), frozenset({BEFORE.index("views")})) == digest(tree(after), but_after)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a: x", "a: y"),
        ("a: x", "a: 'x'"),
        ("a: x", "a: &n x"),
        ("a: x", "a: !t x"),
        ("a: x", "a: x\nz:"),
        ("a: x\n", ""),
        ("{c: d}", "{c: e}"),
        ("1,", "1, 1,"),
        ("a: x\n", "a: x\na: x\n"),
    ],
)
def test_anything_else_is(old: str, new: str) -> None:
    after = BEFORE.replace(old, new)
    before = digest(tree(BEFORE), frozenset({BEFORE.index("views")}))
    assert before != digest(tree(after), frozenset({after.index("views")}))
