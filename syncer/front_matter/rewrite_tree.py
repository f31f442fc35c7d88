"""Rewrites counts and dates in pages that need the full parser, and proves that nothing else changes."""

from __future__ import annotations

from collections.abc import Sequence

from syncer.front_matter.block import BlockEnd, find_block
from syncer.front_matter.find import read_block
from syncer.front_matter.interpret import Interpretation, interpret
from syncer.front_matter.keys import Keys
from syncer.front_matter.locate import BlockText, LocatedSlot, ValueSpan
from syncer.front_matter.plain import Splice, splice
from syncer.front_matter.tree import Tree, says_the_same
from syncer.model import Change, Problem, ProblemKind, VideoId

Edit = tuple[ValueSpan, str]
"""A span and its new text."""


def tree_splices(data: bytes, keys: Keys, changes: Sequence[Change], path: str) -> list[Splice] | Problem | None:
    """Return the result of the full parser: the fast path must return the same, or leave the page to it.

    None if the page is not as the scan saw it.
    """
    block = find_block(data)
    text = None if block is None else read_block(data, block, keys, path)
    if block is None or not isinstance(text, str):
        return None
    before = interpret(BlockText(text, block.syntax, block.line, path), keys)
    edits = _edits(before.slots, changes)
    if edits is None or not before.trees:
        return None
    parts = [(span.start, span.stop, f"{span.before}{value}{span.after}") for span, value in edits]
    new = splice(text, parts)
    after = interpret(BlockText(new, block.syntax, block.line, path), keys)
    if _differs_elsewhere(before.trees, after, edits, changes):
        message = "syncer cannot change only the counts in this front matter: write it in a simpler form."
        return Problem(ProblemKind.CANNOT_PLACE, path, message, block.line)
    still = find_block(b"".join((data[: block.start], new.encode(), data[block.stop :])))
    if still is None or still.end is not BlockEnd.CLOSED:
        message = "With the new counts, the front matter would be larger than 1 MiB: shorten it."
        return Problem(ProblemKind.TOO_LARGE, path, message, block.line)
    offsets = ([block.start + len(text[:at].encode()) for at in part[:2]] for part in parts)
    return [(start, stop, part[2].encode()) for (start, stop), part in zip(offsets, parts, strict=True)]


def _edits(slots: Sequence[LocatedSlot], changes: Sequence[Change]) -> list[Edit] | None:
    """Return the edits, from the top down; None if the page does not have the old values of the changes."""
    spans = _spans(slots)
    edits: list[Edit] = []
    for change in changes:
        span = spans.get((change.video_id, change.field))
        if span is None or span.value.text != change.old or span.value.kind is not change.kind:
            return None
        edits.append((span, change.new))
    return sorted(edits, key=lambda edit: edit[0].start)


def _differs_elsewhere(
    before: Sequence[Tree], after: Interpretation, edits: Sequence[Edit], changes: Sequence[Change]
) -> bool:
    """Return whether, for any parser, the new block is anything else than the old one with the changes made."""
    if len(after.trees) != len(before):
        return True
    spans = _spans(after.slots)
    changed = [spans.get((change.video_id, change.field)) for change in changes]
    if any(span is None or span.value.text != change.new for span, change in zip(changed, changes, strict=True)):
        return True
    old_keys = frozenset(span.key for span, _ in edits if span.key is not None)
    new_keys = frozenset(span.key for span in changed if span is not None and span.key is not None)
    pairs = zip(before, after.trees, strict=True)
    return not all(says_the_same(old, old_keys, new, new_keys) for old, new in pairs)


def _spans(slots: Sequence[LocatedSlot]) -> dict[tuple[VideoId, str], ValueSpan]:
    """Return the spans by video and field."""
    return {(located.slot.video_id, span.value.field): span for located in slots for span in located.spans}
