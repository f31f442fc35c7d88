"""Asks about pages, one by one, like `git add --patch`."""

from __future__ import annotations

from collections.abc import Sequence

from syncer.cli.review_output import in_percent
from syncer.cli.show import show
from syncer.review.act import Choice
from syncer.review.look import ReviewPage
from syncer.wording import named_field, safe

HELP = """\
y - keep: commit the counts of this page
n - skip: leave them uncommitted
d - drop: restore the counts of the last commit
q - quit: apply your choices so far
Your choices are applied at the end."""


def prompt(pages: Sequence[ReviewPage]) -> Choice:
    """Ask about each page with counts that syncer wrote, and return what was chosen."""
    chosen: dict[str, list[str]] = {"y": [], "n": [], "d": []}
    own_pages = [page for page in pages if any(count.own for count in page.counts)]
    for number, page in enumerate(own_pages, start=1):
        show()
        show(f"({number}/{len(own_pages)}) {safe(page.path)}", "bold")
        for count in page.counts:
            note = ", large change" * count.large_change + ", yours: left unchanged" * (not count.own)
            field, old = named_field(count.difference.field, count.difference.video_id), count.difference.old or "none"
            change = f"{old} -> {count.difference.new or 'none'} ({in_percent(count)}{note})"
            show(f"  {safe(field)}: {change}", "yellow" if count.large_change else "")
        answer = _answer()
        if answer == "q":
            break
        chosen[answer].append(page.path)
    return Choice(keep=chosen["y"], drop=chosen["d"])


def _answer() -> str:
    """Return the first valid letter; the end of the input means to quit."""
    while True:
        try:
            answer = input("Keep these counts [y,n,d,q,?]? ").strip()[:1].lower()
        except EOFError:
            show()
            return "q"
        if answer and answer in "yndq":
            return answer
        show(HELP)
