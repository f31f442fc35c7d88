"""Turns arguments of the command line into the values that the lower layers take."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from syncer.config.formats import parse_duration
from syncer.errors import FailOn, UsageError
from syncer.front_matter.video_id import parse_video_id
from syncer.model import VideoId


def absolute(path: str) -> str:
    """Return the absolute form of a path of the command line, `.` and `..` as they are. Raises UsageError.

    A working directory can be removed while a process is in it.
    """
    try:
        return os.path.join(os.getcwd(), path)
    except OSError:
        if os.path.isabs(path):
            return path
        raise UsageError(
            f"{path}: the working directory was removed; change to another, or write an absolute path"
        ) from None


def site_path(site: Path, path: str) -> str:
    """Return a path of the command line, relative to the site; the site itself is ``.

    Raises UsageError where the path does not exist or is outside the site.
    """
    found = path_in(site, existing(path))
    if found is None:
        raise UsageError(f"{path}: outside the site {os.path.realpath(site)}; name a page of the site")
    return found


def existing(path: str) -> str:
    """Return the absolute form of a path of the command line. Raises UsageError where there is nothing."""
    full = os.path.normpath(absolute(path))
    if not os.path.lexists(full):
        raise UsageError(f"{path}: no such file or directory; PATHs are relative to the working directory")
    return full


def path_in(site: Path, full: str) -> str | None:
    """Return an absolute path relative to the site, where the site itself is ``; None if it is outside."""
    real = os.path.join(os.path.realpath(os.path.dirname(full)), os.path.basename(full))
    root = os.path.realpath(site)
    if os.path.realpath(full) == root:
        return ""
    inside = root.rstrip("/") + "/"
    return real[len(inside) :] if real.startswith(inside) else None


def site_paths(site: Path, paths: Iterable[str]) -> tuple[str, ...]:
    """Return the paths of the command line, relative to the site. Raises UsageError."""
    return tuple(site_path(site, path) for path in paths)


def video_id(text: str) -> VideoId:
    """Return the video that an ID or a URL names. Raises UsageError."""
    found = parse_video_id(text, "the command line")
    if not isinstance(found, str):
        raise UsageError(f"{text}: not a video ID and not a URL of a video; an ID has 11 characters of A-Z a-z 0-9 _ -")
    return found


def failures_named(texts: Sequence[str]) -> tuple[FailOn, ...]:
    """Return what each `--fail-on` names, separated by commas; all if there is none. Raises UsageError."""
    words = [word.strip() for text in texts for word in text.split(",")] or list(FailOn)
    for word in words:
        if word not in set(FailOn):
            raise UsageError(f"--fail-on: unknown word '{word}'; {meant(word, list(FailOn))}")
    return tuple(map(FailOn, words))


def meant(word: str, known: Collection[str]) -> str:
    """Return the end of an error about a word that is not known: `did you mean 'public'?`, or what is known."""
    from difflib import get_close_matches

    near = get_close_matches(word, known, 1)
    return f"did you mean '{near[0]}'?" if near else f"choose from {', '.join(known)}"


def moment(text: str, now: datetime) -> datetime:
    """Return the time that `2026-11-22`, `2026-11-22T15:00:00Z` or `6h` (ago) names. Raises UsageError."""
    try:
        return now - parse_duration(text)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # the second: before the first day in UTC, or after the last
        raise UsageError(
            f"{text}: not a time; write 2026-11-22, 2026-11-22T15:00:00Z, or 6h for six hours ago"
        ) from None
