"""What is left out of the tree of a data file is in its digest all the same."""

from __future__ import annotations

import pytest

from syncer.front_matter.block import Syntax
from syncer.front_matter.keys import keys_of
from syncer.front_matter.parse import parse
from syncer.front_matter.tree import Tree, digest
from syncer.front_matter.wanted import Wanted
from syncer.model import Count, Fields
from tests.front_matter.pages import ID

MAPPING = Fields("talks[].id", {Count.VIEWS: "views"})
TEXTS = {
    Syntax.YAML: (
        f"top: {{a: [1, {{b: 'c'}}]}}\ntalks:\n- id: {ID}\n  views: 5\n  other: &n !t x\n  list: [y, {{z: w}}]\n"
    ),
    Syntax.JSON: (
        f'{{"top": {{"a": [1, {{"b": "c"}}]}}, "talks": [{{"id": "{ID}", "views": 5, "other": "x", "list": ["y"]}}]}}'
    ),
    Syntax.TOML: (
        f'top = {{a = [1, {{b = "c"}}]}}\n[[talks]]\nid = "{ID}"\nviews = 5\n'
        'other = "x"\nlist = ["y"]\n[talks.more]\nq = 1\n'
    ),
}


def digest_of(text: str, syntax: Syntax) -> bytes:
    """Return the digest of everything but the count."""
    tree = parse(text, syntax, Wanted(keys_of(MAPPING)))
    assert isinstance(tree, Tree), tree
    quote = 0 if syntax is not Syntax.JSON else 1
    return digest(tree, frozenset({text.index("views") - quote}))


@pytest.mark.parametrize("syntax", Syntax)
def test_a_changed_count_alone_is_no_difference(syntax: Syntax) -> None:
    text = TEXTS[syntax]
    assert digest_of(text, syntax) == digest_of(text.replace("5", "31250", 1), syntax)


@pytest.mark.parametrize("syntax", Syntax)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("c", "d"),
        ("other", "another"),
        ("x", "xx"),
        ("y", "yy"),
        ("1", "2"),
        ("top", "tip"),
        ("b", "bb"),
        (ID, ID[::-1]),
    ],
)
def test_anything_else_is(syntax: Syntax, old: str, new: str) -> None:
    text = TEXTS[syntax]
    assert digest_of(text, syntax) != digest_of(text.replace(old, new, 1), syntax)


@pytest.mark.parametrize(
    ("old", "new"), [("&n", "&m"), ("!t", "!u"), ("[y, ", "[[y], "), ("\n  other", "\n  new: {}\n  other")]
)
def test_anchors_tags_and_nesting_of_yaml_are_differences(old: str, new: str) -> None:
    text = TEXTS[Syntax.YAML]
    assert digest_of(text, Syntax.YAML) != digest_of(text.replace(old, new, 1), Syntax.YAML)


def test_a_table_of_toml_that_nothing_leads_to_is_a_difference() -> None:
    text = TEXTS[Syntax.TOML]
    for old, new in (("talks.more", "talks.less"), ("q = 1", "q = 2"), ("q = 1\n", "")):
        assert digest_of(text, Syntax.TOML) != digest_of(text.replace(old, new, 1), Syntax.TOML)
