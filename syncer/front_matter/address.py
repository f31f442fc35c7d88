"""Finds the video IDs in a URL on YouTube's hosts, in every form that `docs/youtube.md` lists.

A URL is passed without white space. What is returned is the text at the position of an ID; the caller checks whether it
is one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto
from itertools import pairwise
from urllib.parse import unquote, unquote_plus

from syncer.model import ID_PATTERN

ID = re.compile(ID_PATTERN)
ID_AT_START = re.compile(rf"{ID_PATTERN}(?![A-Za-z0-9_-])")
LISTS = frozenset({"videoseries", "live_stream"})
"""Words of 11 characters at the position of an ID: a playlist's player and a channel's live player."""

_LOOKS_LIKE_ID = re.compile(rf"(?=.*[0-9_-]|.+[A-Z]){ID_PATTERN}")
_ADDRESS = re.compile(
    r"([a-z][a-z0-9+.-]*:(?![0-9]))?(//)?(?:[^/?#@\\]*@)?([^/?#:@\\]+)(?::[0-9]+)?([/?#].*)?",
    re.IGNORECASE | re.ASCII | re.DOTALL,
)
"""A backslash may end the host, as it does in browsers, or be in a name before it: then the text is not a URL."""
_HOST_WITH_DOT = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+", re.IGNORECASE | re.ASCII)
_YOUTUBE = re.compile(
    r"(?:(?:[a-z0-9-]+\.)*(?:(?:youtube(?:-nocookie|kids|education)?|ytimg)\.com|(youtu\.be))|youtube\.googleapis\.com)\.?",
    re.IGNORECASE | re.ASCII,
)
_WITHOUT_HOST = re.compile(r"(/?(?:watch/?[?&]|embed/).*)|[?&]?(vi?=.*)", re.IGNORECASE | re.DOTALL)
_ID_WITH_PARAMETERS = re.compile(rf"({ID_PATTERN})(?:&amp;|[?&#])[A-Za-z_][A-Za-z0-9_.-]*=.*", re.DOTALL)

_BEFORE_ID = frozenset(
    {"watch", "watch_popup", "embed", "shorts", "live", "v", "e", "w", "video", "clip"}
    | {"vi", "vi_webp", "an", "an_webp", "sb"}  # of images
)
_NO_VIDEO_BELOW = frozenset({"c", "user", "channel", "hashtag", "post", "playlist"})
_ID_PARAMETERS = frozenset({"v", "vi", "video_id"})
_ADDRESS_PARAMETERS = frozenset({("oembed", "url"), ("redirect", "q")})
_BETWEEN_PARAMETERS = re.compile(r"&amp;|[&;]")
_BETWEEN_IDS = re.compile(r"[\s,;|]+")
_ID_CHARACTERS = re.compile(r"[A-Za-z0-9_-]+")
_OTHER_PARAMETER = re.compile(r"[?&#;](?!(?:vi?|video_id)=)[A-Za-z_][A-Za-z0-9_.-]*=[^?&#;,|\s]*", re.IGNORECASE)


class Host(Enum):
    """Which host a URL is on."""

    YOUTUBE = auto()
    SHORT = auto()
    """`youtu.be`, whose paths begin with the ID."""
    FOREIGN = auto()


def split_address(text: str) -> tuple[Host, str] | None:
    """Return which host the URL is on, and everything after the host; None if the text is not a URL."""
    address = _ADDRESS.fullmatch(text)
    if address is None:
        return None
    scheme, slashes, host, rest = address.groups(default="")
    youtube = _YOUTUBE.fullmatch(host)
    if youtube:
        return (Host.SHORT if youtube[1] else Host.YOUTUBE), rest
    if slashes or (not scheme and _HOST_WITH_DOT.fullmatch(host) and rest.startswith("/")):
        return Host.FOREIGN, rest
    return None


def named_by(host: Host, rest: str) -> list[str]:
    """Return the text at each position of a URL where a video ID belongs; empty if it has no such position.

    A part that looks like an ID in an unknown form is returned with the part before it, which is not a valid ID:
    `other/5HjkiQJx-CY`.
    """
    return [] if host is Host.FOREIGN else list(_named(rest, is_short=host is Host.SHORT, follow=True))


def named_without_host(text: str) -> list[str] | None:
    """Return the same for a URL without its beginning, as some themes use it: `watch?v=ID`, `ID?start=30`.

    None if the text has no such form, or no position of an ID.
    """
    if _ID_WITH_PARAMETERS.fullmatch(text):
        return named_by(Host.YOUTUBE, f"/embed/{text}")
    parts = _WITHOUT_HOST.fullmatch(text)
    if parts is None:
        return None
    path, parameters = parts.groups()
    return named_by(Host.YOUTUBE, f"/{path}" if path else f"/?{parameters}") or None


def begins_address(text: str) -> bool:
    """Return whether the text is a URL on YouTube's hosts, with or without the host; `youtube.com` alone is not."""
    address = split_address(text)
    if address:
        return address[0] is not Host.FOREIGN and re.search("[/?#]", text) is not None
    parts = _WITHOUT_HOST.fullmatch(text)
    return parts is not None and parts[1] is not None


