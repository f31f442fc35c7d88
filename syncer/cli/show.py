"""Prints results: tables, names made safe for a terminal, one JSON document."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING

from rich.cells import cell_len

from syncer.cli.suggested import SUGGESTED, spelled
from syncer.front_matter.video_id import is_possible
from syncer.model import Problem, ProblemKind, VideoId
from syncer.wording import counted, safe, safe_json

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console

    from syncer.decide.thresholds import HeldBackCounts
    from syncer.decide.unconfirmed import Brake

ROWS_SHOWN = 40
"""Rows of a list that are printed; of the others, only the number."""

UNWRAPPED = 10_000
"""The width of what is no terminal: programs read it line by line."""

PADDING_CELL = 40
"""Characters of a cell above which it does not widen a column of remarks: one long remark would push all rows apart."""

VIDEOS_SHOWN = 10
"""The same, of a list of videos."""

MINUTES = "%Y-%m-%d %H:%M"
"""How a table shows a time: two of them, a name and three numbers fit 80 columns."""

NONE = "-"
"""A cell of a table for what is not there."""


@cache
def console() -> Console:
    """Return the console for results: colours and wrapping on a terminal only."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else UNWRAPPED
    return Console(highlight=False, width=width, soft_wrap=False)


def show_json(document: object) -> None:
    """Print one JSON document."""
    print(safe_json(document, indent=2))


def show(text: str = "", style: str = "") -> None:
    """Print a line: with colours on a terminal, or where the environment wants them in a pipe, too.

    The commands that it suggests get the config of this run.
    """
    text = SUGGESTED.sub(spelled, text)
    if not sys.stdout.isatty() and not os.environ.get("FORCE_COLOR"):
        print(text, flush=True)  # before what is printed on standard error next
        return
    from rich.text import Text

    console().print(Text(text, style=style), soft_wrap=True)


def show_held(brake: Brake | None, rows: Sequence[Sequence[str]], pages_of: Mapping[VideoId, Sequence[str]]) -> None:
    """Print some of what the safety brake holds, if it holds anything."""
    if brake and rows:
        from syncer.status.held_by_brake import HEADINGS

        show_videos({HEADINGS[brake.reason]: rows}, pages_of, "")


def show_open(pages: int) -> None:
    """Print how many pages were skipped because another program has them open, if any."""
    if pages:
        show(f"Skipped {counted(pages, 'page')} open for writing in another program. The next sync tries again.")


def show_over_quota(videos: int) -> None:
    """Print how many videos were left out for lack of quota, if any."""
    if videos:
        show(f"Left out {counted(videos, 'video')} for lack of quota. The next syncs request them first.", "yellow")


def show_shared(videos: int, oldest: datetime, finished: datetime) -> None:
    """Print how many videos were not requested because other sites had read them, and how long ago at most."""
    minutes = max(0, round((finished - oldest).total_seconds() / 60))
    age = f"{minutes / 60:.0f} h" if minutes >= 120 else f"{minutes} min"
    show(f"Used readings of other sites for {counted(videos, 'video')} (oldest: {age} ago).")


def show_suppressed(counts: int) -> None:
    """Print how many counts keep their values because an undo or a drop restored them, if any."""
    if counts:
        show(f"Suppressed: {counted(counts, 'count')} you undid or dropped, until YouTube returns another number.")


def show_held_back(held: HeldBackCounts | None, verb: str = "Held back") -> None:
    """Print how many counts `write.min_change` and its siblings hold back, if any."""
    if held and held.counts:
        from syncer.status.held_back import held_back_outline

        show(f"{verb} {held_back_outline(held)}.")


def show_table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    right: Sequence[int] = (),
    remarks: Sequence[int] = (),
    indent: str = "",
) -> None:
    """Print a table; the columns numbered in `right` are aligned to the right; those in `remarks` may have long cells.

    On a terminal that is too narrow for it, the cells of the first column are on lines of their own. `heads`: empty for
    a table without any. `indent` is before each line.
    """
    print_line: Callable[[str], None] = partial(show, style="bold") if heads else print
    width = console().width if sys.stdout.isatty() else UNWRAPPED
    lines = [
        [indent + first, *others] for first, *others in in_columns([heads, *rows] if heads else rows, right, remarks)
    ]
    is_narrow = any(cell_len("  ".join(cells)) > width for cells in lines)
    for cells in lines:
        if is_narrow:
            if first := cells[0].strip():
                print_line(indent + first)
            cells[0] = indent
        print_line("  ".join(cells).rstrip())
        print_line = print


def show_videos(
    lists: Mapping[str, Sequence[Sequence[str]]], pages_of: Mapping[VideoId, Sequence[str]], where: str
) -> None:
    """Print the first videos of each list under its heading, with their pages; `where` names what prints the others.

    The rows of a list begin with a video ID.
    """
    for head, rows in lists.items():
        if rows:
            show(head)
        lines = [
            (
                video if is_possible(VideoId(video)) else f"{video} (a typo?)",
                *more,
                ", ".join(pages_of.get(VideoId(video), ())),
            )
            for video, *more in rows[:VIDEOS_SHOWN]
        ]
        show_table((), lines, indent="  ")
        if len(rows) > VIDEOS_SHOWN:
            show(f"  ... and {len(rows) - VIDEOS_SHOWN:,} more (see {where})")


def in_columns(
    rows: Iterable[Sequence[str]], right: Sequence[int] = (), remarks: Sequence[int] = ()
) -> Iterator[list[str]]:
    """Yield the rows with their cells made safe, and padded to the same width in each column but for long remarks."""
    cells = [[safe(cell) for cell in row] for row in rows]
    widths = [
        max(length for length in map(cell_len, column) if number not in remarks or length <= PADDING_CELL)
        for number, column in enumerate(zip(*cells, strict=True))
    ]
    for row in cells:
        gaps = [" " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)]
        pairs = enumerate(zip(row, gaps, strict=True))
        yield [gap + cell if number in right else cell + gap for number, (cell, gap) in pairs]


def show_problems(problems: Sequence[Problem]) -> None:
    """Print problems with where they are and what to do: of several that are alike, the first places."""
    from syncer.check.findings import SHOWN_EXAMPLES, examples

    alike: dict[tuple[str, ProblemKind], list[str]] = {}
    for problem in problems:
        place = problem.subject if problem.line is None else f"{problem.subject}:{problem.line}"
        alike.setdefault((problem.message, problem.kind), []).append(place)
    shown = list(alike.items())[:ROWS_SHOWN]
    for (message, kind), places in shown:
        show(f"  {safe(examples(places))}: {safe(message)} [{kind}]")
    if sum(len(places[:SHOWN_EXAMPLES]) for _, places in shown) < len(problems):
        show(f"  --json lists all {len(problems):,} problems.")


def rest(total: int, noun: str, where: str) -> None:
    """Print how many were not shown, if any."""
    if total > ROWS_SHOWN:
        show(f"  ... and {counted(total - ROWS_SHOWN, f'more {noun}')}; {where}")
