"""A collection's fields, prepared for the search: split paths, and patterns for the keys."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from syncer.front_matter.forms import FORMS, ValueForm
from syncer.model import Count, CountType, Detail, Fields, Format, Problem, Slot, Value, ValueField, ValueKind, VideoId

NO_VIDEO = frozenset(word for no in ("false", "no", "off") for word in (no, no.capitalize(), no.upper()))
"""Words that mean false in YAML 1.1 without quotes; TOML and JSON only have `false`."""

EXCLUSION = "syncer"
"""The page's own key that excludes it, or some of its counts; in any letter case, the full parser must read it."""

DATA_SUFFIXES = {
    "yml": Format.YAML,
    "yaml": Format.YAML,
    "json": Format.JSON,
    "toml": Format.TOML,
    "csv": Format.CSV,
    "tsv": Format.TSV,
}
"""The suffixes of data files, in lower case and without the dot, and how such a file is read."""

TABLES = frozenset({Format.CSV, Format.TSV})

UNMAPPED = Fields("", {})
"""Of a file that is in no collection: its suffix alone tells how it is read."""

KEYED = "{}"
"""The last part of a path to the video ID: the keys of the mapping there are the ids."""

WHOLE_PAGE = ""
"""Among what a page excludes: all of it."""

_NUMBER = re.compile(r"[-+]?(?:0[box]?[0-9a-f_]+|[0-9][0-9_]*(?:e[-+]?[0-9_]+)?)", re.IGNORECASE)
_SAME_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_WORD = re.compile(r"~|null|true|false|yes|no|on|off", re.IGNORECASE)
_PLAIN_NAME = re.compile("[A-Za-z_][A-Za-z0-9_-]{0,99}+")

Names = tuple[str, ...]
"""A path from a table down: `links.youtube` is `("links", "youtube")`."""


class PageContents(NamedTuple):
    """What one page's front matter holds."""

    slots: Sequence[Slot] = ()
    problems: tuple[Problem, ...] = ()
    miscased_key: str | None = None
    """A key of the page that differs from the key of the video ID in letter case only."""
    excluded: AbstractSet[str] = frozenset()
    """The mapped keys, as in the config, that the page's `syncer` key excludes; WHOLE_PAGE for all of it."""


@dataclass(frozen=True, slots=True)
class MappedKey:
    """Where one count or date is, relative to the table of its video."""

    kind: ValueKind
    names: Names
    field: str


class Keys(NamedTuple):
    """A field mapping, split into parts."""

    lists: tuple[Names, ...]
    """The lists to go through, outermost first; none for a page about one video. The list at the top has no name."""
    video_id: Names
    """If `is_keyed`, the path to the mapping whose keys are the ids: no name for the one at the top."""
    is_keyed: bool
    mapped: tuple[MappedKey, ...]
    """The counts, then the dates."""
    where: tuple[tuple[Names, str], ...]
    """What the table of a video must have: the text at each of these paths."""
    insert_missing: bool
    insert_as: CountType
    path: str
    """The path to the video ID, as configured."""
    needle: bytes
    """The last key of that path, empty if it has none: a block without it has no video."""
    folded: bytes
    """The same in any letter case."""
    sets_folded: re.Pattern[str]
    """Finds where a folded block may set the key."""
    named: re.Pattern[str]
    """Finds the ID's key as a word."""
    set: re.Pattern[str]
    """Finds a line that sets the ID's key."""
    plain: PlainBlocks | None
    """Proves blocks of plain lines; None if a key is not at the top level, or there is a `where`."""
    reads_exclusions: bool
    """Whether a key `syncer` at the top level excludes counts: not if a mapped path begins with it."""
    groups: Mapping[str, tuple[ValueKind, int]]
    """Of each field, what it holds, and which of the groups in a proof captures its value."""
    value_fields: tuple[ValueField, ...]
    """The fields of every slot that has all counts and dates."""


def slot_of(video_id: VideoId, line: int, values: Sequence[Value]) -> Slot:
    """Return the slot that has these values."""
    fields = value_fields(*((value.kind, value.field, value.present) for value in values))
    return Slot(video_id, line, fields, tuple(value.text for value in values))


@lru_cache(maxsize=4096)
def value_fields(*fields: tuple[ValueKind, str, bool]) -> tuple[ValueField, ...]:
    """Return the fields, as the same object each time: a site's slots have only a few different sets."""
    return tuple(ValueField(*field) for field in fields)


