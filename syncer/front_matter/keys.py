"""A collection's fields made ready for the search: paths taken apart, and patterns for what sets the keys."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from syncer.model import Count, CountField, CountType, Fields, count_fields

NO_VIDEO = frozenset(word for no in ("false", "no", "off") for word in (no, no.capitalize(), no.upper()))
"""What unquoted means false for YAML 1.1; TOML and JSON have `false` alone."""

_NUMBER = re.compile(r"[-+]?(?:0[box]?[0-9a-f_]+|[0-9][0-9_]*(?:e[-+]?[0-9_]+)?)", re.IGNORECASE)
_SAME_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_WORD = re.compile(r"~|null|true|false|yes|no|on|off", re.IGNORECASE)
_PLAIN_NAME = re.compile("[A-Za-z_][A-Za-z0-9_-]{0,99}+")

Names = tuple[str, ...]
"""A path from a table down: `links.youtube` is `("links", "youtube")`."""


@dataclass(frozen=True, slots=True)
class CountKey:
    """Where one count is, relative to the table that holds the video."""

    count: Count
    names: Names
    field: str


class Keys(NamedTuple):
    """A field mapping, taken apart."""

    lists: tuple[Names, ...]
    """The lists to go through, outermost first; none where the page is about one video."""
    video_id: Names
    counts: tuple[CountKey, ...]
    insert_missing: bool
    insert_as: CountType
    path: str
    """To the id, as it is configured."""
    needle: bytes
    """The id key's own name: a block without it holds no video."""
    folded: bytes
    """The same in any letter case."""
    sets_folded: re.Pattern[str]
    """Finds what may set the key in a block that is folded."""
    named: re.Pattern[str]
    """Finds the id key's name as a word."""
    set: re.Pattern[str]
    """Finds a line that sets the id key."""
    plain: re.Pattern[bytes] | None
    """Proves a block of plain lines and finds the values; None where a key is not one of the top level."""
    count_fields: tuple[CountField, ...]
    """What all slots share that have each count."""


def keys_of(fields: Fields) -> Keys:
    """Return the fields taken apart; for the same fields again this is only a look-up.

    Raises ValueError for a path that no config can hold: an empty name, `[]` at the end or in a count.
    """
    return _keys(fields.video_id, tuple(fields.counts.items()), fields.insert_missing, fields.insert_as)


def fold_key(name: str) -> str:
    """Return a key as generators that ignore letter case see it: each letter in lower case, as Hugo has it.

    Hugo's is Go's `strings.ToLower`, which takes one letter for another and does not look at its neighbours: there is
    no final sigma, the Turkish dotted I is an i, and `ß` is no `ss`.
    """
    return name.lower() if name.isascii() else name.replace("\u0130", "i").replace("\u03a3", "\u03c3").lower()


def part_by_case(path: str, other: str) -> bool:
    """Return whether two paths of keys (`meta.views`, `Meta.likes`) first differ at names in letter case only."""
    for name, others in zip(path.split("."), other.split("."), strict=False):
        if name != others:
            return fold_key(name) == fold_key(others)
    return False


def is_same_text(text: str) -> bool:
    """Return whether all readers read an unquoted YAML scalar as this very text, or a number that prints like it."""
    return not (_WORD.fullmatch(text) or _NUMBER.fullmatch(text)) or _SAME_NUMBER.fullmatch(text) is not None


