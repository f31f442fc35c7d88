"""The sites of the daemon as its configs say: they come and go, break and are repaired while it runs."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from syncer.cli.arguments import absolute
from syncer.cli.config_files import ConfigFiles, findings_in, full_path
from syncer.cli.log_setup import REDACTOR
from syncer.cli.open_site import OpenSite
from syncer.cli.reloadable_config import SiteConfig, read_site_config
from syncer.cli.settings import USED
from syncer.config.conflicts import find_conflicts, other_keys, page_keys
from syncer.config.sections import StatusPage
from syncer.daemon.loop import SiteChanges
from syncer.daemon.open_files import REMEDY, has_files_for, is_lack_of_files
from syncer.daemon.site_names import about
from syncer.errors import Bug, ConfigError, LedgerUnreachable, NotSyncedHere, StateError, SyncerError
from syncer.redact import redact
from syncer.state.disk_calls import call_aside
from syncer.status_page.sockets import shared_socket_path

if TYPE_CHECKING:
    from syncer.cli.fleet_worker import FleetHost
    from syncer.cli.settings import Settings
    from syncer.control import Control
    from syncer.daemon.site import DaemonSite
    from syncer.daemon.systemd import Systemd
    from syncer.status_page.metrics import Counters
    from syncer.status_page.reading import Sources

RETRY_SECONDS = 60.0
"""How long a site is left out for a reason that is not in its config, such as a lock, a key or a disk."""

DISK_TIMEOUT = 5.0
"""Seconds that the disk of one site may keep the daemon waiting while the site is opened; each disk that hangs already
halves them.
"""

SHORTEST_TIMEOUT = 0.5
"""What they are halved to at most."""

CLOSE_TIMEOUT = 3.0
"""Seconds that all sites together get at the end for their last notifications."""

T = TypeVar("T")

log = logging.getLogger("syncer.daemon")


@dataclass(slots=True)
class ConfigFile:
    """One config, and what became of it."""

    settings: Settings
    """With this config alone."""
    read: SiteConfig | SyncerError
    """As it was last read."""
    name: str | None = None
    """The site's, when it was last valid."""
    is_new: bool = True
    """Whether it was read since it was last used."""
    site: OpenSite | None = None
    left_out: SyncerError | None = None
    """Why it has no site."""
    retry_at: float = float("inf")
    """When it is tried again, by the monotonic clock."""

    @property
    def path(self) -> str:
        """The path, as the command line names it."""
        return self.settings.config_paths[0]

    @property
    def keeps_site(self) -> bool:
        """Whether it was read as a config of the site that is open."""
        open_as = self.site and self.site.reloadable.in_use
        return bool(open_as and isinstance(self.read, SiteConfig) and self.read.is_of_the_same_site(open_as))


