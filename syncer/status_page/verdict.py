"""Says in one sentence whether all is well, and what needs attention."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from syncer.errors import ExitCode
from syncer.status_page.layout import ago
from syncer.status_page.reading import Overview, is_old
from syncer.wording import counted


class Need(NamedTuple):
    """Something that needs attention."""

    sentence: str
    href: str
    """Where it is shown."""


class Verdict(NamedTuple):
    """The state of the daemon and its site, in short."""

    state: str
    """`well`, `person` or `wrong`: also the class in the style sheet."""
    sentence: str


def verdict(seen: Overview) -> Verdict:
    """Return the sentence at the top of the first page."""
    status, daemon = seen.status, seen.daemon
    wrong = _wrong(seen)
    if wrong:
        return Verdict("wrong", wrong)
    if status.last_whole is None:
        return Verdict("person", "The first sync goes on." if daemon.running else "No sync was made yet.")
    needs = list(needs_of(seen))
    if needs:
        return Verdict("person", f"It runs, and {counted(len(needs), 'thing')} need{'s' * (len(needs) == 1)} a person.")
    since = ago((seen.at - status.last_whole).total_seconds())
    return Verdict("well", f"All is well: the last sync began {since} ago, and nothing needs a person.")


def _wrong(seen: Overview) -> str | None:
    status, daemon = seen.status, seen.daemon
    if daemon.trouble:
        return f"The last try made no sync: {daemon.trouble.removesuffix('.')}."
    if not status.syncs:
        return None
    if status.syncs[0]["exit"] == ExitCode.NOTHING_ANSWERED:
        return "The last sync got no answer from YouTube; see its problems."
    if status.last_whole is None:
        return "No sync of the whole site has come to its end yet."
    if is_old(status.last_whole, daemon, seen.at):
        since = ago((seen.at - status.last_whole).total_seconds())
        return f"The last good sync is {since} old: longer than two intervals."
    return None


def needs_of(seen: Overview) -> Iterator[Need]:
    """Yield what needs attention, the gravest first."""
    status = seen.status
    if status.braked:
        yield Need(
            f"A brake holds {counted(status.braked, 'reading')}: too many videos were missing or too many counts fell"
            " at once. Nothing was written. If YouTube is right, accept what is held.",
            "/videos?state=braked",
        )
    if status.problems:
        subjects = len({problem.subject for problem in status.problems})
        yield Need(
            f"{counted(len(status.problems), 'problem')} in the last sync, about {subjects:,} of your pages or"
            " YouTube's answers.",
            "/problems",
        )
    if status.gone:
        yield Need(
            f"{counted(len(status.gone), 'video')} stayed missing on at least three days: decide whether the pages"
            " keep their counts.",
            "/videos?state=missing",
        )
