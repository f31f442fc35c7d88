"""`syncer fleet`: what sites on several machines share, on a PostgreSQL server."""

from __future__ import annotations

import click

from syncer.cli.settings import Settings


@click.command()
@click.argument("action", type=click.Choice(["init"]), metavar="init", expose_value=False)
@click.argument("address", required=False, metavar="[ADDRESS]")
@click.pass_obj
def command(settings: Settings, address: str | None) -> None:
    """Create the tables of a ledger on a PostgreSQL server, or update them.

    ADDRESS is `postgresql://user@host/database`, without a password; by default, `quota.ledger` of the config. The user
    must be allowed to create a schema in the database.
    """
    from syncer.cli.show import show
    from syncer.config.formats import check_ledger
    from syncer.errors import UsageError
    from syncer.model import ServerAddress
    from syncer.state.ledger_place import require_psycopg

    try:
        place = settings.config().ledger_place if address is None else ServerAddress(check_ledger(address))
    except ValueError as error:
        raise UsageError(f"the address {error}") from None
    if not isinstance(place, str) or "://" not in place:
        raise UsageError("no server is named; write its address, as in `syncer fleet init postgresql://user@host/db`")
    require_psycopg()
    from syncer.state.ledger_server import create_ledger

    before, newest = create_ledger(place)
    what = "is up to date"
    if before < newest:
        what = f"was updated from schema {before}" if before else "was created"
    show(f"The ledger {place} {what} (schema {newest}).")