class DaemonSites:
    """Reads the configs and opens their sites. Only the main thread changes anything; others get whole mappings."""

    def __init__(
        self,
        settings: Settings,
        counters: Counters,
        systemd: Systemd,
        wake: Callable[[], None],
        fleet: FleetHost | None = None,
    ) -> None:
        """Take the configs, and find their files. Raises ConfigError."""
        self._fleet = fleet
        self._several = settings.several
        self._environ = settings.environ
        self._counters = counters
        self._systemd = systemd
        self._wake = wake
        self._stuck: set[str] = set()
        """The configs for whose site a call has not returned: their disk hangs."""
        self._files = ConfigFiles(settings)
        self._configs: dict[str, ConfigFile] = {}
        """By path, in their order."""
        self._ending: dict[DaemonSite, OpenSite] = {}
        """Removed sites whose sync has not ended, or which are not closed yet."""
        self._socket: Path | None = None
        self._reload_requested = False
        self._look_requested = False
        self.page: StatusPage | None = None
        """The settings of the status page: those of the first valid config that has any."""
        self._served: Mapping[str, object] = {}
        """All its keys, once it is known."""
        self._current: Mapping[str, Sources] = {}
        self._left_out: Mapping[str, str] = {}

    def open_all(self) -> Sequence[DaemonSite]:
        """Read all configs and open their sites; leave out those that cannot be opened.

        Raises what is wrong with the first one where none is left, unless time may repair that in a fleet.
        """
        self._read(self._files.found)
        conflicts = self._conflicts()
        reads = [each.read for path, each in self._configs.items() if path not in conflicts]
        valid = [read for read in reads if isinstance(read, SiteConfig)]
        if valid:
            self.page = min(valid, key=lambda read: not read.identity.page).config.status_page
        self._served = page_keys(self.page)
        changes = self._use(reloaded=False)
        left_out = [each.left_out for each in self._configs.values() if each.left_out]
        waits_for = (NotSyncedHere, LedgerUnreachable) if self._fleet else ()
        if not changes.added and not any(isinstance(error, waits_for) for error in left_out):
            raise left_out[0]
        return changes.added

    @property
    def sites(self) -> Sequence[OpenSite]:
        """The open sites, in the order of their configs."""
        return [each.site for each in self._configs.values() if each.site]

    def current(self) -> Mapping[str, Sources]:
        """Return where the pages of each site get their data, by name. Safe in any thread."""
        return self._current

    def controls(self) -> Mapping[str, Control]:
        """Return what makes each site sync, by name. Safe in any thread."""
        return {name: sources.control for name, sources in self._current.items()}

    def left_out(self) -> Mapping[str, str]:
        """Return the absolute paths of the configs that are left out, each with the reason, one finding a line.

        Safe in any thread.
        """
        return self._left_out

    def request_reload(self) -> None:
        """Let the next look read all configs again; safe in a signal handler."""
        self._reload_requested = True

    def request_look(self) -> None:
        """Let the next look find out again which sites can be open; safe in any thread."""
        self._look_requested = True
        self._wake()

    def stop(self) -> None:
        """End all syncs at their next safe point; safe in a signal handler."""
        for site in (*self.sites, *self._ending.values()):
            site.stop.set()

    def place_socket(self) -> Path:
        """Return where the daemon listens. Raises ConfigError."""
        if self._several:
            named = (os.path.realpath(absolute(path)) for path in self._files.named)
            return shared_socket_path(self._environ, named)
        (site,) = self.sites
        return site.own_socket(self._environ)

    def name_socket(self, socket: Path) -> None:
        """Let the state of each site say that the daemon listens on this socket. Raises StateError where it is one."""
        self._socket = socket
        for each in self._configs.values():
            if each.site:
                self._name_socket_for(each.path, each.site)

    def changes(self) -> SiteChanges:
        """Look for changes of the configs, and return what became of the sites."""
        requested, self._reload_requested = self._reload_requested, False
        looks_again, self._look_requested = self._look_requested, False
        if requested:
            self._systemd.reloading()
            if self._fleet:
                self._fleet.forget_failures()
        paths = {each.path for each in self._configs.values() if each.retry_at <= time.monotonic()}
        if requested or self._several:
            listings = {path: self._attempt(path, partial(self._files.listing, path)) for path in self._files.named}
            paths.update(self._files.look(listings, read_all=requested))
        if not (requested or paths or looks_again or self._configs.keys() - self._files.found.keys()):
            return SiteChanges()
        self._read(path for path in self._files.found if path in paths)
        return self._use(reloaded=requested)

    def ended(self, daemon_site: DaemonSite) -> None:
        """Close a removed site, now that nothing runs for it."""
        site = self._ending[daemon_site]

        def close() -> None:
            site.close()
            del self._ending[daemon_site]
            self.request_look()  # its config may be back

        threading.Thread(target=close, name="close", daemon=True).start()

    def close(self) -> None:
        """Close all sites, whose syncs have ended."""
        closed, _ = wait([call_aside(site.close, thread="close") for site in self.sites], CLOSE_TIMEOUT)
        for each in closed:
            each.result()

    def _read(self, paths: Iterable[str]) -> None:
        """Read these configs, with their secrets."""
        for path in paths:
            settings = self._files.found[path]
            read = self._attempt(path, partial(read_site_config, settings))
            if isinstance(read, SiteConfig):
                REDACTOR.learn(read.key, read.hook)
                USED[read.config.site_name] = settings
            config = self._configs.setdefault(path, ConfigFile(settings, read))
            config.read, config.is_new, config.retry_at = read, True, float("inf")
            if isinstance(read, SiteConfig):
                config.name = read.config.site_name

    def _attempt(self, path: str, call: Callable[[], T], close: Callable[[T], None] | None = None) -> T | SyncerError:
        """Return what a call returns that touches the disk of one site, or why it failed.

        `close` gets what it returns too late. A bug does not touch the other sites.
        """
        not_responding = StateError(f"{path}: the disk of this site does not respond; check it")
        if path in self._stuck:
            return not_responding
        future = call_aside(call)
        wait([future], max(SHORTEST_TIMEOUT, DISK_TIMEOUT / 2 ** len(self._stuck)))
        if not future.done():
            self._stuck.add(path)
            future.add_done_callback(partial(self._end_late, path, close))
            return not_responding
        try:
            return future.result()
        except Exception as error:
            if is_lack_of_files(error):
                return StateError(f"{path}: {REMEDY}")
            if isinstance(error, SyncerError):
                return error
            if not self._several:
                raise
            log.exception("A bug in syncer keeps out the site of %s; please report it", path)
            return Bug(error)

    def _end_late(self, path: str, close: Callable[[T], None] | None, future: Future[T]) -> None:
        """Close what a call returned too late; then others may touch that disk again."""
        try:
            if close and not future.exception():
                close(future.result())
        finally:
            self._stuck.discard(path)

    def _conflicts(self) -> Mapping[str, SyncerError]:
        """Return why configs cannot be used here, or not beside the others; sites that are open come first."""
        valid = [(each.keeps_site, each.read) for each in self._configs.values()]
        valid.sort(key=lambda each: not each[0])
        identities = [read.identity for _, read in valid if isinstance(read, SiteConfig)]
        found = find_conflicts(identities, page_keys(StatusPage()), self._served)
        conflicts: dict[str, SyncerError] = {path: ConfigError(f"{path}: {why}") for path, why in found.items()}
        if self._fleet:
            others = {
                path: each.read
                for path, each in self._configs.items()
                if isinstance(each.read, SiteConfig) and path not in conflicts
            }
            are_all = bool(others) and len(others) == len(self._configs)  # none: their disk is away, most likely
            conflicts.update(self._fleet.refused(others, are_all=are_all))
            for path in [path for path in others if path not in conflicts and not self._configs[path].keeps_site]:
                if why := self._attempt(path, partial(self._fleet.ensure_cloned, path, others[path].config)):
                    conflicts[path] = why
        return conflicts

    def _use(self, *, reloaded: bool) -> SiteChanges:
        """Open, change and remove sites as the configs say; `reloaded`: all were read, because that was requested."""
        had_sites, changes = bool(self.sites), SiteChanges(reloaded=reloaded)
        for path in self._configs.keys() - self._files.found.keys():
            self._remove(self._configs.pop(path), changes, "its config was removed")
        self._configs = {path: self._configs[path] for path in self._files.found if path in self._configs}
        conflicts, reads = self._conflicts(), dict[str, SiteConfig | SyncerError]()
        for path, each in self._configs.items():
            read = reads[path] = conflicts.get(path, each.read)
            if self._several and (isinstance(read, SyncerError) or not each.keeps_site):
                why = "its site, name or state has changed"
                if isinstance(read, SyncerError):
                    why = str(read) if isinstance(read, NotSyncedHere) else "its config is not valid"
                self._remove(each, changes, why)
        for path, each in self._configs.items():  # only now: it may be of a site that another config had
            read = reads[path]
            if each.site:
                self._reload(each, each.site, read, changes)
            elif isinstance(read, SyncerError):
                self._leave_out(each, read)
            else:
                self._open(each, read, changes)
            each.is_new = False
        self._current = {site.name: site.sources for site in self.sites}
        self._left_out = {
            full_path(each.path): redact("\n".join(findings_in(each.path, each.left_out)))
            for each in self._configs.values()
            if each.left_out and not isinstance(each.left_out, NotSyncedHere)
        }
        if self._fleet:
            named = {each.name: each for each in self._configs.values() if each.name and each.left_out}
            self._fleet.note_left_out({name: redact(str(each.left_out)) for name, each in named.items()})
        if had_sites and not self.sites:
            log.warning("No site is left; the daemon waits for a valid config", extra={"event": "no-site"})
        return changes

    def _reload(self, config: ConfigFile, site: OpenSite, read: SiteConfig | SyncerError, changes: SiteChanges) -> None:
        """Let an open site use its new config. One that is invalid leaves the old one in use."""
        if not config.is_new:
            return
        try:
            if isinstance(read, SyncerError):
                raise read
            changes.configs[site.daemon_site] = site.take(read, is_only=not self._several)
        except SyncerError as error:
            site.reloadable.refuse(error)
            self._systemd.ready("Config not reloaded: the new one is invalid, so the old one is still in use")

    def _leave_out(self, config: ConfigFile, error: SyncerError) -> None:
        """Leave out a site that is not open, and log why, if that is news."""
        if isinstance(error, NotSyncedHere):
            if str(error) != str(config.left_out):
                log.info("%s", error, extra={"event": "elsewhere"})
        elif self._several and str(error) != str(config.left_out):
            full = full_path(config.path)
            for finding in findings_in(config.path, error):  # a line of the log for each
                log.error("Site left out: %s: %s", full, finding, extra={"event": "left-out", "config": full})
        config.left_out = error
        if not isinstance(error, (ConfigError, NotSyncedHere)):
            config.retry_at = min(config.retry_at, time.monotonic() + RETRY_SECONDS)

    def _open(self, config: ConfigFile, read: SiteConfig, changes: SiteChanges) -> None:
        """Open the site of a config, or leave it out."""
        if any(site.state == read.config.state_directory for site in list(self._ending.values())):
            config.left_out = StateError(f"{config.path}: waits until the running sync of this site has ended")
            return  # it is opened then
        if self._several and not has_files_for(len(self.sites) + 1):
            self._leave_out(config, StateError(f"{config.path}: {REMEDY}"))
            return
        counters = self._counters.of(read.config.site_name)
        opening = partial(OpenSite, read, counters, self._wake, several=self._several)
        site = self._attempt(config.path, opening, OpenSite.close)
        if isinstance(site, SyncerError):
            self._counters.forget(read.config.site_name)
            self._leave_out(config, site)
            return
        config.site, config.left_out = site, None
        changes.added.append(site.daemon_site)
        if keys := other_keys(read.identity, self._served):
            with about(site.name):
                message = "`status_page.%s` takes effect when the daemon is restarted; until then, the page stays"
                log.warning(message, keys[0], extra={"event": "needs-restart"})
        self._name_socket_for(config.path, site)

    def _remove(self, config: ConfigFile, changes: SiteChanges, why: str) -> None:
        """Remove the site of a config, if it is open; its running sync ends at its next safe point."""
        site = config.site
        if site:
            with about(site.name):
                log.info("No longer synced: %s", why, extra={"event": "removed"})
            site.stop.set()
            config.site, self._ending[site.daemon_site] = None, site
            self._counters.forget(site.name)
            changes.removed.append(site.daemon_site)

    def _name_socket_for(self, path: str, site: OpenSite) -> None:
        """Let the state of a site say where the daemon listens. Raises StateError where it is the only one."""
        if self._socket is None:
            return
        prefix = f"/sites/{quote(site.name, safe='')}" if self._several else ""
        error = self._attempt(path, partial(site.name_socket, self._socket, prefix, self._environ))
        if error and not self._several:
            raise error
        if error:
            with about(site.name):
                log.warning("Other commands cannot find the daemon: %s", error, extra={"event": "not-named"})
