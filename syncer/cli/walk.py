"""Asks a person about pages, one by one: like `git add --patch`."""

from __future__ import annotations

from collections.abc import Sequence

from syncer.cli.show import show
from syncer.cli.waiting import in_percent
from syncer.review.act import Choice
from syncer.review.look import WaitingPage
from syncer.wording import safe

HELP = """\
y - keep: commit the counts of this page
n - leave them as they are
d - drop: put the counts of the last commit back
q - quit: do what was chosen, and ask no more
Nothing is done before the end."""


def walk(pages: Sequence[WaitingPage]) -> Choice:
    """Ask about each page with counts of syncer's own, and return what to do at the end."""
    chosen: dict[str, list[str]] = {"y": [], "n": [], "d": []}
    asked_about = [page for page in pages if any(count.ours for count in page.counts)]
    for number, page in enumerate(asked_about, start=1):
        show()
        show(f"({number}/{len(asked_about)}) {safe(page.path)}", "bold")
        _show_counts(page)
        answer = _answer()
        if answer == "q":
            break
        chosen[answer].append(page.path)
    return Choice(keep=chosen["y"], drop=chosen["d"])


def _show_counts(page: WaitingPage) -> None:
    for count in page.counts:
        note = ", large change" * count.large_change + ", yours: left in any case" * (not count.ours)
        field, old = safe(count.waiting.place.field), count.waiting.old or "none"
        show(
            f"  {field}: {old} -> {count.waiting.new} ({in_percent(count)}{note})",
            "yellow" if count.large_change else "",
        )


def _answer() -> str:
    """Return the first letter that means something; the end of the input means to quit."""
    while True:
        try:
            answer = input("Keep these counts [y,n,d,q,?]? ").strip()[:1].lower()
        except EOFError:
            show()
            return "q"
        if answer and answer in "yndq":
            return answer
        show(HELP)
