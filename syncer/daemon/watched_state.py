"""Checks what the state says, whoever wrote it, such as when the last whole sync began."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

from syncer.daemon.site import PastSyncs
from syncer.errors import StateError
from syncer.state.database import Database, open_to_read
from syncer.state.directory import DATABASE_FILE
from syncer.state.syncs import last_whole_sync
from syncer.state.videos import missing_videos
from syncer.status.stored_reports import past_results

Value = TypeVar("Value")


class WatchedState(Generic[Value]):
    """Opens the state for a moment when its files have changed, so it may be called every few seconds."""

    def __init__(self, directory: Path, site: str, read: Callable[[Database], Value]) -> None:
        """Take the state's directory, the site's real path, and what to read, such as `last_whole_sync`."""
        self._directory = directory
        self._site = site
        self._read = read
        self._stamps: list[tuple[int, int] | None] = []
        self._last: Value | None = None

    def __call__(self) -> Value | None:
        """Return what was read; None where there is no state, or where it cannot be read now."""
        with suppress(StateError):  # the next sync reports it
            self.look()
        return self._last

    def look(self) -> None:
        """Read the state if its files have changed. Raises StateError."""
        stamps = [_stamp(self._directory / name) for name in (DATABASE_FILE, f"{DATABASE_FILE}-wal")]
        if stamps != self._stamps:
            self._stamps, self._last = stamps, None
            database = open_to_read(self._directory, self._site)
            if database:
                with database:
                    self._last = self._read(database)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def past_syncs(database: Database) -> PastSyncs:
    """Read what the daemon needs to know of past syncs. Raises StateError."""
    gone = sum(video.gone for video in missing_videos(database))
    return PastSyncs(last_whole_sync(database), past_results(database).last, gone)
