"""Reads TOML into a tree: a tokenizer finds the positions, and `tomli` confirms the values.

`tomli` reads TOML 1.1, as Hugo does; the standard library's `tomllib` reads 1.0 (until Python 3.15) and refuses what
1.1 adds. What both accept means the same to both.
"""

from __future__ import annotations

import re
from hashlib import blake2b

import tomli

from syncer.front_matter.tree import MAX_DEPTH, UNCERTAIN, Items, Member, Node, Scalar, Table, Tree, Unreadable
from syncer.front_matter.wanted import NOT_WANTED, Everything, Wanted
from syncer.model import ProblemKind

_BLANK = re.compile(r"[ \t]*+")
_BLANK_AND_COMMENTS = re.compile(r"(?:[ \t\r\n]++|#[^\n]*+)*")
_KEY = re.compile(r'[A-Za-z0-9_-]++|"[^"\\]*+(?:\\.[^"\\]*+)*"|\'[^\']*+\'')
_STRING = re.compile(
    r'"""(?:[^"\\]++|\\[\s\S]|"{1,2}(?!"))*"{3,5}'
    r"|'''(?:[^']++|'{1,2}(?!'))*'{3,5}"
    r'|"[^"\\]*+(?:\\.[^"\\]*+)*"'
    r"|'[^']*+'"
)
_BARE = re.compile(r"\d{4}-\d\d-\d\d \d\d:[^\s,\]}#]++|[^\s,\]}#]++")
_TWICE = ("Cannot overwrite a value", "Duplicate inline table key")


def parse_toml(text: str, wanted: Wanted | None = None) -> Tree | Unreadable:
    """Return the tree of a TOML document, or why it cannot be parsed. With `wanted`, only of what is."""
    wanted = wanted or Everything()
    reader = _Reader(text, wanted)
    try:
        parsed = tomli.loads(text)
        root = reader.document()
    except tomli.TOMLDecodeError as error:
        line = error.lineno - 1 if error.pos < len(error.doc) else None
        kind = ProblemKind.DUPLICATE_KEY if error.msg.startswith(_TWICE) else ProblemKind.INVALID_FRONT_MATTER
        twice = kind is ProblemKind.DUPLICATE_KEY
        return Unreadable(kind, "A key appears twice: remove one of the two." if twice else error.msg, line)
    except ValueError as error:  # of a number that is too long for Python
        return Unreadable(ProblemKind.INVALID_FRONT_MATTER, str(error), None)
    except RecursionError:
        return Unreadable(ProblemKind.INVALID_FRONT_MATTER, "nested too deeply", None)
    if not _agrees(root, 0, parsed, wanted):
        return Unreadable(ProblemKind.CANNOT_PLACE, UNCERTAIN, None)
    return Tree(root, rest=reader.rest.digest())


class _Reader:
    """Reads the statements of a text that is known to be valid. What is not wanted goes into a digest instead."""

    def __init__(self, text: str, wanted: Wanted) -> None:
        self.rest = blake2b()
        self._text = text
        self._wanted = wanted

    def document(self) -> Table:
        """Return the table of the document."""
        text, root = self._text, Table(0)
        table, number, at = root, 0, _skip(text, 0)
        while at < len(text):
            if text[at] == "[":
                start, is_array = at, text.startswith("[[", at)
                names, at = _key(text, at + 1 + is_array)
                at += 1 + is_array
                number = self._number(root, 0, names)
                if number == NOT_WANTED:
                    self._open_wanted(root, 0, names)
                    table = Table(start)
                    self.rest.update(f"\0{text[start:at]}".encode())
                else:
                    table = _open(root, names, is_item=is_array)
                    number = self._wanted.item(number) if is_array else number
            else:
                at = self._assign(at, table, number, 0)
            at = _skip(text, at)
        return root

    def _number(self, node: Node | None, number: int, names: list[Scalar]) -> int:
        """Return the number of what is at a path below a node, as in `Wanted`."""
        wanted = self._wanted
        for name in names if number <= wanted.beyond else ():  # all that is below a higher number has the same
            if isinstance(node, Items):
                number, node = wanted.item(number), node.items[-1]
            number = wanted.member(number, name.text)
            member = node.get(name.text) if isinstance(node, Table) else None
            node = member.value if member else None
        return number

    def _open_wanted(self, table: Table, number: int, names: list[Scalar]) -> None:
        """Create the tables that are wanted on the way to what is not: `v.ID` of `[v.ID.x]`."""
        wanted = names[:-1]
        while wanted and self._number(table, number, wanted) == NOT_WANTED:
            wanted.pop()
        _open(table, wanted, is_item=False)

    def _assign(self, at: int, table: Table, number: int, depth: int) -> int:
        """Read `key = value` into the table and return where it ends."""
        start = at
        names, at = _key(self._text, at)
        below = self._number(table, number, names)
        value, at = self._value(_blank(self._text, at + 1), below, depth)
        if below == NOT_WANTED:
            self._open_wanted(table, number, names)
            self.rest.update(f"\0{self._text[start:at]}".encode())
        else:
            _open(table, names[:-1], is_item=False).add(Member(names[-1], value))
        return at

    def _value(self, start: int, number: int, depth: int) -> tuple[Node, int]:
        text = self._text
        if depth > MAX_DEPTH:
            raise RecursionError
        if text[start] == "[":
            return self._array(start, number, depth)
        if text[start] == "{":
            return self._inline_table(start, number, depth)
        if string := _STRING.match(text, start):
            found = Scalar("", start, start) if number == NOT_WANTED else _unquoted(string[0], start)
            return found, string.end()
        bare = _BARE.match(text, start)
        assert bare is not None
        return Scalar(bare[0], start, bare.end()), bare.end()

    def _array(self, start: int, number: int, depth: int) -> tuple[Items, int]:
        text, array = self._text, Items(start)
        below = self._wanted.item(number)
        at = _skip(text, start + 1)
        while text[at] != "]":
            item, at = self._value(at, below, depth + 1)
            if below != NOT_WANTED:
                array.items.append(item)
            at = _skip(text, at)
            if text[at] == ",":
                at = _skip(text, at + 1)
        return array, at + 1

    def _inline_table(self, start: int, number: int, depth: int) -> tuple[Table, int]:
        text, table = self._text, Table(start, inline=True)
        at = _skip(text, start + 1)
        while text[at] != "}":
            at = _skip(text, self._assign(at, table, number, depth + 1))
            if text[at] == ",":
                at = _skip(text, at + 1)
        return table, at + 1


