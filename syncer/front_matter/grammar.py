"""The lines of YAML that can be read in one way only, as one pattern that proves a whole block and finds its values.

Lines are taken in two forms: at the top level, and nested below a key without a value. A list's or a mapping's lines
must have one indentation; two, four or none, as people write. All that YAML allows beyond is left to the parser.

Bytes outside ASCII pass here: whoever uses the pattern looks whether they are text that YAML takes as it stands.

Nothing that may fail follows the lines in the pattern, so that it never goes back over a line: a block of any size
and form costs time in proportion to its size. No possessive or atomic group helps with that: Python 3.11.0 to 3.11.4
match some of them wrong (https://github.com/python/cpython/issues/106052, 100061, 101955). Only a single character or
set of characters may be repeated possessively, here and in the whole package.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_-]{0,99}+")

_NAME = NAME.pattern.decode()
_ODD = r"\x00-\x1f\x7f"  # what YAML does not take as it stands in a line: controls, tabs among them
_DOUBLE = rf'"[^"\\{_ODD}]*+(?:"|(?:\\["\\/nt][^"\\{_ODD}]*+)+")'
_SINGLE = rf"'[^'{_ODD}]*+(?:''[^'{_ODD}]*+)*'"
_FIRST = rf"(?:(?=[^\-?:,\[\]{{}}#&*!|>'\"%@` {_ODD}])|(?=-[^ {_ODD}]))"
_PLAIN = rf"{_FIRST}(?:[^:#{_ODD}]++|:(?=[^ {_ODD}])|(?<! )#)*"
_ITEM = rf"(?:{_DOUBLE}|{_SINGLE}|[A-Za-z0-9_/\x80-\xff][A-Za-z0-9_\x80-\xff ./+-]*+)"
_LIST = rf"\[ *+(?:{_ITEM} *+(?:, *+{_ITEM} *+)*)?\]"
_SCALAR = rf" ++(?:{_DOUBLE}|{_SINGLE}|{_PLAIN}|{_LIST})"
_END = rf"(?:\r?\n| *+(?:(?<= )#[^{_ODD}]*+)?\r?\n)"
_BLANK = rf" *+(?:#[^{_ODD}]*+)?\r?\n"
_BLANKS = f"(?:{_BLANK})*"


def _items(indent: int) -> str:
    return rf"(?:{_BLANKS} {{{indent}}}-{_SCALAR}{_END})+"


def _members(indent: int, below: str) -> str:
    return rf"(?:{_BLANKS} {{{indent}}}{_entry(below)})+"


def _entry(below: str) -> str:
    """Return the pattern of a key with its value, be it below it."""
    return rf"{_NAME}:(?:{_SCALAR}{_END}|{_END}(?:{below})?)"


_BELOW = "|".join(
    [
        *(_items(indent) for indent in (0, 2, 4)),
        _members(2, "|".join((_items(2), _items(4), _members(4, "")))),
        _members(4, "|".join((_items(4), _items(6), _items(8)))),
    ]
)
_LINE = rf"{_entry(_BELOW)}|{_BLANK}"

# The id and the counts: first the whole line is proven, then the value is taken, so that no group is ever half right.
# Up to 18 digits are a count whatever they are.
_BARE = r"(?:(?!#)[^\"'\\\x00-\x20\x7f-\xff]++)?"
_NUMBER = r"-?[0-9][0-9A-Fa-fOoXx_-]*+[ \r\n]"  # what may be a number for some readers
_ID = rf"(?: ++(?:\"{_BARE}\"|'{_BARE}'|(?!{_NUMBER}){_FIRST}{_BARE}(?<!:)))?"
_COUNT = r"(?: ++(?:\"[0-9]{0,18}+\"|'[0-9]{0,18}+'|[0-9]{1,18}+))?"


def block_pattern(video_id: str, counts: Sequence[str]) -> re.Pattern[bytes]:
    """Return what matches a page from its start over all lines of its block that are plain, and the closing fence.

    The last group is the fence: it takes no part where the block goes on with a line that is not plain.
    Group 1 is the id, the next ones are the counts, without quotes, empty where there is none. A group that took no
    part tells nothing: the key is absent, or its value has another form.
    """
    lines = [_value(video_id, _ID, _BARE), *(_value(name, _COUNT, "[0-9]*+") for name in counts), _LINE]
    opening, closing = r"(?:\xef\xbb\xbf)?---(?:yaml)?[ \t]*+\r?\n", r"((?:---|\.\.\.)[ \t]*+(?:\r?\n|\Z))"
    return re.compile(f"{opening}(?:{'|'.join(lines)})*{closing}?".encode())


def _value(name: str, form: str, taken: str) -> str:
    return rf"{re.escape(name)}:(?={form}{_END}) *+[\"']?+({taken})[^\n]*+\n"
