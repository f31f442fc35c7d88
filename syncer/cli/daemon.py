"""`syncer daemon`: syncs on the schedule and when it is triggered, until it is told to stop."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from syncer.cli.settings import Settings

if TYPE_CHECKING:
    from syncer.cli.reloadable_config import ConfigInForce
    from syncer.cli.stopping import StopSignal, WakeSignal
    from syncer.daemon.loop import Order, Surroundings, Work
    from syncer.daemon.notify import Notifier
    from syncer.state.lock import DaemonLock
    from syncer.status.report import SyncReport
    from syncer.status_page.metrics import Counters

log = logging.getLogger("syncer.daemon")


@click.command()
@click.pass_obj
def command(settings: Settings) -> None:
    """Sync on the schedule of the config, at the start when one is due, and when `syncer trigger` says so.

    SIGTERM and Ctrl-C end it after the batch of pages in hand; a second one ends it at once. SIGHUP makes it read the
    config again.
    """
    from syncer.cli.reloadable_config import ConfigInForce
    from syncer.cli.stopping import StopSignal, WakeSignal, called_on_hangup, stop_on_signals
    from syncer.daemon.memory import share_one_arena
    from syncer.errors import ExitCode, StateDamaged
    from syncer.state.database import open_state
    from syncer.state.lock import DaemonLock

    share_one_arena()
    force = ConfigInForce(settings)
    state, site = force.config.state_directory, force.config.site
    with suppress(StateDamaged), open_state(state, site):  # the first sync sets a damaged one aside
        pass  # anything else that is wrong with it is reported now
    wake = WakeSignal()

    def hung_up() -> None:
        force.ask()
        wake.send()

    with closing(DaemonLock(force.config.state_directory)) as lock, stop_on_signals(StopSignal(wake.send)) as stopped:
        try:
            with called_on_hangup(hung_up):
                _run(force, lock, stopped, wake)
        except KeyboardInterrupt:
            log.warning("stopped at once; the next sync completes what this one began", extra={"event": "stopped"})
            os._exit(ExitCode.INTERRUPTED)  # a plain end would wait for the thread of the sync
        log.info("stopped", extra={"event": "stopped"})


def _run(force: ConfigInForce, lock: DaemonLock, stopped: StopSignal, wake: WakeSignal) -> None:
    from syncer.cli.serving import serving
    from syncer.daemon.loop import Daemon
    from syncer.daemon.notify import Notifier
    from syncer.status_page.metrics import Counters
    from syncer.sync.begin import settle

    counters = Counters()
    state = force.config.state_directory
    notifier = Notifier(lambda: force.config.notify, force.config.site.name, state, _now)
    work = _Maker(force, lock, stopped, counters, notifier).work
    daemon = Daemon(work(), _surroundings(force, stopped, wake, work))
    settle(force.config, _now)
    log.info("syncer watches %s", force.config.site, extra={"event": "started"})
    with closing(notifier), serving(lambda: force.config, daemon, counters, force.environ) as path:
        lock.name_socket(path)
        daemon.run()


def _surroundings(
    force: ConfigInForce, stopped: StopSignal, wake: WakeSignal, work: Callable[[], Work]
) -> Surroundings:
    from syncer.daemon.last_sync import LastSync
    from syncer.daemon.loop import Surroundings
    from syncer.daemon.systemd import Systemd

    systemd = Systemd(os.environ.get("NOTIFY_SOCKET"))

    def wait(seconds: float) -> bool:
        wake.wait(seconds)
        return stopped.is_set()

    def reread() -> Work | None:
        return work() if force.read_again(systemd.reloading, systemd.ready) else None

    last = LastSync(force.config.state_directory, os.path.realpath(force.config.site))
    return Surroundings(_now, wait, wake.send, last, reread, systemd)


class _Maker:
    """Makes the daemon's syncs, each with the config that is in force when it begins."""

    def __init__(
        self, force: ConfigInForce, lock: DaemonLock, stopped: StopSignal, counters: Counters, notifier: Notifier
    ) -> None:
        self._force = force
        self._lock = lock
        self._stopped = stopped
        self._counters = counters
        self._notifier = notifier

    def work(self) -> Work:
        """Return what the config makes of the daemon."""
        from syncer.daemon.loop import Work

        return Work(self._force.config.schedule.as_model(), self._sync)

    def _sync(self, order: Order) -> SyncReport:
        from syncer.daemon.memory import give_back
        from syncer.sync.make import make_sync
        from syncer.sync.options import Environment, Listener, Options

        def sleep(seconds: float) -> bool:
            order.alive()
            return self._stopped.wait(seconds)

        environment = Environment(self._force.key, _now, sleep, self._stopped.is_set)
        listener = Listener(order.progress, self._counters.changed)
        options = Options(scheduled=not order.triggered, accept=order.accept, unread_since=order.unread_since)
        try:
            with self._notifier.telling() as tell, self._counters.counting() as count:
                self._lock.keep()
                return tell(count(make_sync(self._force.config, options, environment, listener)))
        finally:
            give_back()


def _now() -> datetime:
    return datetime.now(UTC)
