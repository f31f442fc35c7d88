"""Says in one sentence how things are, and lists what needs attention."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from syncer.decide.unconfirmed import NOT_PLAYING
from syncer.errors import ExitCode
from syncer.model import Problem
from syncer.status.report import brake_outline, brake_share
from syncer.status.sharing import sharing_warnings
from syncer.status_page.layout import ago
from syncer.status_page.reading import Overview, is_old
from syncer.wording import counted

PROBLEMS_NAMED = 3
"""More problems than these are only counted: they have a page of their own."""


STALLED = (
    "The running sync does not respond: a disk may hang, or a program that it started. Check the log of syncer daemon."
)


class Need(NamedTuple):
    """Something that needs attention."""

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
    status, daemon = seen.status, seen.daemon
    wrong = STALLED if daemon.stalled else _wrong(seen)
    if wrong:
        return Verdict("wrong", wrong)
    if status.last_whole is None:
        return Verdict(
            "attention",
            "The first sync is running."
            if daemon.running
            else "No sync yet. Select Sync now, or wait for the next one.",
        )
    needs = list(needs_of(seen))
    if needs:
        return Verdict("attention", f"{counted(len(needs), 'thing')} need{'s' * (len(needs) == 1)} attention.")
    since = ago((seen.at - status.last_whole).total_seconds())
    well = "Nothing needs attention."
    if stopped := len(status.not_playing):
        well = f"The syncs need no attention. {counted(stopped, 'video')} {'does' if stopped == 1 else 'do'} not play."
    return Verdict("well", f"{well} The last sync of the whole site started {since} ago.")


def _wrong(seen: Overview) -> str | None:
    status, daemon = seen.status, seen.daemon
    if daemon.trouble:
        return f"The last sync could not run: {_ended(daemon.trouble)}"
    if not status.syncs:
        return None
    if status.syncs[0]["exit"] == ExitCode.NOTHING_ANSWERED:
        return "Every request of the last sync to YouTube failed. Select Problems to see why."
    if status.last_whole is None:
        return "No sync of the whole site has finished yet."
    if is_old(status.last_whole, daemon, seen.at):
        since = ago((seen.at - status.last_whole).total_seconds())
        return (
            f"The last successful sync of the whole site started {since} ago, more than twice the sync interval. Check"
            " the log of syncer daemon."
        )
    return None


def needs_of(seen: Overview) -> Iterator[Need]:
    """Yield what needs attention, the most serious first."""
    status, config_error = seen.status, seen.daemon.config_error
    if config_error:
        errors = _ended(config_error.replace("\n", "; "))
        yield Need(f"The new config is invalid, so the old one is still in use: {errors}")
    limit = f" (limit {status.brake_limit * 100:g}%)"
    if status.brake and status.brake.reason == NOT_PLAYING:
        yield Need(f"{brake_outline(status.brake, (0, 0), limit)} If YouTube is right, accept what it holds.")
    elif brake := status.brake:
        yield Need(
            f"The safety brake stopped a sync: {brake_share(brake)}{limit}."
            f" It holds {counted(status.braked, 'reading')}."
            " If YouTube is right, accept the held values.",
            "Show the videos",
            "/videos?state=braked",
        )
    if status.problems:
        few = len(status.problems) <= PROBLEMS_NAMED
        yield Need(
            f"The last sync found {counted(len(status.problems), 'problem')}.",
            "Show what to do" if few else "Show the problems",
            "/problems",
            status.problems if few else (),
        )
    if status.sharing:
        for warning in sharing_warnings(status.sharing, status.buckets):
            yield Need(f"{warning}.")
    if status.gone:
        they, these = ("it is", "its") if len(status.gone) == 1 else ("they are", "these")
        yield Need(
            f"YouTube has not returned {counted(len(status.gone), 'video')} in three syncs, each at least a day after"
            f" the one before; {they} probably deleted or private. Keep {these} pages, or remove the video ID.",
            "Show the videos",
            "/videos?state=missing",
        )


def _ended(text: str) -> str:
    """Return a text with a mark at its end."""
    return text if text.endswith((".", "?", "!")) else f"{text}."
