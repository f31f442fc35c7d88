"""`syncer log`: shows the diff log."""

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
@click.option("--video", metavar="ID", help="Only this video (an ID or a URL).")
@click.option("--path", metavar="P", help="Only this page, or the pages in this directory.")
@click.option("--sync", metavar="ID", help="Only the sync with this ID.")
@click.option(
    "--since", metavar="T", help="Only since then: 2026-11-22, 2026-11-22T15:00:00Z, or 6h for the last six hours."
)
@click.option("--json", "as_json", is_flag=True, help="Print the lines as a JSON array.")
@click.pass_obj
def command(
    settings: Settings, video: str | None, path: str | None, sync: str | None, since: str | None, as_json: bool
) -> int:
    """Show the diff log: every count that was changed.

    Oldest changes come first. On a terminal and without options, it shows the last 40.
    """
    from syncer.cli.arguments import moment, site_path, video_id
    from syncer.cli.process import printed
    from syncer.cli.show import show_json
    from syncer.diff_log.lines import LOG, read_log, time_of

    config = settings.config()
    wanted = video_id(video) if video else None
    start = moment(since, datetime.now(UTC)) if since else None
    place = path or ""
    if path is not None:  # a deleted page can still be in the log
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
    return printed()


def show_lines(lines: Iterable[Line]) -> None:
    """Print lines of the diff log: as a table, or, on a terminal, under their syncs and pages."""
    from syncer.cli.show import console, in_columns, show, show_table
    from syncer.diff_log.lines import time_of
    from syncer.wording import safe, utc

    shown = ({**line, "at": utc(time_of(line))} for line in lines)
    rows = [["-" if line[name] is None else str(line[name]) for name in _COLUMNS] for line in shown]
    if not rows:
        show("No changes found.")
    elif not console().is_terminal:
        show_table(_COLUMNS, rows, right=(0, 4, 5))
    else:
        sync = page = ""
        columns = in_columns(([row[0], *row[2:7]] for row in rows), right=(0, 3))
        for (_, at, *_, of_sync, path), (seq, video, field, old, new, why) in zip(rows, columns, strict=True):
            if of_sync != sync:
                show(f"{at}  sync {of_sync}", "bold")
            if (of_sync, path) != (sync, page):
                print(f"  {safe(path)}")
            sync, page = of_sync, path
            print(f"    {seq}  {video}  {field}  {old} -> {new}  {why}".rstrip())


_COLUMNS = ("seq", "at", "video_id", "field", "old", "new", "why", "sync", "path")
"""The path is last, because it is long."""


def _show_end(lines: Iterable[Line]) -> None:
    """Print the last lines, and how to see all."""
    from syncer.cli.show import ROWS_SHOWN, show
    from syncer.wording import counted

    total = 0
    last: deque[Line] = deque(maxlen=ROWS_SHOWN)
    for line in lines:
        total += 1
        last.append(line)
    if total > ROWS_SHOWN:
        show(f"... {counted(total - ROWS_SHOWN, 'earlier change')} (run `syncer log | less` to see all)")
    show_lines(last)