def looks_like_id(text: str) -> bool:
    """Return whether the text may be an ID and hardly is a word: it has a digit, `_`, `-` or an inner capital."""
    return _LOOKS_LIKE_ID.fullmatch(text) is not None


def _named(rest: str, *, is_short: bool, follow: bool) -> Iterator[str]:
    rest, _, fragment = rest.partition("#")
    if "?" not in rest:
        rest = unquote(rest)  # a URL that was encoded as a whole: `/watch%3Fv%3DID`
    path, *parameters = re.split(r"[?&]", rest, maxsplit=1)
    segments = [segment for segment in path.split("/") if segment]
    yield from _in_path(segments, is_short=is_short)
    yield from _in_parameters("".join(parameters), "".join(segments[:1]).lower(), follow=follow)
    yield from _in_fragment(fragment)


def _in_path(segments: list[str], *, is_short: bool) -> Iterator[str]:
    first = segments[0].lower() if segments else "@"
    if first in _NO_VIDEO_BELOW or first.startswith("@"):
        return
    if first in _BEFORE_ID:
        segments = segments[1:]
    elif not is_short:
        pairs = pairwise(segments)
        yield from (f"{before}/{segment}" for before, segment in pairs if looks_like_id(segment))
        return
    if segments and segments[0].lower() not in LISTS:
        yield from _ids(segments[0])
        yield from (segment for segment in segments[1:2] if looks_like_id(segment))


def _in_parameters(parameters: str, first: str, *, follow: bool) -> Iterator[str]:
    for parameter in _BETWEEN_PARAMETERS.split(parameters):
        name, _, source = parameter.partition("=")
        name, value = unquote_plus(name).strip().lower(), unquote_plus(source).strip()
        if name in _ID_PARAMETERS:
            yield from _ids(value)
        elif name == "video_ids":
            for each in filter(None, _BETWEEN_IDS.split(value)):
                yield from _ids(each)
        elif follow and (name == "u" or (first, name) in _ADDRESS_PARAMETERS):
            # a URL in the parameter, with or without the host: `/watch?v=ID`
            host, rest = (Host.YOUTUBE, value) if value.startswith("/") else split_address(value) or (Host.FOREIGN, "")
            if host is not Host.FOREIGN:
                yield from _named(rest, is_short=host is Host.SHORT, follow=False)


def _in_fragment(fragment: str) -> Iterator[str]:
    """Yield what older URLs have after `#`: `#!v=ID`, `#/watch?v=ID`, `#p/u/11/ID`."""
    if fragment.lower().startswith(("p/", "play/")):
        yield from ID_AT_START.findall(fragment.rpartition("/")[2])[:1]
    else:
        before, mark, after = fragment.partition("?")
        yield from _in_parameters(after if mark else before.lstrip("!"), "", follow=False)


def _ids(value: str) -> Iterator[str]:
    """Yield the text at the position of one ID, and what looks like further IDs beside it."""
    first = _BETWEEN_IDS.split(value.strip(), maxsplit=1)[0]
    if first:
        yield first
    yield from filter(looks_like_id, _ID_CHARACTERS.findall(_OTHER_PARAMETER.sub("", value))[1:])
