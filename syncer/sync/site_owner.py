"""Looks in the tables of a fleet whether this host still owns a site."""

from __future__ import annotations

import socket

from syncer.errors import GitError, StateError
from syncer.model import ServerAddress
from syncer.state.fleet_tables import find_owner


def require_owner(place: ServerAddress, site: str, host: str | None) -> None:
    """Raise GitError if another host of the fleet owns a site of this name, and if that cannot be found out.

    `place` is the server of the site's ledger, which need not have a fleet; `host` is this host's name there, by
    default the machine's.
    """
    host = host or socket.gethostname()
    try:
        owner = find_owner(place, site)
    except StateError as error:
        raise GitError(f"cannot find out whether another host has the site now: {error}") from error
    if owner not in {None, host}:
        raise GitError(
            f"the host {owner} has the site {site} now, so {host} does not push it; remove its config here, and run"
            f" `syncer fleet sync {site}`, which syncs it on {owner}"
        )
