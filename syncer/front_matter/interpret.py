"""Reads a page's block as each YAML parser reads it: all must find the same slots."""

from __future__ import annotations

import gc
import re
import threading
import unicodedata
from contextlib import nullcontext
from typing import NamedTuple

from syncer.front_matter.block import Syntax
from syncer.front_matter.keys import Keys
from syncer.front_matter.locate import BlockText, LocatedSlot, locate_slots
from syncer.front_matter.parse import parse
from syncer.front_matter.tree import Tree, Unreadable
from syncer.front_matter.wanted import Wanted
from syncer.model import Problem, ProblemKind

_STAND_IN = "\N{REPLACEMENT CHARACTER}"
"""Text for all parsers, never a line break. It is one character, so that all offsets stay the same."""

_BREAKS = (re.compile("[\x85\u2028\u2029]"), re.compile("\r(?!\n)"))
"""Line breaks for some parsers only: the first for those of YAML 1.1, the second for all but `yaml` on npm."""

_MARK = re.compile("(?:^|(?<=[\r\n\x85\u2028\u2029]))\ufeff")
"""A byte order mark at the start of a line: libyaml skips it, or stops there."""

_NAMES = {
    "\r": "a carriage return (U+000D) without a line feed",
    "\x85": "U+0085 (next line)",
    "\ufeff": "U+FEFF (byte order mark)",
}


class Interpretation(NamedTuple):
    """What was read from a page's block."""

    trees: tuple[Tree, ...]
    """One for each way of reading it; none if it cannot be parsed."""
    slots: list[LocatedSlot]
    problems: list[Problem]
    is_uncertain: bool = False
    """As in `Located`."""


def interpret(block: BlockText, keys: Keys) -> Interpretation:
    """Return the slots of a page, the positions of their values, and the Problems.

    A block with characters that are line breaks for some parsers only is read in each of these ways. If the slots
    differ, the result is a Problem and no slots. If only the parsers of YAML 1.1 refuse the block, the others count.
    """
    with _collector_pause if block.is_data else nullcontext():
        return _interpret(block, keys)


def _interpret(block: BlockText, keys: Keys) -> Interpretation:
    mark = _MARK.search(block.text) if block.syntax is Syntax.YAML else None
    if mark and keys.named.search(block.text):
        return Interpretation((), [], [_disagreement(block, mark)], is_uncertain=True)
    wanted = Wanted(keys) if block.is_data else None
    tree = parse(block.text, block.syntax, wanted)
    others: list[tuple[re.Match[str], Tree | Unreadable]] = []
    text = block.text
    for pattern in _BREAKS if block.syntax is Syntax.YAML else ():
        if first := pattern.search(text):
            text = pattern.sub(_STAND_IN, text)
            others.append((first, parse(text, block.syntax, wanted)))
    if isinstance(tree, Unreadable) and not tree.begins_well and others:
        (_, tree), *others = others
    found = locate_slots(block, tree, keys)
    for first, other in others:
        if locate_slots(block, other, keys) != found:
            return Interpretation((), [], [_disagreement(block, first)], is_uncertain=True)
    trees = tuple(way for way in (tree, *(other for _, other in others)) if isinstance(way, Tree))
    return Interpretation(trees, *found)


class _CollectorPause:
    """Pauses the search for cycles: a large tree has none, and to look at all its nodes takes a third of the time.

    The collector is the process's, and other threads may interpret too: the last one that ends continues it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self._was_enabled = False

    def __enter__(self) -> None:
        with self._lock:
            if not self._running:
                self._was_enabled = gc.isenabled()
                gc.disable()
            self._running += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._running -= 1
            if self._was_enabled and not self._running:
                gc.enable()


_collector_pause = _CollectorPause()


def _disagreement(block: BlockText, found: re.Match[str]) -> Problem:
    character = found[0]
    name = _NAMES.get(character) or f"U+{ord(character):04X} ({unicodedata.name(character).lower()})"
    remedy = "remove it, or replace it with a space or a line break"
    if block.is_data and character == "\r":
        remedy = "save the file with LF or CRLF line ends"
    message = f"The {block.noun} contains {name}, which some YAML parsers read as text and others do not: {remedy}."
    return block.problem(ProblemKind.READERS_DISAGREE, message, found.start())
