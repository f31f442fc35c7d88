"""Reads a page's block in each way in which it is read: the slots must be the same in all of them."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from syncer.front_matter.block import Syntax, parse
from syncer.front_matter.keys import Keys
from syncer.front_matter.locate import BlockText, LocatedSlot, locate_slots
from syncer.front_matter.tree import Tree, Unreadable
from syncer.model import Problem, ProblemKind

_STAND_IN = "\N{REPLACEMENT CHARACTER}"
"""Text for all readers, a line break for none. It is one character, so all offsets stay the same."""

_BREAKS = (re.compile("[\x85\u2028\u2029]"), re.compile("\r(?!\n)"))
"""Line breaks for some readers only: the first for those of YAML 1.1, the second for all but `yaml` on npm."""

_MARK = re.compile("(?:^|(?<=[\r\n\x85\u2028\u2029]))\ufeff")
"""A byte order mark that starts a line: libyaml skips it, or stops reading there."""

_NAMES = {
    "\r": "a carriage return (U+000D) without a line feed",
    "\x85": "U+0085 (next line)",
    "\ufeff": "U+FEFF (byte order mark)",
}


class Interpretation(NamedTuple):
    """What a page's block says."""

    trees: tuple[Tree, ...]
    """One for each way of reading it; none where it cannot be read."""
    slots: list[LocatedSlot]
    problems: list[Problem]


def interpret(block: BlockText, keys: Keys) -> Interpretation:
    """Return the slots of a page, with where their values are, and what is wrong with it.

    A block with characters that only some readers take for line breaks is read as each of them reads it. If they find
    different slots, the result is a Problem and no slots. Where the readers of YAML 1.1 refuse it, the others decide.
    """
    mark = _MARK.search(block.text) if block.syntax is Syntax.YAML else None
    if mark and keys.named.search(block.text):
        return Interpretation((), [], [_disagreement(block, mark)])
    tree = parse(block.text, block.syntax)
    others: list[tuple[re.Match[str], Tree | Unreadable]] = []
    text = block.text
    for pattern in _BREAKS if block.syntax is Syntax.YAML else ():
        if first := pattern.search(text):
            text = pattern.sub(_STAND_IN, text)
            others.append((first, parse(text, block.syntax)))
    if isinstance(tree, Unreadable) and not tree.begins_well and others:
        (_, tree), *others = others
    slots, problems = locate_slots(block, tree, keys)
    for first, other in others:
        if locate_slots(block, other, keys) != (slots, problems):
            return Interpretation((), [], [_disagreement(block, first)])
    trees = tuple(way for way in (tree, *(other for _, other in others)) if isinstance(way, Tree))
    return Interpretation(trees, slots, problems)


def _disagreement(block: BlockText, found: re.Match[str]) -> Problem:
    character = found[0]
    name = _NAMES.get(character) or f"U+{ord(character):04X} ({unicodedata.name(character).lower()})"
    message = (
        f"The front matter contains {name}, which some YAML parsers read as text and others do not: remove it, or "
        "replace it with a space or a line break."
    )
    return block.problem(ProblemKind.READERS_DISAGREE, message, found.start())
