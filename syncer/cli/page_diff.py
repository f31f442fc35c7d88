"""The diff of a page that a dry run would change: it shows no line as changed that is the same in both versions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

CHANGED_TOGETHER = 100
"""Adjacent lines, changed and inserted, after which the next line that is the same in both versions is found."""


class _Row(NamedTuple):
    """A line of the diff, and how many lines of the old and of the new version precede it."""

    mark: str
    line: str
    old: int
    new: int


def page_diff(path: str, old: bytes, new: bytes) -> Iterator[str]:
    """Yield the lines of a unified diff with one line of context.

    Takes time in proportion to the length of the page: `difflib` takes its square, or, of more than 200 lines, ignores
    those that are frequent.
    """
    rows = list(_rows(_lines(old), _lines(new)))
    if not any(row.mark != " " for row in rows):
        return
    yield from (f"--- a/{path}", f"+++ b/{path}")
    near = sorted({number + by for number, row in enumerate(rows) if row.mark != " " for by in (-1, 0, 1)})
    near = [number for number in near if 0 <= number < len(rows)]
    for _, same in groupby(enumerate(near), key=lambda counted: counted[1] - counted[0]):
        hunk = [rows[number] for _, number in same]
        before = _range(hunk[0].old, sum(row.mark != "+" for row in hunk))
        after = _range(hunk[0].new, sum(row.mark != "-" for row in hunk))
        yield f"@@ -{before} +{after} @@"
        yield from (row.mark + row.line for row in hunk)


def _rows(old: Sequence[str], new: Sequence[str]) -> Iterator[_Row]:
    i = j = 0
    while i < len(old) or j < len(new):
        if i < len(old) and j < len(new) and old[i] == new[j]:
            yield _Row(" ", old[i], i, j)
            i, j = i + 1, j + 1
            continue
        changed, added = _until_same(old, new, i, j)
        yield from (_Row("-", line, i + number, j) for number, line in enumerate(old[i : i + changed]))
        yield from (_Row("+", line, i + changed, j + number) for number, line in enumerate(new[j : j + added]))
        i, j = i + changed, j + added


def _until_same(old: Sequence[str], new: Sequence[str], i: int, j: int) -> tuple[int, int]:
    """Return how many lines of each version precede the next line that is the same in both.

    Where the rest has as many lines in both versions, none is inserted, and lines are compared with those of the same
    number. Otherwise, the nearest pair of equal lines is taken.
    """
    left, right = len(old) - i, len(new) - j
    if left == right:
        return next(((n, n) for n in range(left) if old[i + n] == new[j + n]), (left, right))
    for total in range(1, 2 * CHANGED_TOGETHER):
        for changed in sorted(range(total + 1), key=lambda changed: abs(2 * changed - total)):
            added = total - changed
            if changed < left and added < right and old[i + changed] == new[j + added]:
                return changed, added
    return min(left, CHANGED_TOGETHER), min(right, CHANGED_TOGETHER)


def _range(before: int, length: int) -> str:
    """Return the lines of a hunk as its head names them."""
    if length == 1:
        return str(before + 1)
    return f"{before + bool(length)},{length}"


def _lines(page: bytes) -> list[str]:
    return page.decode("utf-8", "backslashreplace").splitlines()
