"""`syncer history`: shows a video's counts over time."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import click

from syncer.cli.settings import Settings
from syncer.model import ID_PATTERN

if TYPE_CHECKING:
    from syncer.model import Reading

DASHED_ID = re.compile(rf"(?=-){ID_PATTERN}")


class _TakesDashedIds(click.Command):
    """Takes an ID that starts with a dash as an ID, not as a group of short options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        dashed = [word for word in args if DASHED_ID.fullmatch(word)]
        if dashed and "--" not in args:
            args = [*(word for word in args if word not in dashed), "--", *dashed]
        return super().parse_args(ctx, args)


@click.command(cls=_TakesDashedIds)
@click.argument("video", metavar="ID")
@click.option("--csv", "as_csv", is_flag=True, help="Print a CSV table.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
@click.pass_obj
def command(settings: Settings, video: str, as_csv: bool, as_json: bool) -> int:
    """Show a video's counts over time.

    ID is a video ID or a URL. Each row is what YouTube returned in one sync, oldest first. `missing`: YouTube did not
    return the video. `hidden`: the owner hides this count.
    """
    from syncer.cli.arguments import video_id
    from syncer.cli.process import printed
    from syncer.cli.show import show_json
    from syncer.errors import UsageError
    from syncer.state.database import open_state
    from syncer.state.naming_pages import pages_of_videos
    from syncer.state.videos import history
    from syncer.status.documents import history_json, reading_row

    if as_csv and as_json:
        raise click.UsageError("use either --csv or --json, not both")
    wanted = video_id(video)
    config = settings.config()
    with open_state(config.state_directory, config.site) as database:
        readings = history(database, wanted)
        named = readings or pages_of_videos(database, [wanted], with_embeds=False)
        in_texts = not named and wanted in pages_of_videos(database, [wanted])
    if in_texts:
        raise UsageError(
            f"{wanted} is only in the text of pages, so no counts are requested; `syncer videos` shows whether it plays"
        )
    if not readings:
        raise UsageError(f"no readings of {wanted} are stored; run `syncer sync --video {wanted}` to get one")
    if as_json:
        show_json(history_json(wanted, readings))
    elif as_csv:
        table = csv.DictWriter(sys.stdout, list(reading_row(readings[0])), lineterminator="\n")
        table.writeheader()
        table.writerows(
            {**reading_row(reading), "present": str(reading.statistics is not None).lower()} for reading in readings
        )
    else:
        show_readings(readings)
    return printed()


def show_readings(readings: Sequence[Reading]) -> None:
    """Print readings as a table."""
    from syncer.cli.show import show, show_table
    from syncer.model import Count
    from syncer.status.documents import meaning_changes
    from syncer.wording import utc

    rows = []
    for reading in readings:
        if reading.statistics is None:
            cells = ["missing" for _ in Count]
        else:
            counts = [reading.statistics.get(count) for count in Count]
            cells = ["hidden" if number is None else f"{number:,}" for number in counts]
        rows.append([utc(reading.at), *cells])
    show_table(("at", *(count.value for count in Count)), rows, right=(1, 2, 3))
    if any(before.statistics == after.statistics for before, after in pairwise(readings)):
        show("Between two equal rows, every reading was the same.")
    for since in meaning_changes(readings):
        show(f"YouTube changed how it counts views on {since}: do not compare views across that day.")