def keys_of(fields: Fields) -> Keys:
    """Return the prepared fields; a second call with the same fields is only a look-up.

    Raises ValueError for a path that a config cannot have: with an empty name, or with `[]` at the end or in a count.
    """
    dates = tuple(fields.details.items()) if fields.details else ()
    where = tuple(fields.where.items()) if fields.where else ()
    return _keys(fields.video_id, tuple(fields.counts.items()), dates, where, (fields.insert_missing, fields.insert_as))


def format_of(fields: Fields, path: str) -> Format:
    """Return how a file is read; DATA if only a suffix could tell, and it has none of those."""
    asked = fields.format
    if asked is None or asked is Format.DATA:
        return DATA_SUFFIXES.get(path[path.rfind(".") + 1 :].lower(), asked or Format.FRONT_MATTER)
    return asked


def item_prefix(video_id: str) -> str:
    """Return what is before the keys of a video's counts: its list, or the mapping whose keys are the IDs."""
    return f"{video_id}." if video_id.endswith(KEYED) else "".join(video_id.rpartition("[].")[:2])


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
    dates: tuple[tuple[Detail, str], ...],
    where: tuple[tuple[str, str], ...],
    insert: tuple[bool, CountType],
) -> Keys:
    is_keyed = video_id == KEYED or video_id.endswith(f".{KEYED}")
    parts = (video_id.removesuffix(KEYED).removesuffix(".") if is_keyed else video_id).split("[]")
    may_be_nameless = (0, len(parts) - 1) if is_keyed else (0,) if len(parts) > 1 else ()
    *lists, own = [
        _names(part.removeprefix(".")) if part or number not in may_be_nameless else ()
        for number, part in enumerate(parts)
    ]
    pairs: tuple[tuple[ValueKind, str], ...] = (*counts, *dates)
    mapped = tuple(MappedKey(kind, _names(field), sys.intern(field)) for kind, field in pairs)
    others = (*(key.names for key in mapped), *(_names(key) for key, _ in where))
    last = next((names[-1] for names in (own, *reversed(lists)) if names), "")
    name, folded = re.escape(last), fold_key(last)
    return Keys(
        lists=tuple(lists),
        video_id=own,
        is_keyed=is_keyed,
        mapped=mapped,
        where=tuple((_names(key), text) for key, text in where),
        insert_missing=insert[0],
        insert_as=insert[1],
        path=video_id,
        needle=last.encode(),
        folded=folded.encode(),
        sets_folded=re.compile(rf"(?:^[ \t-]*|[{{,.]\s*)[\"']?{re.escape(folded)}[\"']?[ \t]*[:=]", re.MULTILINE),
        named=re.compile(rf"(?<![\w-]){name}(?![\w-])" if name else ""),
        set=re.compile(rf"(?:^[ \t-]*+|[{{,]\s*+)[\"']?{name}[\"']?[ \t]*[:=]", re.MULTILINE),
        plain=None if where or is_keyed else _plain_blocks(lists, own, mapped),
        reads_exclusions=EXCLUSION not in map(fold_key, (*(lists or [own])[0][:1], *(path[0] for path in others))),
        groups={key.field: (key.kind, number) for number, key in enumerate(mapped, 1)},
        value_fields=value_fields(*((key.kind, key.field, True) for key in mapped)),
    )


def _names(path: str) -> Names:
    names = tuple(sys.intern(name) for name in path.split("."))
    if not all(names) or "[]" in path:
        raise ValueError(f"{path!r} is not a path of keys")
    return names


def _plain_blocks(lists: Sequence[Names], video_id: Names, mapped: Sequence[MappedKey]) -> PlainBlocks | None:
    paths = (video_id, *(key.names for key in mapped))
    names = [name for name, *below in paths if not below and _PLAIN_NAME.fullmatch(name) and is_same_text(name)]
    details = [FORMS[key.kind] for key in mapped if not isinstance(key.kind, Count)]
    return None if lists or len(names) < len(paths) else PlainBlocks(*names, details=details)


# The patterns of blocks of plain lines, which all YAML parsers read alike: they match a whole block and capture its
# values.
#
# Lines have two forms: at the top level, and nested below a key without a value. The lines of a list or a mapping must
# have the same indentation: none, two or four spaces. Everything else that YAML allows is left to the parser.
#
# Bytes outside ASCII match here: `PlainBlocks` checks whether they are text that YAML accepts unescaped.
#
# The time is proportional to the size of the block. In the pattern of any block, nothing that may fail follows the
# lines, so it never backtracks over a line. In that of a layout a line may fail: there is only one way to match the
# lines before it, since what may follow each part of a line cannot begin as the part continues. Possessive and atomic
# groups are not used for this: Python 3.11.0 to 3.11.4 match some of them incorrectly
# (https://github.com/python/cpython/issues/106052, 100061, 101955). In the whole package, only a single character or a
# set of characters may be repeated possessively.

