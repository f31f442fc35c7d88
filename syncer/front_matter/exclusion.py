"""Reads the key `syncer` of a page: `false` excludes the page, `{likeCount: false}` one of its counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

from syncer.front_matter.differences import conflict_on
from syncer.front_matter.keys import EXCLUSION, NO_VIDEO, WHOLE_PAGE, Keys
from syncer.front_matter.letters import find_twin
from syncer.front_matter.locate import BlockText
from syncer.front_matter.tree import Alias, Items, Node, Scalar, Table, Tree
from syncer.model import Problem, ProblemKind

_YES = frozenset(word for yes in ("true", "yes", "on") for word in (yes, yes.capitalize(), yes.upper()))
"""Words that mean true in YAML 1.1 without quotes; those that mean false are in `NO_VIDEO`.

In YAML 1.2, `yes`, `no`, `on` and `off` are texts. Nothing else can be meant by them here.
"""


def read_exclusions(
    block: BlockText, trees: Sequence[Tree], keys: Keys, of_others: AbstractSet[str]
) -> tuple[AbstractSet[str], Sequence[Problem]]:
    """Return the mapped keys that the page excludes, or WHOLE_PAGE, and what is wrong with its `syncer` key.

    If something is wrong, the page is excluded: it is left alone. `trees` are the ways of reading the block;
    what is excluded in one of them is excluded. `of_others` are keys that the page may name, too.
    """
    known = of_others | {key.field for key in keys.mapped}
    excluded: set[str] = set()
    for tree in trees:
        for found in _exclusions(block, tree.root, known) if isinstance(tree.root, Table) else ():
            if isinstance(found, Problem):
                return {WHOLE_PAGE}, [found]
            excluded.add(found)
    return excluded, []


def _exclusions(block: BlockText, root: Table, known: AbstractSet[str]) -> Iterator[str | Problem]:
    """Yield the keys that the page excludes, and what is wrong."""
    if conflict := conflict_on(root, (EXCLUSION,), block.syntax):
        yield block.problem(*conflict)
        return
    if twin := find_twin(root, (EXCLUSION,)):
        message = f"The key {twin.key.text!r} differs from `{EXCLUSION}` only in letter case: write `{EXCLUSION}`."
        yield block.problem(ProblemKind.SYNCER_KEY, message, twin.key.start)
        return
    member = root.get(EXCLUSION)
    if member is None:
        return
    value = member.value
    if not isinstance(value, Table) or value.obstacle or value.twice:
        truth = _truth(value)
        if truth is None:
            what = "file" if block.is_data else "page"
            message = (
                f"The key `{EXCLUSION}` must be `false`, which excludes the {what}, or a mapping of your keys to"
                " `false`: correct it, or remove it."
            )
            yield block.problem(ProblemKind.SYNCER_KEY, message, member.key.start)
        elif not truth:
            yield WHOLE_PAGE
        return
    for each in value.members:
        name, truth = each.key.text if isinstance(each.key, Scalar) else "", _truth(each.value)
        if truth is None or name not in known:
            message = (
                f"The keys below `{EXCLUSION}` must be among {', '.join(sorted(known))}, each with the value `false`:"
                " correct this one."
                if known
                else f"With a data file, `{EXCLUSION}` can only be `false`: write that, or remove the key."
            )
            yield block.problem(ProblemKind.SYNCER_KEY, message, each.key.start)
        elif not truth:
            yield name


def _truth(node: Node) -> bool | None:
    """Return whether a value is true or false; None if it is neither for certain."""
    if isinstance(node, Alias | Items | Table) or node.quote or node.obstacle:
        return None
    return True if node.text in _YES else False if node.text in NO_VIDEO else None
