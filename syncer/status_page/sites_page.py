"""The page at `/` of a daemon that may have several sites: how each is, from what the daemon has in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, NamedTuple

from starlette.responses import HTMLResponse

from syncer.control import DaemonState
from syncer.errors import ExitCode
from syncer.status.sharing import sharing_outline, sharing_warnings
from syncer.status_page.explained import explained
from syncer.status_page.frame import ALL_SITES, Frame, page, site_prefix
from syncer.status_page.layout import ago, prose, section
from syncer.status_page.markup import Child, Markup, tag
from syncer.status_page.overview import progress_of
from syncer.status_page.reading import is_old
from syncer.wording import counted

if TYPE_CHECKING:
    from syncer.status_page.reading import LedgerUse

REFRESH_SECONDS = 30
"""Seconds between two refreshes while a sync is running."""

HEADS = ("site", "status", "last sync (UTC)", "changed", "problems", "missing", "next sync (UTC)")
"""Of the columns. The style sheet knows them by their places, so that a row of many is short."""


class SiteLine(NamedTuple):
    """A site, and what the daemon does for it."""

    name: str
    daemon: DaemonState
    at: datetime
    """Now."""


class Standing(NamedTuple):
    """How a site is, in words."""

    mark: Literal["wrong", "attention", "busy", "well"]
    """The most serious first. Also the class in the style sheet, which adds a sign."""
    words: str
    reason: str | None = None


def sites_page(
    frame: Frame,
    lines: Sequence[SiteLine],
    left_out: Mapping[str, str],
    ledgers: Mapping[str, LedgerUse | Exception | None],
) -> HTMLResponse:
    """Return the page of all sites, those that need attention first.

    `left_out` are configs and why; `ledgers` are the shared ones by path, or why one cannot be read.
    """
    marks = ("wrong", "attention")
    found = [(line, standing(line.daemon, line.at)) for line in lines]
    in_order = sorted(found, key=lambda each: marks.index(each[1].mark) if each[1].mark in marks else len(marks))
    number = Counter(each.mark for _, each in found)
    needing = number["wrong"] + number["attention"]
    sentences = [
        f"{counted(len(lines), 'site')}." if lines else "No sites: no config is valid.",
        f"{needing:,} need{'s' * (needing == 1)} attention." if needing else "None needs attention." if lines else None,
        f"{counted(len(left_out), 'config')} left out." if left_out else None,
        f"{number['busy']:,} syncing." if number["busy"] else None,
    ]
    mark = "wrong" if number["wrong"] or left_out or not lines else "attention" if needing else "well"
    return page(
        frame,
        ALL_SITES,
        tag("h1", ALL_SITES),
        tag("p", tag("strong", " ".join(filter(None, sentences))), class_=f"verdict {mark}", role="status"),
        _left_out(left_out) if left_out else None,
        section("Sites", _table(in_order), id_="sites") if lines else None,
        _ledgers(ledgers) if ledgers else None,
        here="/",
        refresh=REFRESH_SECONDS if number["busy"] else None,
    )


def standing(daemon: DaemonState, now: datetime) -> Standing:
    """Return how a site is; of several things that are wrong, the most serious."""
    if daemon.stalled:
        return Standing("wrong", "stalled", "The running sync does not respond.")
    if wrong := _wrong(daemon, now):
        return Standing("wrong", "needs attention", wrong)
    if need := _need(daemon):
        return Standing("attention", "needs attention", need)
    if daemon.running:
        return Standing("busy", "syncing", progress_of(daemon))
    return Standing("well", "idle", None if daemon.last else "No sync yet.")


def _wrong(daemon: DaemonState, now: datetime) -> str | None:
    if daemon.trouble:
        return f"The last sync could not run: {daemon.trouble}"
    if daemon.last and daemon.last.exit == ExitCode.NOTHING_ANSWERED:
        return "Every request of the last sync to YouTube failed."
    if daemon.last_whole and is_old(daemon.last_whole, daemon, now):
        since = ago((now - daemon.last_whole).total_seconds())
        return f"The last successful sync of the whole site started {since} ago."
    return None


def _need(daemon: DaemonState) -> str | None:
    if daemon.config_error:
        return "The new config is invalid, so the old one is still in use."
    if daemon.last is None or daemon.last.exit != ExitCode.PROBLEMS:
        return None
    if daemon.last.problems:
        return f"The last sync found {counted(daemon.last.problems, 'problem')}."
    return "The last sync held values back or skipped videos."


def _left_out(left_out: Mapping[str, str]) -> Markup:
    items = [
        tag("li", tag("span", path, class_="path"), ": ", prose(message.replace("\n", "; ")))
        for path, message in left_out.items()
    ]
    return section(
        "Left out",
        tag("p", "The sites of these configs are not synced. The daemon adds each one once its error is fixed."),
        tag("ul", items),
        id_="left-out",
    )


def _ledgers(ledgers: Mapping[str, LedgerUse | Exception | None]) -> Markup:
    sentences: list[str] = []
    for use in ledgers.values():
        if isinstance(use, Exception):
            sentences.append(explained(use).message)
        elif use:
            balances, sharing = use
            warnings = sharing_warnings(sharing, {})  # those about all of its sites
            sentences.append(". ".join((sharing_outline(sharing, balances), *warnings)) + ".")
    return section("Quota ledgers", tag("ul", [tag("li", prose(each)) for each in sentences]), id_="ledgers")


def _table(found: Sequence[tuple[SiteLine, Standing]]) -> Markup:
    caption = "Those that need attention first"
    whole = tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", [tag("th", head, scope="col") for head in HEADS])),
        tag("tbody", [_row(line, each) for line, each in found]),
    )
    return tag("div", whole, class_="scroll stacked sites", tabindex=0, role="region", aria_label=caption)


def _row(line: SiteLine, how: Standing) -> Markup:
    last, next_sync = line.daemon.last, line.daemon.next_sync
    numbers = (last.changed_counts, last.problems, last.missing) if last else ("-",) * 3
    cells: list[Child] = [
        (tag("strong", how.words, class_=how.mark), (". ", prose(how.reason)) if how.reason else None),
        (_minute(last.finished), ", ", tag("br"), f"{ago((line.at - last.finished).total_seconds())} ago")
        if last
        else "-",
        *(f"{number:,}" if isinstance(number, int) else number for number in numbers),
        _minute(next_sync) if next_sync else "-",
    ]
    name = tag("a", line.name, href=f"{site_prefix(line.name)}/")
    return tag("tr", tag("th", name, scope="row"), [tag("td", cell) for cell in cells])


def _minute(at: datetime) -> Markup:
    utc = at.astimezone(UTC)
    return tag("time", f"{utc:%Y-%m-%d %H:%M}", datetime=f"{utc:%Y-%m-%dT%H:%MZ}")
