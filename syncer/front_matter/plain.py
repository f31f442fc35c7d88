"""The fast way: reads and rewrites YAML blocks of plain lines without a parser.

It answers only where a pattern proves every line to be of a form that YAML reads in one way; what it cannot prove,
and whatever needs a word to the user, is left to the true way. Property tests hold the two together.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from syncer.front_matter.differences import NO_VIDEO
from syncer.front_matter.keys import Keys
from syncer.front_matter.video_id import parse_video_id
from syncer.model import Change, CountField, PageContents, Problem, Slot, VideoId, count_fields

NOTHING = PageContents()
"""What every page without a video shares."""

MAX_PLAIN = 1 << 16
"""Blocks that end further from the start, in bytes, are left to the true way: a line costs the pattern 350 bytes."""

_NAMES = re.compile(rb"\n([\w -]++):")
_ODD = re.compile("[\x80-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def find_plain(data: bytes, keys: Keys) -> PageContents | None:
    """Return what is found in a page or a head of it that `block.head_suffices`; None: only the true way can tell."""
    proof = _prove(data, keys)
    if proof is None:
        return None
    video, *counts = sources = proof.groups()[:-1]
    fields = keys.count_fields
    if None in sources:
        if not _are_absent(proof, keys):
            return None
        fields, counts = _incomplete(keys, counts)
    video_id = _video_id(video)
    if isinstance(video_id, Problem):
        return NOTHING if _is_false(proof) else None
    if video_id is None:
        return NOTHING
    line = data.count(b"\n", 0, proof.start(1)) + 1
    return PageContents((Slot(video_id, line, fields, tuple([count.decode() or None for count in counts])),))


def rewrite_plain(data: bytes, keys: Keys, changes: Sequence[Change]) -> bytes | None:
    """Return the page with the changes made; None where only the true way can tell, also where a count is added."""
    proof = _prove(data, keys)
    if proof is None:
        return None
    video_id = _video_id(proof[1])
    groups = {key.field: (key.count, number) for number, key in enumerate(keys.counts, 2)}
    edits: list[tuple[int, int, bytes]] = []
    for change in changes:
        count, number = groups.get(change.field, (None, 0))
        if (change.video_id, change.count) != (video_id, count) or proof[number] != (change.old or "").encode():
            return None
        edits.append(_edit(data, *proof.span(number), change.new.encode()))
    return _apply(data, sorted(edits))


def _prove(data: bytes, keys: Keys) -> re.Match[bytes] | None:
    """Return the match of `grammar.block_pattern` where all of it is certain."""
    proof = keys.plain and keys.plain.match(data, 0, MAX_PLAIN)
    if not proof or proof.lastindex != proof.re.groups or proof.end() == MAX_PLAIN:
        return None
    names = _NAMES.findall(data[: proof.end()].lower())
    if len(set(names)) < len(names):
        return None  # a key that stands twice, be it in other letters or in another table
    return proof if data.isascii() or _is_text(proof[0]) else None


def _is_text(block: bytes) -> bool:
    """Say whether YAML takes all characters as they stand; the first one may be a byte order mark."""
    try:
        return _ODD.search(block.decode(), 1) is None
    except UnicodeDecodeError:
        return False


def _are_absent(proof: re.Match[bytes], keys: Keys) -> bool:
    """Say whether the keys that the pattern took no value of are absent, and have no values of another form."""
    names = set(_NAMES.findall(proof[0].lower()))
    mapped = (keys.video_id, *(key.names for key in keys.counts))
    sources = proof.groups()[:-1]
    return all(
        source is not None or name.lower().encode() not in names
        for (name,), source in zip(mapped, sources, strict=True)
    )


def _video_id(source: bytes | None) -> VideoId | Problem | None:
    """Read the id; a Problem stands for whatever the true way must read."""
    return parse_video_id(source.decode(), "") if source else None


def _is_false(proof: re.Match[bytes]) -> bool:
    """Say whether the id is an unquoted false, which names no video."""
    return proof[1].decode() in NO_VIDEO and proof.string[proof.start(1) - 1] not in b"\"'"


def _incomplete(keys: Keys, counts: Sequence[bytes | None]) -> tuple[tuple[CountField, ...], list[bytes]]:
    """Return the counts that the page has, or would get."""
    kept = [
        (key, count) for key, count in zip(keys.counts, counts, strict=True) if count is not None or keys.insert_missing
    ]
    fields = count_fields(*((key.count, key.field, count is not None) for key, count in kept))
    return fields, [count or b"" for _, count in kept]


def _edit(data: bytes, start: int, stop: int, digits: bytes) -> tuple[int, int, bytes]:
    """Return what to write where; right after the colon, and after a blank, where there is no value."""
    if start == stop and data[start - 1] not in b"\"'":
        start = stop = data.rindex(b":", 0, start) + 1
        digits = b" " + digits
    return start, stop, digits


def _apply(data: bytes, edits: Sequence[tuple[int, int, bytes]]) -> bytes:
    pieces: list[bytes] = []
    done = 0
    for start, stop, digits in edits:
        pieces += (data[done:start], digits)
        done = stop
    return b"".join((*pieces, data[done:]))
