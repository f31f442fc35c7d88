"""Reads a page's title, for people to know the page by."""

from __future__ import annotations

from syncer.front_matter.block import End, locate
from syncer.front_matter.parse import parse
from syncer.front_matter.tree import Scalar, Table, Tree


def title_of(data: bytes) -> str | None:
    """Return what stands under `title`; None where there is none, or the block cannot be read.

    `data` is the page, or a head of it that `block.head_suffices`.
    """
    block = locate(data)
    if block is None or block.end is not End.CLOSED:
        return None
    tree = parse(data[block.start : block.stop].decode(errors="replace"), block.syntax)
    member = tree.root.get("title") if isinstance(tree, Tree) and isinstance(tree.root, Table) else None
    title = member.value if member else None
    return title.text.strip() or None if isinstance(title, Scalar) and not title.null else None
