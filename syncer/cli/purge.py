"""`syncer purge`: forgets readings and log lines before their time."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import partial

import click

from syncer.cli.settings import Settings


@click.command()
@click.option("--video", metavar="ID", help="All of this video (an id or a URL), however new.")
@click.option("--all", "everything", is_flag=True, help="All readings and the whole log.")
@click.option("--dry-run", is_flag=True, help="Only say how much that is.")
@click.pass_obj
def command(settings: Settings, video: str | None, everything: bool, dry_run: bool) -> None:
    """Forget readings and diff log lines: by default those older than `history.keep`.

    Pages keep their counts; the next sync asks YouTube anew.
    """
    from syncer.cli.arguments import video_id
    from syncer.cli.show import show
    from syncer.sync.forget import Selection, forget
    from syncer.wording import counted

    if video and everything:
        raise click.UsageError("--video and --all: choose one")
    config = settings.config()
    clock = partial(datetime.now, UTC)
    before = None if video or everything else clock() - config.history.keep
    selection = Selection(before=before, video=video_id(video) if video else None)
    readings, lines = forget(config, selection, dry_run=dry_run, clock=clock, sleep=time.sleep)
    verb = "would be" if dry_run else "are"
    show(f"{counted(readings, 'reading')} and {counted(lines, 'log line')} {verb} forgotten.")
