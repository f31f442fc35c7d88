"""Reads pages and data files without a field mapping: all keys and values, to propose fields, or a page's title."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from itertools import count

from syncer.front_matter.address import ID
from syncer.front_matter.block import BlockEnd, find_block
from syncer.front_matter.keys import KEYED, TABLES
from syncer.front_matter.parse import parse
from syncer.front_matter.tree import Items, Node, Scalar, Table, Tree, Unreadable
from syncer.front_matter.wanted import Everything
from syncer.model import Format, Problem

Leaf = tuple[str, str, bool]
"""The path of a scalar as in a config, its text, and whether it is quoted: `("videos[].id", "5HjkiQJx-CY", False)`."""

_DELIMITERS = ",;\t|"
_ASIDE = re.compile(
    r"[_$#@/].*|(?:x-)?(?:defaults?|comments?|meta|metadata|schema|version|updated|notes?)", re.IGNORECASE
)
"""A key beside IDs that is for people, or for a program."""


class Leaves(list[Leaf]):
    """Every scalar of a file, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.items: list[int] = []
        """For each leaf a number: leaves of one item of a list, and of no list inside it, have the same."""

    def add(self, leaf: Leaf, item: int) -> None:
        """Append a leaf of this item."""
        self.append(leaf)
        self.items.append(item)


def leaves(data: bytes, form: Format = Format.FRONT_MATTER) -> Leaves:
    """Return every scalar of a page's block, or of a data file.

    Lists are `[]`, and a mapping whose keys are IDs is `{}`: those keys have the path `videos.{}`. Empty if there is
    nothing that can be parsed. Aliases are left out, and keys with a dot or a bracket, because a path cannot
    contain them. Of a table (CSV, TSV), the paths are the names of the columns.
    """
    found = Leaves()
    if form in TABLES:
        for number, record in enumerate(_records(data, form)):
            for name, text in record.items():
                found.add((name, text, False), number)
        return found
    tree = _read_tree(data, form=form)
    numbers = count(1)
    for root in (tree.root, *tree.later) if tree else ():
        for path, node, item in _below(root, "", 0, numbers):
            if isinstance(node, Scalar):
                found.add((path, node.text, bool(node.quote)), item)
    return found


def key_values(data: bytes, form: Format = Format.FRONT_MATTER) -> dict[str, list[str]] | None:
    """Return every key of a page's block or a data file by its path, with the texts of its scalars, or of its list's.

    `videos: [{id: a}]` is `{"videos": [], "videos[].id": ["a"]}`. Null and blank texts are left out, and what `leaves`
    leaves out. None if there is nothing that can be parsed.
    """
    values: dict[str, list[str]] = {}
    if form in TABLES:
        for record in _records(data, form):
            for name, text in record.items():
                values.setdefault(name, []).extend([text] if text.strip() else [])
        return values or None
    tree = _read_tree(data, form=form)
    if tree is None:
        return None
    for root in (tree.root, *tree.later):
        for path, node, _ in _below(root, "", 0, count(1)):
            texts = values.setdefault(path.rstrip("[]"), [])
            if isinstance(node, Scalar) and not node.null and node.text.strip():
                texts.append(node.text)
    return values


def _below(node: Node, path: str, item: int, numbers: Iterator[int]) -> Iterator[tuple[str, Node, int]]:
    """Yield every node below this one, with its path and the number of its item, in order."""
    if isinstance(node, Items):
        for each in node.items:
            number = next(numbers)
            yield f"{path}[]", each, number
            yield from _below(each, f"{path}[]", number, numbers)
    elif isinstance(node, Table) and _has_id_keys(node):
        name = f"{path}.{KEYED}" if path else KEYED
        for member in node.members:
            number = next(numbers)
            yield name, member.key, number
            yield from _below(member.value, name, number, numbers)
    elif isinstance(node, Table):
        for member in node.members:
            key = member.key
            if isinstance(key, Scalar) and key.text and not set(key.text) & set(".[]{}"):
                name = f"{path}.{key.text}" if path else key.text
                yield name, member.value, item
                yield from _below(member.value, name, item, numbers)


def _has_id_keys(table: Table) -> bool:
    """Return whether the keys of a table are IDs, each with a table as its value, but for a few.

    Nearly all IDs have small and capital letters, and nine of ten have another character too: names have it seldom.
    """
    certain = ids = others = 0
    for member in table.members:
        text = member.key.text if isinstance(member.key, Scalar) else ""
        is_id = (
            isinstance(member.value, Table) and ID.fullmatch(text) is not None and text.lower() != text != text.upper()
        )
        certain += is_id and not text.isalpha()
        ids += is_id
        others += not (is_id or _ASIDE.fullmatch(text))
    return bool(certain) and ids > others


def _records(data: bytes, form: Format) -> Iterator[dict[str, str]]:
    """Yield the records of a table; none if it cannot be read."""
    text = data.decode("utf-8-sig", errors="replace")
    first = text.partition("\n")[0]
    try:
        columns = {delimiter: len(next(csv.reader([first], delimiter=delimiter), ())) for delimiter in _DELIMITERS}
        delimiter = "\t" if form is Format.TSV else max(columns, key=columns.__getitem__)
        for record in csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter):
            yield {name: value for name, value in record.items() if name and isinstance(value, str)}
    except csv.Error:
        return


def title_of(data: bytes) -> str | None:
    """Return the value of `title`; None if there is none, or the block cannot be parsed.

    `data` is the page, or a head of it that `block.head_suffices`.
    """
    tree = _read_tree(data, errors="replace")
    member = tree.root.get("title") if tree and isinstance(tree.root, Table) else None
    title = member.value if member else None
    return title.text.strip() or None if isinstance(title, Scalar) and not title.null else None


def invalid_line(data: bytes) -> int | None:
    """Return the page's line on which its front matter is invalid, or begins and never ends; None if it is valid."""
    block = find_block(data)
    if block is None or block.end is not BlockEnd.CLOSED:
        return block and block.line
    tree = parse(data[block.start : block.stop].decode(errors="replace"), block.syntax)
    return block.line + (tree.line or 0) if isinstance(tree, Unreadable) else None


def _read_tree(data: bytes, errors: str = "strict", form: Format = Format.FRONT_MATTER) -> Tree | None:
    """Return the tree of a page's block, or of a data file; None if there is none that can be parsed.

    `errors` is that of `decode`, for a page.
    """
    if form is not Format.FRONT_MATTER:
        from syncer.front_matter.data import read_data

        read = read_data(data, form, "")
        tree = None if isinstance(read, Problem) else parse(read.block.text, read.block.syntax, Everything())
        return tree if isinstance(tree, Tree) else None
    block = find_block(data)
    if block is None or block.end is not BlockEnd.CLOSED:
        return None
    try:
        tree = parse(data[block.start : block.stop].decode(errors=errors), block.syntax)
    except UnicodeDecodeError:
        return None
    return None if isinstance(tree, Unreadable) else tree
