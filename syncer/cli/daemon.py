"""`syncer daemon`: syncs on the schedule until it is told to stop."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime

import click

from syncer.cli.settings import Settings

log = logging.getLogger("syncer.daemon")


@click.command()
@click.pass_obj
def command(settings: Settings) -> None:
    """Sync on the schedule of the config, and at the start when one is due.

    SIGTERM and Ctrl-C end it after the batch of pages in hand; a second one ends it at once.
    """
    from syncer.cli.stopping import stop_on_signals
    from syncer.cli.stored import open_state
    from syncer.daemon import run_daemon
    from syncer.state.syncs import last_whole_sync
    from syncer.sync.make import make_sync
    from syncer.sync.options import Options, Surroundings
    from syncer.sync.report import INTERRUPTED

    config = settings.config()
    key = settings.key(config)
    settings.start_log(key)
    if not (settings.quiet or settings.verbose):
        log.setLevel(logging.INFO)  # what the daemon does is told always, each step of its syncs with -v only
    with open_state(config) as database:
        last = last_whole_sync(database)
    with stop_on_signals() as stopped:
        world = Surroundings(key=key, clock=_now, sleep=stopped.wait, cancelled=stopped.is_set)
        log.info("syncer watches %s", config.site, extra={"event": "started"})
        try:
            run_daemon(
                config.schedule,
                lambda: make_sync(config, Options(scheduled=True), world),
                last=last,
                clock=_now,
                wait=stopped.wait,
            )
        except KeyboardInterrupt:
            log.warning("stopped at once; the next sync completes what this one began", extra={"event": "stopped"})
            os._exit(INTERRUPTED)  # a plain end would wait for the thread of the sync
        log.info("stopped", extra={"event": "stopped"})


def _now() -> datetime:
    return datetime.now(UTC)
