"""The part of the page of all sites about the fleet of the daemon, from memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import timedelta
from typing import NamedTuple

from syncer.status.attention import Mark
from syncer.status.fleet import FleetCondition, FleetView, HostCondition, SiteCondition, condition_of
from syncer.status_page.frame import site_prefix
from syncer.status_page.layout import minute, moment, prose, section, table
from syncer.status_page.markup import Child, Markup, tag
from syncer.wording import ago, counted

ROWS_SHOWN = 300
"""Of each table. The API lists all."""

SITE_HEADS = ("site", "host", "status", "last sync (UTC)", "problems", "missing", "next sync (UTC)")
HOST_HEADS = ("host", "status", "sites", "last seen", "version")


class FleetPart(NamedTuple):
    """What the page says of the fleet."""

    sentence: str | None
    """What needs attention, for the top of the page; None: nothing does."""
    mark: Mark
    """The most serious of that."""
    section: Markup


def fleet_part(view: FleetView, own: Collection[str]) -> FleetPart:
    """Return what the page says of the fleet. `own` are the names of the sites that have pages here."""
    fleet = condition_of(view.fleet) if view.fleet else None
    whole = section("Fleet", *_content(view, fleet, own), id_="fleet")
    if view.outage:
        return FleetPart("This host is out of the fleet: see below.", "wrong", whole)
    if fleet is None or not fleet.attention:
        return FleetPart(None, "well", whole)
    is_wrong = any(site.mark == "wrong" for site in fleet.sites)
    return FleetPart(f"In the fleet, {'; '.join(fleet.attention)}.", "wrong" if is_wrong else "attention", whole)


def _content(view: FleetView, fleet: FleetCondition | None, own: Collection[str]) -> Iterator[Child]:
    if outage := view.outage:
        since = (f"This host, {view.host}, has been out of the fleet since ", moment(outage.since), ": ")
        yield tag("p", since, prose(outage.why), f". {outage.effect}.", class_="verdict wrong")
    if fleet is None or view.read is None:
        yield None if outage else tag("p", "The fleet has not been read yet.")
        return
    if outage:
        yield tag("p", "This is how the fleet was at ", moment(view.read), ". How it is now is not known.")
    yield tag("p", tag("strong", fleet.outline))
    if fleet.sites:
        rows = [
            _site_cells(fleet, site, own if site.row.host == view.host else ()) for site in fleet.sites[:ROWS_SHOWN]
        ]
        yield table("Sites of all hosts, those that need attention first", SITE_HEADS, rows, numbers=(4, 5))
        yield _rest(fleet.sites, "site")
    if fleet.hosts:
        yield table(
            "Hosts, those that need attention first",
            HOST_HEADS,
            [_host_cells(fleet, host, is_current=view.is_current) for host in fleet.hosts[:ROWS_SHOWN]],
            numbers=(2,),
        )
        yield _rest(fleet.hosts, "host")
    read = ("This host, ", view.host, ", read this at ", moment(view.read))
    yield tag("p", read, ". The times in the tables are by the clock of the database server.", class_="note")


def _site_cells(fleet: FleetCondition, site: SiteCondition, own: Collection[str]) -> Sequence[Child]:
    """Return the cells of a site; `own` are the names of those that have pages here, if its host is this one."""
    report = site.row.report
    finished, next_sync = fleet.moment(report.finished), fleet.moment(report.next_sync)
    words = "needs attention" if site.reasons else site.words
    return (
        tag("a", report.site, href=f"{site_prefix(report.site)}/") if report.site in own else report.site,
        site.row.host,
        (tag("strong", words, class_=site.mark), (". ", prose(" ".join(site.reasons))) if site.reasons else None),
        minute(finished) if finished else "-",
        *("-" if number is None else f"{number:,}" for number in (report.problems, report.missing)),
        minute(next_sync) if next_sync else "-",
    )


def _host_cells(fleet: FleetCondition, host: HostCondition, *, is_current: bool) -> Sequence[Child]:
    row, mark = host.row, "attention" if host.reason else "well"
    return (
        row.host,
        (tag("strong", host.state, class_=mark), (". ", host.reason) if host.reason else None),
        f"{host.sites:,}",
        f"{ago(row.silent_seconds)} ago" if is_current else moment(fleet.at - timedelta(seconds=row.silent_seconds)),
        row.version,
    )


def _rest(rows: Sequence[object], noun: str) -> Markup | None:
    left = len(rows) - ROWS_SHOWN
    return (
        tag("p", f"And {counted(left, f'more {noun}')}: see ", tag("code", "/api/v1/fleet"), ".") if left > 0 else None
    )
