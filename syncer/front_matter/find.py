"""Finds the slots of one page: its videos and their counts as they stand."""

from __future__ import annotations

from syncer.front_matter.block import Block, End, locate
from syncer.front_matter.keys import Keys, keys_of
from syncer.front_matter.parse import parse
from syncer.front_matter.places import Page, places_in
from syncer.front_matter.plain import NOTHING, find_plain
from syncer.model import Fields, Found, Problem, ProblemKind, VideoId


def find(data: bytes, fields: Fields, path: str) -> Found:
    """Return the slots of a page and what is wrong with it.

    `data` is the page, or a head of it that `block.head_suffices`; `path` is the Problems' subject. Keys are
    matched exactly as configured, and must stand in the page as such, not with escapes.
    A page without a video gets no word, whatever else is wrong with it.
    """
    keys = keys_of(fields)
    if keys.needle not in data:
        return NOTHING
    return find_plain(data, keys) or find_in_tree(data, keys, path)


def find_in_tree(data: bytes, keys: Keys, path: str) -> Found:
    """Return what the true way finds: the fast way must say the same, or nothing."""
    block = locate(data)
    if block is None or data.find(keys.needle, block.start, block.stop) < 0:
        return NOTHING
    text = read_block(data, block, keys, path)
    if isinstance(text, Found):
        return text
    page = Page(text, block.syntax, block.line, path)
    places, problems = places_in(page, parse(text, block.syntax), keys)
    if not places and not problems:
        return NOTHING
    return Found(tuple(place.slot for place in places), tuple(problems))


def counts_in(data: bytes, fields: Fields, path: str) -> dict[tuple[VideoId, str], str | None]:
    """Return the counts of a page as they stand, by video and field: what a change names. Takes what `find` takes."""
    slots = find(data, fields, path).slots
    return {(slot.video_id, value.field): value.text for slot in slots for value in slot.values}


def read_block(data: bytes, block: Block, keys: Keys, path: str) -> str | Found:
    """Return the block's text, or what to say of a block that has no end or no text."""
    if block.end is not End.CLOSED:
        return _without_end(data, block, keys, path)
    try:
        return data[block.start : block.stop].decode()
    except UnicodeDecodeError as error:
        line = block.line + data.count(b"\n", block.start, block.start + error.start)
        message = "The front matter is not UTF-8: save the page as UTF-8."
        return _only(Problem(ProblemKind.NOT_UTF8, path, message, line))


def _without_end(data: bytes, block: Block, keys: Keys, path: str) -> Found:
    """Tell of a block that does not end, if it sets the id key."""
    if block.end is End.TOO_FAR:
        message = "The front matter does not end within 1 MiB: close it, or make it smaller."
        return _only(Problem(ProblemKind.TOO_LARGE, path, message, block.line))
    if keys.set.search(data[block.start : block.stop].decode(errors="replace")) is None:
        return NOTHING
    message = "The front matter is not closed: end it with a line like its first one."
    return _only(Problem(ProblemKind.UNTERMINATED, path, message, block.line))


def _only(problem: Problem) -> Found:
    return Found((), (problem,))
