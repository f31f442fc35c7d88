"""`syncer fleet worker`: the daemon of several sites, as one host of a fleet."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from syncer.cli.daemon import run_daemon
from syncer.cli.fleet_member import SiteElsewhere
from syncer.cli.fleet_place import fleet_place, host_name
from syncer.cli.open_site import now
from syncer.cli.reloadable_config import SiteConfig
from syncer.cli.stopping import StopSignal
from syncer.errors import ConfigError, LedgerUnreachable, StateError, SyncerError
from syncer.state.disk_calls import call_aside
from syncer.state.ledger_place import require_packages
from syncer.wording import safe

if TYPE_CHECKING:
    from syncer.cli.settings import Settings
    from syncer.config.sections import Config
    from syncer.control import Control
    from syncer.fleet.worker import FleetWorker
    from syncer.model import ServerAddress
    from syncer.status.fleet import FleetView


CLONES_AT_ONCE = 4

CLONE_RETRY_SECONDS = 60.0
"""After so long a clone that failed is tried again, after twice as long the next time."""

LONGEST_CLONE_RETRY_SECONDS = 3600.0


class _Failure(NamedTuple):
    """A clone that failed."""

    why: str
    times: int
    """How often in a row."""
    next_try: float
    """By the monotonic clock."""


class JoinedHost:
    """The daemon of this process as a host of a fleet."""

    def __init__(self, place: ServerAddress, host: str) -> None:
        from syncer.fleet.worker import FleetWorker

        self._place = place
        self._worker = FleetWorker(place, host)
        self._clones: dict[Path, Future[None]] = {}
        """Those that are being made, or have just ended, by their directories."""
        self._failures: dict[Path, _Failure] = {}
        self._stop = StopSignal()
        """Ends them."""

    @contextmanager
    def joined(
        self, sites: Callable[[], Mapping[str, Control]], look_again: Callable[[], None], stop: Callable[[], None]
    ) -> Iterator[FleetWorker]:
        """Be in the fleet while the block runs; yield the queue of this host."""
        from syncer.fleet.worker import WorkerEnvironment

        self._look_again = look_again
        self._worker.start(WorkerEnvironment(now, sites, look_again, stop))
        try:
            yield self._worker
        finally:
            self._stop.set()
            self._worker.close()

    def refused(self, reads: Mapping[str, SiteConfig], *, are_all: bool) -> Mapping[str, SyncerError]:
        """Return why sites are not synced here, of these configs by path: they are another host's, or of no fleet."""
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
                refused[path] = SiteElsewhere(f"The site {name} is synced on {owners[name]}, so not here")
        return refused

    def missing(self, path: str, config: Config) -> SyncerError | None:
        """Return why a site that is only in git is not here yet; have it cloned. It touches the site's disk."""
        remote, site = config.git.remote, config.site
        if ":" not in remote:
            return None
        cloning = self._clones.get(site)
        if cloning and cloning.done():
            cloning = None
            self._note_end(site, self._clones.pop(site).exception())
        if os.path.lexists(site):
            if os.path.lexists(site / ".git"):
                return None
            return StateError(
                f"{path}: {site} exists and is no clone of {remote}; rename it, to have that cloned there"
            )
        if not self.view().is_current:
            return LedgerUnreachable(
                f"{path}: the site is not here, and the server cannot say whether it is another host's"
            )
        failure = self._failures.get(site)
        running = sum(not each.done() for each in self._clones.values())
        if not cloning and running < CLONES_AT_ONCE and (not failure or time.monotonic() >= failure.next_try):
            from syncer.git.clone import clone

            cloning = self._clones[site] = call_aside(partial(clone, remote, site, self._stop.is_set), thread="clone")
            cloning.add_done_callback(lambda _: self._look_again())
        if failure:
            return StateError(f"{path}: {failure.why}")
        what = "is being cloned" if cloning else "waits to be cloned"
        return SiteElsewhere(f"The site {config.site_name} {what} from {remote}")

    def _note_end(self, site: Path, error: BaseException | None) -> None:
        before = self._failures.pop(site, None)
        if error:
            times = before.times + 1 if before else 1
            pause = min(CLONE_RETRY_SECONDS * 2 ** (times - 1), LONGEST_CLONE_RETRY_SECONDS)
            self._failures[site] = _Failure(str(error), times, time.monotonic() + pause)

    def note_left_out(self, reasons: Mapping[str, str]) -> None:
        """Let the other hosts know why sites are not synced here, by name."""
        self._worker.note_left_out(reasons)

    def view(self) -> FleetView:
        """Return what is known of the fleet, from memory. Safe in any thread."""
        return self._worker.view


def run_worker(settings: Settings, host: str | None, sites_at_once: int) -> None:
    """Run the daemon of these sites as a host of their fleet. Raises UsageError, ConfigError and StateError."""
    require_packages("psycopg", "procrastinate")
    several = replace(settings, several=True)
    run_daemon(several, sites_at_once, JoinedHost(fleet_place(several), host_name(host)))
