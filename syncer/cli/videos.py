"""`syncer videos`: whether each video plays on the site, since when, and on which pages it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from syncer.cli.settings import Settings

if TYPE_CHECKING:
    from syncer.decide.availability import PlayState
    from syncer.state.play_states import VideoPlay
    from syncer.status.tables import Row

NOT_PLAYING = "not-playing"
"""As a STATE: all states in which a video does not play."""

COLUMNS = (
    *("video_id", "state", "since", "checked_at", "made_for_kids", "blocked_in", "starts_at", "not_returned_since"),
    *("path", "line"),
)
"""Of the CSV table."""


@click.command()
@click.option("--state", "names", multiple=True, metavar="STATE", help="Only videos in this state. May be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
@click.option(
    "--csv",
    "as_csv",
    is_flag=True,
    help="Print a CSV table: a row for each page, and each line of its text, with a video.",
)
@click.pass_obj
def command(settings: Settings, names: tuple[str, ...], as_json: bool, as_csv: bool) -> int:
    """Show whether each video plays, since when, and on which pages it is.

    STATE is missing, blocked, not-embeddable, age-restricted, upcoming, live, unlisted, public, unknown, or not-playing
    for the first four.
    """
    from syncer.cli.export import to_standard_output
    from syncer.cli.process import printed
    from syncer.cli.show import show, show_json
    from syncer.cli.table_files import csv_chunks
    from syncer.decide.availability import PlayState
    from syncer.state.database import open_state
    from syncer.state.play_states import count_states, video_plays
    from syncer.status.play_report import pending_sentence, play_json, state_sums
    from syncer.status.tables import ColumnType
    from syncer.wording import counted

    if as_csv and as_json:
        raise click.UsageError("use either --csv or --json, not both")
    states = _states(names) if names else None
    config = settings.config()
    with open_state(config.state_directory, config.site) as database:
        if as_json:
            show_json({"videos": [play_json(play) for play in video_plays(database, states=states)]})
        elif as_csv:
            columns = dict.fromkeys(COLUMNS, ColumnType.TEXT) | {"line": ColumnType.INTEGER}
            return to_standard_output(csv_chunks(columns, _csv_rows(video_plays(database, states=states))))
        else:
            shown: list[VideoPlay] = []
            pending = 0
            for play in video_plays(database):
                if states is None or play.availability.state in states:
                    shown.append(play)
                else:
                    pending += play.left_out_since is not None
            _show_table(sorted(shown, key=_urgency))
            sums = count_states(database)
            total = counted(sum(sums.values()), "video")
            show(f"{total}: {state_sums(sums)}." if sums else "No videos yet. Run `syncer sync`.")
            if states and PlayState.MISSING in states and pending:
                them = "it" if pending == 1 else "them"
                show(f"{pending_sentence(pending)}: `syncer videos` shows {them}.")
    return printed()


def _states(names: tuple[str, ...]) -> set[PlayState | None]:
    """Return the states with these names. Raises UsageError."""
    from syncer.cli.arguments import meant
    from syncer.decide.availability import PlayState
    from syncer.status.play_report import UNKNOWN

    known: dict[str, set[PlayState | None]] = {
        **{state.value: {state} for state in PlayState},
        UNKNOWN: {None},
        NOT_PLAYING: {state for state in PlayState if not state.plays},
    }
    for name in names:
        if name not in known:
            raise click.UsageError(f"no such state '{name}'; {meant(name, known)}")
    return set[PlayState | None]().union(*(known[name] for name in names))


def _urgency(play: VideoPlay) -> int:
    """Return the place in the table: what does not play first, then what YouTube did not return."""
    state = play.availability.state
    return 0 if state and not state.plays else 1 if play.left_out_since else 2


def _show_table(plays: list[VideoPlay]) -> None:
    from syncer.cli.show import show_table
    from syncer.status.play_report import UNKNOWN, page_lines, play_details
    from syncer.wording import utc

    rows = [
        (
            play.video_id,
            play.availability.state or UNKNOWN,
            utc(play.since) if play.since else "-",
            play_details(play.availability, play.left_out_since),
            ", ".join(page_lines(play)),
        )
        for play in plays
    ]
    if rows:
        show_table(("video_id", "state", "since", "details", "pages"), rows, remarks=(3,))


def _csv_rows(plays: Iterator[VideoPlay]) -> Iterator[Row]:
    from syncer.status.play_report import play_json

    for play in plays:
        row = play_json(play)
        cells = [cell for cell in row.values() if not isinstance(cell, list)]
        yield from ((*cells, path, line) for path, line in play.places())
