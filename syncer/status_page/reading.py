"""Reads the state, the diff log and the daemon for requests over HTTP. It writes nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from syncer.content.scan import read_head
from syncer.content.walk import Candidate
from syncer.control import Control, DaemonState
from syncer.diff_log.lines import LOG, Line, last_lines, lines_of_sync
from syncer.front_matter.leaves import title_of
from syncer.model import LedgerPlace, Problem, Reading, VideoId
from syncer.state.database import open_state
from syncer.state.judging import unconfirmed_counts
from syncer.state.naming_pages import pages_of_videos
from syncer.state.play_states import VideoPlay, video_play
from syncer.state.search import KnownVideo, SearchState, count_pending, count_states, find_videos, oldest_count
from syncer.state.syncs import last_whole_sync, past_sync
from syncer.state.videos import history, missing_videos
from syncer.status.attention import Need, facts_in_state, is_old, needs_of
from syncer.status.buckets import LedgerLooks
from syncer.status.build_status import BuildStatus
from syncer.status.sharing import sharing_outline, sharing_warnings
from syncer.status.status import Status, status_of
from syncer.status.stored_reports import StoredReport, stored_report

if TYPE_CHECKING:
    from syncer.config.sections import Config

SYNCS_SHOWN = 30
"""How many of the last syncs the overview shows."""

CHANGES_SHOWN = 10
"""How many of the last changes the overview shows."""

VIDEOS_SHOWN = 10
"""How many videos of each state the overview shows."""

TITLES_READ = 200
"""How many pages are opened for their titles, for one request; pages after that are shown without a title."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the data of all pages comes from."""

    config: Callable[[], Config]
    """Returns the config that the daemon uses now."""
    control: Control
    clock: Callable[[], datetime]
    ledgers: LedgerLooks | None = None
    """Shared with other sites that a request is about; None: it is about this site only."""


@dataclass(frozen=True, slots=True)
class Overview:
    """The state of the daemon and its site."""

    at: datetime
    daemon: DaemonState
    status: Status
    changes: Sequence[Line]
    """The last ones, newest first."""

    @property
    def needs(self) -> Sequence[Need]:
        """What needs attention, the most serious first."""
        daemon = self.daemon
        facts = facts_in_state(
            self.status,
            self.at,
            interval=daemon.interval,
            stalled=daemon.stalled,
            trouble=daemon.trouble,
            config_error=daemon.config_error,
        )
        return list(needs_of(facts))


class LedgerUse(NamedTuple):
    """How several sites of the daemon share a ledger."""

    outline: str
    """Who uses it, and how much of it."""
    warnings: Sequence[str]
    """What is wrong for all of them."""
    of_sites: Mapping[str, Sequence[str]]
    """What is wrong for each of them alone, by name."""


@dataclass(frozen=True, slots=True)
class PageNames:
    """The site's pages that are named beside videos and changes."""

    pages: Mapping[VideoId, Sequence[str]]
    """The paths of the pages that name a video, relative to the site."""
    titles: Mapping[str, str]
    """The titles of pages by path, where they have one."""


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
    play: VideoPlay | None
    """None: no page names it."""
    in_texts_only: bool = False
    """Whether its pages have it only in their text, so that its counts are not requested."""


@dataclass(frozen=True, slots=True)
class Gauges:
    """Values that a monitoring system reads, as they are now."""

    videos: Mapping[str, int]
    units_left: Mapping[str, int]
    last_good: datetime | None
    next_sync: datetime | None
    oldest: datetime | None
    late: float
    """Seconds by which the next sync is overdue."""
    running: bool
    build: BuildStatus | None
    """None if the config has no build hook."""


def overview(sources: Sources, *, changes: int = CHANGES_SHOWN) -> Overview:
    """Return the state of the daemon and its site. Raises StateError."""
    config, now, daemon = sources.config(), sources.clock(), sources.control.state()
    with open_state(config.state_directory, config.site) as database:
        status = status_of(
            config, database, now, syncs=SYNCS_SHOWN, next_sync=daemon.next_sync, ledgers=sources.ledgers
        )
    return Overview(now, daemon, status, last_lines(config.state_directory / LOG, changes))


def by_ledger(sites: Mapping[str, Sources]) -> dict[LedgerPlace, dict[str, Sources]]:
    """Return the places of the shared ledgers of these sites, each with the sites that use it, by name."""
    found: dict[LedgerPlace, dict[str, Sources]] = {}
    for name, sources in sites.items():
        if place := sources.config().ledger_place:
            found.setdefault(place, {})[name] = sources
    return found