@lru_cache(maxsize=64)
def _keys(
    video_id: str,
    counts: tuple[tuple[Count, str], ...],
    insert_missing: bool,  # noqa: FBT001
    insert_as: CountType,
) -> Keys:
    *lists, own = [_names(part.removeprefix(".")) for part in video_id.split("[]")]
    count_keys = tuple(CountKey(count, _names(field), sys.intern(field)) for count, field in counts)
    name, folded = re.escape(own[-1]), fold_key(own[-1])
    return Keys(
        lists=tuple(lists),
        video_id=own,
        counts=count_keys,
        insert_missing=insert_missing,
        insert_as=insert_as,
        path=video_id,
        needle=own[-1].encode(),
        folded=folded.encode(),
        sets_folded=re.compile(rf"(?:^[ \t-]*|[{{,.]\s*)[\"']?{re.escape(folded)}[\"']?[ \t]*[:=]", re.MULTILINE),
        named=re.compile(rf"(?<![\w-]){name}(?![\w-])"),
        set=re.compile(rf"(?:^[ \t-]*+|[{{,]\s*+)[\"']?{name}[\"']?[ \t]*[:=]", re.MULTILINE),
        plain=None if lists else _block_pattern([own, *(key.names for key in count_keys)]),
        count_fields=count_fields(*((key.count, key.field, True) for key in count_keys)),
    )


def _names(path: str) -> Names:
    names = tuple(sys.intern(name) for name in path.split("."))
    if not all(names) or "[]" in path:
        raise ValueError(f"{path!r} is no path of keys")
    return names


# The pattern of a block of plain lines, those of YAML that can be read in one way only: it proves a whole block, and
# finds its values.
#
# Lines are taken in two forms: at the top level, and nested below a key without a value. A list's or a mapping's lines
# must have one indentation; two, four or none, as people write. All that YAML allows beyond is left to the parser.
#
# Bytes outside ASCII pass here: whoever uses the pattern looks whether they are text that YAML takes as it stands.
#
# Nothing that may fail follows the lines in the pattern, so that it never goes back over a line: a block of any size
# and form costs time in proportion to its size. No possessive or atomic group helps with that: Python 3.11.0 to 3.11.4
# match some of them wrong (https://github.com/python/cpython/issues/106052, 100061, 101955). Only a single character or
# set of characters may be repeated possessively, here and in the whole package.

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
    return rf"{_PLAIN_NAME.pattern}:(?:{_SCALAR}{_END}|{_END}(?:{below})?)"


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
_BARE_ID = r"(?:(?!#)[^\"'\\\x00-\x20\x7f-\xff]++)?"
_PERHAPS_NUMBER = r"-?[0-9][0-9A-Fa-fOoXx_-]*+[ \r\n]"  # what may be a number for some readers
_ID = rf"(?: ++(?:\"{_BARE_ID}\"|'{_BARE_ID}'|(?!{_PERHAPS_NUMBER}){_FIRST}{_BARE_ID}(?<!:)))?"
_COUNT = r"(?: ++(?:\"[0-9]{0,18}+\"|'[0-9]{0,18}+'|[0-9]{1,18}+))?"


def _block_pattern(paths: Sequence[Names]) -> re.Pattern[bytes] | None:
    """Return what matches a page from its start over all lines of its block that are plain, and the closing fence.

    `paths` are those of the id and the counts. None: one of them is not a plain key of the top level.

    The last group is the fence: it takes no part where the block continues with a line that is not plain.
    Group 1 is the id, the next ones are the counts, without quotes, empty where there is none. A group that took no
    part proves nothing: the key is absent, or its value has another form.
    """
    for name, *below in paths:
        if below or not _PLAIN_NAME.fullmatch(name) or not is_same_text(name):
            return None
    (video_id,), *counts = paths
    lines = [_value(video_id, _ID, _BARE_ID), *(_value(name, _COUNT, "[0-9]*+") for (name,) in counts), _LINE]
    opening, closing = r"(?:\xef\xbb\xbf)?---(?:yaml)?[ \t]*+\r?\n", r"((?:---|\.\.\.)[ \t]*+(?:\r?\n|\Z))"
    return re.compile(f"{opening}(?:{'|'.join(lines)})*{closing}?".encode())


def _value(name: str, form: str, taken: str) -> str:
    return rf"{re.escape(name)}:(?={form}{_END}) *+[\"']?+({taken})[^\n]*+\n"
