"""The status of a site: its last syncs, the next one, what is left of the quota, and what needs attention."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from syncer.decide.availability import PlayState
from syncer.decide.quota import BucketStatus, next_reset
from syncer.decide.schedule import first_time
from syncer.decide.thresholds import HeldBackCounts
from syncer.decide.unconfirmed import Brake
from syncer.model import Bucket, Count, Problem, VideoId
from syncer.state.checks import playing_brake
from syncer.state.database import Database
from syncer.state.judging import count_braked, count_suppressed, current_brake, unconfirmed_counts
from syncer.state.lock import is_held
from syncer.state.play_states import count_states, stopped_videos
from syncer.state.search import hidden_counts
from syncer.state.syncs import last_whole_sync
from syncer.state.videos import Missing, missing_videos
from syncer.status.buckets import LedgerLooks
from syncer.status.build_status import BuildStatus, build_status
from syncer.status.demand import Demand, demand_of
from syncer.status.held_back import held_back_now
from syncer.status.held_by_brake import held_rows
from syncer.status.leftovers import Leftovers, find_leftovers
from syncer.status.stored_reports import Outline, past_results

if TYPE_CHECKING:
    from syncer.config.sections import Config
    from syncer.control import LastSync
    from syncer.state.shared_ledger import Sharing


@dataclass(frozen=True, slots=True)
class Status:
    """The status of a site at one time."""

    site: str
    syncs: Sequence[Outline]
    """The last ones, newest first."""
    last: LastSync | None
    """How the last one that covers the site went; None where there is none."""
    last_whole: datetime | None
    """When the last sync of the whole site began: the schedule counts from it."""
    next_sync: datetime
    buckets: Mapping[Bucket, BucketStatus]
    sharing: Sharing | None
    """Which sites share the ledger; None: it is the site's own."""
    quota_resets: datetime
    missing: Sequence[Missing]
    gone: Sequence[Missing]
    """Those of the missing that YouTube left out three times, at least a day apart."""
    unconfirmed: Sequence[tuple[VideoId, Count]]
    brake: Brake | None
    """Why the safety brake holds readings; None where it holds none."""
    brake_limit: float
    """The share of videos or counts, from 0 to 1, above which it does."""
    held: Sequence[tuple[str, ...]]
    """Some of what it holds, a row each: a video, and its count."""
    braked: int
    """Readings that it holds, and checks whether videos play."""
    suppressed: int
    """Counts that were undone or dropped, and for which YouTube has not returned another number."""
    held_back: HeldBackCounts | None
    """What the last sync of all pages held back; None where the config holds nothing back."""
    hidden: Sequence[tuple[VideoId, Count]]
    states: Mapping[PlayState | None, int]
    """How many videos of the site's pages are in each state; None: not known."""
    not_playing: Sequence[tuple[VideoId, PlayState, datetime]]
    """The videos that do not play, their states and since when."""
    problems: Sequence[Problem]
    """Those of the last sync that covers the site, and of later ones about parts of it."""
    open: int
    """Pages that this sync left out because another program had them open for writing."""
    leftovers: Leftovers | None
    """What a crash left behind and no later sync has completed yet."""
    running: bool
    """Whether a sync, or another command that writes, is running."""
    demand: Demand
    """How far the quota goes."""
    build: BuildStatus | None
    """None if the config has no build hook."""

    @property
    def listed(self) -> set[VideoId]:
        """The videos that are missing, hidden or unconfirmed, or that do not play."""
        found = {video.video_id for video in self.missing}.union(video for video, _, _ in self.not_playing)
        found.update(VideoId(row[0]) for row in self.held)
        return found.union(video for video, _ in [*self.hidden, *self.unconfirmed])


def status_of(
    config: Config,
    database: Database,
    now: datetime,
    *,
    syncs: int,
    next_sync: datetime | None = None,
    ledgers: LedgerLooks | None = None,
) -> Status:
    """Return the status at the time `now`, with at most `syncs` of the last syncs.

    `next_sync` is when a running daemon begins the next one; None: the time that follows from the schedule. `ledgers`:
    where the statuses of several sites are looked at together. Raises StateError.
    """
    missing = missing_videos(database)
    past = past_results(database, syncs)
    last, limit = last_whole_sync(database), config.write.brake
    of_playing, held = playing_brake(database) if config.availability.every else (None, 0)
    brake = current_brake(database, config.mapped_counts) or of_playing
    leftovers, running = find_leftovers(os.path.realpath(config.site), database), is_held(config.state_directory)
    balances, sharing = (ledgers or LedgerLooks()).look(config, database, now)
    return Status(
        site=str(config.site),
        syncs=past.newest,
        last=past.last,
        last_whole=last,
        next_sync=next_sync or first_time(config.schedule.as_model(), last, now),
        buckets=balances,
        sharing=sharing,
        quota_resets=next_reset(now),
        missing=missing,
        gone=[video for video in missing if video.gone],
        unconfirmed=unconfirmed_counts(database),
        brake=brake,
        brake_limit=brake.limit(missing=limit.missing, falling=limit.falling) if brake else 0,
        held=held_rows(database, brake, config.mapped_counts) if brake else (),
        braked=count_braked(database) + held,
        suppressed=count_suppressed(database),
        held_back=held_back_now(config, database),
        hidden=hidden_counts(database, config.mapped_counts),
        states=count_states(database),
        not_playing=stopped_videos(database),
        problems=past.problems,
        open=past.open,
        leftovers=leftovers if leftovers.any and not running else None,
        running=running,
        demand=demand_of(config, database, balances, now),
        build=build_status(config, database, now),
    )
