"""`syncer demo`: the tour."""

from __future__ import annotations

import time
from collections import Counter

import click


@click.command()
def command() -> None:
    """Take the tour with sample pages and a local YouTube.

    It shows two syncs, their diff, log and history. It needs no API key, and writes only to a new temporary directory.
    """
    from syncer.cli.changes import ChangeList
    from syncer.cli.history import show_readings
    from syncer.cli.log import show_lines
    from syncer.cli.show import show
    from syncer.demo import Output, Step, Synced, demo
    from syncer.diff_log.lines import LOG, read_log
    from syncer.model import VideoId
    from syncer.state.database import open_state
    from syncer.state.videos import history

    for event in demo(time.sleep):
        if isinstance(event, Step):
            show(f"\n{event.text}", "bold cyan")
        elif isinstance(event, Output):
            show(f"\n$ {event.command}", "bold cyan")
            show(event.text.rstrip())
        elif isinstance(event, Synced):
            changes = ChangeList()
            changes.add(event.changes)
            changes.show(event.report, quiet=False)
        else:
            lines = list(read_log(event.config.state_directory / LOG))
            show("\n$ syncer log (the last lines)", "bold cyan")
            show_lines(lines[-5:])
            video = VideoId(Counter(str(line["video_id"]) for line in lines).most_common(1)[0][0])
            show(f"\n$ syncer history {video}", "bold cyan")
            with open_state(event.config.state_directory, event.config.site) as database:
                show_readings(history(database, video))
            show(f"\nEverything is in {event.directory}. Look around, and delete it when you are done.", "bold cyan")
    show("Next, install syncer and get an API key, as docs/tutorial.md shows. Then run in your site's directory:")
    for line in ("export YOUTUBE_API_KEY=...", "syncer init", "syncer check", "syncer sync --dry-run", "syncer sync"):
        show(f"  {line}")
