"""Reads TOML into a tree: a tokenizer finds the positions, and `tomli` confirms the values.

`tomli` reads TOML 1.1, as Hugo does; the standard library's `tomllib` reads 1.0 (until Python 3.15) and refuses what
1.1 adds. What both accept means the same to both.
"""

from __future__ import annotations

import re
from hashlib import blake2b

import tomli

from syncer.front_matter.tree import MAX_DEPTH, UNCERTAIN, Items, Member, Node, Scalar, Table, Tree, Unreadable, agrees
from syncer.front_matter.wanted import NOT_WANTED, Wanted
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
    rest = blake2b()
    try:
        parsed = tomli.loads(text)
        root = _document(text, wanted, rest)
    except tomli.TOMLDecodeError as error:
        line = error.lineno - 1 if error.pos < len(error.doc) else None
        kind = ProblemKind.DUPLICATE_KEY if error.msg.startswith(_TWICE) else ProblemKind.INVALID_FRONT_MATTER
        twice = kind is ProblemKind.DUPLICATE_KEY
        return Unreadable(kind, "A key appears twice: remove one of the two." if twice else error.msg, line)
    except ValueError as error:  # of a number that is too long for Python
        return Unreadable(ProblemKind.INVALID_FRONT_MATTER, str(error), None)
    except RecursionError:
        return Unreadable(ProblemKind.INVALID_FRONT_MATTER, "nested too deeply", None)
    if not (_has_wanted(root, 0, parsed, wanted) if wanted else agrees(root, parsed)):
        return Unreadable(ProblemKind.CANNOT_PLACE, UNCERTAIN, None)
    return Tree(root, rest=rest.digest() if wanted else b"")


def _document(text: str, wanted: Wanted | None, rest: blake2b) -> Table:
    """Read the statements of `text`, which is known to be valid; put what is not wanted into the digest."""
    root = table = Table(0)
    at, path = _skip(text, 0), list[Scalar]()
    while at < len(text):
        start = at
        if text[at] == "[":
            is_array = text.startswith("[[", at)
            path, at = _key(text, at + 1 + is_array)
            is_wanted = wanted is None or _is_wanted(root, path, wanted)
            # the values of a table that is not wanted are read all the same: only they show where it ends
            table = _open(root, path, is_item=is_array) if is_wanted else Table(start)
            at += 1 + is_array
        else:
            names, at = _key(text, at)
            value, at = _value(text, _blank(text, at + 1), 0)
            is_wanted = wanted is None or _is_wanted(root, [*path, *names], wanted)
            if is_wanted:
                _open(table, names[:-1], is_item=False).add(Member(names[-1], value))
        if not is_wanted:
            rest.update(f"\0{text[start:at]}".encode())
        at = _skip(text, at)
    return root


def _is_wanted(root: Table, names: list[Scalar], wanted: Wanted) -> bool:
    """Return whether what is at that path is wanted."""
    node: Node | None = root
    number = 0
    for name in names:
        if isinstance(node, Items):
            number, node = wanted.item(number), node.items[-1]
        number = wanted.member(number, name.text)
        if number == NOT_WANTED:
            return False
        member = node.get(name.text) if isinstance(node, Table) else None
        node = member.value if member else None
    return True


def _has_wanted(node: Node, number: int, parsed: object, wanted: Wanted) -> bool:
    """Return whether `agrees` holds for what is wanted, and nothing that is wanted is absent."""
    if isinstance(node, Items) and isinstance(parsed, list):
        below, pairs = wanted.item(number), zip(node.items, parsed, strict=False)
        return len(node.items) == len(parsed) and all(_has_wanted(item, below, value, wanted) for item, value in pairs)
    if not (isinstance(node, Table) and isinstance(parsed, dict)):
        return agrees(node, parsed)
    for name, value in parsed.items():
        below, member = wanted.member(number, name), node.get(name)
        if (member is None) != (below == NOT_WANTED):
            return False
        if member and not _has_wanted(member.value, below, value, wanted):
            return False
    return len(node.members) == sum(wanted.member(number, name) != NOT_WANTED for name in parsed)


def _assign(text: str, at: int, table: Table, depth: int) -> int:
    """Read `key = value` of an inline table into it, and return where it ends."""
    names, at = _key(text, at)
    value, at = _value(text, _blank(text, at + 1), depth)
    _open(table, names[:-1], is_item=False).add(Member(names[-1], value))
    return at


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


def _value(text: str, start: int, depth: int) -> tuple[Node, int]:
    if depth > MAX_DEPTH:
        raise RecursionError
    if text[start] == "[":
        return _array(text, start, depth)
    if text[start] == "{":
        return _inline_table(text, start, depth)
    if string := _STRING.match(text, start):
        return _unquoted(string[0], start), string.end()
    bare = _BARE.match(text, start)
    assert bare is not None
    return Scalar(bare[0], start, bare.end()), bare.end()


def _array(text: str, start: int, depth: int) -> tuple[Items, int]:
    array = Items(start)
    at = _skip(text, start + 1)
    while text[at] != "]":
        item, at = _value(text, at, depth + 1)
        array.items.append(item)
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return array, at + 1


def _inline_table(text: str, start: int, depth: int) -> tuple[Table, int]:
    table = Table(start, inline=True)
    at = _skip(text, start + 1)
    while text[at] != "}":
        at = _skip(text, _assign(text, at, table, depth + 1))
        if text[at] == ",":
            at = _skip(text, at + 1)
    return table, at + 1


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
