"""Watches when the last whole sync began, whoever made it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from syncer.errors import StateError
from syncer.state.database import NAME, open_to_read
from syncer.state.syncs import last_whole_sync


class LastSync:
    """Opens the state for a moment when its files have changed, so it may be asked every few seconds."""

    def __init__(self, directory: Path, site: str) -> None:
        """`site` is the site's real path."""
        self._directory = directory
        self._site = site
        self._seen: tuple[tuple[int, int] | None, ...] = ()
        self._last: datetime | None = None

    def __call__(self) -> datetime | None:
        """Return when it began; None where there was none, and where the state cannot be read just now."""
        seen = tuple(_stamp(self._directory / name) for name in (NAME, f"{NAME}-wal"))
        if seen != self._seen:
            self._seen = seen
            self._last = self._read()
        return self._last

    def _read(self) -> datetime | None:
        try:
            database = open_to_read(self._directory, self._site)
            if database is None:
                return None
            with database:
                return last_whole_sync(database)
        except StateError:  # the next sync says so, at length
            return None


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
