"""The daemon of several sites as one host of a fleet: which sites are its own, and which it has cloned."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from syncer.cli.open_site import now
from syncer.cli.reloadable_config import SiteConfig
from syncer.cli.stopping import StopSignal
from syncer.errors import ConfigError, LedgerUnreachable, NotSyncedHere, StateError, SyncerError
from syncer.state.disk_calls import call_aside
from syncer.wording import safe

if TYPE_CHECKING:
    from syncer.config.sections import Config
    from syncer.control import Control
    from syncer.fleet.worker import FleetWorker
    from syncer.model import ServerAddress
    from syncer.status.fleet import FleetView


CLONES_AT_ONCE = 4

CLONE_RETRY_SECONDS = 60.0
"""After so long a clone that failed is tried again, after twice as long the next time."""

LONGEST_CLONE_RETRY_SECONDS = 3600.0


class _Clone(NamedTuple):
    """A clone that is being made, or has just ended."""

    remote: str
    stop: StopSignal
    """Ends it."""
    future: Future[None]


class _Failure(NamedTuple):
    """A clone that failed."""

    remote: str
    why: str
    times: int
    """How often in a row."""
    next_try: float
    """By the monotonic clock."""


class FleetHost:
    """The daemon of this process as a host of a fleet."""

    def __init__(self, place: ServerAddress, host: str) -> None:
        from syncer.fleet.worker import FleetWorker

        self._place = place
        self._worker = FleetWorker(place, host)
        self._clones: dict[Path, _Clone] = {}
        """By their directories."""
        self._failures: dict[Path, _Failure] = {}
        """The last ones, by the directories."""
        self._closing = False

    @contextmanager
    def joined(
        self, sites: Callable[[], Mapping[str, Control]], look_again: Callable[[], None], drained: Callable[[], None]
    ) -> Iterator[FleetWorker]:
        """Be in the fleet while the block runs; yield the queue of this host.

        `sites` returns those of the daemon by name, `look_again` lets it ask again which are `refused`, and `drained`
        is called once the host has drained. All three are safe in any thread.
        """
        from syncer.fleet.worker import WorkerEnvironment

        self._look_again = look_again
        self._worker.start(WorkerEnvironment(now, sites, look_again, drained))
        try:
            yield self._worker
        finally:
            self._closing = True
            for clone in list(self._clones.values()):
                clone.stop.set()
            self._worker.close()

    def refused(self, reads: Mapping[str, SiteConfig], *, are_all: bool) -> Mapping[str, SyncerError]:
        """Return why sites are not synced here, of these configs by path: they are another host's, or of no fleet.

        `are_all`: no other config is there, so the host gives up all other sites.
        """
        refused: dict[str, SyncerError] = {}
        for path, read in reads.items():
            if read.config.ledger_place != self._place:
                refused[path] = ConfigError(
                    f"{path}: `quota.ledger` is not {self._place}, the fleet of this worker; correct it, or restart the"
                    " worker to be in another fleet"
                )
        ours = {path: read for path, read in reads.items() if path not in refused}
        owners = self._worker.owners(
            {read.config.site_name: safe(read.identity.site) for read in ours.values()}, are_all=are_all and not refused
        )
        for path, read in ours.items():
            name = read.config.site_name
            if name in owners:
                refused[path] = NotSyncedHere(f"The site {name} is synced on {owners[name]}, so not here")
        return refused

    def ensure_cloned(self, path: str, config: Config) -> SyncerError | None:
        """Return why a site that is only in git is not here yet; have it cloned. It touches the site's disk.

        A clone of the remote that the config had before is ended.
        """
        remote, site = config.git.remote, config.site
        if not config.git.remote_is_url:
            return None
        clone = self._clones.get(site)
        if clone and clone.remote != remote:
            clone.stop.set()
        has_ended, exists = bool(clone and clone.future.done()), os.path.lexists(site)
        if clone and has_ended and (clone.remote == remote or not exists or clone.future.exception()):
            self._note_end(site, self._clones.pop(site))
            clone = None
        if exists and (has_ended or not clone):
            if not clone and os.path.lexists(site / ".git"):
                return None
            return StateError(
                f"{path}: {site} exists and is no clone of {remote}; rename it, to have that cloned there"
            )
        return self._not_here(path, config, clone)

    def _not_here(self, path: str, config: Config, clone: _Clone | None) -> SyncerError:
        """Return why a site is not here, of which this clone is being made, if any; begin it if it is time."""
        remote, site = config.git.remote, config.site
        if not clone and not self.view().is_current:
            return LedgerUnreachable(
                f"{path}: the site is not cloned yet: cannot check in the database which host owns it; syncer retries"
            )
        failure = self._failures.get(site)
        if failure and failure.remote != remote:
            failure = None
        running = sum(not each.future.done() for each in list(self._clones.values()))
        if not clone and running < CLONES_AT_ONCE and (not failure or time.monotonic() >= failure.next_try):
            clone = self._begin_clone(site, remote)
        if failure:
            return StateError(f"{path}: {failure.why}")
        what = "is being cloned" if clone and clone.remote == remote else "waits to be cloned"
        return NotSyncedHere(f"The site {config.site_name} {what} from {remote}")

    def forget_failures(self) -> None:
        """Let clones that failed be tried again at once."""
        self._failures.clear()

    def _begin_clone(self, site: Path, remote: str) -> _Clone:
        from syncer.git.clone import clone

        stop = StopSignal()
        begun = _Clone(remote, stop, call_aside(partial(clone, remote, site, stop.is_set), thread="clone"))
        self._clones[site] = begun
        if self._closing:
            stop.set()
        begun.future.add_done_callback(lambda _: self._look_again())
        return begun

    def _note_end(self, site: Path, clone: _Clone) -> None:
        before = self._failures.pop(site, None)
        error = clone.future.exception()
        if error and not clone.stop.is_set():
            times = before.times + 1 if before and before.remote == clone.remote else 1
            pause = min(CLONE_RETRY_SECONDS * 2 ** (times - 1), LONGEST_CLONE_RETRY_SECONDS)
            self._failures[site] = _Failure(clone.remote, str(error), times, time.monotonic() + pause)

    def note_left_out(self, reasons: Mapping[str, str]) -> None:
        """Let the other hosts know why sites are not synced here, by name."""
        self._worker.note_left_out(reasons)

    def view(self) -> FleetView:
        """Return what is known of the fleet, from memory. Safe in any thread."""
        return self._worker.view
