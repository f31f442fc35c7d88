"""`syncer status`: how the last syncs went, when the next one comes, what needs attention."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from syncer.cli.settings import Settings

if TYPE_CHECKING:
    from syncer.status.status import Status

LEFTOVERS_REMEDY = "The next sync settles that, and so does a daemon when it starts."

SYNCS_SHOWN = 5
"""How many of the last syncs are shown."""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
@click.pass_obj
def command(settings: Settings, as_json: bool) -> None:
    """Tell how the last syncs went, when the next one is due, what is left of the quota, and what needs a person."""
    from syncer.cli.show import show_json
    from syncer.state.database import open_state
    from syncer.status.documents import status_json
    from syncer.status.status import status_of

    config = settings.config()
    with open_state(config.state_directory, config.site) as database:
        status = status_of(config, database, datetime.now(UTC), syncs=SYNCS_SHOWN)
    if as_json:
        show_json(status_json(status))
    else:
        _show(status)


def _show(status: Status) -> None:
    from syncer.cli.show import show, show_open, show_problems, show_table
    from syncer.status.buckets import in_words
    from syncer.wording import counted, utc

    if status.running:
        show("A sync is running." if status.syncs else "The first sync is running; none has finished yet.")
    elif not status.syncs:
        show("No sync yet; `syncer sync` makes one.")
    rows = [
        (
            sync["sync"],
            utc(datetime.fromisoformat(sync["finished"])),
            f"{sync['changed_pages']:,}",
            f"{sync['changed_counts']:,}",
            f"{sync['problems']:,}",
            str(sync["exit"]),
        )
        for sync in status.syncs
    ]
    if rows:
        show_table(
            ("sync", "finished", "pages changed", "counts changed", "problems", "exit"), rows, right=(2, 3, 4, 5)
        )
    if status.leftovers:
        written, unwritten = counted(status.leftovers.written, "count"), counted(status.leftovers.unwritten, "count")
        what = f"{written} written, {unwritten} not written, {counted(len(status.leftovers.files), 'left-over file')}"
        show(f"The last sync was cut short: {what}. {LEFTOVERS_REMEDY}", "bold yellow")
    show(f"Next scheduled sync: {utc(status.next_sync)}, while `syncer daemon` runs.")
    for bucket, left in status.buckets.items():
        show(f"Quota {bucket}: {in_words(left)}.")
    show(f"A new quota day begins at {utc(status.quota_resets)}, midnight Pacific.")
    _show_videos(status)
    show_open(status.open)
    if status.problems:
        show(f"Problems of the last sync: {len(status.problems):,}", "bold")
        show_problems(status.problems)


def _show_videos(status: Status) -> None:
    from syncer.cli.show import ROWS_SHOWN, rest, show
    from syncer.wording import counted, utc

    for video in status.missing[:ROWS_SHOWN]:
        show(f"{'Gone' if video.gone else 'Missing'} since {utc(video.since)}: {video.video_id}")
    rest(len(status.missing), "missing video")
    for video_id, count in status.unconfirmed[:ROWS_SHOWN]:
        show(f"Unconfirmed, held until the next reading says the same: {video_id} {count}")
    rest(len(status.unconfirmed), "unconfirmed count")
    if status.braked:
        held = counted(status.braked, "reading")
        show(f"A brake holds {held}; `syncer sync --accept` lets through what is held.", "bold yellow")
    if status.suppressed:
        suppressed = counted(status.suppressed, "count")
        show(f"Undone or dropped, and held until YouTube gives other numbers: {suppressed}")
    for video_id, count in status.hidden[:ROWS_SHOWN]:
        show(f"Hidden: {video_id} {count}")
    rest(len(status.hidden), "hidden count")
