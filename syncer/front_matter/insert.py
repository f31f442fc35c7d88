"""Decides where and in which form a missing count or date is added: right after the video ID, in the same table."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from syncer.front_matter.block import Syntax
from syncer.front_matter.tree import Member, Node, Scalar, Table
from syncer.model import CountType


class Insertion(NamedTuple):
    """Where to insert a value: `head + key + middle + text + tail` at the offset `at`."""

    at: int
    head: str
    middle: str
    tail: str
    key_quote: str

    def key(self, name: str) -> str:
        """Return the key as text: without quotes if the ID's key has none and the name allows it."""
        if not self.key_quote and _BARE_KEY.fullmatch(name) and name.lower() not in _NO_BARE_KEY:
            return name
        if self.key_quote == "'" and "'" not in name:
            return f"'{name}'"
        return json.dumps(name, ensure_ascii=False)


_BARE_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_NO_BARE_KEY = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_TOML_PREFIX = re.compile(r"[ \t]*+(?:[^ \t.={\[,]++[ \t]*+\.[ \t]*+)*")
_LINE_END = re.compile(r"\r\n|\n|\r")


def insertion_after(text: str, syntax: Syntax, table: Table, video_id: Member, quote: str) -> Insertion | None:
    """Return how to add a value after the member with the video ID; None if that is not certain.

    `quote` is the quote around the value: empty for a number.
    """
    key, value = video_id.key, video_id.value
    # a pair without braces in a YAML list, `[a: b]`: a second pair would be another item
    is_bare = table.inline and not text.startswith("{", table.start)
    if is_bare or not isinstance(key, Scalar) or not isinstance(value, Scalar):
        return None
    line = _line_start(text, key.start)
    indent = text[line : key.start]
    # as after the ID's key, but in YAML always a colon and a space
    middle = (": " if syntax is Syntax.YAML else text[key.stop : value.start]) + quote
    if table.inline:
        first_on_line = line > table.start and not indent.strip()
        comma = ", "
        if first_on_line:
            line_end = "\r\n" if text.endswith("\r\n", 0, line) else text[line - 1]
            comma = f",{line_end}{indent}"
        elif text[key.stop : value.start] == ":":
            comma = ","
        return Insertion(value.stop, comma, middle, quote, key.quote)
    if syntax is Syntax.YAML:
        if indent.strip(" -"):
            return None
        indent = indent.replace("-", " ")
    elif not _TOML_PREFIX.fullmatch(indent):
        return None
    # the end of the line on which the value ends; a block scalar includes it
    stop = value.stop - (2 if text.endswith("\r\n", 0, value.stop) else text.endswith(("\r", "\n"), 0, value.stop))
    end = _LINE_END.search(text, stop)
    if end:
        return Insertion(end.end(), indent, middle, quote + end[0], key.quote)
    first = _LINE_END.search(text)  # the last line of a data file need not end
    return Insertion(len(text), (first[0] if first else "\n") + indent, middle, quote, key.quote)


def insertion_before(text: str, syntax: Syntax, table: Table, quote: str) -> Insertion | None:
    """Return how to add a value as the first of a table; None if that is not certain, for example if it is empty."""
    first = table.members[0] if table.members else None
    if first is None or not isinstance(first.key, Scalar):
        return None
    key, line = first.key, _line_start(text, first.key.start)
    indent = text[line : key.start]
    middle = (": " if syntax is Syntax.YAML else text[key.stop : first.value.start]) + quote
    line_end = "\r\n" if text.endswith("\r\n", 0, line) else text[max(line - 1, 0) : line] or "\n"
    if table.inline:
        first_on_line = line > table.start and not indent.strip()
        comma = f",{line_end}{indent}" if first_on_line else ", " if middle.startswith((" ", ": ")) else ","
        return Insertion(key.start, "", middle, quote + comma, key.quote)
    if indent.strip(" \t") or (syntax is Syntax.YAML and not indent):
        return None
    return Insertion(line, indent, middle, quote + line_end, key.quote)


def quote_near(video_id: Node, quotes: Sequence[tuple[int, str]], insert_as: CountType) -> str:
    """Return the quote that an inserted value gets: the nearest one's of its type, else of this type."""
    after = bisect_left(quotes, (video_id.start, ""))
    nearest = min(quotes[max(after - 1, 0) : after + 1], key=lambda quote: abs(quote[0] - video_id.start), default=None)
    if nearest:
        return nearest[1]
    own = video_id.quote[:1] if isinstance(video_id, Scalar) else ""
    return "" if insert_as == "number" else own or '"'


def _line_start(text: str, offset: int) -> int:
    line = text.rfind("\n", 0, offset) + 1
    return max(line, text.rfind("\r", line, offset) + 1)
