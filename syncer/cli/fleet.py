"""`syncer fleet`: sites on several machines, which share a PostgreSQL server."""

from __future__ import annotations

from dataclasses import replace

import click

from syncer.cli import fleet_status
from syncer.cli.daemon import run_daemon, sites_at_once_option
from syncer.cli.settings import Settings


@click.group()
def command() -> None:
    """Sync sites on several machines, which share a ledger and a queue on a PostgreSQL server.

    The server is `quota.ledger` of the config; `init` and `status` also take its address.
    """


@command.command()
@click.argument("address", required=False, metavar="[ADDRESS]")
@click.pass_obj
def init(settings: Settings, address: str | None) -> None:
    """Create the tables of a fleet and its ledger, or update them.

    ADDRESS is `postgresql://user@host/database`, without a password; by default, `quota.ledger` of the config. The user
    must be allowed to create a schema in the database.
    """
    from syncer.cli.fleet_place import fleet_place
    from syncer.cli.show import show
    from syncer.state.ledger_place import require_packages

    require_packages("psycopg", "procrastinate")
    place = fleet_place(settings, address)
    from syncer.fleet.queue import migrations, schema
    from syncer.state.fleet_tables import create_fleet
    from syncer.state.ledger_server import create_ledger

    before, newest = create_ledger(place)
    has_changed = create_fleet(place, schema(), migrations())
    what = "has the newest tables"
    if not before:
        what = "was created"
    elif before < newest or has_changed:
        what = "was updated"
    show(f"The ledger {place} {what} (schema {newest}).")


@command.command()
@click.option("--host", metavar="NAME", help="The name of this host in the fleet; by default, that of the machine.")
@sites_at_once_option
@click.pass_obj
def worker(settings: Settings, host: str | None, sites_at_once: int) -> None:
    """Sync the sites of this host on their schedules until stopped.

    It does what `syncer daemon` does for several sites. The hosts of a fleet share units and a queue, and a site is
    synced by one host only: another one takes it when that has not been seen for a day.
    """
    from syncer.cli.fleet_place import fleet_place, host_name
    from syncer.cli.fleet_worker import FleetHost
    from syncer.state.ledger_place import require_packages

    require_packages("psycopg", "procrastinate")
    several = replace(settings, several=True)
    run_daemon(several, sites_at_once, FleetHost(fleet_place(several), host_name(host)))


@command.command()
@click.argument("site", metavar="SITE")
@click.option("--no-wait", is_flag=True, help="Do not wait until the sync has ended.")
@click.pass_obj
def sync(settings: Settings, site: str, no_wait: bool) -> int:
    """Let the host that has SITE sync it now, and wait until it has.

    The exit code is the one of the sync. Ctrl-C stops the wait, not the sync.
    """
    from syncer.cli.fleet_requests import request_sync

    return request_sync(settings, site, wait=not no_wait)


@command.command()
@click.option("--host", metavar="NAME", help="The host; by default, this machine.")
@click.option("--no-wait", is_flag=True, help="Do not wait until its worker has stopped.")
@click.option("--release", is_flag=True, help="Then let other hosts take its sites, and forget the host.")
@click.pass_obj
def drain(settings: Settings, host: str | None, no_wait: bool, release: bool) -> None:
    """Let the worker of a host stop once its running syncs have ended.

    It begins no more syncs. Its sites stay its own: start it again within a day. With --release, other hosts can take
    its sites at once. Use that also for a host that is dead.
    """
    from syncer.cli.fleet_requests import request_drain, request_release

    if release and no_wait:
        raise click.UsageError("--release waits until the worker has stopped; remove --no-wait")
    if release:
        request_release(settings, host)
    else:
        request_drain(settings, host, wait=not no_wait)


command.add_command(fleet_status.command, "status")
