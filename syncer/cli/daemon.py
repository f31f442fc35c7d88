"""`syncer daemon`: syncs on the schedule and when it is triggered, until it is stopped."""

from __future__ import annotations

import logging
import os
from contextlib import closing
from typing import TYPE_CHECKING

import click

from syncer.cli.settings import Settings

if TYPE_CHECKING:
    from syncer.cli.fleet_worker import FleetHost
    from syncer.cli.stopping import StopSignal, WakeSignal

SITES_AT_ONCE = 2
"""How many of several sites sync at the same time, unless the command line says so."""

LOOK_SECONDS = 5.0
"""Between two looks of the daemon at the clock, the configs and the states of its sites."""

log = logging.getLogger("syncer.daemon")


sites_at_once_option = click.option(
    "--sites-at-once",
    type=click.IntRange(min=1),
    default=SITES_AT_ONCE,
    show_default=True,
    metavar="N",
    help="With several sites, how many of them sync at the same time.",
)


@click.command()
@sites_at_once_option
@click.pass_obj
def command(settings: Settings, sites_at_once: int) -> None:
    """Sync on a schedule until stopped.

    It also syncs at its start, if a sync is due, and when you run `syncer trigger`. SIGTERM or Ctrl-C stops it after
    the current batch of pages; a second one stops it at once. SIGHUP makes it reload the config.

    With several configs, one daemon syncs all their sites. It adds and removes sites while it runs, as their configs
    appear in a directory and vanish.
    """
    run_daemon(settings, sites_at_once)


def run_daemon(settings: Settings, sites_at_once: int, fleet: FleetHost | None = None) -> None:
    """Run the daemon until it is stopped; `fleet`: as a host of one. Raises what prevents it."""
    from syncer.cli.stopping import StopSignal, WakeSignal, stop_on_signals
    from syncer.daemon.memory import share_one_arena
    from syncer.daemon.open_files import open_as_many_files_as_allowed
    from syncer.errors import ExitCode

    share_one_arena()
    if settings.several:
        open_as_many_files_as_allowed()
    _start_log(settings)
    wake = WakeSignal()
    with stop_on_signals(StopSignal(wake.send)) as stopped:
        try:
            have_ended = _run(settings, sites_at_once, stopped, wake, fleet)
        except KeyboardInterrupt:
            log.warning("Stopped immediately; the next sync completes this one", extra={"event": "stopped"})
            os._exit(ExitCode.INTERRUPTED)  # a plain end would wait for the thread of the sync
        log.info("Stopped", extra={"event": "stopped"})
        if not have_ended:
            os._exit(ExitCode.OK)  # as above: a sync hangs


def _start_log(settings: Settings) -> None:
    """Log what the daemon does, and each step of its syncs with -v only; name the site in each line if need be."""
    from syncer.cli.log_setup import name_sites

    if settings.several:
        name_sites()
    if not (settings.quiet or settings.verbose):
        logging.getLogger("syncer.deploy").setLevel(logging.INFO)
        log.setLevel(logging.INFO)


def _run(
    settings: Settings, sites_at_once: int, stopped: StopSignal, wake: WakeSignal, fleet: FleetHost | None
) -> bool:
    """Run the daemon until it is stopped; return whether all syncs have ended."""
    from contextlib import nullcontext
    from dataclasses import replace
    from functools import partial
    from random import Random

    from syncer.cli.daemon_sites import DaemonSites
    from syncer.cli.open_site import now
    from syncer.cli.serving import serving
    from syncer.cli.stopping import called_on_hangup
    from syncer.daemon.loop import Daemon, DaemonEnvironment
    from syncer.daemon.systemd import Systemd
    from syncer.status_page.metrics import Counters
    from syncer.status_page.sites import Sites

    systemd, counters = Systemd(os.environ.get("NOTIFY_SOCKET")), Counters(settings.several)
    sites = DaemonSites(settings, counters, systemd, wake.send, fleet)

    def hung_up() -> None:
        sites.request_reload()
        wake.send()

    joined = fleet.joined(sites.controls, sites.request_look, stopped.set) if fleet else nullcontext()
    with called_on_hangup(hung_up), joined as sync_queue, closing(sites):
        environment = DaemonEnvironment(
            now,
            partial(wake.wait, LOOK_SECONDS),
            wake.send,
            stopped.is_set,
            sites.changes,
            sites.ended,
            sites.stop,
            systemd,
        )
        daemon = Daemon(sites.open_all(), environment, Random(), at_once=sites_at_once, sync_queue=sync_queue)
        path = sites.place_socket()
        shown = Sites(settings.several, sites.current, sites.left_out)
        shown = replace(shown, fleet=fleet.view) if fleet else shown
        with serving(sites.page, path, shown, counters, settings.environ, lambda: sites.name_socket(path)):
            return daemon.run()
