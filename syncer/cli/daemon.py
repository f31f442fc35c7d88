"""`syncer daemon`: syncs on the schedule and when it is triggered, until it is told to stop."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from syncer.cli.settings import Settings
from syncer.errors import ConfigError, SyncerError

if TYPE_CHECKING:
    from syncer.cli.stopping import Stop
    from syncer.config.sections import Config
    from syncer.daemon.loop import Order, Work
    from syncer.daemon.systemd import Systemd
    from syncer.model import SyncReport
    from syncer.state.lock import DaemonLock
    from syncer.status_page.metrics import Counters

log = logging.getLogger("syncer.daemon")

NEED_A_RESTART = ("state", "status_page")
"""The sections of the config that a running daemon cannot change."""


@click.command()
@click.pass_obj
def command(settings: Settings) -> None:
    """Sync on the schedule of the config, and at the start when one is due.

    SIGTERM and Ctrl-C end it after the batch of pages in hand; a second one ends it at once. SIGHUP makes it read the
    config again.
    """
    from syncer.cli.serving import serving
    from syncer.cli.stopping import Bell, Stop, called_on_hangup, stop_on_signals
    from syncer.cli.stored import open_state
    from syncer.daemon.loop import Daemon, Surroundings
    from syncer.daemon.systemd import Systemd
    from syncer.state.last_sync import LastSync
    from syncer.state.lock import DaemonLock
    from syncer.status_page.metrics import Counters
    from syncer.sync.report import INTERRUPTED

    config = settings.config()
    key = settings.key(config)
    _start_log(settings, key)
    open_state(config).__exit__(None, None, None)  # what is wrong with it now, is told now
    bell, counters = Bell(), Counters()
    systemd = Systemd(os.environ.get("NOTIFY_SOCKET"))
    with closing(DaemonLock(config.state_directory)) as lock, stop_on_signals(Stop(bell.ring)) as stopped:

        def wait(seconds: float) -> bool:
            bell.wait(seconds)
            return stopped.is_set()

        def work(config: Config, key: str) -> Work:
            return _work(config, key, stopped, lock, counters)

        reading = _Reading(settings, config, work, systemd)
        with called_on_hangup(lambda: reading.ask(bell.ring)):
            last = LastSync(config.state_directory, os.path.realpath(config.site))
            world = Surroundings(_now, wait, bell.ring, last, reading.reread, systemd)
            daemon = Daemon(work(config, key), world)
            try:
                with serving(lambda: reading.config, daemon.control, counters):
                    log.info("syncer watches %s", config.site, extra={"event": "started"})
                    daemon.run()
            except KeyboardInterrupt:
                log.warning("stopped at once; the next sync completes what this one began", extra={"event": "stopped"})
                os._exit(INTERRUPTED)  # a plain end would wait for the thread of the sync
        log.info("stopped", extra={"event": "stopped"})


def _work(config: Config, key: str, stopped: Stop, lock: DaemonLock, counters: Counters) -> Work:
    """Return what this config makes of the daemon."""
    from syncer.daemon.loop import Work
    from syncer.sync.make import make_sync
    from syncer.sync.options import Options, Surroundings

    def sync(order: Order) -> SyncReport:
        def sleep(seconds: float) -> bool:
            order.alive()
            return stopped.wait(seconds)

        lock.keep()
        options = Options(scheduled=not order.triggered, accept=order.accept)
        world = Surroundings(
            key=key,
            clock=_now,
            sleep=sleep,
            cancelled=stopped.is_set,
            progress=order.progress,
            changed=counters.changed,
        )
        with counters.counting() as count:
            return count(make_sync(config, options, world))

    return Work(config.schedule, sync)


class _Reading:
    """Reads the config again when it is asked to; a broken one changes nothing."""

    def __init__(
        self, settings: Settings, config: Config, work: Callable[[Config, str], Work], systemd: Systemd
    ) -> None:
        self._settings = settings
        self._config = config
        self._work = work
        self._systemd = systemd
        self._asked = False

    @property
    def config(self) -> Config:
        """The config that the daemon goes by now."""
        return self._config

    def ask(self, wake: Callable[[], None]) -> None:
        """Note that it is to be read; safe in a signal handler."""
        self._asked = True
        wake()

    def reread(self) -> Work | None:
        """Return the work of the new config, if it was read again."""
        if not self._asked:
            return None
        self._asked = False
        self._systemd.reloading()
        try:
            config = self._settings.config()
            self._require_the_site(config)
            key = self._settings.key(config)
        except SyncerError as error:
            log.error("the config stays as it was: %s", error, extra={"event": "config-refused"})  # noqa: TRY400 - no bug, no traceback
            self._systemd.ready("the config stays as it was: see the log")
            return None
        self._config = self._keep_what_stays(config)
        _start_log(self._settings, key)
        log.info("the config was read again", extra={"event": "config-read"})
        return self._work(self._config, key)

    def _require_the_site(self, config: Config) -> None:
        if config.site != self._config.site:
            raise ConfigError(f"`site` is {config.site} now; restart the daemon for another site")

    def _keep_what_stays(self, config: Config) -> Config:
        """Return the config with what a running daemon cannot change as it was, and say so."""
        for section in NEED_A_RESTART:
            if getattr(config, section) != getattr(self._config, section):
                message = "`%s` stays as it was until the daemon is restarted"
                log.warning(message, section, extra={"event": "needs-restart"})
        return config.model_copy(update={section: getattr(self._config, section) for section in NEED_A_RESTART})


def _start_log(settings: Settings, key: str) -> None:
    settings.start_log(key)
    if not (settings.quiet or settings.verbose):
        log.setLevel(logging.INFO)  # what the daemon does is told always, each step of its syncs with -v only


def _now() -> datetime:
    return datetime.now(UTC)
