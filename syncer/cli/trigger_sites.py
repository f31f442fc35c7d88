"""`syncer trigger` of several sites: the daemon syncs all of them now, and the command follows one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from syncer.cli.daemon_seen import Daemons, SeenDaemon
from syncer.cli.show import show
from syncer.cli.sites import ChosenSite, Result, choose_sites, conclude, headings, in_turn, listed
from syncer.cli.stopping import stop_on_signals
from syncer.cli.triggered import Triggered, show_triggered, trigger_site
from syncer.errors import NotRunning, NotSynced, SyncerError
from syncer.trigger import NO_DAEMON, NOT_SYNCED

if TYPE_CHECKING:
    from syncer.cli.settings import Settings


def trigger_sites(settings: Settings, names: Sequence[str], *, wait: bool, accept: bool) -> int:
    """Make the daemon sync the sites with these names, or all; return the highest exit code of these syncs.

    `wait`: until they have ended; a signal stops only that. Raises UsageError for a name that no site has, ConfigError
    where no config is valid, NotRunning where no site has one.
    """
    with stop_on_signals() as stopped:
        choice = choose_sites(settings, names)
        triggered = {site.name: _trigger(site, accept=accept) for site in choice.sites}
        daemons = Daemons()
        none_runs = all(isinstance(each, NotRunning) for each in triggered.values())
        if none_runs and not any(daemons.of(site.config.state_directory).syncs for site in choice.every):
            raise NotRunning(NO_DAEMON)  # once, not for each site
        begun = [name for name, found in triggered.items() if isinstance(found, Triggered)]
        show_heading = headings()

        def turn(site: ChosenSite) -> Result:
            found = triggered[site.name]
            if isinstance(found, SyncerError):
                raise _not_synced(daemons.beside(site, choice.every)) if isinstance(found, NotSynced) else found
            if not wait:
                return {}, 0
            show_heading(site.name)
            document = found.follow(stopped, quiet=settings.quiet)
            return {}, show_triggered(document, site.config.write.brake, site.name)

        results = in_turn({site.name: partial(turn, site) for site in choice.sites}, choice.left_out, stopped)
    if begun and not wait:
        show(f"The daemon syncs {listed(begun)} now. Run `syncer status` to see how it went.")
    return conclude(results, as_json=False, quiet=not wait or settings.quiet)


def _trigger(site: ChosenSite, *, accept: bool) -> Triggered | SyncerError:
    """Trigger the sync of a site; return why that cannot be done, if so."""
    try:
        return trigger_site(site.config, accept=accept)
    except SyncerError as error:
        return error


def _not_synced(seen: SeenDaemon) -> NotSynced:
    """Return the error for a site that no daemon syncs, with the reason if the one of another site says it."""
    return NotSynced(f"the daemon leaves out this site: {seen.left_out}" if seen.left_out else NOT_SYNCED)
