"""Reads the state, the diff log and the daemon for whoever asks over HTTP. It writes nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from syncer.content.scan import read_head
from syncer.content.walk import Candidate
from syncer.control import Control, DaemonState
from syncer.diff_log.lines import LOG, Line, last_lines, lines_of_sync
from syncer.front_matter.leaves import title_of
from syncer.model import Problem, Reading, VideoId
from syncer.state.database import open_state
from syncer.state.judging import unconfirmed_counts
from syncer.state.search import KnownVideo, SearchState, count_states, find_videos, oldest_count
from syncer.state.syncs import last_whole_sync, past_sync
from syncer.state.videos import history, missing_videos, pages_of
from syncer.status.report import StoredReport, stored_report
from syncer.status.status import Status, status_of

if TYPE_CHECKING:
    from syncer.config.sections import Config

SYNCS_SHOWN = 30
"""How many of the last syncs are shown."""

CHANGES_SHOWN = 10
"""How many of the last changes are."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where all that is shown comes from."""

    config: Callable[[], Config]
    """The one that the daemon goes by now."""
    control: Control
    clock: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Overview:
    """The state of the daemon and its site."""

    at: datetime
    daemon: DaemonState
    status: Status
    changes: Sequence[Line]
    """The last ones, newest first."""


@dataclass(frozen=True, slots=True)
class VideoDetails:
    """What is known of one video."""

    video_id: VideoId
    readings: Sequence[Reading]
    """In the order in which they were made."""
    pages: Sequence[tuple[str, str | None]]
    """The path and the title of each page that names it."""
    missing_since: datetime | None
    unconfirmed: bool


@dataclass(frozen=True, slots=True)
class Gauges:
    """What a monitoring system asks for, as it is now."""

    videos: Mapping[str, int]
    units_left: Mapping[str, int]
    last_good: datetime | None
    next_sync: datetime | None
    oldest: datetime | None
    late: float
    """Seconds by which the next sync is overdue."""
    running: bool


def overview(sources: Sources, *, changes: int = CHANGES_SHOWN) -> Overview:
    """Return the state of the daemon and its site. Raises StateError."""
    config, now, daemon = sources.config(), sources.clock(), sources.control.state()
    with open_state(config.state_directory, config.site) as database:
        status = status_of(config, database, now, syncs=SYNCS_SHOWN, next_sync=daemon.next_sync)
    return Overview(now, daemon, status, last_lines(config.state_directory / LOG, changes))


def is_ready(sources: Sources) -> bool:
    """Whether the last good sync of the whole site is not older than two intervals. Raises StateError."""
    config, now, daemon = sources.config(), sources.clock(), sources.control.state()
    with open_state(config.state_directory, config.site) as database:
        last = last_whole_sync(database)
    return last is not None and not is_old(last, daemon, now)


def is_old(last_good: datetime, daemon: DaemonState, now: datetime) -> bool:
    """Whether a good sync is too long ago for all to be well."""
    return now - last_good > 2 * daemon.interval


def one_sync(sources: Sources, sync: str, *, limit: int, offset: int = 0) -> tuple[StoredReport, list[Line]] | None:
    """Return a sync's report and its changes; None where no such report is kept. Raises StateError."""
    config = sources.config()
    with open_state(config.state_directory, config.site) as database:
        past = past_sync(database, sync)
    report = stored_report(past.report) if past else None
    if report is None:
        return None
    lines = (
        lines_of_sync(config.state_directory / LOG, sync, limit=limit, offset=offset)
        if report["changed_counts"]
        else []
    )
    return report, lines


def videos(
    sources: Sources, search: str, state: SearchState | None, *, limit: int, offset: int
) -> tuple[int, list[KnownVideo]]:
    """Return how many videos a search finds, and some of them. Raises StateError."""
    config = sources.config()
    with open_state(config.state_directory, config.site) as database:
        return find_videos(database, search, state, counts=config.mapped_counts, limit=limit, offset=offset)


def readings_of(sources: Sources, video: VideoId) -> list[Reading]:
    """Return what is kept of what YouTube said of a video. Raises StateError."""
    config = sources.config()
    with open_state(config.state_directory, config.site) as database:
        return history(database, video)


def one_video(sources: Sources, video: VideoId) -> VideoDetails | None:
    """Return what is known of a video; None where no page names it and no reading is kept. Raises StateError."""
    config = sources.config()
    with open_state(config.state_directory, config.site) as database:
        readings, paths = history(database, video), pages_of(database, [video]).get(video, [])
        missing = {each.video_id: each.since for each in missing_videos(database)}
        unconfirmed = any(video == held for held, _ in unconfirmed_counts(database))
    if not readings and not paths:
        return None
    pages = [(path, _title(config.site, path)) for path in paths]
    return VideoDetails(video, readings, pages, missing.get(video), unconfirmed)


def problems(sources: Sources) -> tuple[str | None, Sequence[Problem]]:
    """Return the last sync's name and its problems. Raises StateError."""
    status = overview(sources, changes=0).status
    return (status.syncs[0]["sync"] if status.syncs else None), status.problems


def gauges(sources: Sources) -> Gauges:
    """Return what a monitoring system asks for. Raises StateError."""
    config, now, daemon = sources.config(), sources.clock(), sources.control.state()
    with open_state(config.state_directory, config.site) as database:
        status = status_of(config, database, now, syncs=1, next_sync=daemon.next_sync)
        numbers = count_states(database, config.mapped_counts)
        oldest = oldest_count(database)
    due = daemon.next_sync
    late = max(timedelta(0), now - due) if due and not daemon.running else timedelta(0)
    return Gauges(
        videos={state.value if state else "known": number for state, number in numbers.items()}
        | {"gone": len(status.gone)},
        units_left={bucket.value: left.left for bucket, left in status.buckets.items()},
        last_good=status.last_whole,
        next_sync=due,
        oldest=oldest,
        late=late.total_seconds(),
        running=daemon.running,
    )


def _title(site: Path, path: str) -> str | None:
    """Return the title of a page. The path comes from our own scan, never from a request."""
    root = os.path.realpath(site)
    if not os.path.realpath(os.path.join(root, path)).startswith(root.rstrip("/") + "/"):
        return None  # a link was put there since
    head = read_head(root, Candidate(path, ()))
    return title_of(head[0]) if isinstance(head, tuple) and not isinstance(head, Problem) else None
