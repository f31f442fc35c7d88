"""Rewrites counts and dates in pages that need the full parser, and proves that nothing else changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from syncer.front_matter.block import LARGEST_PAGE_BYTES, BlockEnd, Syntax, find_block
from syncer.front_matter.data import MAX_BYTES, ReadText, read_data, reads_in_pieces
from syncer.front_matter.find import read_block
from syncer.front_matter.forms import QUOTED_AFTER_COLON
from syncer.front_matter.interpret import Interpretation, interpret
from syncer.front_matter.keys import Keys
from syncer.front_matter.locate import BlockText, LocatedSlot, ValueSpan
from syncer.front_matter.plain import RESTORED, Splice, splice
from syncer.front_matter.tree import digest
from syncer.model import Change, Format, Problem, ProblemKind, VideoId

Edit = tuple[ValueSpan, str]
"""A span and its new text."""


def tree_splices(
    data: bytes, keys: Keys, changes: Sequence[Change], path: str, form: Format = Format.FRONT_MATTER
) -> list[Splice] | Problem | None:
    """Return the result of the full parser: the fast path must return the same, or leave the page to it.

    None if the page is not as the scan saw it.
    """
    texts: Iterable[tuple[ReadText, Sequence[Change]]] | None
    if reads_in_pieces(data, form, keys):
        from syncer.front_matter.json_pieces import pieces_of

        texts = pieces_of(data, keys, changes, path)
    else:
        read = _read_front_matter(data, keys, path) if form is Format.FRONT_MATTER else read_data(data, form, path)
        texts = None if read is None or isinstance(read, Problem) else [(read, changes)]
    splices: list[Splice] = []
    line = 1
    for (start_of_text, _, block), own in texts or ():
        text, offset, at, line = block.text, start_of_text, 0, block.line
        parts = _proved_parts(block, keys, own)
        if parts is None or isinstance(parts, Problem):
            return parts
        for start, stop, inserted in parts:
            first = offset + len(text[at:start].encode())
            at, offset = stop, first + len(text[start:stop].encode())
            splices.append((first, offset, inserted.encode()))
    if texts is not None and not _may_be_written(data, splices, form):
        noun = "front matter" if form is Format.FRONT_MATTER else "file"
        limit = MAX_BYTES.get(form, LARGEST_PAGE_BYTES) >> 20
        message = f"With the new counts, the {noun} would be larger than {limit} MiB: shorten it."
        return Problem(ProblemKind.TOO_LARGE, path, message, line)
    return None if texts is None else splices


def _proved_parts(
    block: BlockText, keys: Keys, changes: Sequence[Change]
) -> list[tuple[int, int, str]] | Problem | None:
    """Return the parts of a text that the changes replace, once they are known to change nothing else."""
    before = interpret(block, keys)
    edits = _edits(before.slots, changes, block)
    if edits is None or not before.trees:
        return None
    parts = [(span.start, span.stop, f"{span.before}{value}{span.after}") for span, value in edits]
    old_keys = frozenset(span.key for span, _ in edits if span.key is not None)
    digests = [digest(tree, old_keys) for tree in before.trees]
    del before, edits  # a large text's trees are in memory one at a time
    after = interpret(replace(block, text=splice(block.text, parts), newlines=[]), keys)
    if _differs_elsewhere(digests, after, changes):
        message = f"syncer cannot change only the counts in this {block.noun}: write it in a simpler form."
        return Problem(ProblemKind.CANNOT_PLACE, block.path, message, block.line)
    return parts


def _read_front_matter(data: bytes, keys: Keys, path: str) -> ReadText | None:
    block = find_block(data)
    text = None if block is None else read_block(data, block, keys, path)
    if block is None or not isinstance(text, str):
        return None
    return ReadText(block.start, block.stop, BlockText(text, block.syntax, block.line, path))


def _may_be_written(data: bytes, splices: Sequence[Splice], form: Format) -> bool:
    """Return whether a file with new counts can be read again."""
    if form is not Format.FRONT_MATTER:
        size = len(data) + sum(len(new) - (stop - start) for start, stop, new in splices)
        return size <= MAX_BYTES.get(form, LARGEST_PAGE_BYTES)
    block = find_block(splice(data, splices))
    return block is not None and block.end is BlockEnd.CLOSED


def _edits(slots: Sequence[LocatedSlot], changes: Sequence[Change], block: BlockText) -> list[Edit] | None:
    """Return the edits, from the top down; None if the page does not have the old values of the changes."""
    spans = _spans(slots)
    edits: list[Edit] = []
    for change in changes:
        span = spans.get((change.video_id, change.field))
        if span is None or span.value.text != change.old or span.value.kind is not change.kind:
            return None
        bare = not change.new and block.syntax is Syntax.TOML and not span.before  # a key of TOML needs a value
        if change.why in RESTORED and span.before == QUOTED_AFTER_COLON:
            span = _as_it_was(span, block.text)
        edits.append((span, '""' if bare else change.new))
    return sorted(edits, key=lambda edit: edit[0].start)


def _as_it_was(span: ValueSpan, text: str) -> ValueSpan:
    """Return where a date returns to a key of YAML that has no value: without quotes."""
    has_blank = text.startswith(" ", span.start) and not text.startswith("#", span.start + 1)
    start = span.start + has_blank
    return span._replace(start=start, stop=start, before="" if has_blank else " ", after="")


def _differs_elsewhere(before: Sequence[bytes], after: Interpretation, changes: Sequence[Change]) -> bool:
    """Return whether, for any parser, the new block is anything else than the old one with the changes made.

    `before` are the digests of the old block, without the values that change.
    """
    if len(after.trees) != len(before):
        return True
    spans = _spans(after.slots)
    changed = [spans.get((change.video_id, change.field)) for change in changes]
    if any(
        span is None or (span.value.text or "") != change.new for span, change in zip(changed, changes, strict=True)
    ):
        return True
    new_keys = frozenset(span.key for span in changed if span is not None and span.key is not None)
    return list(before) != [digest(tree, new_keys) for tree in after.trees]


def _spans(slots: Sequence[LocatedSlot]) -> dict[tuple[VideoId, str], ValueSpan]:
    """Return the spans by video and field."""
    return {(located.slot.video_id, span.value.field): span for located in slots for span in located.spans}
