"""Finds the slots of one page: its videos and their counts as they stand."""

from __future__ import annotations

from syncer.front_matter.block import Block, End, locate
from syncer.front_matter.interpret import interpret
from syncer.front_matter.keys import Keys, keys_of
from syncer.front_matter.letter_case import fold_key
from syncer.front_matter.locate import Page, in_other_letters
from syncer.front_matter.plain import NOTHING, find_plain
from syncer.model import Fields, PageContents, Problem, ProblemKind, VideoId

_FENCES = {b"---": b"\n---", b"+++": b"\n+++"}
_ODD_STARTS = frozenset({b"{", b"\xef", b" ", b"\t", b"\r", b"\n"})
_KELVIN, _DOTTED_I = "\u212a".encode(), "\u0130".encode()


def find(data: bytes, fields: Fields, path: str) -> PageContents:
    """Return the slots of a page and what is wrong with it.

    `data` is the page, or a head of it that `block.head_suffices`; `path` is the Problems' subject. Keys are
    matched exactly as configured, and must stand in the page as such, not with escapes; one that is the id's but for
    letter case is in `miscased_key`.
    A page without a video gets no word, whatever else is wrong with it.
    """
    keys = keys_of(fields)
    if keys.needle not in data and not _may_have_other_letters(data, keys):
        return NOTHING
    return find_plain(data, keys) or find_in_tree(data, keys, path)


def find_in_tree(data: bytes, keys: Keys, path: str) -> PageContents:
    """Return what the true way finds: the fast way must say the same, or nothing."""
    block = locate(data)
    if block is None:
        return NOTHING
    inside = data[block.start : block.stop]
    has_key = keys.needle in inside
    if not has_key and not _sets_folded(inside, keys):
        return NOTHING
    text = read_block(data, block, keys, path)
    if isinstance(text, PageContents):
        return text if has_key else NOTHING
    page = Page(text, block.syntax, block.line, path)
    trees, places, problems = interpret(page, keys)
    other = in_other_letters(page, trees[0], keys) if trees and not problems else None
    if not places and not problems and not other:
        return NOTHING
    return PageContents(tuple(place.slot for place in places), tuple(problems), other)


def _may_have_other_letters(data: bytes, keys: Keys) -> bool:
    """Say whether the front matter may set the id's key in other letters. Every page without a video comes here.

    A line that begins as the fence does is taken for the block's end: at worst, a page that others see is not counted.
    """
    fence = data[:3]
    if fence in _FENCES:
        end = data.find(_FENCES[fence], 3)
        return _sets_folded(data[:end] if end > 0 else data, keys)
    return data[:1] in _ODD_STARTS and _sets_folded(data, keys)


def _sets_folded(text: bytes, keys: Keys) -> bool:
    if text.isascii():
        folded = text.lower()
    elif keys.folded.isascii():
        folded = text.replace(_KELVIN, b"k").replace(_DOTTED_I, b"i").lower()  # all that becomes ASCII
    else:
        folded = fold_key(text.decode(errors="replace")).encode()
    return keys.folded in folded and keys.sets_folded.search(folded.decode(errors="replace")) is not None


def counts_in(data: bytes, fields: Fields, path: str) -> dict[tuple[VideoId, str], str | None]:
    """Return the counts of a page as they stand, by video and field: what a change names. Takes what `find` takes."""
    slots = find(data, fields, path).slots
    return {(slot.video_id, value.field): value.text for slot in slots for value in slot.values}


def read_block(data: bytes, block: Block, keys: Keys, path: str) -> str | PageContents:
    """Return the block's text, or what to say of a block that has no end or no text."""
    if block.end is not End.CLOSED:
        return _without_clear_end(data, block, keys, path)
    try:
        return data[block.start : block.stop].decode()
    except UnicodeDecodeError as error:
        line = block.line + data.count(b"\n", block.start, block.start + error.start)
        message = "The front matter is not UTF-8: save the page as UTF-8."
        return _only(Problem(ProblemKind.NOT_UTF8, path, message, line))


def _without_clear_end(data: bytes, block: Block, keys: Keys, path: str) -> PageContents:
    """Tell of a block that does not end, or ends elsewhere for other readers, if it sets the id key."""
    if block.end is End.TOO_FAR:
        message = "The front matter does not end within 1 MiB: close it, or make it smaller."
        return _only(Problem(ProblemKind.TOO_LARGE, path, message, block.line))
    if keys.set.search(data[block.start : block.stop].decode(errors="replace")) is None:
        return NOTHING
    if block.end is End.DISPUTED:
        message = (
            "The front matter ends at this line for some programs, Hugo among them, and further down for others, "
            "Jekyll among them: change this line so that it does not begin like a fence."
        )
        return _only(Problem(ProblemKind.READERS_DISAGREE, path, message, block.line))
    message = "The front matter is not closed: end it with a line like its first one."
    return _only(Problem(ProblemKind.UNTERMINATED, path, message, block.line))


def _only(problem: Problem) -> PageContents:
    return PageContents((), (problem,))
