"""Finds the front matter block in a page's bytes, and reads it into a tree."""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

MAX_BLOCK_BYTES = 1 << 20
"""A block must end within this many bytes from the start of the page. One byte more is enough to decide."""

LARGEST_PAGE_BYTES = 64 << 20
"""Larger files are left alone, because a page is read whole to replace it. GitHub accepts at most 100 MiB."""

MAX_TEXT_BYTES = 8 << 20
"""The text of larger pages is not searched for embeds."""


class Syntax(Enum):
    """The syntax of a block."""

    YAML = "YAML"
    TOML = "TOML"
    JSON = "JSON"


class BlockEnd(Enum):
    """How a block ends."""

    CLOSED = "closed"
    UNTERMINATED = "unterminated"
    """The page ends before the block does."""
    TOO_FAR = "too far"
    """The block does not end within `MAX_BLOCK_BYTES` bytes."""
    DISPUTED = "disputed"
    """A line before the fence only begins like one: some generators end the block there, others continue."""


class Block(NamedTuple):
    """Where a block is: `data[start:stop]`, without its fences."""

    syntax: Syntax
    start: int
    stop: int
    line: int
    """The page's line, from 1, on which `start` lies; of a DISPUTED block, the line that is disputed."""
    end: BlockEnd


_OPENING = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:[ \t\r\n]*\n)?"
    rb"(?:(?:---[ \t]*+(yaml|toml|json)?|(\+\+\+))[ \t]*+\r?\n|[ \t]*+(\{)(?=\s*+[\"}]))"
)
_YAML_CLOSING = re.compile(rb"\n(?:---|\.\.\.)[ \t]*+\r?(?:\n|\Z)")
_DASH_CLOSING = re.compile(rb"\n---[ \t]*+\r?(?:\n|\Z)")
_PLUS_CLOSING = re.compile(rb"\n\+\+\+[ \t]*+\r?(?:\n|\Z)")
_DASHES = re.compile(rb"[\r\n]---(-*+[ \t]*+\r?(?:\n|\Z))?")
_PLUSES = re.compile(rb"[\r\n]\+\+\+(\+*+[ \t]*+\r?(?:\n|\Z))?")
"""What ends a block for Hugo, gray-matter and others, whatever follows on the line; the group: nothing follows."""
_BRACE = re.compile(rb'"[^"\\\r\n]*+(?:\\.[^"\\\r\n]*+)*("?)|[{}]')
_BY_NAME = {None: Syntax.YAML, b"yaml": Syntax.YAML, b"toml": Syntax.TOML, b"json": Syntax.JSON}
_CLOSINGS = {Syntax.YAML: _YAML_CLOSING, Syntax.TOML: _DASH_CLOSING, Syntax.JSON: _DASH_CLOSING}


def find_block(data: bytes) -> Block | None:
    """Return the block of a page, or None; `data` is the page or a head of it that `head_suffices`.

    Fences are `---`, `---yaml`, `---toml`, `---json` (closed by `---`; YAML by `...` too) and `+++`. A JSON object at
    the very top ends with its brace, as in Hugo. A byte order mark, blank lines before the fence and blanks after it
    are ignored. A line with any other text is not a fence, as in Jekyll and Hugo. A longer closing fence, such as
    `-----`, counts only if no exact one follows, because Jekyll would continue to that one.
    """
    opening = _OPENING.match(data, 0, MAX_BLOCK_BYTES)
    if opening is None:
        return None
    start = opening.end()
    if opening[3]:
        return _json_object(data, start - 1)
    syntax = Syntax.TOML if opening[2] else _BY_NAME[opening[1]]
    closing = (_PLUS_CLOSING if opening[2] else _CLOSINGS[syntax]).search(data, start - 1, MAX_BLOCK_BYTES)
    loose = (_PLUSES if opening[2] else _DASHES).search(data, start - 1, MAX_BLOCK_BYTES)
    line = 1 + data.count(b"\n", 0, start)
    end = BlockEnd.CLOSED
    if closing is None:
        closing = loose if loose and loose[1] else None
    elif loose and loose.start() < closing.start():
        end, line = BlockEnd.DISPUTED, 1 + data.count(b"\n", 0, loose.start() + 1)
    # a fence that ends in the middle of a line, where the search stopped, may be longer
    if closing is None or (closing.end() == MAX_BLOCK_BYTES < len(data) and data[MAX_BLOCK_BYTES - 1] != 0x0A):
        return _endless(syntax, data, start, line)
    return Block(syntax, start, closing.start() + 1, line, end)


def head_suffices(data: bytes) -> bool:
    """Return whether these first bytes of a page contain its whole block, or show that it has none.

    Otherwise read more: `MAX_BLOCK_BYTES + 1` bytes are always enough.
    """
    if len(data) > MAX_BLOCK_BYTES:
        return True
    block = find_block(data)
    if block is None:
        first = data.removeprefix(b"\xef\xbb\xbf").lstrip()
        if first.startswith(b"{"):
            return bool(first[1:].strip())
        # after blanks only, or in an incomplete first line, a fence may still follow
        return len(first) >= 3 and (b"\n" in first or not first.startswith((b"---", b"+++")))
    if block.end not in {BlockEnd.CLOSED, BlockEnd.DISPUTED}:
        return False
    if data.endswith(b"}", block.start, block.stop):
        return True  # a JSON object has no fence
    # a line that is cut may be longer: `---` may begin `----`; after a longer fence, an exact one may follow
    fence, newline, _ = data[block.stop :].partition(b"\n")
    return bool(newline) and len(fence.rstrip()) <= 3


def _json_object(data: bytes, start: int) -> Block:
    line = 1 + data.count(b"\n", 0, start)
    depth = 0
    for token in _BRACE.finditer(data, start, MAX_BLOCK_BYTES):
        mark = token[0]
        if mark == b"{":
            depth += 1
        elif mark == b"}":
            depth -= 1
            if depth == 0:
                return Block(Syntax.JSON, start, token.end(), line, BlockEnd.CLOSED)
        elif not token[1]:
            break
    return _endless(Syntax.JSON, data, start, line)


def _endless(syntax: Syntax, data: bytes, start: int, line: int) -> Block:
    end = BlockEnd.UNTERMINATED if len(data) <= MAX_BLOCK_BYTES else BlockEnd.TOO_FAR
    return Block(syntax, start, min(len(data), MAX_BLOCK_BYTES), line, end)