_ODD = r"\x00-\x1f\x7f"  # characters that YAML does not accept unescaped in a line: controls, with tabs
_END = rf"(?:\r?\n| ++(?:#[^{_ODD}]*+)?\r?\n)"
_DOUBLE = rf'"[^"\\{_ODD}]*+(?:"|(?:\\["\\/nt][^"\\{_ODD}]*+)+")'
_SINGLE = rf"'[^'{_ODD}]*+(?:''[^'{_ODD}]*+)*'"
_FIRST = rf"(?:(?=[^\-?:,\[\]{{}}#&*!|>'\"%@` {_ODD}])|(?=-[^ {_ODD}]))"
_PLAIN_LINE = rf"{_FIRST}(?:[^:#{_ODD}]++|:(?=[^ {_ODD}])|(?<! )#)*(?:\r?\n|(?<= )#[^{_ODD}]*+\r?\n)"
_ITEM = rf"(?:{_DOUBLE}|{_SINGLE}|[A-Za-z0-9_/\x80-\xff][A-Za-z0-9_\x80-\xff ./+-]*+)"
_LIST = rf"\[ *+(?:{_ITEM} *+(?:, *+{_ITEM} *+)*)?\]"
_SCALAR_LINE = rf" ++(?:(?:{_DOUBLE}|{_SINGLE}|{_LIST}){_END}|{_PLAIN_LINE})"
_BLANK = rf" *+(?:#[^{_ODD}]*+)?\r?\n"
_BLANKS = f"(?:{_BLANK})*"


def _items(indent: int) -> str:
    return rf"(?:{_BLANKS} {{{indent}}}-{_SCALAR_LINE})+"


def _members(indent: int, below: str) -> str:
    return rf"(?:{_BLANKS} {{{indent}}}{_entry(below)})+"


def _entry(below: str, name: str = _PLAIN_NAME.pattern) -> str:
    """Return the pattern of a key with its value, on the same line or below."""
    optional = f"(?:{below})?" if below else ""
    return rf"{name}:(?:{_SCALAR_LINE}|{_END}{optional})"


_BELOW = "|".join(
    [
        *(_items(indent) for indent in (0, 2, 4)),
        _members(2, "|".join((_items(2), _items(4), _members(4, "")))),
        _members(4, "|".join((_items(4), _items(6), _items(8)))),
    ]
)
_ANY_CASE = "".join(f"[{letter}{letter.upper()}]" for letter in EXCLUSION)
_LINE = rf"(?!{_ANY_CASE}:){_entry(_BELOW)}|{_BLANK}"
_OPENING = r"(?:\xef\xbb\xbf)?---(?:yaml)?[ \t]*+\r?\n"
_CLOSING = r"((?:---|\.\.\.)[ \t]*+(?:\r?\n|\Z))"

# The ID, the counts and the details: the whole line is checked before the value is captured, so that no group captures
# a part of it. Up to 18 digits are a count whatever they are.
_BARE_ID = r"(?:(?!#)[^\"'\\\x00-\x20\x7f-\xff]++)?"
_PERHAPS_NUMBER = r"-?[0-9][0-9A-Fa-fOoXx_-]*+[ \r\n]"  # may be a number for some parsers
_ID = rf"(?: ++(?:\"{_BARE_ID}\"|'{_BARE_ID}'|(?!{_PERHAPS_NUMBER}){_FIRST}{_BARE_ID}(?<!:)))?"
_COUNT = r"(?: ++(?:\"[0-9]{0,18}+\"|'[0-9]{0,18}+'|[0-9]{1,18}+))?"
_DETAIL = r"(?: ++(?:\"(?:{0})?\"|'(?:{0})?'|{0}))?"


def _value(name: str, form: str, taken: str) -> str:
    return rf"{re.escape(name)}:(?={form}{_END}) *+[\"']?+({taken})[^\n]*+\n"


MAX_PLAIN_BYTES = 1 << 16
"""Blocks that end further from the start are left to the full parser: the pattern needs 350 bytes for a line."""

LAYOUT_LEAD = 2000
"""Pages by which one layout must lead before it gets a pattern: to compile it takes as long as it saves with 4,000."""

LAYOUT_LINES = 100
"""A longer block gets no pattern of its own: compiled, it takes 5 KB a line."""

