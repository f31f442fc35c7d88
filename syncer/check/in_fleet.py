"""Checks what a fleet does with a site: whether its worker can clone it, and which host owns its name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from syncer.check.findings import Finding, Level
from syncer.commit.build import Author
from syncer.errors import GitError
from syncer.git.remote import TRANSPORTS
from syncer.git.repository import Repository
from syncer.git.run import git
from syncer.wording import safe

if TYPE_CHECKING:
    from syncer.config.sections import Config
    from syncer.model import ServerAddress

REMOTE_TIMEOUT = 20
"""Seconds that a remote has to answer."""

NOWHERE = Repository("/", "", "", "")
"""For a git command that is about no repository: only the settings of the user and the system count."""


def check_clone(config: Config, *, offline: bool) -> Iterator[Finding]:
    """Yield whether a site that is only in git can be cloned and pushed. Unless `offline`, its remote is contacted."""
    site, remote = Path(os.path.normpath(config.site)), config.git.remote
    message = f"{site} is not here. The worker of the host that owns the site clones {remote} there"
    yield Finding("content", Level.OK, message)
    if not site.parent.is_dir():
        message = f"{site.parent} does not exist. Create it, or mount its disk: the site is cloned there."
        yield Finding("permissions", Level.ERROR, message)
    elif not os.access(site.parent, os.W_OK | os.X_OK):
        message = f"You may not write {site.parent}, where the site is cloned. Check its permissions."
        yield Finding("permissions", Level.ERROR, message)
    else:
        yield Finding("permissions", Level.OK, f"{site.parent} can be written")
    try:
        Author(config.git.author).variables(NOWHERE)
        has_commit = offline or git(
            NOWHERE.top, "ls-remote", "--", remote, "HEAD", variables=TRANSPORTS, timeout=REMOTE_TIMEOUT
        )
    except GitError as error:
        yield Finding("git", Level.ERROR, str(error))
        return
    if not has_commit:
        message = f"{remote} has no commit on its default branch. Push the site there first."
        yield Finding("git", Level.ERROR, message)
        return
    tested = "Not tested here, because of --offline" if offline else "It answers; whether you may push is not tested"
    yield Finding("git", Level.OK, f"each sync commits, and pushes to {remote}. {tested}.")


def check_owner(config: Config, place: ServerAddress) -> Iterator[Finding]:
    """Yield which other host of the fleet, if any, owns a site of this name. Raises StateError."""
    name = config.site_name
    from contextlib import closing

    from syncer.state.fleet_tables import find_other_owner, open_fleet

    if find_other_owner(place, name, safe(os.path.realpath(config.site))) is None:
        return
    with closing(open_fleet(place)) as tables:
        row = next((row for row in tables.look().sites if row.report.site == name), None)
    if row is None:  # it was removed meanwhile
        return
    if config.git.remote_is_url:
        message = (
            f"the host {row.host} syncs the site, at {row.path}; if that is not seen for a day, another host takes it"
        )
        yield Finding("fleet", Level.OK, message)
        return
    message = (
        f"Another host, {row.host}, syncs a site called {name}, at {row.path}, so no worker here does. If that is"
        " another site, set `name` in this config."
    )
    yield Finding("fleet", Level.WARNING, message)
