"""Finds the videos of a large JSON file and their counts, a piece at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from syncer.front_matter.block import Syntax
from syncer.front_matter.exclusion import read_exclusions
from syncer.front_matter.interpret import interpret
from syncer.front_matter.json_pieces import Cut, cut_json
from syncer.front_matter.keys import EXCLUSION, Keys, PageContents, fold_key
from syncer.front_matter.locate import BlockText, describe_wrong_keys, find_miscased_id, locate_slots
from syncer.front_matter.packed_slots import Findings, pack
from syncer.front_matter.tree import Unreadable
from syncer.model import ID_PATTERN, Problem, ProblemKind, Slot

MAX_JSON_VIDEOS = 1_000_000


def find_in_pieces(data: bytes, keys: Keys, path: str, of_others: AbstractSet[str]) -> PageContents:
    """Return what `contents_of` returns for all of the file, except that only its first problems are listed.

    `data` is valid UTF-8; `keys` have a list, or are those of a mapping of ids.
    """
    cut = cut_json(data, keys, path)
    if isinstance(cut, Unreadable):  # if it may have a video
        near = (
            data[max(0, found.start() - 9) : found.end() + 9] for found in re.finditer(re.escape(keys.needle), data)
        )
        named = (text for text in (part.decode(errors="replace") for part in near) if keys.named.search(text))
        block = BlockText(next(named, ""), Syntax.JSON, 1, path, is_data=True)
        return PageContents((), tuple(locate_slots(block, cut, keys).problems))
    top = interpret(cut.rest, keys)
    if top.problems:
        return PageContents((), tuple(top.problems))
    found = _Found(path)
    slots = pack(_slots(data, cut, keys, found))
    if keys.is_keyed and not (slots or found.problems):
        return PageContents()  # it is another mapping
    if found.wrong_keys:
        found.add(describe_wrong_keys(found.wrong_keys))
    for key in sorted(cut.twice):
        if re.fullmatch(ID_PATTERN, key):
            quoted = f'"{key}"'.encode()
            second = data.find(quoted, data.find(quoted) + 1)
            message = f"The key {key!r} appears twice: remove one of the two."
            found.add(Problem(ProblemKind.DUPLICATE_KEY, path, message, 1 + data.count(b"\n", 0, max(0, second))))
    if cut.twice:
        slots = pack(slot for slot in slots if slot.video_id not in cut.twice)
    excluded: AbstractSet[str] = frozenset()
    if slots and keys.reads_exclusions and (EXCLUSION in fold_key(cut.rest.text) or "\\" in cut.rest.text):
        excluded, wrong = read_exclusions(cut.rest, top.trees, keys, of_others)
        for problem in wrong:
            found.add(problem)
    return found.contents(slots)._replace(excluded=excluded, miscased_key=None if found.problems else found.miscased)


class _Found(Findings):
    """What is found besides the slots."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.wrong_keys: list[Problem] = []
        """Of a mapping of ids: the first key that is none, and as many copies as there are others."""
        self.miscased: str | None = None


def _slots(data: bytes, cut: Cut, keys: Keys, found: _Found) -> Iterator[Slot]:
    """Yield the slots of all pieces, up to one that makes the file uncertain."""
    number = 0
    for piece in cut.pieces:
        block = piece.block(data, found.path)
        trees, slots, problems, is_uncertain = interpret(block, keys)
        number += len(slots)
        if is_uncertain:
            found.refusal = problems[0]
        elif number > MAX_JSON_VIDEOS:
            message = f"The file has more than {MAX_JSON_VIDEOS:,} videos: split it into several files."
            found.refusal = Problem(ProblemKind.TOO_LARGE, found.path, message)
        if found.refusal:
            return
        for problem in problems:
            if keys.is_keyed and problem.kind is ProblemKind.NOT_A_VIDEO_ID:
                found.wrong_keys.append(found.wrong_keys[0] if found.wrong_keys else problem)
            else:
                found.add(problem)
        if trees and not found.miscased:
            found.miscased = find_miscased_id(block, trees[0], keys)
        yield from (located.slot for located in slots)
