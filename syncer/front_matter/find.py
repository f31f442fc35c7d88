"""Finds the videos of one page and their current counts."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import TYPE_CHECKING

from syncer.front_matter.block import Block, BlockEnd, find_block
from syncer.front_matter.keys import EXCLUSION, TABLES, Keys, PageContents, fold_key, format_of, keys_of
from syncer.front_matter.plain import find_plain
from syncer.model import Fields, Format, Problem, ProblemKind, Slot, VideoId

if TYPE_CHECKING:
    from syncer.front_matter.locate import BlockText

_FENCES = {b"---": b"\n---", b"+++": b"\n+++"}
_ODD_STARTS = frozenset({b"{", b"\xef", b" ", b"\t", b"\r", b"\n"})
_KELVIN, _DOTTED_I = "\u212a".encode(), "\u0130".encode()


def find(data: bytes, fields: Fields, path: str, of_others: AbstractSet[str] = frozenset()) -> PageContents:
    """Return the slots of a page or a data file, and what is wrong with it.

    `data` is the file, or a head of a page that `block.head_suffices`; `path` is the Problems' subject. Keys match
    exactly as configured, and must be written in the page without escapes. A key that differs from the video ID's only
    in letter case is in `miscased_key`. A page without a video has no Problems, whatever is wrong with it. What the
    page's own `syncer` key excludes is among the slots all the same. `of_others` is as for `find_in_tree`.
    """
    if not fields.video_id:
        return PageContents()
    if fields.own_file:
        from syncer.front_matter.entries import find_entries

        return find_entries(data, fields, path)
    form = format_of(fields, path)
    if form in TABLES:
        from syncer.front_matter.csv_table import find_in_table

        return find_in_table(data, fields, path, tabs=form is Format.TSV)
    keys = keys_of(fields)
    if form is not Format.FRONT_MATTER:
        return _find_in_data(data, keys, form, path, of_others)
    slots = find_fast(data, keys)
    return find_in_tree(data, keys, path, of_others) if slots is None else PageContents(slots)


def _find_in_data(data: bytes, keys: Keys, form: Format, path: str, of_others: AbstractSet[str]) -> PageContents:
    """Return what is in a data file. Without the last key of the ID's path, in any form, it has no video."""
    from syncer.front_matter.data import has_front_matter, is_utf16, read_data, reads_in_pieces

    in_pieces = reads_in_pieces(data, form, keys)
    if keys.needle not in data and b"\\" not in data:
        text = data.replace(b"\0", b"") if is_utf16(data) else data
        if in_pieces:  # the text of all of it may be four times as large
            has_key = re.search(re.escape(keys.needle), text, re.IGNORECASE) is not None
        else:
            has_key = keys.folded.decode() in fold_key(text.decode(errors="replace"))
        if not has_key:
            return PageContents()
    read = read_data(data, form, path, in_pieces=in_pieces)
    if isinstance(read, Problem):
        contents = PageContents((), (read,))
    elif in_pieces:
        from syncer.front_matter.find_in_pieces import find_in_pieces

        contents = find_in_pieces(data, keys, path, of_others)
    else:
        contents = contents_of(read.block, keys, of_others)
    if any(each.kind is ProblemKind.INVALID_FRONT_MATTER for each in contents.problems) and has_front_matter(data):
        hint = " If the file is a page with front matter, set `format: front_matter`."
        return contents._replace(
            problems=tuple(replace(each, message=each.message + hint) for each in contents.problems)
        )
    return contents


def find_fast(data: bytes, keys: Keys) -> tuple[Slot, ...] | None:
    """Return the slots of a page if that is all there is to find, as on most pages; else None: it must be parsed."""
    if keys.needle not in data and not _may_be_miscased(data, keys):
        return ()
    return find_plain(data, keys)


def counts_in(
    data: bytes, fields: Fields, path: str, videos: AbstractSet[VideoId]
) -> dict[tuple[VideoId, str], str | None]:
    """Return the current counts of these videos in a page, by video and field: what a change names.

    Takes what `find` takes.
    """
    slots = (slot for slot in find(data, fields, path).slots if slot.video_id in videos)
    return {(slot.video_id, value.field): value.text for slot in slots for value in slot.values}


