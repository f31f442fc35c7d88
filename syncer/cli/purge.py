"""`syncer purge`: deletes stored readings and diff log lines."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import partial

import click

from syncer.cli.settings import Settings


@click.command()
@click.option("--video", metavar="ID", help="Everything about this video (an ID or a URL).")
@click.option("--all", "everything", is_flag=True, help="All readings and the whole diff log.")
@click.option("--dry-run", is_flag=True, help="Show how much would be deleted; delete nothing.")
@click.pass_obj
def command(settings: Settings, video: str | None, everything: bool, dry_run: bool) -> None:
    """Delete stored readings and log lines.

    Without options, deletes those older than `history.keep`. The pages keep their counts.
    """
    from syncer.cli.arguments import video_id
    from syncer.cli.show import show
    from syncer.sync.forget import Selection, forget
    from syncer.wording import counted

    if video and everything:
        raise click.UsageError("use either --video or --all, not both")
    config = settings.config()
    clock = partial(datetime.now, UTC)
    before = None if video or everything else clock() - config.history.keep
    selection = Selection(before=before, video=video_id(video) if video else None)
    readings, lines = forget(config, selection, dry_run=dry_run, clock=clock, sleep=time.sleep)
    verb = "Would delete" if dry_run else "Deleted"
    show(f"{verb} {counted(readings, 'reading')} and {counted(lines, 'log line')}.")
