"""What needs attention at a site: one answer for the status page, the API and `syncer status`.

A site about which this says nothing is well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from syncer.errors import ExitCode
from syncer.status.report import ACCEPT, brake_remedy
from syncer.status.sharing import sharing_warnings
from syncer.wording import ago, counted

if TYPE_CHECKING:
    from syncer.control import DaemonState, LastSync
    from syncer.status.status import Status


Mark = Literal["wrong", "attention", "busy", "well"]
"""How a site is, the most serious first."""

ORDER: Final[Mapping[Mark, int]] = {"wrong": 0, "attention": 1, "busy": 2, "well": 2}
"""Of sites, by their marks."""


class NeedKind(StrEnum):
    """What can need attention, the most serious first."""

    STALLED = "stalled"
    TROUBLE = "trouble"
    FAILED = "failed"
    NEVER = "never"
    OLD = "old"
    CONFIG = "config"
    BRAKE = "brake"
    PROBLEMS = "problems"
    LEFT_OUT = "left-out"
    LEDGER = "ledger"
    GONE = "gone"
    INTERRUPTED = "interrupted"


WRONG = frozenset({NeedKind.STALLED, NeedKind.TROUBLE, NeedKind.FAILED, NeedKind.NEVER, NeedKind.OLD})
"""While there is one of these, the counts of the site are not updated."""


class Need(NamedTuple):
    """Something that needs attention."""

    kind: NeedKind
    sentence: str
    """What it is."""
    remedy: str = ""
    """What to do, in a sentence; empty where the first one says so."""


@dataclass(frozen=True, slots=True)
class SiteFacts:
    """What is known of a site at one time: what the daemon has in memory, or what its state says as well."""

    at: datetime
    last: LastSync | None
    """How the last sync went; None where there is none."""
    last_whole: datetime | None
    """When the last good sync of the whole site began; None where there is none."""
    interval: timedelta | None
    """The longest time between two scheduled syncs; None where no daemon syncs the site."""
    brake: bool
    """Whether the safety brake holds what was read."""
    braked: int
    """Of how many videos; 0 where only the state says that."""
    gone: int
    """How many videos YouTube left out in three syncs, at least a day apart."""
    ledger: Sequence[str] = ()
    """What is wrong with how its ledger is shared, without a full stop."""
    stalled: bool = False
    """Whether the running sync has made no progress for minutes."""
    trouble: str | None = None
    """Why the last attempt made no sync."""
    config_error: str | None = None
    """Why the config that was last read is not in use, one finding a line."""
    interrupted: bool = False
    """Whether a sync was interrupted, and none has completed it."""


def facts_in_memory(daemon: DaemonState, at: datetime, ledger: Sequence[str]) -> SiteFacts:
    """Return what the daemon knows of one of its sites, without a look at its state."""
    return SiteFacts(
        at,
        daemon.last,
        daemon.last_whole,
        daemon.interval,
        brake=bool(daemon.last and daemon.last.brake),
        braked=0,
        gone=daemon.gone,
        ledger=ledger,
        stalled=daemon.stalled,
        trouble=daemon.trouble,
        config_error=daemon.config_error,
    )


def facts_in_state(
    status: Status,
    at: datetime,
    *,
    interval: timedelta | None,
    stalled: bool = False,
    trouble: str | None = None,
    config_error: str | None = None,
) -> SiteFacts:
    """Return what the state of a site says, and what its daemon says, if there is one."""
    return SiteFacts(
        at,
        status.last,
        status.last_whole,
        interval,
        brake=status.brake is not None,
        braked=status.braked,
        gone=len(status.gone),
        ledger=tuple(sharing_warnings(status.sharing, status.buckets)) if status.sharing else (),
        stalled=stalled,
        trouble=trouble,
        config_error=config_error,
        interrupted=status.leftovers is not None,
    )


def needs_of(facts: SiteFacts) -> Iterator[Need]:
    """Yield what needs attention, the most serious first."""
    yield from _wrong(facts)
    last = facts.last
    if facts.config_error:
        errors = _ended(facts.config_error.replace("\n", "; "))
        yield Need(NeedKind.CONFIG, f"The new config is invalid, so the old one is still in use: {errors}")
    if facts.brake:
        of = f" of {counted(facts.braked, 'video')}" if facts.braked else ""
        yield Need(NeedKind.BRAKE, f"The safety brake holds readings{of}.", brake_remedy(ACCEPT))
    if last and last.problems:
        verb = "is" if last.problems == 1 else "are"
        yield Need(NeedKind.PROBLEMS, f"There {verb} {counted(last.problems, 'problem')}.")
    if last and last.over_quota:
        yield Need(NeedKind.LEFT_OUT, f"The last sync left out {counted(last.over_quota, 'video')} for lack of quota.")
    for warning in facts.ledger:
        yield Need(NeedKind.LEDGER, f"{warning}.")
    if facts.gone:
        they, these = ("it is", "its") if facts.gone == 1 else ("they are", "these")
        yield Need(
            NeedKind.GONE,
            f"YouTube has not returned {counted(facts.gone, 'video')} in three syncs, each at least a day after the one"
            f" before; {they} probably deleted or private.",
            f"Keep {these} pages, or remove the video ID.",
        )
    if facts.interrupted:
        yield Need(NeedKind.INTERRUPTED, "The last sync was interrupted.", "The next sync completes it.")


def is_old(last_whole: datetime, interval: timedelta, now: datetime) -> bool:
    """Return whether the last good sync of the whole site is older than two intervals."""
    return now - last_whole > 2 * interval


def _wrong(facts: SiteFacts) -> Iterator[Need]:
    """Yield why the counts are not updated, if that is so: one reason, because the others follow from it."""
    last, whole = facts.last, facts.last_whole
    if facts.stalled:
        yield Need(
            NeedKind.STALLED,
            "The running sync does not respond: a disk may hang, or a program that it started.",
            "Check the log of `syncer daemon`.",
        )
    elif facts.trouble:
        yield Need(NeedKind.TROUBLE, f"The last sync could not run: {_ended(facts.trouble)}")
    elif last and last.exit == ExitCode.NOTHING_ANSWERED:
        yield Need(NeedKind.FAILED, "The last sync read nothing from YouTube.", "Select Problems to see why.")
    elif last and whole is None:
        yield Need(NeedKind.NEVER, "No sync of the whole site has finished yet.")
    elif whole and facts.interval and is_old(whole, facts.interval, facts.at):
        since = ago((facts.at - whole).total_seconds())
        yield Need(
            NeedKind.OLD,
            f"The last successful sync of the whole site started {since} ago, more than twice the sync interval.",
            "Check the log of `syncer daemon`.",
        )


def _ended(text: str) -> str:
    """Return a text with a mark at its end."""
    return text if text.endswith((".", "?", "!")) else f"{text}."
