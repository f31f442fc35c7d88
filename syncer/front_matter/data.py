"""Data files: a whole file in YAML, JSON or TOML is read as the front matter of a page is."""

from __future__ import annotations

from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, getincrementaldecoder
from typing import NamedTuple

from syncer.front_matter.block import LARGEST_PAGE_BYTES, MAX_BLOCK_BYTES, BlockEnd, Syntax, find_block
from syncer.front_matter.keys import DATA_SUFFIXES, Keys
from syncer.front_matter.locate import BlockText
from syncer.model import Format, Problem, ProblemKind

SYNTAXES = {Format.YAML: Syntax.YAML, Format.JSON: Syntax.JSON, Format.TOML: Syntax.TOML}

LARGE_JSON_BYTES = 1 << 18
"""A larger JSON file is read in pieces."""

DECODED_BYTES = 1 << 20

MAX_TREE_BYTES = 8 << 20
"""A larger file is not read as one tree: not in YAML and TOML, and JSON only in pieces."""

MAX_BYTES = {Format.FRONT_MATTER: MAX_BLOCK_BYTES, Format.YAML: MAX_TREE_BYTES, Format.TOML: MAX_TREE_BYTES}
"""The limits that are lower than `LARGEST_PAGE_BYTES`, by format."""


class ReadText(NamedTuple):
    """The text of a data file, or of a page's block."""

    start: int
    """Its offset in the file: there may be a byte order mark before it."""
    stop: int
    """Where it ends."""
    block: BlockText


def reads_in_pieces(data: bytes, form: Format, keys: Keys) -> bool:
    """Return whether a data file is read in pieces (`json_pieces`)."""
    return form is Format.JSON and len(data) > LARGE_JSON_BYTES and bool(keys.lists or keys.is_keyed)


def read_data(data: bytes, form: Format, path: str, *, in_pieces: bool = False) -> ReadText | Problem:
    """Return the text of a data file, or why it is not read. Of one that is read in pieces, the text is empty."""
    syntax = SYNTAXES.get(form)
    if syntax is None:
        *others, last = DATA_SUFFIXES
        message = f"`format: data` needs a file name that ends in .{', .'.join(others)} or .{last}: set another format."
        return Problem(ProblemKind.INVALID_FRONT_MATTER, path, message)
    limit = MAX_BYTES.get(form, LARGEST_PAGE_BYTES)
    if len(data) > limit:
        message = f"The file is larger than {limit >> 20} MiB: split it into several files."
        return Problem(ProblemKind.TOO_LARGE, path, message)
    if is_utf16(data):
        return utf16_problem(path)
    if problem := not_utf8(data, path):
        return problem
    start = len(BOM_UTF8) if data.startswith(BOM_UTF8) else 0
    text = "" if in_pieces else data[start:].decode()
    return ReadText(start, len(data), BlockText(text, syntax, 1, path, is_data=True))


def not_utf8(data: bytes, path: str) -> Problem | None:
    """Return the Problem of a file that is not valid UTF-8."""
    decoder = getincrementaldecoder("utf-8")()
    for at in range(0, len(data), DECODED_BYTES):  # to decode all at once takes four times the file's size
        try:
            decoder.decode(data[at : at + DECODED_BYTES], final=at + DECODED_BYTES >= len(data))
        except UnicodeDecodeError as error:
            line = 1 + data.count(b"\n", 0, at + error.start)
            return Problem(ProblemKind.NOT_UTF8, path, "The file is not valid UTF-8: save it as UTF-8.", line)
    return None


def is_utf16(data: bytes) -> bool:
    """Return whether a file is UTF-16, as programs on Windows write it: with its mark, or by its first character."""
    return data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) or data[:2].count(b"\0") == 1


def utf16_problem(path: str) -> Problem:
    """Return the Problem of a file that is UTF-16."""
    how = " (in Excel: CSV UTF-8)" if path.lower().endswith(("csv", "tsv", "txt")) else ""
    return Problem(ProblemKind.NOT_UTF8, path, f"The file is UTF-16: save it as UTF-8{how}.", 1)


def has_front_matter(data: bytes) -> bool:
    """Return whether a file that is not valid data may be a page: a block at its head, and something below it.

    A second object below one of JSON is no text of a page.
    """
    block = find_block(data)
    below = data[block.stop :].strip(b"-+. \t\r\n") if block and block.end is BlockEnd.CLOSED else b""
    return bool(below) and not below.startswith(b"{")
