"""The fast path: reads and rewrites YAML blocks of plain lines without a parser.

It is used only if a pattern matches every line, so that all YAML parsers read the block alike. Any other block, and
every Problem, is left to the full parser. Property tests check that both find the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import AnyStr

from syncer.front_matter.keys import NO_VIDEO, Keys
from syncer.front_matter.video_id import parse_video_id
from syncer.model import Change, PageContents, Problem, Slot, VideoId, count_fields

Splice = tuple[int, int, bytes]
"""A part of a page, from the first offset to before the second one, and its new bytes."""

NO_CONTENTS = PageContents()
"""The contents of every page without a video."""

MAX_PLAIN_BYTES = 1 << 16
"""Blocks that end further from the start are left to the full parser: the pattern needs 350 bytes for a line."""

_NAMES = re.compile(rb"\n([\w -]++):")
_ODD = re.compile("[\x80-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""Characters outside ASCII that YAML does not accept unescaped."""


def find_plain(data: bytes, keys: Keys) -> PageContents | None:
    """Return the contents of a page; None if it needs the full parser.

    `data` is the page, or a head of it that `block.head_suffices`.
    """
    proof = _prove(data, keys)
    if proof is None:
        return None
    video, *counts = sources = proof.groups()[:-1]
    fields = keys.count_fields
    if None in sources:
        if not _are_absent(proof, keys):
            return None
        pairs = zip(keys.counts, counts, strict=True)
        kept = [(key, count) for key, count in pairs if count is not None or keys.insert_missing]
        fields = count_fields(*((key.count, key.field, count is not None) for key, count in kept))
        counts = [count or b"" for _, count in kept]
    video_id = _video_id(video)
    if isinstance(video_id, Problem):
        is_bare = data[proof.start(1) - 1] not in b"\"'"
        return NO_CONTENTS if is_bare and proof[1].decode() in NO_VIDEO else None
    if video_id is None:
        return NO_CONTENTS
    line = data.count(b"\n", 0, proof.start(1)) + 1
    return PageContents((Slot(video_id, line, fields, tuple([count.decode() or None for count in counts])),))


def plain_splices(data: bytes, keys: Keys, changes: Sequence[Change]) -> list[Splice] | None:
    """Return what the changes replace, in order; None if the page needs the full parser, for example to add a count."""
    proof = _prove(data, keys)
    if proof is None:
        return None
    video_id = _video_id(proof[1])
    splices: list[Splice] = []
    for change in changes:
        count, number = keys.groups.get(change.field, (None, 0))
        if (change.video_id, change.count) != (video_id, count) or proof[number] != (change.old or "").encode():
            return None
        (start, stop), text = proof.span(number), change.new.encode()
        if start == stop and data[start - 1] not in b"\"'":  # no value: write it right after the colon and a space
            start = stop = data.rindex(b":", 0, start) + 1
            text = b" " + text
        splices.append((start, stop, text))
    return sorted(splices)


def splice(text: AnyStr, edits: Sequence[tuple[int, int, AnyStr]]) -> AnyStr:
    """Return the text with some parts replaced, each given as start, stop and new text, in order."""
    pieces: list[AnyStr] = []
    done = 0
    for start, stop, new in edits:
        pieces += (text[done:start], new)
        done = stop
    pieces.append(text[done:])
    return text[:0].join(pieces)


def _prove(data: bytes, keys: Keys) -> re.Match[bytes] | None:
    """Return the match of `keys.plain` if it proves the whole block."""
    proof = keys.plain and keys.plain.match(data, 0, MAX_PLAIN_BYTES)
    if not proof or proof.lastindex != proof.re.groups or proof.end() == MAX_PLAIN_BYTES:
        return None
    names = _NAMES.findall(data[: proof.end()].lower())
    if len(set(names)) < len(names):
        return None  # a key that appears twice, in any letter case and in any table
    if data.isascii():
        return proof
    try:
        return None if _ODD.search(proof[0].decode(), 1) else proof  # the first one may be a byte order mark
    except UnicodeDecodeError:
        return None


def _are_absent(proof: re.Match[bytes], keys: Keys) -> bool:
    """Return whether the keys whose values did not match are absent, and do not have values of another form."""
    names = set(_NAMES.findall(proof[0].lower()))
    mapped = (keys.video_id, *(key.names for key in keys.counts))
    sources = proof.groups()[:-1]
    return all(
        source is not None or name.lower().encode() not in names
        for (name,), source in zip(mapped, sources, strict=True)
    )


def _video_id(source: bytes | None) -> VideoId | Problem | None:
    """Read the ID; a Problem means that the full parser must read it."""
    return parse_video_id(source.decode(), "") if source else None
