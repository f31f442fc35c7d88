"""A site of the daemon with all that belongs to it: its lock, config, notifications, syncs and build hook."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random

from syncer.cli.reloadable_config import ReloadableConfig, SiteConfig
from syncer.cli.stopping import StopSignal
from syncer.config.formats import duration
from syncer.daemon.agenda import phase_of
from syncer.daemon.memory import give_back
from syncer.daemon.notify import Notifier
from syncer.daemon.site import BuildJob, DaemonConfig, DaemonSite, SiteEnvironment, SyncRequest
from syncer.daemon.site_names import about
from syncer.daemon.watched_state import WatchedState, past_syncs
from syncer.errors import ConfigError, StateDamaged
from syncer.state.lock import DaemonLock
from syncer.status.report import SyncReport
from syncer.status_page.metrics import SiteCounters
from syncer.status_page.reading import Sources
from syncer.status_page.sockets import socket_path
from syncer.sync.make import make_sync
from syncer.sync.open_state import require_own_place, settle
from syncer.sync.options import Environment, Listener, Options

log = logging.getLogger("syncer.daemon")


class OpenSite:
    """Holds the lock of the site's state until it is closed."""

    def __init__(self, read: SiteConfig, counters: SiteCounters, wake: Callable[[], None], *, several: bool) -> None:
        """Take the lock, read the state, and complete what a crash interrupted.

        `wake` wakes the main thread. `several`: the daemon may have several sites, so the log names each, and each has
        times of its own. Raises Locked and StateError.
        """
        config = read.config
        require_own_place(config)
        watched = WatchedState(config.state_directory, os.path.realpath(config.site), past_syncs)
        with suppress(StateDamaged):  # the first sync sets it aside; all else that is wrong is reported now
            watched.look()
        self.name = config.site_name
        self.stop = StopSignal()
        """Ends the site's sync at the next safe point."""
        self.reloadable = ReloadableConfig(read)
        self._counters = counters
        self._notifier = Notifier(lambda: self.reloadable.config.notify, self.name, config.state_directory, now)
        self._label = self.name if several else None
        self._lock = DaemonLock(config.state_directory)
        try:
            environment = SiteEnvironment(now, wake, watched, lambda: self.reloadable.error)
            phase = phase_of(os.path.realpath(config.site)) if several else None
            self.daemon_site = DaemonSite(self.daemon_config(), environment, Random(), name=self._label, phase=phase)
            with about(self._label):
                settle(config, now)
                _log_started(config.site, read)
        except BaseException:
            self._lock.close()
            raise
        self.sources = Sources(lambda: self.reloadable.config, self.daemon_site, now)

    def daemon_config(self) -> DaemonConfig:
        """Return what the daemon takes from the config in use."""
        read = self.reloadable.in_use
        build = self._build_job(read) if read.hook else None
        return DaemonConfig(read.config.schedule.as_model(), partial(self._sync, read), build)

    @property
    def state(self) -> Path:
        """The directory of its state."""
        return self.reloadable.config.state_directory

    def take(self, read: SiteConfig, *, is_only: bool) -> DaemonConfig:
        """Use this config from now on; return what the daemon takes from it. Raises ConfigError for another site.

        That is logged if it has changed, or if the daemon has this site only.
        """
        with about(self._label):
            before = self.reloadable.in_use
            self.reloadable.take(read)
            if is_only or self.reloadable.in_use != before:
                log.info("Config reloaded", extra={"event": "config-read"})
        return self.daemon_config()

    def own_socket(self, environ: Mapping[str, str]) -> Path:
        """Return where the socket of a daemon of this site alone would be. Raises ConfigError: its path is too long."""
        return socket_path(environ, os.path.realpath(self.reloadable.config.site), self.state)

    def name_socket(self, socket: Path, prefix: str, environ: Mapping[str, str]) -> None:
        """Let the state say that the daemon listens on this socket, and how the paths of this site's URLs begin.

        A link leads from where the socket of this site would be to the one of all sites. Raises StateError.
        """
        own = None
        with suppress(ConfigError):  # the path would be too long for a socket: then there is no link
            own = self.own_socket(environ)
        self._lock.name_socket(socket, prefix, own if own != socket else None)

    def close(self) -> None:
        """Release the lock, and send the notifications that are left, if that is quick."""
        self._lock.close()
        self._notifier.close()

    def _sync(self, read: SiteConfig, request: SyncRequest) -> SyncReport:
        """Make a sync with the config and the secrets that were in use when it began."""

        def sleep(seconds: float) -> bool:
            request.waiting()
            return self.stop.wait(seconds)

        environment = Environment(read.key, now, sleep, self.stop.is_set, read.hook)
        listener = Listener(request.progress, self._counters.changed)
        options = Options(scheduled=not request.triggered, accept=request.accept, unread_since=request.unread_since)
        self._notifier.before_sync()
        try:
            require_own_place(read.config)
            self._lock.keep()
            report = make_sync(read.config, options, environment, listener)
            self._counters.ended(report)
            self._notifier.after_report(report)
        except BaseException as error:
            self._counters.failed()
            self._notifier.after_error(error)
            raise
        finally:
            give_back()
        return report

    def _build_job(self, read: SiteConfig) -> BuildJob:
        """Return what calls the build hook, and says when that is due, with this config and this address."""
        from syncer.decide.due_build import next_call
        from syncer.state.builds import unbuilt_pages
        from syncer.sync.call_hook import call_between

        config = read.config
        environment = Environment("", now, self.stop.wait, self.stop.is_set, read.hook)
        rules, unbuilt_of = config.deploy.as_model(), partial(unbuilt_pages, pushes=config.git.push)
        watched = WatchedState(config.state_directory, os.path.realpath(config.site), unbuilt_of)

        def is_due(at: datetime) -> bool:
            unbuilt = watched()
            return unbuilt is not None and (next_call(unbuilt, rules, at).is_due(at) or unbuilt.is_ahead_of(at))

        return BuildJob(partial(call_between, config, environment), is_due)


def now() -> datetime:
    """Return the time now, in UTC."""
    return datetime.now(UTC)


def _log_started(site: Path, read: SiteConfig) -> None:
    schedule = read.config.schedule
    times = f"at `{schedule.cron.text}` {schedule.timezone}" if schedule.cron else f"every {duration(schedule.every)}"
    log.info("Syncing %s %s", site, times, extra={"event": "started"})
