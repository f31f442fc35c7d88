"""`syncer daemon`: syncs on the schedule until it is told to stop."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from threading import Event
from typing import TYPE_CHECKING

import click

from syncer.cli.settings import Settings

if TYPE_CHECKING:
    from syncer.config.sections import Config

log = logging.getLogger("syncer.daemon")


@click.command()
@click.pass_obj
def command(settings: Settings) -> None:
    """Sync on the schedule of the config, and at the start when one is due.

    SIGTERM and Ctrl-C end it after the batch of pages in hand.
    """
    from syncer.cli.stopping import stop_on_signals
    from syncer.cli.stored import open_state
    from syncer.daemon import run_daemon
    from syncer.state.syncs import last_whole_sync

    config = settings.config()
    key = settings.key(config)
    settings.start_log(key, "INFO")
    with open_state(config) as database:
        last = last_whole_sync(database)
    with stop_on_signals() as stopped:
        log.info("syncer watches %s", config.site, extra={"event": "started"})
        run_daemon(config.schedule, lambda: _sync(config, key, stopped), stopped, last=last, clock=_now)
        log.info("stopped", extra={"event": "stopped"})


def _sync(config: Config, key: str, stopped: Event) -> None:
    from syncer.errors import SyncerError
    from syncer.sync.make import make_sync
    from syncer.sync.options import Options, Surroundings

    world = Surroundings(key=key, clock=_now, sleep=stopped.wait, cancelled=stopped.is_set)
    try:
        report = make_sync(config, Options(scheduled=True), world)
    except SyncerError as error:
        log.error("no sync: %s", error, extra={"event": "sync-failed", "kind": error.kind})  # noqa: TRY400 - no bug, no traceback
        return
    log.info(
        "sync %s: %d counts changed on %d pages, %d of %d videos answered, %d problems",
        report.sync,
        report.changed_counts,
        report.changed_pages,
        report.answered,
        report.asked,
        len(report.problems),
        extra={"event": "synced", "sync": report.sync, "exit": report.exit},
    )
    for problem in report.problems:
        log.warning("%s: %s", problem.subject, problem.message, extra={"event": "problem", "kind": problem.kind.value})


def _now() -> datetime:
    return datetime.now(UTC)