def find_in_tree(data: bytes, keys: Keys, path: str, of_others: AbstractSet[str] = frozenset()) -> PageContents:
    """Return what the full parser finds: the fast path must find the same, or leave the page to it.

    `of_others` are the keys that other mappings of the page have: the page may exclude them, too.
    """
    block = find_block(data)
    if block is None:
        return PageContents()
    inside = data[block.start : block.stop]
    has_key = keys.needle in inside
    if not has_key and not _sets_key_in_any_case(inside, keys):
        return PageContents()
    text = read_block(data, block, keys, path)
    if not isinstance(text, str):
        return PageContents((), (text,)) if text and has_key else PageContents()
    from syncer.front_matter.locate import BlockText

    return contents_of(BlockText(text, block.syntax, block.line, path), keys, of_others)


def contents_of(block: BlockText, keys: Keys, of_others: AbstractSet[str]) -> PageContents:
    """Return what the full parser finds in a text. `of_others` is as for `find_in_tree`."""
    # the parsers take a thirtieth of a small sync's time to import, and most sites do without them
    from syncer.front_matter.interpret import interpret
    from syncer.front_matter.locate import find_miscased_id

    trees, slots, problems, _ = interpret(block, keys)
    miscased = find_miscased_id(block, trees[0], keys) if trees and not problems else None
    excluded: AbstractSet[str] = frozenset()
    has_exclusion = EXCLUSION in fold_key(block.text) or "\\" in block.text  # readers unescape keys
    if slots and keys.reads_exclusions and has_exclusion:
        from syncer.front_matter.exclusion import read_exclusions

        excluded, wrong = read_exclusions(block, trees, keys, of_others)
        problems = [*problems, *wrong]
    return PageContents(tuple(located.slot for located in slots), tuple(problems), miscased, excluded)


def read_block(data: bytes, block: Block, keys: Keys, path: str) -> str | Problem | None:
    """Return the block's text, or a Problem if it has no clear end or cannot be decoded.

    None if such a block does not set the video ID's key: then nothing is reported.
    """
    if block.end is BlockEnd.CLOSED:
        try:
            return data[block.start : block.stop].decode()
        except UnicodeDecodeError as error:
            line = block.line + data.count(b"\n", block.start, block.start + error.start)
            message = "The front matter is not valid UTF-8: save the page as UTF-8."
            return Problem(ProblemKind.NOT_UTF8, path, message, line)
    if block.end is BlockEnd.TOO_FAR:
        message = "The front matter does not end within the first 1 MiB: add its closing line, or shorten it."
        return Problem(ProblemKind.TOO_LARGE, path, message, block.line)
    if keys.set.search(data[block.start : block.stop].decode(errors="replace")) is None:
        return None
    if block.end is BlockEnd.DISPUTED:
        message = (
            "This line ends the front matter for some generators, such as Hugo, but not for others, such as Jekyll: "
            "change how the line begins."
        )
        return Problem(ProblemKind.READERS_DISAGREE, path, message, block.line)
    message = "The front matter has no end: add its closing line (`---` or `+++`; for JSON, `}`)."
    return Problem(ProblemKind.UNTERMINATED, path, message, block.line)


def _may_be_miscased(data: bytes, keys: Keys) -> bool:
    """Return whether the front matter may set the ID's key in another letter case. Runs for each page without a video.

    A line that begins like the fence counts as the end of the block: at worst, a page is not counted.
    """
    fence = data[:3]
    if fence in _FENCES:
        end = data.find(_FENCES[fence], 3)
        return _sets_key_in_any_case(data[:end] if end > 0 else data, keys)
    return data[:1] in _ODD_STARTS and _sets_key_in_any_case(data, keys)


def _sets_key_in_any_case(text: bytes, keys: Keys) -> bool:
    if text.isascii():
        folded = text.lower()
    elif keys.folded.isascii():
        folded = text.replace(_KELVIN, b"k").replace(_DOTTED_I, b"i").lower()  # all that becomes ASCII
    else:
        folded = fold_key(text.decode(errors="replace")).encode()
    return keys.folded in folded and keys.sets_folded.search(folded.decode(errors="replace")) is not None
