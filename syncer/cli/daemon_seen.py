"""What the running daemons say about sites, for commands that show it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from syncer.cli.sites import ChosenSite
    from syncer.trigger import DaemonView, SiteOfDaemon


class SeenDaemon(NamedTuple):
    """The daemon of a site."""

    syncs: bool = False
    """Whether a daemon syncs the site."""
    said: SiteOfDaemon | None = None
    """What it says about the site; None if it does not say so in time, or is of another version."""
    left_out: str | None = None
    """Why the daemon of other sites leaves out this one, one finding a line."""


class Daemons:
    """Asks each daemon once."""

    def __init__(self) -> None:
        self._views: dict[Path, DaemonView | None] = {}
        """By the sockets of the daemons."""
        self._seen: dict[Path, SeenDaemon] = {}
        """By the states of the sites."""

    def of(self, state: Path) -> SeenDaemon:
        """Return the daemon of the site with this state."""
        if state not in self._seen:
            self._seen[state] = self._look(state)
        return self._seen[state]

    def beside(self, site: ChosenSite, others: Iterable[ChosenSite]) -> SeenDaemon:
        """Return the daemon of a site; if it has none, the daemon of one of the others may say why."""
        seen = self.of(site.config.state_directory)
        if seen.syncs:
            return seen
        path = os.path.realpath(site.settings.config_path)
        for other in others:
            self.of(other.config.state_directory)
        for view in filter(None, self._views.values()):
            for left_out, why in view.left_out.items():
                if os.path.realpath(left_out) == path:
                    return seen._replace(left_out=why)
        return seen

    def _look(self, state: Path) -> SeenDaemon:
        from syncer.state.lock import daemon_address, has_daemon, is_running

        address = daemon_address(state)
        if address is None or not is_running(address):
            return SeenDaemon(syncs=has_daemon(state))
        from urllib.parse import unquote

        from syncer.trigger import ask

        if address.socket not in self._views:
            self._views[address.socket] = ask(address.socket)
        view = self._views[address.socket]
        if view is None:
            return SeenDaemon(syncs=True)
        name = unquote(address.prefix.rpartition("/")[2])
        said = view.sites.get(name) if name else next(iter(view.sites.values()), None)
        return SeenDaemon(said is not None, said)