KEY_LINES = re.compile(rb"\n([\w -]++):")
"""Finds the names of keys, of all tables, after the first line."""
_NOT_YAML = re.compile("[\x80-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""Characters outside ASCII that YAML does not accept unescaped."""

Proof = tuple[re.Match[bytes], tuple[int, ...], int]
"""The match of a plain block, the groups that captured the ID, the counts and the dates, in the order of the mapping,
and the line of the ID, or 0 if it must be counted.

The groups captured what is in the quotes, which is empty if there is no value. One that did not match proves nothing:
the key is absent, or its value has another form.
"""


class PlainBlocks:
    """Proves that blocks consist of plain lines. Most pages of a site have the same keys in the same order, its layout.

    A pattern of just those keys takes half the time of the one for any block: it is made once many pages had them.
    """

    def __init__(self, *names: str, details: Sequence[ValueForm] = (), lead: int = LAYOUT_LEAD) -> None:
        """Capture the values of these keys of the top level: the ID's, then those of the counts, then of these forms.

        `lead`: how many pages more than others must have had a layout before it gets a pattern.
        """
        self._forms = {name: _value(name, _COUNT, "[0-9]*+") for name in names}
        self._forms[names[0]] = _value(names[0], _ID, _BARE_ID)
        for name, form in zip(names[len(names) - len(details) :], details, strict=True):
            self._forms[name] = _value(name, _DETAIL.replace("{0}", form.pattern), f"[{form.characters}]*+")
        self._any = re.compile(f"{_OPENING}(?:{'|'.join([*self._forms.values(), _LINE])})*{_CLOSING}?".encode())
        self._in_order = tuple(range(1, len(names) + 1))
        self._layout: tuple[re.Pattern[bytes], tuple[int, ...], int] | None = None
        self._leading: list[bytes] = []  # the names of its keys
        self._lead, self._wanted_lead = 0, lead

    def prove(self, data: bytes) -> Proof | None:
        """Return the proof that a page's block is plain; None if it needs the full parser."""
        if self._layout:
            pattern, groups, line = self._layout
            match = pattern.match(data, 0, MAX_PLAIN_BYTES)
            if match and match.end() < MAX_PLAIN_BYTES:
                return (match, groups, line) if data.isascii() or _is_text(match[0]) else None
        match = self._any.match(data, 0, MAX_PLAIN_BYTES)
        if not match or match.lastindex != match.re.groups:  # it continues with a line that is not plain
            return None
        names = KEY_LINES.findall(match[0].lower())
        if len(set(names)) < len(names):
            return None  # a key that appears twice, in any letter case and in any table
        if match.end() == MAX_PLAIN_BYTES or not _is_text(match[0]):
            return None
        if self._lead < self._wanted_lead:
            self._learn(match, names)
        return match, self._in_order, 0

    def _learn(self, match: re.Match[bytes], names: list[bytes]) -> None:
        """Count a page for or against the layout that leads, and make the pattern of one that leads by enough."""
        if not self._lead:
            self._leading = names
        self._lead += 1 if names == self._leading else -1
        if self._lead == self._wanted_lead:
            self._layout = self._layout_of(match)

    def _layout_of(self, match: re.Match[bytes]) -> tuple[re.Pattern[bytes], tuple[int, ...], int] | None:
        """Return a pattern of the blocks with the same keys in the same order, and its groups and line as in a proof.

        None if the block lacks one of the values, is long, or has other lines than keys with values and lists.
        """
        lines = match.string[: match.start(match.re.groups)].decode().split("\n")[1:-1]
        if None in match.groups() or len(lines) > LAYOUT_LINES:
            return None
        below: dict[str, str] = {}
        name = ""
        for line in lines:
            if item := re.match(" *- ", line):
                below[name] = _items(len(item[0]) - 2)
            elif key := re.match(f"({_PLAIN_NAME.pattern}):", line):
                name = key[1]
                below[name] = ""
            else:
                return None
        captured = [name for name in below if name in self._forms]
        keys = "".join(self._forms.get(name) or _entry(items, name) for name, items in below.items())
        pattern = re.compile(f"{_OPENING}{keys}{_CLOSING}".encode())
        above = list(below.values())[: list(below).index(next(iter(self._forms)))]
        return pattern, tuple(captured.index(name) + 1 for name in self._forms), 0 if any(above) else len(above) + 2


def _is_text(block: bytes) -> bool:
    """Return whether a block that matched is text that YAML accepts unescaped."""
    if block.isascii():
        return True
    try:
        return not _NOT_YAML.search(block.decode(), 1)  # the first character may be a byte order mark
    except UnicodeDecodeError:
        return False
