"""The page at `/` of a daemon that may have several sites: how each is, from what the daemon has in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from starlette.responses import HTMLResponse

from syncer.control import DaemonState
from syncer.status.attention import ORDER, WRONG, Mark, Need, facts_in_memory, needs_of
from syncer.status_page.explained import explained
from syncer.status_page.frame import ALL_SITES, Frame, page, site_prefix
from syncer.status_page.layout import minute, prose, section
from syncer.status_page.markup import Child, Markup, tag
from syncer.status_page.overview import UNITS, progress_of
from syncer.status_page.reading import LedgerUse, Sources
from syncer.wording import ago, counted

if TYPE_CHECKING:
    from syncer.status_page.fleet_section import FleetPart

REFRESH_SECONDS = 30
"""Seconds between two refreshes while a sync is running."""

HEADS = ("site", "status", "last sync (UTC)", "changed", "problems", "missing", "next sync (UTC)")
"""Of the columns. The style sheet knows them by their places, so that a row of many is short."""

SEE_LEDGER = "Its quota ledger needs attention: see below"
"""In the row of a site, what is wrong for all sites of its ledger: their rows stay short."""


class SiteLine(NamedTuple):
    """A site, and how it is."""

    name: str
    daemon: DaemonState
    needs: Sequence[Need]
    """What needs attention, the most serious first."""
    at: datetime
    """Now."""

    @property
    def mark(self) -> Mark:
        """How it is, the most serious first. Also the class in the style sheet, which adds a sign."""
        if self.needs:
            return "wrong" if self.needs[0].kind in WRONG else "attention"
        return "busy" if self.daemon.running else "well"


def site_line(name: str, sources: Sources, ledger: LedgerUse | Exception | None) -> SiteLine:
    """Return how a site is, from what the daemon has in memory and from what was read of its shared ledger, if any."""
    daemon, at = sources.control.state(), sources.clock()
    warnings: Sequence[str] = ()
    if isinstance(ledger, LedgerUse):
        warnings = (*([SEE_LEDGER] if ledger.warnings else []), *ledger.of_sites.get(name, ()))
    elif ledger:
        warnings = (SEE_LEDGER,)
    return SiteLine(name, daemon, list(needs_of(facts_in_memory(daemon, at, warnings))), at)


def sites_page(
    frame: Frame,
    lines: Sequence[SiteLine],
    left_out: Mapping[str, str],
    ledgers: Iterable[LedgerUse | Exception],
    fleet: FleetPart | None = None,
) -> HTMLResponse:
    """Return the page of all sites, those that need attention first.

    `left_out` are configs and why; `ledgers` are the shared ones, or why one cannot be read; `fleet` is what to say
    of the fleet, if there is one.
    """
    number = Counter(line.mark for line in lines)
    needing = number["wrong"] + number["attention"]
    sentences = [
        _outline(len(lines), needing, len(left_out), is_host=fleet is not None),
        fleet.sentence if fleet else None,
        f"{number['busy']:,} syncing." if number["busy"] else None,
    ]
    marks: list[Mark] = ["well", *(line.mark for line in lines if line.needs)]
    marks += [fleet.mark] if fleet else []
    marks += ["wrong"] if left_out or not (lines or fleet) else []
    mark = min(marks, key=ORDER.__getitem__)
    ledgers, units = list(ledgers), tag("p", prose(UNITS), class_="note")
    return page(
        frame,
        ALL_SITES,
        tag("h1", ALL_SITES),
        tag("p", tag("strong", " ".join(filter(None, sentences))), class_=f"verdict {mark}", role="status"),
        _left_out(left_out) if left_out else None,
        section("Sites", _table(sorted(lines, key=lambda line: ORDER[line.mark])), id_="sites") if lines else None,
        section("Quota ledgers", tag("ul", map(_ledger, ledgers)), units, id_="ledgers") if ledgers else None,
        fleet.section if fleet else None,
        here="/",
        refresh=REFRESH_SECONDS if any(line.daemon.running for line in lines) else None,
    )


def _outline(sites: int, needing: int, left_out: int, *, is_host: bool) -> str:
    """Return how many sites there are, need attention or are left out. `is_host`: other hosts have sites as well."""
    configs = f"{counted(left_out, 'config')} {'is' if left_out == 1 else 'are'} left out"
    if not sites:
        why = "this host has none of the fleet" if is_host and not left_out else "no config is valid"
        return f"No sites: {why}. {configs}." if left_out else f"No sites: {why}."
    outline = f"{counted(sites, 'site')}{' on this host' * is_host}."
    if needing:
        outline += f" {needing:,} need{'s' * (needing == 1)} attention."
        return f"{outline} {configs}." if left_out else outline
    well = "It does not need attention" if sites == 1 else "None of them needs attention"
    return f"{outline} {well}, but {configs}." if left_out else f"{outline} None needs attention."


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


def _ledger(ledger: LedgerUse | Exception) -> Markup:
    if isinstance(ledger, Exception):
        return tag("li", prose(explained(ledger).message))
    return tag("li", prose(" ".join(f"{sentence}." for sentence in (ledger.outline, *ledger.warnings))))


def _table(lines: Iterable[SiteLine]) -> Markup:
    caption = "Those that need attention first"
    whole = tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", [tag("th", head, scope="col") for head in HEADS])),
        tag("tbody", map(_row, lines)),
    )
    return tag("div", whole, class_="scroll stacked sites", tabindex=0, role="region", aria_label=caption)


def _row(line: SiteLine) -> Markup:
    last, next_sync = line.daemon.last, line.daemon.next_sync
    numbers = (last.changed_counts, last.problems, last.missing) if last else ("-",) * 3
    words, reason = "idle", None if last else "No sync yet."
    if line.needs:
        words, reason = "needs attention", line.needs[0].sentence
    elif line.daemon.running:
        words, reason = "syncing", progress_of(line.daemon)
    cells: list[Child] = [
        (tag("strong", words, class_=line.mark), (". ", prose(reason)) if reason else None),
        (minute(last.finished), ", ", tag("br"), f"{ago((line.at - last.finished).total_seconds())} ago")
        if last
        else "-",
        *(f"{number:,}" if isinstance(number, int) else number for number in numbers),
        minute(next_sync) if next_sync else "-",
    ]
    name = tag("a", line.name, href=f"{site_prefix(line.name)}/")
    return tag("tr", tag("th", name, scope="row"), [tag("td", cell) for cell in cells])
