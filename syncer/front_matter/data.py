"""Data files: a whole file in YAML, JSON or TOML is read as the front matter of a page is."""

from __future__ import annotations

from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from typing import NamedTuple

from syncer.front_matter.block import LARGEST_PAGE_BYTES, MAX_BLOCK_BYTES, BlockEnd, Syntax, find_block
from syncer.front_matter.keys import DATA_SUFFIXES
from syncer.front_matter.locate import BlockText
from syncer.model import Format, Problem, ProblemKind

SYNTAXES = {Format.YAML: Syntax.YAML, Format.JSON: Syntax.JSON, Format.TOML: Syntax.TOML}

MAX_BYTES = {Format.FRONT_MATTER: MAX_BLOCK_BYTES, Format.YAML: 8 << 20, Format.TOML: 8 << 20}
"""The limits that are lower than `LARGEST_PAGE_BYTES`, by format."""


class ReadText(NamedTuple):
    """The text of a data file, or of a page's block."""

    start: int
    """Its offset in the file: there may be a byte order mark before it."""
    stop: int
    """Where it ends."""
    block: BlockText


def read_data(data: bytes, form: Format, path: str) -> ReadText | Problem:
    """Return the text of a data file, or why it is not read."""
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
    start = len(BOM_UTF8) if data.startswith(BOM_UTF8) else 0
    try:
        text = data[start:].decode()
    except UnicodeDecodeError as error:
        line = 1 + data.count(b"\n", 0, start + error.start)
        return Problem(ProblemKind.NOT_UTF8, path, "The file is not valid UTF-8: save it as UTF-8.", line)
    return ReadText(start, len(data), BlockText(text, syntax, 1, path, is_data=True))


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
