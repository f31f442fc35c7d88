"""The page of problems with pages, videos and requests: by kind, each with what to do."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from starlette.responses import HTMLResponse

from syncer.model import Problem, ProblemKind
from syncer.status_page.frame import Frame, page
from syncer.status_page.layout import prose, sync_link
from syncer.status_page.markup import Markup, tag, together
from syncer.wording import counted

REMEDIES = {
    ProblemKind.INVALID_FRONT_MATTER: (
        "Fix the line that is named, or the one before it. In YAML, a value with a colon and a space in it needs "
        "quotes; in a table, one with a delimiter in it."
    ),
    ProblemKind.UNTERMINATED: "Add the closing line.",
    ProblemKind.TOO_LARGE: (
        "Add the closing line if it is missing, or shorten the block. Split a data file into several."
    ),
    ProblemKind.NOT_UTF8: "Save the page as UTF-8. In Excel, choose CSV UTF-8.",
    ProblemKind.DUPLICATE_KEY: "Remove one of the two.",
    ProblemKind.ALIAS: "Write the value itself.",
    ProblemKind.TAG: "Remove the tag.",
    ProblemKind.BLOCK_SCALAR: "Write it on the same line as its key.",
    ProblemKind.NOT_A_VIDEO_ID: (
        "Write the 11-character video ID or the video's URL. For a page or an item without a video, leave the value "
        'empty (JSON: null, TOML: ""), or write false without quotes. Move other keys out of a mapping of IDs.'
    ),
    ProblemKind.IDS_DISAGREE: "Keep one video, or map the key in one collection only.",
    ProblemKind.NOT_A_COUNT: (
        'Write only digits, with or without quotes, or leave the value empty (JSON: null, TOML: "").'
    ),
    ProblemKind.NOT_A_DATE: (
        'Write it as the message says, with or without quotes, or leave it empty (JSON: null, TOML: "").'
    ),
    ProblemKind.SYNCER_KEY: "Write syncer: false, or a mapping of your keys to false.",
    ProblemKind.KEY_CASE: "Use the same letters in the pages and in the config. If a page has both keys, remove one.",
    ProblemKind.CANNOT_PLACE: (
        "Write the front matter or the item in a simpler form, add the missing count by hand, or map the key only once."
    ),
    ProblemKind.KEYS_NOT_FOUND: (
        "Do what the message says. syncer check has the same message, and more for single counts."
    ),
    ProblemKind.READERS_DISAGREE: "Change what the message names.",
    ProblemKind.UNREADABLE: "Check the permissions, rename the file, or exclude it.",
    ProblemKind.UNWRITABLE: (
        "Do what the message says. If the page belongs to another user, run syncer as that user, or change the page's"
        " owner."
    ),
    ProblemKind.OUTSIDE_SITE: "Exclude the link, or move its target into the site.",
    ProblemKind.EDITED_MEANWHILE: "Nothing: the next sync updates the page.",
    ProblemKind.OPEN_ELSEWHERE: "Close the page in the other program.",
    ProblemKind.EDIT_SAVED: "Compare the copy with the page, copy what you need, then delete the copy.",
    ProblemKind.REQUEST_FAILED: "Run syncer check. If it finds nothing, wait for the next sync.",
    ProblemKind.BAD_ANSWER: "Wait for the next sync. If the problem stays, please report it.",
    ProblemKind.QUOTA_CUT: (
        "Compare the quota in Google's console with quota in the config. Google announces a cut by mail. If other "
        "programs use the same project, set the units to what they leave."
    ),
    ProblemKind.LEDGER_UNREACHABLE: "Do what the message says. The next sync requests the videos.",
    ProblemKind.REFUSED_VIDEO: "Check the video ID in the page.",
    ProblemKind.STATE_LOST: (
        "Nothing: syncer has recreated the state from the pages and the diff log. This is reported once."
    ),
    ProblemKind.NOT_COMMITTED: "Do what the message says. The next sync commits.",
    ProblemKind.NOT_PUSHED: "Do what the message says. The next sync pushes.",
    ProblemKind.DEPLOY_FAILED: (
        "Do what the message says. syncer deploy calls the build hook at once; otherwise it is tried again later."
    ),
}
"""What to do, by kind, in the words of `docs/reference/problems.md`."""

PROBLEMS_SHOWN = 200
"""The most problems of one kind that are listed."""


def problems_page(frame: Frame, sync: str | None, problems: Sequence[Problem]) -> HTMLResponse:
    """Return the problems of the last sync that covers the site, `sync`, and of later ones about parts of it."""
    return page(
        frame,
        "Problems",
        tag("h1", "Problems"),
        tag("p", f"{counted(len(problems), 'problem')}, found by the sync ", sync_link(frame, sync), " or later.")
        if sync
        else tag("p", "No sync yet."),
        problems_list(problems, level="h2"),
        here="/problems",
    )


def problems_list(problems: Sequence[Problem], *, level: str) -> Markup:
    """Return problems by kind, each under a heading of this level, with what to do."""
    by_kind = groupby(sorted(problems, key=lambda problem: problem.kind), key=lambda problem: problem.kind)
    return together([_problems_of_kind(kind, list(same), level) for kind, same in by_kind])


def problem_items(problems: Sequence[Problem]) -> Markup:
    """Return a list of problems, each with where it is."""
    items = [
        tag(
            "li",
            tag("span", f"{problem.subject}:{problem.line}" if problem.line else problem.subject, class_="path"),
            ": ",
            prose(problem.message),
        )
        for problem in problems
    ]
    return tag("ul", items)


def _problems_of_kind(kind: ProblemKind, problems: Sequence[Problem], level: str) -> Markup:
    left = len(problems) - PROBLEMS_SHOWN
    return together(
        tag(level, kind.value.replace("-", " ").capitalize(), f" ({len(problems):,})"),
        tag("p", tag("strong", "What to do: "), REMEDIES[kind]),
        problem_items(problems[:PROBLEMS_SHOWN]),
        tag("p", f"And {left:,} more.") if left > 0 else None,
    )
