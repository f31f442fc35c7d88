"""Prints a review and its result, as text or JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from syncer.cli.changes import show_put_back, show_way_back
from syncer.cli.show import ROWS_SHOWN, rest, show, show_held_back, show_problems, show_table
from syncer.model import Count, Detail, Problem, ProblemKind, count_in_log
from syncer.review.act import ReviewResult
from syncer.review.look import Review, ReviewCount, ReviewPage
from syncer.status.held_back import held_back_json
from syncer.status.report import problem_json
from syncer.wording import counted, counts_and_dates, named_field

RELATIVE_DIGITS = 6
"""Places after the decimal point of a relative change in JSON."""


def review_json(review: Review, result: ReviewResult | None = None) -> dict[str, object]:
    """Return a review as `syncer review --json` prints it, with what was kept and dropped."""
    kept, dropped = (result.kept, result.dropped) if result else (None, None)
    return {
        "head": review.head,
        "kept": kept._asdict() if kept else None,
        "dropped": {
            "sync": dropped.sync,
            "pages": dropped.changed_pages,
            "counts": dropped.changed_counts,
            "dates": dropped.changed_dates,
        }
        if dropped
        else None,
        "pages": [
            {
                "path": page.path,
                "other_lines": page.other_lines,
                "counts": [
                    {
                        "video_id": count.difference.video_id,
                        "field": count.difference.field,
                        "count": count_in_log(count.difference.kind),
                        "old": count.difference.old,
                        "new": count.difference.new or None,
                        "relative": None if count.relative is None else round(count.relative, RELATIVE_DIGITS),
                        "large_change": count.large_change,
                        "ours": count.own,
                    }
                    for count in page.counts
                ],
            }
            for page in review.pages
        ],
        "held_back": held_back_json(review.held_back),
        "problems": [problem_json(problem) for problem in (result.problems if result else review.problems)],
        "exit": result.exit if result else review.exit,
    }


def show_review(review: Review, *, hint: bool) -> None:
    """Print the counts that are not committed; `hint`: with the commands that keep or drop them."""
    if not review.pages and all(problem.kind is not ProblemKind.NOT_COMMITTED for problem in review.problems):
        show("Nothing to review: no count of the last commit has changed in the pages.")
    elif review.pages:
        _show_pages(review.pages)
        if hint and any(count.own for page in review.pages for count in page.counts):
            show("To commit counts, run `syncer review --keep PATH`.")
            show("To restore the old counts, run `syncer review --drop PATH`.")
    show_held_back(review.held_back)
    _show_problems(review.problems)


def show_result(result: ReviewResult, left: Sequence[ReviewPage], *, pushes: bool, own_file: str | None) -> None:
    """Print what was kept and dropped, and how many counts are `left` on the whole site.

    `pushes`: the next sync pushes the commit; `own_file`: of `write.file`.
    """
    kept, dropped = result.kept, result.dropped
    if kept:
        what = f"{counts_and_dates(kept.counts, kept.dates)} on {counted(kept.pages, 'page')}"
        show(f"Committed {what} as {kept.commit[:12]}.", "bold")
        if pushes:
            show("The next sync pushes this commit.")
    if dropped and (dropped.changed_counts or dropped.changed_dates):
        show_put_back(dropped)
    if not (kept or dropped):
        show("Nothing to keep or drop.", "bold")
    if result.remaining.pages:
        show("Left unchanged:")
        _show_pages(result.remaining.pages)
    same = (count for page in result.remaining.pages for count in page.counts if count.own)
    show_way_back({count.difference.path for count in same if count.difference.old is None}, own_file)
    if len(left) > len(result.remaining.pages):
        show(f"Still not committed: {_total(left)} (see `syncer review`).")
    _show_problems(result.problems)


def _show_problems(problems: Sequence[Problem]) -> None:
    if problems:
        show(f"Problems: {len(problems):,}", "bold")
        show_problems(problems)


def _show_pages(pages: Sequence[ReviewPage]) -> None:
    """Print the counts of pages as a table, on a terminal the first of them, and the totals.

    Where they are not all printed, those that say whether a video plays are first.
    """
    found = [(page, count) for page in pages for count in page.counts]
    limit = ROWS_SHOWN if sys.stdout.isatty() else len(found)
    if len(found) > limit:
        found.sort(key=lambda each: each[1].difference.kind is not Detail.UNAVAILABLE_SINCE)
    table = _rows(found[:limit])
    show_table(("page", "count", "old", "new", "change", ""), table, right=(2, 3, 4))
    counts = [count for _, count in found if isinstance(count.difference.kind, Count)]
    rows = len(found)
    if rows > limit:
        rest(rows, "count" if rows == len(counts) else "value", "run `syncer review | less` to see all")
    large, yours = sum(count.large_change for count in counts), sum(not count.own for count in counts)
    marked = [counted(large, "large change")] * bool(large) + [f"{yours:,} yours"] * bool(yours)
    also = f" ({', '.join(marked)})" if marked else ""
    show(f"Not committed: {_total(pages)}{also}.", "bold")
    if yours:
        show("Counts marked `yours` were not last written by syncer. Commit them yourself with git.")


def _total(pages: Sequence[ReviewPage]) -> str:
    """Return how many counts and dates there are, on how many pages."""
    kinds = [isinstance(count.difference.kind, Count) for page in pages for count in page.counts]
    return f"{counts_and_dates(sum(kinds), len(kinds) - sum(kinds))} on {counted(len(pages), 'page')}"


def _rows(found: Sequence[tuple[ReviewPage, ReviewCount]]) -> Iterator[Sequence[str]]:
    """Yield a row for each count; only the first of a page's adjacent rows names the page."""
    before, noted = "", set[str]()
    for page, count in found:
        difference, path = count.difference, "" if page.path == before else page.path
        field = named_field(difference.field, difference.video_id)
        notes = ["large change"] * count.large_change + ["yours"] * (not count.own)
        if page.other_lines and page.path not in noted:
            notes.append(f"{counted(page.other_lines, 'other line')} changed")
        yield path, field, difference.old or "-", difference.new or "-", in_percent(count), ", ".join(notes)
        before = page.path
        noted.add(before)


def in_percent(count: ReviewCount) -> str:
    """Return a count's relative change in percent."""
    if count.difference.old is None:
        return "new"
    return "-" if count.relative is None else f"{count.relative:+,.1%}"
