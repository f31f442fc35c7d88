"""Deletes readings and log lines that are too old to be kept (`docs/terms.md`), and those that you select."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from syncer.diff_log.lines import LOG, Line, is_older, oldest_time, read_log
from syncer.diff_log.log import forget_lines, forget_older
from syncer.errors import StateError
from syncer.model import VideoId
from syncer.state.database import Database, open_state
from syncer.state.directory import forget_set_aside
from syncer.state.judging import forget_unread
from syncer.state.naming_pages import forget_video_pages
from syncer.state.syncs import forget_reports, forget_syncs, save_last_seq
from syncer.state.videos import (
    count_readings,
    forget_readings,
    forget_readings_before,
    thin_readings,
)
from syncer.sync.open_state import open_for_writing, require_own_place
from syncer.sync.options import Environment

if TYPE_CHECKING:
    from syncer.config.sections import Config

LONGEST_SECONDS = 20.0
"""Seconds after which a sync leaves the rest to the next one: another writer waits a minute for the lock."""

REWRITE_INTERVAL = timedelta(days=1)
"""A sync rewrites the diff log only when its oldest line is too old by this much."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What to delete: what is older than a time, or all of one video, or everything."""

    before: datetime | None = None
    video: VideoId | None = None

    def lines(self, log: Path) -> Callable[[Line], bool]:
        """Return which lines of the diff log to delete. Raises StateError."""
        if self.before is not None:
            old = (_number_of(line) for line in read_log(log) if is_older(line, self.before))
            last = max(old, default=0)  # lines before it are no newer, whatever their times: the clock ran ahead
            return lambda line: _number_of(line) <= last
        return lambda line: self.video is None or line["video_id"] == self.video


def forget(
    config: Config,
    selection: Selection,
    *,
    dry_run: bool,
    clock: Callable[[], datetime],
    sleep: Callable[[float], object],
) -> tuple[int, int]:
    """Delete what is selected; return how many readings and log lines that were. Raises Locked and StateError."""
    directory = config.state_directory
    diff_log = directory / LOG
    if dry_run:
        with open_state(directory, config.site) as database:
            readings = count_readings(database, before=selection.before, video=selection.video)
        return readings, forget_lines(diff_log, selection.lines(diff_log), dry_run=True)
    require_own_place(config)
    with open_for_writing(config, clock=clock, sleep=sleep) as opened:
        database = opened.database
        save_last_seq(database, opened.diff_log.last_seq)
        if config.ledger_place is not None:
            from syncer.sync.other_sites import forget_shared

            forget_shared(config.ledger_place, database, before=selection.before, video=selection.video)
        if selection.before is not None:
            readings = sum(forget_readings_before(database, selection.before))
            forget_syncs(database, selection.before)
        else:
            readings = forget_readings(database, video=selection.video)
            forget_reports(database, selection.video)
            forget_video_pages(database, selection.video)
            from syncer.state.writes import forget_writes

            forget_writes(database, video=selection.video)
            if selection.video is None:
                from syncer.state.mappings import forget_mappings

                forget_mappings(database)
        forget_unread(database)
        database.shrink()
        _forget_set_aside(directory, selection.before)
        return readings, forget_lines(diff_log, selection.lines(diff_log))


def forget_old(config: Config, database: Database, environment: Environment) -> None:
    """Delete what is older than `history.keep`, and readings that say nothing new, after a sync.

    All of it is done in small steps. What takes longer than `LONGEST_SECONDS` is left to the next sync, as is what is
    not done when this one is cancelled.
    """
    before = environment.clock() - config.history.keep
    diff_log = config.state_directory / LOG
    oldest = oldest_time(diff_log)
    steps: Iterator[object] = chain(
        forget_readings_before(database, before),
        forget_older(diff_log, before) if oldest is not None and oldest < before - REWRITE_INTERVAL else (),
        thin_readings(database),
        database.release_space(),
    )
    end = time.monotonic() + LONGEST_SECONDS
    for _ in steps:
        if time.monotonic() > end or environment.cancelled():
            break
    forget_unread(database)
    forget_syncs(database, before)
    _forget_set_aside(config.state_directory, before)


def _number_of(line: Line) -> int:
    return int(str(line["seq"]))


def _forget_set_aside(directory: Path, before: datetime | None) -> None:
    """Remove the damaged states that were set aside, each as a whole: they cannot be read."""
    try:
        forget_set_aside(directory, before)
    except OSError as error:
        raise StateError(f"{error.filename}: cannot remove the file: {error.strerror}; remove it yourself") from error
