"""`syncer log`: reads the diff log."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from syncer.cli.settings import Settings

if TYPE_CHECKING:
    from syncer.diff_log.lines import Line


@click.command()
@click.option("--video", metavar="ID", help="Only this video (an id or a URL).")
@click.option("--path", metavar="P", help="Only this page, or the pages below this directory.")
@click.option("--sync", metavar="ID", help="Only this sync.")
@click.option("--since", metavar="T", help="Only from then on: 2026-11-22, 2026-11-22T15:00:00Z, or 6h for ago.")
@click.option("--json", "as_json", is_flag=True, help="Print the lines as a JSON array.")
@click.pass_obj
def command(
    settings: Settings, video: str | None, path: str | None, sync: str | None, since: str | None, as_json: bool
) -> None:
    """Read the diff log: every count that was changed, oldest first."""
    from syncer.cli.arguments import moment, site_path, video_id
    from syncer.cli.show import show_json
    from syncer.diff_log.lines import LOG, read_log, time_of

    config = settings.config()
    wanted = video_id(video) if video else None
    start = moment(since, datetime.now(UTC)) if since else None
    place = path or ""
    if path is not None:  # one that no longer exists may still be in the log
        place = site_path(config.site, path) if os.path.lexists(path) else path.strip("/")

    def lines() -> Iterator[Line]:
        for line in read_log(config.state_directory / LOG):
            page = str(line["path"])
            if (
                (wanted is None or line["video_id"] == wanted)
                and (sync is None or line["sync"] == sync)
                and (start is None or time_of(line) >= start)
                and (not place or page == place or page.startswith(place + "/"))
            ):
                yield line

    if as_json:
        show_json([dict(line) for line in lines()])
    elif sys.stdout.isatty() and not (video or path or sync or since):
        _show_end(lines())
    else:
        show_lines(lines())


def show_lines(lines: Iterable[Line]) -> None:
    """Print lines of the diff log as a table."""
    from syncer.cli.show import show_columns
    from syncer.diff_log.lines import time_of
    from syncer.wording import utc

    shown = ({**line, "at": utc(time_of(line))} for line in lines)
    cells = (["-" if line[name] is None else str(line[name]) for name in _COLUMNS] for line in shown)
    show_columns(_COLUMNS, cells, right=(0, 4, 5))


_COLUMNS = ("seq", "at", "video_id", "field", "old", "new", "why", "path")
"""The path is the last: it is long, and nothing need be aligned after it."""


def _show_end(lines: Iterable[Line]) -> None:
    """Print as many of the last lines as a person reads, and say how to see all."""
    from syncer.cli.show import ROWS_SHOWN, show
    from syncer.wording import counted

    total = 0
    last: deque[Line] = deque(maxlen=ROWS_SHOWN)
    for line in lines:
        total += 1
        last.append(line)
    if total > ROWS_SHOWN:
        show(f"... {counted(total - ROWS_SHOWN, 'earlier line')}; `syncer log | less` shows all")
    show_lines(last)
