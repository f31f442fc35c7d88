"""The server of a fleet, as the configs or the command line name it."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

from syncer.config.formats import check_ledger
from syncer.errors import ConfigError, UsageError
from syncer.model import ServerAddress

if TYPE_CHECKING:
    from syncer.cli.settings import Settings


def fleet_place(settings: Settings, address: str | None = None) -> ServerAddress:
    """Return the address of the server: this one, or `quota.ledger` of the first config that has one there.

    Raises UsageError, and ConfigError where no config is valid.
    """
    if address is not None:
        try:
            place = check_ledger(address)
        except ValueError as error:
            raise UsageError(f"the address {error}") from None
        if "://" not in place:
            raise UsageError("the address is not that of a PostgreSQL server; write `postgresql://user@host/database`")
        return ServerAddress(place)
    found = settings.each()
    for own in found:
        with suppress(ConfigError):
            if isinstance(named := own.config().ledger_place, str):
                return named
    found[0].config()  # where it is invalid, that is what to say
    raise UsageError(
        "no server is named; set `quota.ledger` to its address, as in `postgresql://user@host/db`, in the config"
    )


def host_name(given: str | None) -> str:
    """Return the name of a host in the fleet. Raises UsageError."""
    name = socket.gethostname() if given is None else given
    if not name.isprintable() or not name.strip() or len(name.encode()) > 253:
        raise UsageError("--host: this cannot be the name of a host; use letters, digits, `-` and `.`")
    return name
