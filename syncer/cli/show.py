"""Prints results: tables, names made safe for a terminal, one JSON document."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from syncer.model import Problem
from syncer.wording import counted, safe, safe_json

ROWS_SHOWN = 40
"""Rows of a list that are printed; of the others, only the number."""

VIDEOS_SHOWN = 10
"""The same, of a list of videos."""


@cache
def console() -> Console:
    """Return the console for results: colours and wrapping on a terminal only."""
    width = None if sys.stdout.isatty() else 10_000
    return Console(highlight=False, width=width, soft_wrap=False)


def show_json(document: object) -> None:
    """Print one JSON document."""
    print(safe_json(document, indent=2))


def show(text: str = "", style: str = "") -> None:
    """Print a line."""
    console().print(Text(text, style=style), soft_wrap=True)


def show_open(pages: int) -> None:
    """Print how many pages were skipped because another program has them open, if any."""
    if pages:
        show(f"Skipped {counted(pages, 'page')} open for writing in another program. The next sync tries again.")


def show_suppressed(counts: int) -> None:
    """Print how many counts keep their values because an undo or a drop restored them, if any."""
    if counts:
        show(f"Suppressed: {counted(counts, 'count')} you undid or dropped, until YouTube returns another number.")


def show_table(heads: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> None:
    """Print a table; the columns numbered in `right` are aligned to the right.

    On a terminal that is too narrow for it, the cells of the first column are on lines of their own.
    """
    cells = [list(heads), *([safe(cell) for cell in row] for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    is_narrow = sum(widths) + 2 * (len(widths) - 1) > console().width
    for number, row in enumerate(cells):
        aligned = list(_aligned(row, widths, right))
        if is_narrow:
            aligned[0] = ""
            if row[0]:
                show(row[0], "" if number else "bold")
        show("  ".join(aligned).rstrip(), "" if number else "bold")


def show_columns(heads: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> None:
    """Print a table of any length, however narrow the terminal."""
    cells = [list(heads), *([safe(cell) for cell in row] for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(_aligned(row, widths, right)).rstrip() for row in cells)
    show(next(lines), "bold")
    for line in lines:
        print(line)


def _aligned(row: Sequence[str], widths: Sequence[int], right: Sequence[int]) -> Iterator[str]:
    for number, (cell, width) in enumerate(zip(row, widths, strict=True)):
        gap = " " * (width - cell_len(cell))
        yield gap + cell if number in right else cell + gap


def show_videos(head: str, rows: Sequence[Sequence[str]], where: str) -> None:
    """Print a heading and a line for each of the first videos, in columns; `where` names what prints the others."""
    if not rows:
        return
    show(head)
    cells = [[safe(cell) for cell in row] for row in rows[:VIDEOS_SHOWN]]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        show(f"  {'  '.join(_aligned(row, widths, ())).rstrip()}")
    if len(rows) > VIDEOS_SHOWN:
        show(f"  ... and {len(rows) - VIDEOS_SHOWN:,} more (see {where})")


def show_problems(problems: Sequence[Problem]) -> None:
    """Print problems, each with where it is and what to do."""
    for problem in problems[:ROWS_SHOWN]:
        place = problem.subject if problem.line is None else f"{problem.subject}:{problem.line}"
        show(f"  {safe(place)}: {safe(problem.message)} [{problem.kind}]")
    rest(len(problems), "problem")


def rest(total: int, noun: str, where: str = "--json has all") -> None:
    """Print how many were not shown, if any."""
    if total > ROWS_SHOWN:
        show(f"  ... and {counted(total - ROWS_SHOWN, f'more {noun}')}; {where}")
