"""`syncer fleet worker`: the daemon of several sites, as one host of a fleet."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from syncer.cli.daemon import run_daemon
from syncer.cli.fleet_member import SiteElsewhere
from syncer.cli.fleet_place import fleet_place, host_name
from syncer.cli.open_site import now
from syncer.cli.reloadable_config import SiteConfig
from syncer.cli.stopping import StopSignal
from syncer.errors import ConfigError, StateError, SyncerError
from syncer.state.disk_calls import call_aside
from syncer.state.ledger_place import require_psycopg
from syncer.wording import safe

if TYPE_CHECKING:
    from syncer.cli.settings import Settings
    from syncer.config.sections import Config
    from syncer.control import Control
    from syncer.fleet.worker import FleetWorker
    from syncer.model import ServerAddress
    from syncer.status.fleet import FleetView


class JoinedHost:
    """The daemon of this process as a host of a fleet."""

    def __init__(self, place: ServerAddress, host: str) -> None:
        from syncer.fleet.worker import FleetWorker

        self.host = host
        self._place = place
        self._worker = FleetWorker(place, host)
        self._clones: dict[Path, Future[None]] = {}
        """Those that are being made, or have failed, by their directories."""
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
                refused[path] = ConfigError(f"{path}: `quota.ledger` must be {self._place}, as of the whole fleet")
        ours = {path: read for path, read in reads.items() if path not in refused}
        owners = self._worker.owners(
            {read.config.site_name: safe(read.identity.site) for read in ours.values()}, are_all=are_all and not refused
        )
        for path, read in ours.items():
            name = read.config.site_name
            if name in owners:
                refused[path] = SiteElsewhere(f"The site {name} is synced on {owners[name]}, so not here")
            elif ":" in read.config.git.remote and (why := self._missing(path, read.config)):
                refused[path] = why
        return refused

    def _missing(self, path: str, config: Config) -> SyncerError | None:
        """Return why a site that is only in git is not here yet; clone it, if this host owns it."""
        running = self._clones.get(config.site)
        if running and running.done():
            del self._clones[config.site]
            if error := running.exception():
                return StateError(f"{path}: {error}")
        if os.path.lexists(config.site):
            return None
        if not self.view().is_current:
            return StateError(f"{path}: the site is not here, and the server cannot say whether it is another host's")
        if config.site not in self._clones:
            from syncer.git.clone import clone

            call = partial(clone, config.git.remote, config.site, self._stop.is_set)
            self._clones[config.site] = call_aside(call, thread="clone")
            self._clones[config.site].add_done_callback(lambda _: self._look_again())
        return SiteElsewhere(f"The site {config.site_name} is being cloned from {config.git.remote}")

    def view(self) -> FleetView:
        """Return what is known of the fleet, from memory. Safe in any thread."""
        return self._worker.view


def run_worker(settings: Settings, host: str | None, sites_at_once: int) -> None:
    """Run the daemon of these sites as a host of their fleet. Raises UsageError, ConfigError and StateError."""
    require_psycopg()
    several = replace(settings, several=True)
    run_daemon(several, sites_at_once, JoinedHost(fleet_place(several), host_name(host)))
