"""The fast way: reads YAML blocks of plain one-line `key: value` entries without a parser.

It answers only where a pattern proves every line to be of a form that YAML reads in one way; what it cannot prove,
and whatever needs a word to the user, is left to the true way. A property test holds the two together.
"""

from __future__ import annotations

import re

from syncer.front_matter.keys import Keys
from syncer.front_matter.places import Place, Spot
from syncer.front_matter.video_id import parse_video_id
from syncer.model import LARGEST_COUNT, Found, Problem, ProblemKind, Slot, Value, VideoId

NOTHING = Found()
"""What every page without a video shares."""

# What YAML does not take as it stands in a line: controls (tabs among them), other line breaks, the byte order mark.
_ODD = r"\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff"
_DOUBLE = rf'"[^"\\{_ODD}]*+(?:\\["\\/nt][^"\\{_ODD}]*+)*+"'
_SINGLE = rf"'[^'{_ODD}]*+(?:''[^'{_ODD}]*+)*+'"
_WORD = rf"(?=[^ {_ODD}])[^ :{_ODD}]*+(?::(?=[^ {_ODD}])[^ :{_ODD}]*+)*+"
_FIRST = rf"(?:(?=[^\-?:,\[\]{{}}#&*!|>'\"%@` {_ODD}])|(?=-[^ {_ODD}]))"
_PLAIN = rf"{_FIRST}{_WORD}(?: ++(?!#){_WORD})*+"
_ITEM = rf"(?:{_DOUBLE}|{_SINGLE}|[A-Za-z0-9_][\w ./+-]*+)"
_LIST = rf"\[ *+(?:{_ITEM} *+(?:, *+{_ITEM} *+)*+)?\]"
_LINES = re.compile(
    rf"^(?:([A-Za-z_][A-Za-z0-9_-]{{0,99}}+):(?: ++({_DOUBLE}|{_SINGLE}|{_PLAIN}|{_LIST}))?)?+"
    rf" *+(?:(?:(?<= )|^)#[^{_ODD}]*+)?\r?\n",
    re.MULTILINE,
)
_COUNT = re.compile(r"([\"']?)([0-9]{1,19})\1")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_ASK = Problem(ProblemKind.NOT_A_VIDEO_ID, "", "")
_EMPTY = _NULLS | {'""', "''"}


def find_plain(text: str, keys: Keys, line: int) -> Found | None:
    """Return what is found in a block that starts on the page's `line`; None where only the true way can tell."""
    entries = _LINES.findall(text)
    if len(entries) != text.count("\n"):
        return None
    members: dict[str, str] = dict(entries)
    if len(members) != len(entries) and not _differ(entries):
        return None
    source = members.get(keys.video_id[0])
    video_id = None if source is None else _video_id(source)
    if video_id is None:
        return NOTHING
    values = _values(members, keys)
    if values is None or isinstance(video_id, Problem):
        return None
    before = [name for name, _ in entries].index(keys.video_id[0])
    return Found((Slot(video_id, line + before, values),))


def plain_places(text: str, keys: Keys, line: int) -> list[Place] | None:
    """Return what `find_plain` finds with the place of every count; None too where a count would be added."""
    found = find_plain(text, keys, line)
    if found is None or not all(value.present for slot in found.slots for value in slot.values):
        return None
    return [Place(slot, tuple(_spot(text, value) for value in slot.values)) for slot in found.slots]


def _differ(entries: list[tuple[str, str]]) -> bool:
    """Say whether no key stands twice; comments and blank lines have none."""
    names = [name for name, _ in entries if name]
    return len(set(names)) == len(names)


def _video_id(source: str) -> VideoId | Problem | None:
    """Read the id; a Problem stands for whatever the true way must read."""
    if source in _NULLS:
        return None
    quote = source[0]
    if quote == "[" or "\\" in source or "''" in source[1:-1]:
        return _ASK
    return parse_video_id(source[1:-1] if quote in "\"'" else source, "")


def _values(members: dict[str, str], keys: Keys) -> tuple[Value, ...] | None:
    """Read the counts; None where one of them wants a word."""
    values: list[Value] = []
    for key in keys.counts:
        source = members.get(key.names[0])
        if source is None:
            if keys.insert_missing:
                values.append(Value(key.count, key.field, None, present=False))
        elif match := _COUNT.fullmatch(source):
            if int(match[2]) > LARGEST_COUNT:
                return None
            values.append(Value(key.count, key.field, match[2]))
        elif source in _EMPTY:
            values.append(Value(key.count, key.field, None))
        else:
            return None
    return tuple(values)


def _spot(text: str, value: Value) -> Spot:
    """Return where a count stands in a block of proven lines."""
    match = re.search(rf"^{value.field}(:)( *+)([\"']?)([A-Za-z0-9~]*+)\3", text, re.MULTILINE)
    assert match is not None
    if not match[3] and not match[4]:
        return Spot(value, match.end(1), match.end(1), " ", "", match.start())
    return Spot(value, match.start(3), match.end(), match[3], match[3], match.start())
