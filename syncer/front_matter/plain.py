"""The fast path: reads and rewrites YAML blocks of plain lines without a parser.

It is used only if a pattern matches every line, so that all YAML parsers read the block alike. Any other block, and
every Problem, is left to the full parser. Property tests check that both find the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import AnyStr

from syncer.front_matter.keys import KEY_LINES, NO_VIDEO, Keys, Proof, value_fields
from syncer.front_matter.video_id import parse_video_id
from syncer.model import Change, Count, Problem, Slot, Why

Splice = tuple[int, int, bytes]
"""A part of a page, from the first offset to before the second one, and its new bytes."""

RESTORED = frozenset({Why.UNDO, Why.DROPPED})
"""Changes that put back what was there: a date that left nothing behind had no quotes, which would still be there."""


def find_plain(data: bytes, keys: Keys) -> tuple[Slot, ...] | None:
    """Return the slots of a page without any problem; None if it needs the full parser.

    `data` is the page, or a head of it that `block.head_suffices`.
    """
    proof = keys.plain and keys.plain.prove(data)
    if not proof:
        return None
    match, groups, line = proof
    # of a collection whose counts are in a data file, only the ID is captured: `group` then returns no tuple
    sources = match.group(*groups) if keys.mapped else (match[groups[0]],)
    video, counts = sources[0], sources[1:]
    fields = keys.value_fields
    if None in sources:
        if not _are_absent(proof, keys):
            return None
        pairs = zip(keys.mapped, counts, strict=True)
        kept = [(key, count) for key, count in pairs if count is not None or keys.insert_missing]
        fields = value_fields(*((key.kind, key.field, count is not None) for key, count in kept))
        counts = tuple(count or b"" for _, count in kept)
    if not video:
        return ()
    video_id = parse_video_id(video.decode(), "")
    if isinstance(video_id, Problem):  # the full parser must read it
        is_bare = data[match.start(groups[0]) - 1] not in b"\"'"
        return () if is_bare and video.decode() in NO_VIDEO else None
    if video_id is None:
        return ()
    texts: tuple[str | None, ...] = tuple(map(bytes.decode, counts))
    if not all(texts):
        texts = tuple(text or None for text in texts)
    return (Slot(video_id, line or data.count(b"\n", 0, match.start(groups[0])) + 1, fields, texts),)


def plain_splices(data: bytes, keys: Keys, changes: Sequence[Change]) -> list[Splice] | None:
    """Return what the changes replace, in order; None if the page needs the full parser, for example to add a count."""
    proof = keys.plain and keys.plain.prove(data)
    if not proof:
        return None
    match, groups, _ = proof
    video_id = parse_video_id((match[groups[0]] or b"").decode(), "")
    splices: list[Splice] = []
    for change in changes:
        kind, number = keys.groups.get(change.field, (None, 0))
        group = groups[number]
        if (change.video_id, change.kind) != (video_id, kind) or match[group] != (change.old or "").encode():
            return None
        (start, stop), text = match.span(group), change.new.encode()
        if start == stop and data[start - 1] not in b"\"'":  # no value: write it right after the colon and a space
            if change.why in RESTORED and not isinstance(kind, Count):
                return None
            start = stop = data.rindex(b":", 0, start) + 1
            text = b" " + text if isinstance(kind, Count) else b' "%b"' % text
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


def _are_absent(proof: Proof, keys: Keys) -> bool:
    """Return whether the keys whose values did not match are absent, and do not have values of another form."""
    match, groups, _ = proof
    names = set(KEY_LINES.findall(match[0].lower()))
    mapped = (keys.video_id, *(key.names for key in keys.mapped))
    return all(
        match[group] is not None or name.lower().encode() not in names
        for (name,), group in zip(mapped, groups, strict=True)
    )
