"""The page of what went wrong with pages, videos and requests: by kind, with the remedy."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from starlette.responses import HTMLResponse

from syncer.model import Problem, ProblemKind
from syncer.status_page.layout import page, sync_link
from syncer.status_page.markup import Markup, tag, together
from syncer.wording import counted

REMEDIES = {
    ProblemKind.INVALID_FRONT_MATTER: "Mend it at the line that is named; often a title with :  in it wants quotes.",
    ProblemKind.UNTERMINATED: "End it with a line like its first.",
    ProblemKind.TOO_LARGE: "Close it, or make it smaller.",
    ProblemKind.NOT_UTF8: "Save the page as UTF-8.",
    ProblemKind.DUPLICATE_KEY: "Remove one.",
    ProblemKind.ALIAS: "Write the value out.",
    ProblemKind.TAG: "Take the tag off.",
    ProblemKind.BLOCK_SCALAR: "Write it on the line of its key.",
    ProblemKind.NOT_A_VIDEO_ID: (
        "Write the 11 characters, or the video's address. Empty, and an unquoted false, no or off, mean: no video."
    ),
    ProblemKind.IDS_DISAGREE: "Leave one video; or map the count in one collection only.",
    ProblemKind.NOT_A_COUNT: "Write digits alone, quoted or not, or leave it empty.",
    ProblemKind.CANNOT_PLACE: "Write the value in a plainer way; add a missing count by hand.",
    ProblemKind.KEY_CASE: "Remove one of the two. Use the same letters in the pages and in the config.",
    ProblemKind.READERS_DISAGREE: "Remove what the message names.",
    ProblemKind.UNREADABLE: "Allow reading; rename it; or exclude it.",
    ProblemKind.UNWRITABLE: "See to what the message says.",
    ProblemKind.OUTSIDE_SITE: "Exclude it, or move its target into the site.",
    ProblemKind.EDITED_MEANWHILE: "Nothing: the next sync sees the page again.",
    ProblemKind.OPEN_ELSEWHERE: "Close the page there.",
    ProblemKind.EDIT_SAVED: "Compare the copy with the page, copy what you need, then remove it.",
    ProblemKind.REQUEST_FAILED: "Nothing, if it passes; else what the message says. syncer check tries again.",
    ProblemKind.BAD_ANSWER: "Nothing, if it passes. If not, please report it.",
    ProblemKind.REFUSED_VIDEO: (
        "See whether the ID in the page is right. The others of its batch are brought up to date all the same."
    ),
    ProblemKind.QUOTA_CUT: (
        "YouTube may have cut your project's quota, which it announces by mail: look for it, and compare the quota in "
        "Google's console with quota. If other programs use the project, set the units to this site's part."
    ),
    ProblemKind.NOT_COMMITTED: "See to what the message says; the next sync commits.",
    ProblemKind.NOT_PUSHED: "See to what the message says; the next sync pushes.",
    ProblemKind.STATE_LOST: "Nothing: a new one is begun from the pages and the diff log. It is said once.",
}
"""What to do, by kind: as `docs/reference/problems.md` says it."""

PROBLEMS_SHOWN = 200
"""Problems of one kind that are listed."""


def problems_page(sync: str | None, problems: Sequence[Problem]) -> HTMLResponse:
    """Return the problems of the last sync."""
    return page(
        "Problems",
        tag("h1", "Problems"),
        tag("p", f"{counted(len(problems), 'problem')} in the last sync, ", sync_link(sync), ".")
        if sync
        else tag("p", "No sync was made yet."),
        problems_list(problems, level="h2"),
        here="/problems",
    )


def problems_list(problems: Sequence[Problem], *, level: str) -> Markup:
    """Return problems by kind, each kind under a heading of this level, with what to do."""
    by_kind = groupby(sorted(problems, key=lambda problem: problem.kind), key=lambda problem: problem.kind)
    return together([_problems_of_kind(kind, list(same), level) for kind, same in by_kind])


def _problems_of_kind(kind: ProblemKind, problems: Sequence[Problem], level: str) -> Markup:
    items = []
    for problem in problems[:PROBLEMS_SHOWN]:
        place = f"{problem.subject}:{problem.line}" if problem.line else problem.subject
        items.append(tag("li", tag("span", place, class_="path"), " ", problem.message))
    left = len(problems) - PROBLEMS_SHOWN
    return together(
        tag(level, kind.value.replace("-", " ").capitalize(), f" ({len(problems):,})"),
        tag("p", tag("strong", "What to do: "), REMEDIES[kind]),
        tag("ul", items),
        tag("p", f"And {left:,} more.") if left > 0 else None,
    )
