"""Which keys the files of a collection have: those of the config may be wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping

from syncer.content.scan import read_head
from syncer.content.walk import Candidate
from syncer.front_matter.block import find_block
from syncer.front_matter.json_pieces import PIECE_BYTES, Cut, cut_json
from syncer.front_matter.keys import TABLES, format_of, keys_of
from syncer.front_matter.leaves import key_values
from syncer.model import ID_PATTERN, Fields, Format


def read_block(site: str, path: str, fields: Fields) -> tuple[bytes, bytes]:
    """Return the head of a page and the text of its block, or a data file twice; empty where it cannot be read."""
    read = read_head(site, Candidate(path, (fields,)))
    head = read[0] if isinstance(read, tuple) else b""
    if format_of(fields, path) is not Format.FRONT_MATTER:
        return head, head
    block = find_block(head)
    return head, head[block.start : block.stop] if block else b""


def all_values(head: bytes, fields: Fields, path: str) -> dict[str, list[str]] | None:
    """Return what `key_values` does; None for JSON that is larger than a piece: all of it would be a tree.

    Of a table that is so large, only what the first records have is returned: they have all columns.
    """
    form = format_of(fields, path)
    if form in TABLES and len(head) > PIECE_BYTES:
        head = head[: head.rfind(b"\n", 0, PIECE_BYTES) + 1]
    return None if form is Format.JSON and len(head) > PIECE_BYTES else key_values(head, form)


def first_values(head: bytes, fields: Fields, path: str) -> dict[str, list[str]] | None:
    """Return what `all_values` does, and of JSON that is larger than a piece what its first items have."""
    keys = keys_of(fields)
    if format_of(fields, path) is not Format.JSON or len(head) <= PIECE_BYTES or not (keys.lists or keys.is_keyed):
        return all_values(head, fields, path)
    cut = cut_json(head, keys, path)
    piece = next(iter(cut.pieces), None) if isinstance(cut, Cut) else None
    if piece is None or piece.stop - piece.start > 2 * PIECE_BYTES:  # an item may be larger than a piece
        return None
    return key_values(piece.block(head, path).text.encode(), Format.JSON)


def has_key(key: str, values: Mapping[str, list[str]] | None, block: bytes) -> bool:
    """Return whether a file has the key; where its values are not known, whether it may have it."""
    if values is None:
        return re.search(rb"(?<![\w-])" + re.escape(last_name(key)) + rb"(?![\w-])", block) is not None
    of_ids = re.sub(rf"(?<![^.]){ID_PATTERN}(?=\.)", "{}", key)  # `key_values` has the keys of IDs so
    return key in values or of_ids in values


def last_name(key: str) -> bytes:
    """Return the last name in a path of keys; empty if it has none, like that of IDs at the top."""
    return next((name for name in reversed(re.split(r"[.\[\]{}]+", key)) if name), "").encode()
