"""`syncer history`: one video's readings over time."""

from __future__ import annotations

import csv
import sys

import click

from syncer.cli.settings import Settings


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("video", metavar="ID")
@click.option("--csv", "as_csv", is_flag=True, help="Print a CSV table.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
@click.pass_obj
def command(settings: Settings, video: str, as_csv: bool, as_json: bool) -> None:
    """Print what YouTube said of the video ID (an id or a URL), oldest first.

    A reading without counts is one in which YouTube left the video out; an empty count is hidden.
    """
    from syncer.cli.arguments import video_id
    from syncer.cli.show import show_json, show_table
    from syncer.cli.stored import open_state
    from syncer.diff_log import timestamp
    from syncer.errors import UsageError
    from syncer.model import Count
    from syncer.state.videos import history

    if as_csv and as_json:
        raise click.UsageError("--csv and --json: choose one")
    wanted = video_id(video)
    with open_state(settings.config()) as database:
        readings = history(database, wanted)
    if not readings:
        raise UsageError(f"{wanted}: no reading is kept; `syncer sync --video {wanted}` makes one")
    rows = [
        {
            "at": timestamp(reading.at),
            "present": reading.statistics is not None,
            **{count.value: (reading.statistics or {}).get(count) for count in Count},
        }
        for reading in readings
    ]
    if as_json:
        show_json({"video_id": wanted, "readings": rows})
    elif as_csv:
        table = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows({**row, "present": str(row["present"]).lower()} for row in rows)
    else:
        heads = ("at", *(count.value for count in Count))
        cells = ([_shown(row[name], present=bool(row["present"])) for name in heads] for row in rows)
        show_table(heads, cells, right=(1, 2, 3))


def _shown(value: str | int | bool | None, *, present: bool) -> str:
    if value is None:
        return "hidden" if present else "missing"
    return f"{value:,}" if isinstance(value, int) else value
