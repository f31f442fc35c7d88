"""Reads front matter without a field mapping: all keys and values, for a proposal of fields, or the page's title."""

from __future__ import annotations

from collections.abc import Iterator

from syncer.front_matter.block import BlockEnd, find_block
from syncer.front_matter.parse import parse
from syncer.front_matter.tree import Items, Node, Scalar, Table, Tree, Unreadable


def leaves(data: bytes) -> list[tuple[str, str, bool]]:
    """Return every scalar of a page's block, in order: its path as in a config, its text, whether it is quoted.

    Lists are `[]`: `("videos[].id", "5HjkiQJx-CY", False)`. Empty if there is no block that can be parsed. Aliases are
    left out, and keys with a dot or a bracket, because a path cannot contain them.
    """
    tree = _read_tree(data)
    nodes = _below(tree.root, "") if tree else ()
    return [(path, node.text, bool(node.quote)) for path, node in nodes if isinstance(node, Scalar)]


def key_values(data: bytes) -> dict[str, list[str]] | None:
    """Return every key of a page's block by its path, with the texts of its scalars: its own, or those of its list.

    `videos: [{id: a}]` is `{"videos": [], "videos[].id": ["a"]}`. Null and blank texts are left out, and what `leaves`
    leaves out. None if there is no block that can be parsed.
    """
    tree = _read_tree(data)
    if tree is None:
        return None
    values: dict[str, list[str]] = {}
    for path, node in _below(tree.root, ""):
        texts = values.setdefault(path.rstrip("[]"), [])
        if isinstance(node, Scalar) and not node.null and node.text.strip():
            texts.append(node.text)
    return values


def _below(node: Node, path: str) -> Iterator[tuple[str, Node]]:
    """Yield every node below this one, with its path, in order."""
    if isinstance(node, Items):
        for item in node.items:
            yield f"{path}[]", item
            yield from _below(item, f"{path}[]")
    elif isinstance(node, Table):
        for member in node.members:
            key = member.key
            if isinstance(key, Scalar) and key.text and not set(key.text) & set(".[]"):
                name = f"{path}.{key.text}" if path else key.text
                yield name, member.value
                yield from _below(member.value, name)


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


def _read_tree(data: bytes, errors: str = "strict") -> Tree | None:
    """Return the tree of a page's block; None if there is none that can be parsed. `errors` is that of `decode`."""
    block = find_block(data)
    if block is None or block.end is not BlockEnd.CLOSED:
        return None
    try:
        tree = parse(data[block.start : block.stop].decode(errors=errors), block.syntax)
    except UnicodeDecodeError:
        return None
    return None if isinstance(tree, Unreadable) else tree
