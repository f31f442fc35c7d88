"""`syncer fleet status`: the hosts and sites of a fleet, and the units of its project."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from syncer.cli.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from syncer.decide.quota import BucketStatus
    from syncer.model import Bucket, ServerAddress
    from syncer.state.shared_ledger import Sharing
    from syncer.status.fleet import FleetCondition, HostCondition, SiteCondition

    SeenFleet = tuple[FleetCondition, Mapping[Bucket, BucketStatus], Sharing]
    """How it is, what is left of each bucket, and who shares the ledger."""

SITE_HEADS = ("site", "host", "status", "last sync (UTC)", "changed", "problems", "missing", "next sync (UTC)")
HOST_HEADS = ("host", "status", "sites", "last seen", "version")

ALL = "--json lists all"


@click.command()
@click.argument("address", required=False, metavar="[ADDRESS]")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON document.")
@click.pass_obj
def command(settings: Settings, address: str | None, as_json: bool) -> int:
    """Show the hosts and sites of a fleet, and what needs attention.

    ADDRESS is `postgresql://user@host/database`, without a password; by default, each `quota.ledger` of the configs.
    """
    from syncer.cli.process import printed
    from syncer.cli.show import show_json
    from syncer.cli.show_error import error_document, show_error
    from syncer.errors import SyncerError
    from syncer.state.ledger_place import require_packages
    from syncer.status.documents import quota_json
    from syncer.status.fleet import fleet_json

    places, code = _places(settings, address)
    require_packages("psycopg")
    documents: list[dict[str, object]] = []
    for place in places:
        try:
            seen = _look(place)
        except SyncerError as error:
            if len(places) == 1:
                raise
            code = max(code, error.exit_code)
            documents.append({"ledger": place, **error_document(error)})
            if not as_json:
                show_error(error)
            continue
        condition, buckets, sharing = seen
        documents.append({"ledger": place, **fleet_json(condition), "quota": quota_json(buckets, sharing)})
        if not as_json:
            _show(seen, place if len(places) > 1 else None)
    if as_json:
        show_json({"fleets": documents, "exit": code})
    return printed(code)


def _places(settings: Settings, address: str | None) -> tuple[list[ServerAddress], int]:
    """Return the addresses of the servers that are meant, and the exit code: 1 if a config is left out.

    Raises UsageError where there is none, and ConfigError.
    """
    from syncer.cli.fleet_place import fleet_place
    from syncer.cli.show_error import show_error
    from syncer.cli.sites import choose_sites
    from syncer.errors import ExitCode

    if address is not None:
        return [fleet_place(settings, address)], 0
    choice = choose_sites(settings)
    for error in choice.left_out.values():
        show_error(error)
    named = dict.fromkeys(site.config.ledger_place for site in choice.sites)
    places = [place for place in named if isinstance(place, str)]
    return places or [fleet_place(settings)], int(ExitCode.PROBLEMS if choice.left_out else ExitCode.OK)


def _look(place: ServerAddress) -> SeenFleet:
    """Return how a fleet is. Raises StateError."""
    from contextlib import closing

    from syncer.state.fleet_tables import open_fleet
    from syncer.status.buckets import look_at_project
    from syncer.status.fleet import condition_of

    with closing(open_fleet(place)) as tables:
        fleet = tables.look()
    return condition_of(fleet), *look_at_project(place, fleet.at)


def _show(seen: SeenFleet, place: ServerAddress | None) -> None:
    """Print how a fleet is; `place`: its heading."""
    from syncer.cli.show import ROWS_SHOWN, rest, show, show_table
    from syncer.status.sharing import sharing_outline, sharing_warnings
    from syncer.wording import safe, utc

    condition, buckets, sharing = seen
    if place:
        show(f"{safe(place)}:", "bold")
    show(safe(condition.outline), "bold")
    reasons = [f"Host {host.row.host}: {host.reason}" for host in condition.hosts if host.reason]
    reasons += [
        f"{site.row.report.site} on {site.row.host}: {' '.join(site.reasons)}"
        for site in condition.sites
        if site.reasons
    ]
    for reason in reasons[:ROWS_SHOWN]:
        show(f"  {safe(reason)}", "yellow")
    rest(len(reasons), "reason", ALL)
    if condition.sites:
        rows = [tuple(_site_cells(condition, site)) for site in condition.sites[:ROWS_SHOWN]]
        show_table(SITE_HEADS, rows, right=(4, 5, 6), remarks=(0, 1))
        rest(len(condition.sites), "site", ALL)
    if condition.hosts:
        show_table(HOST_HEADS, map(_host_cells, condition.hosts[:ROWS_SHOWN]), right=(2,), remarks=(0, 4))
        rest(len(condition.hosts), "host", ALL)
    show(f"Quota ledger: {safe(sharing_outline(sharing, buckets))}.")
    for bucket, status in buckets.items():
        if status.parked_until:
            show(f"YouTube refuses more {bucket} units until {utc(status.parked_until)}.", "bold yellow")
    for warning in sharing_warnings(sharing, {}):
        show(f"{safe(warning)}.", "bold yellow")


def _site_cells(condition: FleetCondition, site: SiteCondition) -> Iterator[str]:
    from syncer.cli.show import MINUTES, NONE

    report = site.row.report
    yield from (report.site, site.row.host, site.words)
    finished, next_sync = condition.moment(report.finished), condition.moment(report.next_sync)
    yield finished.strftime(MINUTES) if finished else NONE
    for number in (report.changed_counts, report.problems, report.missing):
        yield NONE if number is None else f"{number:,}"
    yield next_sync.strftime(MINUTES) if next_sync else NONE


def _host_cells(host: HostCondition) -> Sequence[str]:
    from syncer.wording import ago

    row = host.row
    return row.host, host.state, f"{host.sites:,}", f"{ago(row.silent_seconds)} ago", row.version