def _agrees(node: Node, number: int, parsed: object, wanted: Wanted) -> bool:
    """Return whether the parser found the same: of what is wanted, the same keys in the same nesting, and its values.

    Strings and integers are equal. Other unquoted values (dates, floats, booleans) must only be neither strings nor
    containers.
    """
    if isinstance(node, Items) and isinstance(parsed, list):
        below = wanted.item(number)
        if below == NOT_WANTED:
            return not node.items
        pairs = zip(node.items, parsed, strict=False)
        return len(node.items) == len(parsed) and all(_agrees(item, below, value, wanted) for item, value in pairs)
    if not (isinstance(node, Table) and isinstance(parsed, dict)):
        return isinstance(node, Scalar) and _is_value(node, parsed)
    numbers = [(name, value, wanted.member(number, name)) for name, value in parsed.items()]
    kept = [(node.get(name), value, below) for name, value, below in numbers if below != NOT_WANTED]
    return len(kept) == len(node.members) and all(
        member is not None and _agrees(member.value, below, value, wanted) for member, value, below in kept
    )


def _is_value(scalar: Scalar, parsed: object) -> bool:
    if scalar.quote:
        return scalar.text == parsed
    if scalar.text.isascii() and scalar.text.isdigit() and len(scalar.text) < 20:
        return type(parsed) is int and parsed == int(scalar.text)
    return not isinstance(parsed, str | dict | list)


def _open(table: Table, names: list[Scalar], *, is_item: bool) -> Table:
    """Return the table at that path, created if needed; `is_item`: a new one at the end of a list."""
    for number, name in enumerate(names):
        member = table.get(name.text)
        appends = is_item and number == len(names) - 1
        if member is None:
            member = Member(name, Items(name.start) if appends else Table(name.start))
            table.add(member)
        if isinstance(member.value, Items):
            if appends:
                member.value.items.append(Table(name.start))
            last = member.value.items[-1]
        else:
            last = member.value
        assert isinstance(last, Table)
        table = last
    return table


def _key(text: str, at: int) -> tuple[list[Scalar], int]:
    """Read a dotted key and return its names and where the blanks behind it end."""
    names: list[Scalar] = []
    while True:
        match = _KEY.match(text, _blank(text, at))
        assert match is not None
        names.append(_unquoted(match[0], match.start()))
        if len(names) > MAX_DEPTH:
            raise RecursionError
        at = _blank(text, match.end())
        if not text.startswith(".", at):
            return names, at
        at += 1


def _unquoted(source: str, start: int) -> Scalar:
    """Return a string or a key without its quotes."""
    stop = start + len(source)
    quote = next((mark for mark in ('"""', "'''", '"', "'") if source.startswith(mark)), "")
    inner = source[len(quote) : len(source) - len(quote)]
    if len(quote) == 3 or "\\" in source:
        inner = tomli.loads(f"value = {source}")["value"]
    return Scalar(inner, start, stop, quote)


def _skip(text: str, at: int) -> int:
    match = _BLANK_AND_COMMENTS.match(text, at)
    return match.end() if match else at


def _blank(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    return match.end() if match else at