def ledger_use(place: LedgerPlace, sites: Mapping[str, Sources]) -> LedgerUse:
    """Return how these sites, of which there is at least one, share the ledger there. Raises StateError."""
    looks = LedgerLooks()
    looked = {name: looks.look_at_shared(each.config(), place, each.clock()) for name, each in sites.items()}
    balances, sharing = next(iter(looked.values()))
    of_all = tuple(sharing_warnings(sharing, {}))
    of_sites = {name: tuple(sharing_warnings(*each[::-1]))[len(of_all) :] for name, each in looked.items()}
    return LedgerUse(sharing_outline(sharing, balances), of_all, of_sites)


def is_ready(sources: Sources) -> bool:
    """Return whether the last good sync of the whole site is at most two intervals old. Raises StateError."""
    config, now, daemon = sources.config(), sources.clock(), sources.control.state()
    with open_state(config.state_directory, config.site) as database:
        last = last_whole_sync(database)
    return last is not None and not is_old(last, daemon.interval, now)


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
        if report["changed_counts"] or report.get("changed_dates")
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


def pending_videos(sources: Sources) -> int:
    """Return how many videos YouTube did not return that may be missing. Raises StateError."""
    config = sources.config()
    with open_state(config.state_directory, config.site) as database:
        return count_pending(database)


def page_names(sources: Sources, videos: Iterable[VideoId], paths: Iterable[str] = ()) -> PageNames:
    """Return the pages of these videos, and their titles and those of more `paths`. Raises StateError."""
    config = sources.config()
    with open_state(config.state_directory, config.site) as database:
        pages = pages_of_videos(database, videos)
    return PageNames(pages, _titles(config.site, chain(paths, *pages.values())))


def names_on(sources: Sources, seen: Overview) -> PageNames:
    """Return the pages of the videos and changes that the overview shows, and their titles. Raises StateError."""
    status = seen.status
    videos = [
        *(video.video_id for video in status.missing[:VIDEOS_SHOWN]),
        *(video for video, _, _ in status.not_playing[:VIDEOS_SHOWN]),
        *(video for video, _ in (*status.unconfirmed[:VIDEOS_SHOWN], *status.hidden[:VIDEOS_SHOWN])),
    ]
    return page_names(sources, videos, (str(line["path"]) for line in seen.changes))


def readings_of(sources: Sources, video: VideoId) -> list[Reading]:
    """Return all readings of a video that are kept. Raises StateError."""
    config = sources.config()
    with open_state(config.state_directory, config.site) as database:
        return history(database, video)


def one_video(sources: Sources, video: VideoId) -> VideoDetails | None:
    """Return the details of a video; None where no page names it and no reading is kept. Raises StateError."""
    config = sources.config()
    with open_state(config.state_directory, config.site) as database:
        readings, paths = history(database, video), pages_of_videos(database, [video]).get(video, [])
        is_named = bool(pages_of_videos(database, [video], with_embeds=False))
        missing = {each.video_id: each.since for each in missing_videos(database)}
        unconfirmed = any(video == held for held, _ in unconfirmed_counts(database))
        play = video_play(database, video)
    if not readings and not paths:
        return None
    in_texts_only = bool(paths) and not is_named
    since = play.left_out_since if play and in_texts_only else missing.get(video)
    titles = _titles(config.site, paths)
    pages = [(path, titles.get(path)) for path in paths]
    return VideoDetails(video, readings, pages, since, unconfirmed, play, in_texts_only)


def problems(sources: Sources) -> tuple[str | None, Sequence[Problem]]:
    """Return the name of the last sync that covers the site, and what it and later ones found. Raises StateError."""
    status = overview(sources, changes=0).status
    return (status.last.sync if status.last else None), status.problems


def gauges(sources: Sources) -> Gauges:
    """Return the values that a monitoring system reads. Raises StateError."""
    config, now, daemon = sources.config(), sources.clock(), sources.control.state()
    with open_state(config.state_directory, config.site) as database:
        status = status_of(config, database, now, syncs=1, next_sync=daemon.next_sync, ledgers=sources.ledgers)
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
        build=status.build,
    )


def _titles(site: Path, paths: Iterable[str]) -> dict[str, str]:
    """Return the titles of the first of these pages, whose paths are never those of a request."""
    titles = {}
    root = os.path.realpath(site)
    for path in islice(dict.fromkeys(paths), TITLES_READ):
        if not os.path.realpath(os.path.join(root, path)).startswith(root.rstrip("/") + "/"):
            continue  # it has become a link out of the site
        head = read_head(root, Candidate(path, ()))
        title = title_of(head[0]) if isinstance(head, tuple) else None
        if title:
            titles[path] = title
    return titles
