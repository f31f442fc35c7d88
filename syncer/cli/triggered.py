"""A sync of the running daemon that was triggered: how far it is, and how it went."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from syncer.cli.stopping import StopSignal
    from syncer.config.page_sections import Brakes
    from syncer.config.sections import Config

POLL_SECONDS = 0.25
"""Seconds between two requests for how far the sync is."""


class Triggered(NamedTuple):
    """A sync of a running daemon, that was triggered."""

    socket: Path
    location: str

    def follow(self, stopped: StopSignal, *, quiet: bool) -> dict[str, Any]:
        """Return the document that the sync ended with; meanwhile show how far it is, unless `quiet`.

        Raises DaemonEnded and Stopped.
        """
        from syncer.cli.environment import ProgressBar
        from syncer.errors import Stopped
        from syncer.trigger import look

        with ProgressBar(enabled=not quiet) as bar:
            while not stopped.wait(POLL_SECONDS):
                ticket = look(self.socket, self.location)
                if ticket.report is not None:
                    return ticket.report
                if ticket.progress:
                    bar.advance(ticket.progress.stage, ticket.progress.done, ticket.progress.of)
        raise Stopped("stopped waiting; the daemon continues the sync")


def trigger_site(config: Config, *, accept: bool) -> Triggered:
    """Make the daemon of a site sync it now; `accept` accepts what the safety brake holds. Raises NoDaemon."""
    from syncer.errors import NoDaemon, NotRunning
    from syncer.state.lock import daemon_address, has_daemon
    from syncer.trigger import NO_DAEMON, trigger

    address = daemon_address(config.state_directory)
    if address is None and has_daemon(config.state_directory):
        raise NoDaemon("a daemon of this site is running, but its socket was removed; try again in 10 seconds")
    if address is None:
        raise NotRunning(NO_DAEMON)
    return Triggered(address.socket, trigger(*address, accept=accept))


def show_triggered(document: dict[str, Any], limits: Brakes, site: str = "") -> int:
    """Print how the sync went; return its exit code. `site`: which one an error is about, of several."""
    import sys
    from datetime import datetime

    from syncer.cli.show import show, show_over_quota, show_shared
    from syncer.decide.unconfirmed import Brake
    from syncer.status.report import accepted_outline, brake_sentence, summary
    from syncer.wording import counted, safe

    if "error" in document:
        subject = f"syncer: {safe(site)}" if site else "syncer"
        print(f"{subject}: {safe(document['error']['message'])}", file=sys.stderr)
    else:
        numbers = ("pages", "videos", "asked", "answered", "changed_counts", "changed_pages")
        dates = document["changed_dates"]
        in_texts = document.get("in_texts", 0)
        show(summary(**{name: document[name] for name in numbers}, changed_dates=dates, in_texts=in_texts), "bold")
        if accepted := document.get("accepted"):
            show(accepted_outline(accepted))
        if fresh := document["left_out"]["fresh"]:
            skipped = f"Skipped {counted(fresh, 'video')} checked less than 5 minutes ago or gone"
            show(f"{skipped} (`syncer sync --all` includes them).")
        if oldest := document.get("oldest_shared"):
            read, finished = map(datetime.fromisoformat, (oldest, document["finished"]))
            show_shared(document["left_out"]["shared"], read, finished)
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
