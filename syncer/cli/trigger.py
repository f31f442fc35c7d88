"""`syncer trigger`: tells the running daemon to sync now, and follows it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from syncer.cli.settings import Settings

if TYPE_CHECKING:
    from syncer.cli.environment import ProgressBar
    from syncer.cli.stopping import StopSignal

POLL_SECONDS = 0.25
"""Seconds between two looks at how far the sync is."""


@click.command()
@click.option("--no-wait", is_flag=True, help="Do not wait for the sync to end.")
@click.option("--accept", is_flag=True, help="Let through, this once, what a brake or an unconfirmed count holds.")
@click.pass_obj
def command(settings: Settings, no_wait: bool, accept: bool) -> int:
    """Tell the running daemon to sync now, follow that, and end with its exit code.

    While a sync goes on, exactly one more follows it, however often it is triggered. Ctrl-C ends the waiting only.
    """
    from syncer.cli.show import show
    from syncer.errors import NoDaemon
    from syncer.state.lock import daemon_socket
    from syncer.trigger import NO_DAEMON, trigger

    path = daemon_socket(settings.config().state_directory)
    if path is None:
        raise NoDaemon(NO_DAEMON)
    if no_wait:
        trigger(path, accept=accept)
        show("The daemon syncs now; `syncer status` tells how it went.")
        return 0
    from syncer.cli.environment import ProgressBar
    from syncer.cli.stopping import stop_on_signals

    with ProgressBar(enabled=not settings.quiet) as bar, stop_on_signals() as stopped:
        document = _follow(path, trigger(path, accept=accept), bar, stopped)
    return _show(document)


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
    raise Stopped("you wait no longer; the daemon goes on with the sync")


def _show(document: dict[str, Any]) -> int:
    """Say how the sync went; return its exit code."""
    import sys

    from syncer.cli.show import show
    from syncer.wording import counted, safe

    if "error" in document:
        print(f"syncer: {safe(document['error']['message'])}", file=sys.stderr)
    else:
        pages, counts = counted(document["changed_pages"], "page"), counted(document["changed_counts"], "count")
        if document["asked"]:
            requested = f"{document['answered']:,} of {counted(document['asked'], 'video')} answered;"
        elif fresh := document["left_out"]["fresh"]:
            skipped = f"Skipped {counted(fresh, 'video')} checked less than 5 minutes ago or long gone"
            requested = f"{skipped} (`syncer sync --all` includes them);"
        else:
            requested = "No video was requested;"
        show(f"{requested} {counts} changed on {pages}.")
        changes = f"`syncer log --sync {document['sync']}` shows the changes, " if document["changed_counts"] else ""
        attention = f"`syncer status` {'' if changes else 'shows '}what needs attention"
        show(f"{counted(len(document['problems']), 'problem')}; {changes}{attention}.")
    return int(document["exit"])
