"""Checks when the last whole sync began, whoever made it."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from pathlib import Path

from syncer.errors import StateError
from syncer.state.database import open_to_read
from syncer.state.directory import DATABASE_FILE
from syncer.state.syncs import last_whole_sync


class LastSync:
    """Opens the state for a moment when its files have changed, so it may be called every few seconds."""

    def __init__(self, directory: Path, site: str) -> None:
        """Take the state's directory and the site's real path."""
        self._directory = directory
        self._site = site
        self._stamps: list[tuple[int, int] | None] = []
        self._last: datetime | None = None

    def __call__(self) -> datetime | None:
        """Return when it began; None where there was none, or where the state cannot be read now."""
        stamps = [_stamp(self._directory / name) for name in (DATABASE_FILE, f"{DATABASE_FILE}-wal")]
        if stamps == self._stamps:
            return self._last
        self._stamps, self._last = stamps, None
        with suppress(StateError):  # the next sync reports it
            database = open_to_read(self._directory, self._site)
            if database:
                with database:
                    self._last = last_whole_sync(database)
        return self._last


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
