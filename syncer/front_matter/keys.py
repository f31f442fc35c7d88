"""A collection's fields, prepared for the search: split paths, and patterns for the keys."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from syncer.model import Count, CountField, CountType, Fields, count_fields

NO_VIDEO = frozenset(word for no in ("false", "no", "off") for word in (no, no.capitalize(), no.upper()))
"""Words that mean false in YAML 1.1 without quotes; TOML and JSON only have `false`."""

_NUMBER = re.compile(r"[-+]?(?:0[box]?[0-9a-f_]+|[0-9][0-9_]*(?:e[-+]?[0-9_]+)?)", re.IGNORECASE)
_SAME_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_WORD = re.compile(r"~|null|true|false|yes|no|on|off", re.IGNORECASE)
_PLAIN_NAME = re.compile("[A-Za-z_][A-Za-z0-9_-]{0,99}+")

Names = tuple[str, ...]
"""A path from a table down: `links.youtube` is `("links", "youtube")`."""


@dataclass(frozen=True, slots=True)
class CountKey:
    """Where one count is, relative to the table of its video."""

    count: Count
    names: Names
    field: str


class Keys(NamedTuple):
    """A field mapping, split into parts."""

    lists: tuple[Names, ...]
    """The lists to go through, outermost first; none for a page about one video."""
    video_id: Names
    counts: tuple[CountKey, ...]
    insert_missing: bool
    insert_as: CountType
    path: str
    """The path to the video ID, as configured."""
    needle: bytes
    """The last key of that path: a block without it has no video."""
    folded: bytes
    """The same in any letter case."""
    sets_folded: re.Pattern[str]
    """Finds where a folded block may set the key."""
    named: re.Pattern[str]
    """Finds the ID's key as a word."""
    set: re.Pattern[str]
    """Finds a line that sets the ID's key."""
    plain: re.Pattern[bytes] | None
    """Matches a block of plain lines and captures the values; None if a key is not at the top level."""
    groups: Mapping[str, tuple[Count, int]]
    """The group of that pattern that captures each field's value, with its count."""
    count_fields: tuple[CountField, ...]
    """The fields of every slot that has all counts."""


def keys_of(fields: Fields) -> Keys:
    """Return the prepared fields; a second call with the same fields is only a look-up.

    Raises ValueError for a path that a config cannot have: with an empty name, or with `[]` at the end or in a count.
    """
    return _keys(fields.video_id, tuple(fields.counts.items()), fields.insert_missing, fields.insert_as)


def fold_key(name: str) -> str:
    """Return a key in lower case, as generators that ignore letter case read it.

    Hugo uses Go's `strings.ToLower`, which maps each letter alone: there is no final sigma, the Turkish dotted I
    becomes i, and `ß` stays `ß`.
    """
    return name.lower() if name.isascii() else name.replace("\u0130", "i").replace("\u03a3", "\u03c3").lower()


def part_by_case(path: str, other: str) -> bool:
    """Return whether the first difference of two paths (`meta.views`, `Meta.likes`) is one in letter case only."""
    for name, others in zip(path.split("."), other.split("."), strict=False):
        if name != others:
            return fold_key(name) == fold_key(others)
    return False


def is_same_text(text: str) -> bool:
    """Return whether all YAML parsers read an unquoted scalar as exactly this text, or as a number that prints so."""
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
        groups={key.field: (key.count, number) for number, key in enumerate(count_keys, 2)},
        count_fields=count_fields(*((key.count, key.field, True) for key in count_keys)),
    )


def _names(path: str) -> Names:
    names = tuple(sys.intern(name) for name in path.split("."))
    if not all(names) or "[]" in path:
        raise ValueError(f"{path!r} is not a path of keys")
    return names


# The pattern of a block of plain lines, which all YAML parsers read alike: it matches a whole block and captures its
# values.
#
# Lines have two forms: at the top level, and nested below a key without a value. The lines of a list or a mapping must
# have the same indentation: none, two or four spaces. Everything else that YAML allows is left to the parser.
#
# Bytes outside ASCII match here: the caller checks whether they are text that YAML accepts unescaped.
#
# Nothing that may fail follows the lines in the pattern, so it never backtracks over a line: the time is proportional
# to the size of the block. Possessive and atomic groups are not used for this: Python 3.11.0 to 3.11.4 match some of
# them incorrectly (https://github.com/python/cpython/issues/106052, 100061, 101955). In the whole package, only a
# single character or a set of characters may be repeated possessively.

_ODD = r"\x00-\x1f\x7f"  # characters that YAML does not accept unescaped in a line: controls, with tabs
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
    """Return the pattern of a key with its value, on the same line or below."""
    return rf"{_PLAIN_NAME.pattern}:(?:{_SCALAR}{_END}|{_END}(?:{below})?)"


_BELOW = "|".join(
    [
        *(_items(indent) for indent in (0, 2, 4)),
        _members(2, "|".join((_items(2), _items(4), _members(4, "")))),
        _members(4, "|".join((_items(4), _items(6), _items(8)))),
    ]
)
_LINE = rf"{_entry(_BELOW)}|{_BLANK}"

# The ID and the counts: the whole line is checked before the value is captured, so that no group captures a part of it.
# Up to 18 digits are a count whatever they are.
_BARE_ID = r"(?:(?!#)[^\"'\\\x00-\x20\x7f-\xff]++)?"
_PERHAPS_NUMBER = r"-?[0-9][0-9A-Fa-fOoXx_-]*+[ \r\n]"  # may be a number for some parsers
_ID = rf"(?: ++(?:\"{_BARE_ID}\"|'{_BARE_ID}'|(?!{_PERHAPS_NUMBER}){_FIRST}{_BARE_ID}(?<!:)))?"
_COUNT = r"(?: ++(?:\"[0-9]{0,18}+\"|'[0-9]{0,18}+'|[0-9]{1,18}+))?"


def _block_pattern(paths: Sequence[Names]) -> re.Pattern[bytes] | None:
    """Return the pattern that matches a page from its start: all plain lines of its block, and the closing fence.

    `paths` are those of the ID and the counts. None if one of them is not a plain key of the top level.

    The last group is the fence: it does not match if the block continues with a line that is not plain. Group 1 is the
    ID, the next ones are the counts, without quotes, empty if there is no value. A group that did not match proves
    nothing: the key is absent, or its value has another form.
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
