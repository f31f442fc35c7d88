"""`syncer fleet worker`: the daemon of several sites, as one host of a fleet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from syncer.cli.daemon import run_daemon
from syncer.cli.daemon_sites import DaemonSites, SiteElsewhere
from syncer.cli.fleet_place import fleet_place, host_name
from syncer.cli.open_site import now
from syncer.cli.reloadable_config import SiteConfig
from syncer.errors import ConfigError, SyncerError
from syncer.state.ledger_place import require_psycopg
from syncer.wording import safe

if TYPE_CHECKING:
    from syncer.cli.settings import Settings
    from syncer.control import Control
    from syncer.fleet.worker import FleetWorker
    from syncer.model import ServerAddress
    from syncer.status.fleet import FleetView


class JoinedHost:
    """The daemon of this process as a host of a fleet."""

    def __init__(self, place: ServerAddress, host: str) -> None:
        from syncer.fleet.worker import FleetWorker

        self._place = place
        self._worker = FleetWorker(place, host)

    @contextmanager
    def joined(self, sites: DaemonSites, stop: Callable[[], None]) -> Iterator[FleetWorker]:
        """Be in the fleet while the block runs; yield the queue of this host. `stop` is called once it has drained."""
        from syncer.fleet.worker import WorkerEnvironment

        def controls() -> Mapping[str, Control]:
            return {name: sources.control for name, sources in sites.current().items()}

        self._worker.start(WorkerEnvironment(now, controls, sites.request_look, stop))
        try:
            yield self._worker
        finally:
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
        return refused

    def view(self) -> FleetView:
        """Return what is known of the fleet, from memory. Safe in any thread."""
        return self._worker.view


def run_worker(settings: Settings, host: str | None, sites_at_once: int) -> None:
    """Run the daemon of these sites as a host of their fleet. Raises UsageError, ConfigError and StateError."""
    require_psycopg()
    several = replace(settings, several=True)
    run_daemon(several, sites_at_once, JoinedHost(fleet_place(several), host_name(host)))
