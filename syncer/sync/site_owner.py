"""Looks in the tables of a fleet whether this host still owns a site."""

from __future__ import annotations

import shlex

from syncer.errors import GitError, StateError
from syncer.model import ServerAddress
from syncer.state.fleet_tables import find_other_owner
from syncer.wording import safe


def require_owner(place: ServerAddress, site: str, path: str) -> None:
    """Raise GitError if another host of the fleet owns a site of this name, and if that cannot be found out.

    `place` is the server of the site's ledger, which need not have a fleet; `path` is where the site is here.
    """
    try:
        owner = find_other_owner(place, site, safe(path))
    except StateError as error:
        raise GitError(f"cannot find out whether another host has the site now: {error}") from error
    if owner is not None:
        raise GitError(
            f"the host {owner} has the site {site} now, so it is not pushed from here; if this is an old copy, remove"
            f" its config, and run `syncer fleet sync {shlex.quote(site)}`, which syncs it on {owner}"
        )
