"""Reads a video ID from a bare ID or a YouTube URL."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from syncer.front_matter.address import (
    ID,
    ID_AT_START,
    LISTS,
    Host,
    begins_address,
    looks_like_id,
    named_by,
    named_without_host,
    split_address,
)
from syncer.model import ID_PATTERN, Problem, ProblemKind, VideoId

_LAST_CHARACTERS = frozenset("AEIMQUYcgkosw048")
"""An ID is 64 bits in 11 characters of 6 bits, so the last one has four bits and two zeros (`docs/youtube.md`)."""

_PARAMETER = "(?:t|start|si|feature|list|index|ab_channel|pp)=[A-Za-z0-9_.-]*"
_FAST = re.compile(
    rf"https?://(?:(?:www|m)\.)?(?:youtube\.com/(?:watch\?(?:{_PARAMETER}&)*v=|shorts/|embed/|live/)|youtu\.be/)"
    rf"({ID_PATTERN})(?:[?&]{_PARAMETER})*"
)
"""The forms that most URLs have: `_read` gives the same result for them."""
_ELSEWHERE = re.compile(r"https?://(?![^/?#]*(?:yout|ytimg))[a-z0-9-]+(?:\.[a-z0-9-]+)*(?:[/?#]\S*)?", re.IGNORECASE)
"""One URL of another host: YouTube's hosts all have one of these words."""
_APP = re.compile(r"""(?<![^\s,;|&<>"'()\[\]{}+])(?:vnd\.)?youtube:(?://)?""", re.IGNORECASE)
"""How apps begin a URL: `youtube://ID`."""
_BETWEEN_WORDS = re.compile(r"[\s,;|&]+")
_BETWEEN_ADDRESSES = re.compile(r"""[\s,;|&<>"'()\[\]{}+\u00ab\u00b7\u00bb\u2000-\u206f\u2190-\u21ff]+""")
"""Also dashes, quotes, bullets and arrows outside ASCII: a copied URL never contains them."""
_PLAYLIST = re.compile(rf"(?<=[?&;])playlist={ID_PATTERN}(?:,{ID_PATTERN})*(?![A-Za-z0-9_-])")
"""The videos that an embedded player plays next: IDs separated by commas."""


def parse_video_id(text: str, subject: str, line: int | None = None) -> VideoId | Problem | None:
    """Return the video of a text, None if it has none, or a Problem with `subject` and `line`.

    No video: an empty text, a URL of another host, and a YouTube URL of a channel, a playlist, a handle or a search.
    A Problem: two videos in one value, a URL on YouTube's hosts without a valid ID at its position, and any text that
    is neither an ID nor a URL.
    """
    if ID.fullmatch(text):
        return VideoId(text)
    text = text.strip()
    if ID.fullmatch(text):
        return VideoId(text)
    fast = _FAST.fullmatch(text)
    if fast and fast[1].lower() not in LISTS:
        return VideoId(fast[1])
    return _read(text, subject, line) if text and not _ELSEWHERE.fullmatch(text) else None


def is_possible(video_id: str) -> bool:
    """Return whether this can be an ID of YouTube's: only sixteen characters are possible at the end."""
    return video_id[-1:] in _LAST_CHARACTERS


def _read(text: str, subject: str, line: int | None) -> VideoId | Problem | None:
    value = _APP.sub("", text)
    if ID.fullmatch(value):
        return VideoId(value)
    first = _first_address(value)
    address = split_address(first)
    named = named_by(*address) if address else named_without_host(first)
    ids = sorted({name[:11] for name in ([first] if named is None else named) if ID_AT_START.match(name)})
    beside = (name[:11] if ID_AT_START.match(name) else name for name in _named_beside(value, address, ids))
    other = next((name for name in beside if name not in ids), None)
    if len(ids) > 1 or (other and (ids or address)):
        both = " and ".join(_shown(name) for name in [*(ids or [first]), other] if name)
        message = f"The value names more than one video ({both}): keep one of them."
        return Problem(ProblemKind.IDS_DISAGREE, subject, message, line)
    if named is None or any(not ID_AT_START.match(name) for name in named):
        message = f"{_shown(text)!r} is not a video ID or a YouTube URL: write the 11-character ID or the video's URL."
        return Problem(ProblemKind.NOT_A_VIDEO_ID, subject, message, line)
    return VideoId(ids[0]) if ids else None


def _first_address(text: str) -> str:
    """Return the text before the first white space, or before another URL on YouTube's hosts."""
    first = text.split(maxsplit=1)[0] if text.strip() else text
    edges = [match.span() for match in _BETWEEN_ADDRESSES.finditer(first)]
    for (stop, start), (end, _) in pairwise([*edges, (len(first), 0)]):
        if begins_address(first[start:end]):
            return first[:stop]
    return first


def _named_beside(text: str, address: tuple[Host, str] | None, ids: list[str]) -> Iterator[str]:
    """Yield the further IDs in a value, after its first URL or ID.

    After a URL of another host, only URLs on YouTube's hosts count, and white space must separate them from it.
    """
    if address and address[0] is Host.FOREIGN:
        for word in text.split()[1:]:
            yield from _named_in_addresses(_BETWEEN_ADDRESSES.split(word))
        return
    text = _PLAYLIST.sub("", text)
    if ids:
        yield from filter(looks_like_id, _BETWEEN_WORDS.split(text)[1:])
    parts = _BETWEEN_ADDRESSES.split(text)[1:]
    yield from _named_in_addresses(parts)
    for part in parts:
        if looks_like_id(part[:11]) or not ID_AT_START.match(part):
            yield from named_without_host(part) or ()


def _named_in_addresses(parts: Iterable[str]) -> Iterator[str]:
    """Yield the IDs in URLs on YouTube's hosts; the URL itself if it has none."""
    for part in parts:
        address = split_address(part) if begins_address(part) else None
        if address:
            yield from named_by(*address) or [part]


def _shown(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
