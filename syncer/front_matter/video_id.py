"""Reads a video ID out of a bare id or a YouTube URL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl

from syncer.model import Problem, ProblemKind, VideoId

LAST_CHARACTERS = frozenset("AEIMQUYcgkosw048")
"""An id is 64 bits in 11 characters of 6, so that the last one carries four bits and two zeros (`docs/youtube.md`)."""

ID = re.compile(r"[A-Za-z0-9_-]{11}")
_ID_AT_START = re.compile(r"[A-Za-z0-9_-]{11}(?![A-Za-z0-9_-])")
_URL = re.compile(r"(?:([a-z][a-z0-9+.-]*):)?(//)?(?:[^/?#@]*@)?([^/?#:@]+)(?::\d+)?([/?#].*)?", re.IGNORECASE)
_HOST_WITH_DOT = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+", re.IGNORECASE)
_YOUTUBE = re.compile(
    r"(?:[a-z0-9-]+\.)*(?:youtube|youtube-nocookie|youtubekids)\.com|(?:i\d?\.)ytimg\.com", re.IGNORECASE
)
_SHORT = re.compile(r"(?:www\.)?youtu\.be", re.IGNORECASE)
_NAMED_IN_PATH = re.compile(r"/+(?:shorts|live|embed|v|e|vi|vi_webp|watch)/+([^/?#&]+)")
_NO_VIDEO = frozenset({"videoseries", "live_stream"})
"""Words of eleven letters after `/embed/`: a playlist's player and a channel's live player."""


def parse_video_id(text: str, subject: str, line: int | None = None) -> VideoId | Problem | None:
    """Return the video that `text` names, None where it names none, or why it cannot be told.

    No video: an empty text, a URL of another host, a YouTube URL that names a channel, a playlist, a handle
    or a search. A Problem: two different ids in one URL, and anything else that is neither an id nor a URL.
    `subject` and `line` are the Problem's.
    """
    text = text.strip()
    if ID.fullmatch(text):
        return VideoId(text)
    if not text:
        return None
    named = _named_by_url(text)
    if named is None or any(not _ID_AT_START.match(name) for name in named):
        return Problem(ProblemKind.NOT_A_VIDEO_ID, subject, _no_id_in(text), line)
    ids = sorted({name[:11] for name in named})
    if len(ids) > 1:
        message = f"The URL names {' and '.join(ids)}; leave the one video that this page is about."
        return Problem(ProblemKind.IDS_DISAGREE, subject, message, line)
    return VideoId(ids[0]) if ids else None


def is_possible(video_id: str) -> bool:
    """Say whether YouTube can have given out this id: only sixteen characters can stand last."""
    return video_id[-1:] in LAST_CHARACTERS


def _named_by_url(text: str) -> list[str] | None:
    """Return what stands where a YouTube URL names its video; None if the text is no URL at all."""
    url = _URL.fullmatch(text)
    if url is None:
        return None
    scheme, slashes, host, rest = url.groups(default="")
    if _SHORT.fullmatch(host):
        return list(_named_by_short_url(rest))
    if _YOUTUBE.fullmatch(host):
        return list(_named_by_long_url(rest))
    other_host = slashes or (not scheme and _HOST_WITH_DOT.fullmatch(host) and rest.startswith("/"))
    return [] if other_host else None


def _named_by_short_url(rest: str) -> Iterator[str]:
    first = re.split(r"[/?#&]", rest.lstrip("/"), maxsplit=1)[0]
    if first and first != "watch" and rest.startswith("/"):
        yield first
    yield from _named_in_query(rest)


def _named_by_long_url(rest: str) -> Iterator[str]:
    in_path = _NAMED_IN_PATH.match(rest)
    if in_path and in_path[1] not in _NO_VIDEO:
        yield in_path[1]
    yield from _named_in_query(rest)


def _named_in_query(rest: str) -> Iterator[str]:
    query = rest.partition("#")[0].partition("?")[2]
    return (value for name, value in parse_qsl(query.replace("&amp;", "&")) if name in {"v", "vi"})


def _no_id_in(text: str) -> str:
    shown = text if len(text) <= 60 else f"{text[:57]}..."
    return f"{shown!r} is no video: write the 11 characters of a video ID or the address of a video."
