"""`syncer trigger`: makes the running daemon sync now, and follows that sync."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from syncer.cli.settings import ACCEPT_HELP, Settings

if TYPE_CHECKING:
    from syncer.cli.environment import ProgressBar
    from syncer.cli.stopping import StopSignal
    from syncer.config.page_sections import Brakes

POLL_SECONDS = 0.25
"""Seconds between two requests for how far the sync is."""


@click.command()
@click.option("--no-wait", is_flag=True, help="Do not wait until the sync has ended.")
@click.option("--accept", is_flag=True, help=ACCEPT_HELP)
@click.pass_obj
def command(settings: Settings, no_wait: bool, accept: bool) -> int:
    """Make the running daemon sync now, and wait until that sync has ended.

    The exit code is the one of the sync. If a sync is already running, one more follows it, however many triggers
    there are. Ctrl-C stops the wait, not the sync.
    """
    from syncer.cli.show import show
    from syncer.errors import NoDaemon
    from syncer.state.lock import daemon_address
    from syncer.trigger import NO_DAEMON, trigger

    config = settings.config()
    address = daemon_address(config.state_directory)
    if address is None:
        raise NoDaemon(NO_DAEMON)
    path = address.socket
    if no_wait:
        trigger(path, accept=accept)
        show("The daemon syncs now. Run `syncer status` to see how it went.")
        return 0
    from syncer.cli.environment import ProgressBar
    from syncer.cli.stopping import stop_on_signals

    with ProgressBar(enabled=not settings.quiet) as bar, stop_on_signals() as stopped:
        document = _follow(path, trigger(path, accept=accept), bar, stopped)
    return _show(document, config.write.brake)


def _follow(path: Path, location: str, bar: ProgressBar, stopped: StopSignal) -> dict[str, Any]:
    """Return the document that the sync ended with. Raises DaemonEnded and Stopped."""
    from syncer.errors import Stopped
    from syncer.trigger import look

    while not stopped.wait(POLL_SECONDS):
        ticket = look(path, location)
        if ticket.report is not None:
            return ticket.report
        if ticket.progress:
            bar.advance(ticket.progress.stage, ticket.progress.done, ticket.progress.of)
    raise Stopped("stopped waiting; the daemon continues the sync")


def _show(document: dict[str, Any], limits: Brakes) -> int:
    """Print how the sync went; return its exit code."""
    import sys

    from syncer.cli.show import show, show_over_quota
    from syncer.decide.unconfirmed import Brake
    from syncer.status.report import brake_sentence, summary
    from syncer.wording import counted, safe

    if "error" in document:
        print(f"syncer: {safe(document['error']['message'])}", file=sys.stderr)
    else:
        numbers = ("pages", "videos", "asked", "answered", "changed_counts", "changed_pages")
        dates = document["changed_dates"]
        in_texts = document.get("in_texts", 0)
        show(summary(**{name: document[name] for name in numbers}, changed_dates=dates, in_texts=in_texts), "bold")
        if fresh := document["left_out"]["fresh"]:
            skipped = f"Skipped {counted(fresh, 'video')} checked less than 5 minutes ago or gone"
            show(f"{skipped} (`syncer sync --all` includes them).")
        show_over_quota(document["left_out"]["over_quota"])
        if document["brake"]:
            brake = Brake(**document["brake"])
            limit = brake.limit(missing=limits.missing, falling=limits.falling)
            written = document["changed_counts"], dates
            show(brake_sentence(brake, limit, written=written, accept="syncer trigger --accept"), "bold yellow")
        if document["problems"]:
            problems = len(document["problems"])
            them = "it" if problems == 1 else "them"
            show(f"{counted(problems, 'problem')}: run `syncer status` to see {them}.", "bold yellow")
        if document["changed_counts"] or dates:
            show(f"Run `syncer log --sync {document['sync']}` to see the changes.")
    return int(document["exit"])
