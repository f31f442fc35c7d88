"""`syncer daemon`: syncs on the schedule and when it is triggered, until it is stopped."""

from __future__ import annotations

import logging
import os
from contextlib import closing, suppress
from datetime import UTC, datetime
from functools import partial
from random import Random
from typing import TYPE_CHECKING

import click

from syncer.cli.settings import Settings

if TYPE_CHECKING:
    from syncer.cli.reloadable_config import ReloadableConfig
    from syncer.cli.stopping import StopSignal, WakeSignal
    from syncer.config.sections import Config
    from syncer.daemon.notify import Notifier
    from syncer.daemon.site import BuildJob, SyncRequest
    from syncer.daemon.systemd import Systemd
    from syncer.state.lock import DaemonLock
    from syncer.status.report import SyncReport
    from syncer.status_page.metrics import SiteCounters

log = logging.getLogger("syncer.daemon")


@click.command()
@click.pass_obj
def command(settings: Settings) -> None:
    """Sync on a schedule until stopped.

    It also syncs at its start, if a sync is due, and when you run `syncer trigger`. SIGTERM or Ctrl-C stops it after
    the current batch of pages; a second one stops it at once. SIGHUP makes it reload the config.
    """
    from syncer.cli.reloadable_config import ReloadableConfig
    from syncer.cli.stopping import StopSignal, WakeSignal, called_on_hangup, stop_on_signals
    from syncer.daemon.memory import share_one_arena
    from syncer.daemon.systemd import Systemd
    from syncer.errors import ExitCode, StateDamaged
    from syncer.state.database import open_state
    from syncer.state.lock import DaemonLock

    share_one_arena()
    systemd = Systemd(os.environ.get("NOTIFY_SOCKET"))
    reloadable = ReloadableConfig(settings, systemd)
    state, site = reloadable.config.state_directory, reloadable.config.site
    with suppress(StateDamaged), open_state(state, site):  # the first sync sets a damaged state aside
        pass  # everything else that is wrong with it is reported now
    wake = WakeSignal()

    def hung_up() -> None:
        reloadable.request_reload()
        wake.send()

    with closing(DaemonLock(state)) as lock, stop_on_signals(StopSignal(wake.send)) as stopped:
        try:
            with called_on_hangup(hung_up):
                _run(reloadable, settings, lock, stopped, wake, systemd)
        except KeyboardInterrupt:
            log.warning("Stopped immediately; the next sync completes this one", extra={"event": "stopped"})
            os._exit(ExitCode.INTERRUPTED)  # a plain end would wait for the thread of the sync
        log.info("Stopped", extra={"event": "stopped"})


def _run(
    reloadable: ReloadableConfig,
    settings: Settings,
    lock: DaemonLock,
    stopped: StopSignal,
    wake: WakeSignal,
    systemd: Systemd,
) -> None:
    from syncer.cli.serving import serving
    from syncer.config.formats import duration
    from syncer.daemon.loop import Daemon, DaemonEnvironment, SiteChanges
    from syncer.daemon.notify import Notifier
    from syncer.daemon.site import DaemonConfig, DaemonSite, SiteEnvironment
    from syncer.daemon.watched_state import WatchedState, past_syncs
    from syncer.state.directory import prepare_directory
    from syncer.status_page.metrics import Counters
    from syncer.status_page.reading import Sources
    from syncer.status_page.serve import socket_path
    from syncer.status_page.sites import Sites
    from syncer.sync.open_state import settle

    config = reloadable.config
    state, site = config.state_directory, os.path.realpath(config.site)
    all_counters = Counters(settings.several)
    counters = all_counters.of(config.site_name)
    notifier = Notifier(lambda: reloadable.config.notify, config.site.name, config.state_directory, _now)

    def daemon_config() -> DaemonConfig:
        config, hook = reloadable.config, reloadable.hook
        sync = partial(_sync, config, reloadable.key, hook, lock, stopped, counters, notifier)
        build = (_build_job(config, hook, stopped),) if hook else ()
        return DaemonConfig(config.schedule.as_model(), sync, *build)

    watched = WatchedState(state, site, past_syncs)
    made = DaemonSite(daemon_config(), SiteEnvironment(_now, wake.send, watched, lambda: reloadable.error), Random())

    def changes(_now: datetime) -> SiteChanges | None:
        return SiteChanges(configs={made: daemon_config()}, reloaded=True) if reloadable.reload() else None

    environment = DaemonEnvironment(_now, wake.wait, wake.send, stopped.is_set, changes, lambda _site: None, systemd)
    daemon = Daemon([made], environment, Random())
    settle(config, _now)
    schedule = config.schedule
    times = f"at `{schedule.cron.text}` {schedule.timezone}" if schedule.cron else f"every {duration(schedule.every)}"
    log.info("Syncing %s %s", config.site, times, extra={"event": "started"})
    sources = Sources(lambda: reloadable.config, made, _now)
    sites = Sites(settings.several, lambda: {config.site_name: sources})
    path = socket_path(settings.environ, site, state)
    prepare_directory(state)
    served = serving(config.status_page, path, sites, all_counters, settings.environ, lambda: lock.name_socket(path))
    with closing(notifier), served:
        daemon.run()


def _sync(
    config: Config,
    key: str,
    hook: str | None,
    lock: DaemonLock,
    stopped: StopSignal,
    counters: SiteCounters,
    notifier: Notifier,
    request: SyncRequest,
) -> SyncReport:
    """Make a sync with the config and the secrets that were in use when it began."""
    from syncer.daemon.memory import give_back
    from syncer.sync.make import make_sync
    from syncer.sync.options import Environment, Listener, Options

    def sleep(seconds: float) -> bool:
        request.alive()
        return stopped.wait(seconds)

    environment = Environment(key, _now, sleep, stopped.is_set, hook)
    listener = Listener(request.progress, counters.changed)
    options = Options(scheduled=not request.triggered, accept=request.accept, unread_since=request.unread_since)
    notifier.before_sync()
    try:
        lock.keep()
        report = make_sync(config, options, environment, listener)
        counters.ended(report)
        notifier.after_report(report)
    except BaseException as error:
        counters.failed()
        notifier.after_error(error)
        raise
    finally:
        give_back()
    return report


def _build_job(config: Config, hook: str, stopped: StopSignal) -> BuildJob:
    """Return what calls the build hook, and says when that is due, with this config and this address."""
    from syncer.daemon.site import BuildJob
    from syncer.daemon.watched_state import WatchedState
    from syncer.decide.due_build import next_call
    from syncer.state.builds import unbuilt_pages
    from syncer.sync.call_hook import call_between
    from syncer.sync.options import Environment

    environment = Environment("", _now, stopped.wait, stopped.is_set, hook)
    rules, read = config.deploy.as_model(), partial(unbuilt_pages, pushes=config.git.push)
    watched = WatchedState(config.state_directory, os.path.realpath(config.site), read)

    def is_due(now: datetime) -> bool:
        unbuilt = watched()
        return unbuilt is not None and (next_call(unbuilt, rules, now).is_due(now) or unbuilt.is_ahead_of(now))

    return BuildJob(partial(call_between, config, environment), is_due)


def _now() -> datetime:
    return datetime.now(UTC)
