"""Says in one sentence how things are at a site, and shows what needs attention."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from syncer.decide.unconfirmed import NOT_PLAYING
from syncer.model import Problem
from syncer.status.attention import WRONG, Need, NeedKind
from syncer.status.report import AGAIN, brake_outline, brake_share
from syncer.status.status import Status
from syncer.status_page.reading import Overview
from syncer.wording import ago, counted

PROBLEMS_NAMED = 3
"""More problems than these are only counted: they have a page of their own."""


class ShownNeed(NamedTuple):
    """Something that needs attention, with where to see more."""

    sentence: str
    link: str | None = None
    """The text of a link to the page that shows it, where there is one."""
    href: str = ""
    """The address of that page."""
    problems: Sequence[Problem] = ()
    """Those that are named at once."""


class Verdict(NamedTuple):
    """The first sentence of the overview."""

    state: str
    """`well`, `attention` or `wrong`: also the class in the style sheet."""
    sentence: str


def verdict(seen: Overview) -> Verdict:
    """Return the sentence at the top of the overview."""
    status, needs = seen.status, seen.needs
    if needs and needs[0].kind in WRONG:
        return Verdict("wrong", _whole(needs[0]))
    if status.last_whole is None:
        return Verdict(
            "attention",
            "The first sync is running."
            if seen.daemon.running
            else "No sync yet. Select Sync now, or wait for the next one.",
        )
    if needs:
        return Verdict("attention", f"{counted(len(needs), 'thing')} need{'s' * (len(needs) == 1)} attention.")
    since = ago((seen.at - status.last_whole).total_seconds())
    well = "Nothing needs attention."
    if stopped := len(status.not_playing):
        well = f"The syncs need no attention. {counted(stopped, 'video')} {'does' if stopped == 1 else 'do'} not play."
    return Verdict("well", f"{well} The last sync of the whole site started {since} ago.")


def shown_needs(seen: Overview) -> Iterator[ShownNeed]:
    """Yield what needs attention below the first sentence, the most serious first."""
    for need in seen.needs:
        if need.kind not in WRONG:
            yield _shown(need, seen.status)


def _shown(need: Need, status: Status) -> ShownNeed:
    if need.kind is NeedKind.BRAKE and status.brake:
        limit = f" (limit {status.brake_limit * 100:g}%)"
        if status.brake.reason == NOT_PLAYING:
            outline = brake_outline(status.brake, (0, 0), limit)
            return ShownNeed(f"{outline} If YouTube is right, accept what it holds. If not, wait: {AGAIN}.")
        sentence = (
            f"The safety brake stopped a sync: {brake_share(status.brake)}{limit}."
            f" It holds {counted(status.braked, 'reading')}. If YouTube is right, accept the held values."
            f" If not, wait: {AGAIN}."
        )
        return ShownNeed(sentence, "Show the videos", "/videos?state=braked")
    if need.kind is NeedKind.PROBLEMS:
        few = len(status.problems) <= PROBLEMS_NAMED
        link = "Show what to do" if few else "Show the problems"
        return ShownNeed(_whole(need), link, "/problems", status.problems if few else ())
    if need.kind is NeedKind.GONE:
        return ShownNeed(_whole(need), "Show the videos", "/videos?state=missing")
    return ShownNeed(_whole(need))


def _whole(need: Need) -> str:
    return f"{need.sentence} {need.remedy}".rstrip()
