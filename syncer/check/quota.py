"""Checks the quota: what is left of it, and the ledger that the site shares with others."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import datetime
from shlex import quote
from typing import TYPE_CHECKING

from syncer.check.findings import Finding, Level
from syncer.status.buckets import in_words
from syncer.status.sharing import no_budget, sharing_outline, sharing_warnings

if TYPE_CHECKING:
    from pathlib import Path

    from syncer.config.sections import Config
    from syncer.model import ServerAddress
    from syncer.state.ledger import QuotaLedger


def check_quota(config: Config, ledger: QuotaLedger, now: datetime) -> Iterator[Finding]:
    """Yield what is left of each bucket, and whether a shared ledger can be used. Raises StateError."""
    balances = ledger.balances(now)
    for bucket, status in balances.items():
        if status.scheduled:
            yield Finding("quota", Level.OK, f"{bucket}: {in_words(status)}")
        else:
            remedy = no_budget(bucket, status) or "You need to do nothing: the quota resets at midnight Pacific"
            yield Finding("quota", Level.WARNING, f"{bucket}: {in_words(status)}. {remedy}.")
    place = config.ledger_place
    if ledger.exchange is None or place is None:
        return
    sharing = ledger.sharing(now)
    if refused := _refused_by_server(place) if isinstance(place, str) else _refused_by_disk(place):
        yield Finding(
            "ledger", Level.ERROR, f"{refused[0]}, so no sync can count its units in the ledger. {refused[1]}"
        )
        return
    yield Finding("ledger", Level.OK, sharing_outline(sharing, balances))
    if not isinstance(place, str):
        mode = os.stat(place.parent).st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            message = (
                f"Every user can replace the ledger in {place.parent}. Run `chmod o-w {quote(str(place.parent))}`."
            )
            yield Finding("ledger", Level.WARNING, message)
    for warning in sharing_warnings(sharing, {}):  # those about this site are above
        yield Finding("ledger", Level.WARNING, f"{warning}.")


def _refused_by_disk(path: Path) -> tuple[str, str] | None:
    """Return that the file of a ledger cannot be written, and the remedy; None if it can. Raises StateError."""
    for place in (path, path.parent):
        if os.path.exists(place) and not os.access(place, os.W_OK):
            remedy = "Check its permissions."
            if os.statvfs(place).f_flag & os.ST_RDONLY:  # as in a sandbox
                remedy = (
                    f"In a unit of systemd, add {path.parent} to `ReadWritePaths=`; else mount its disk for writing."
                )
            return f"You may not write {place}", remedy
    from syncer.state.ledger_file import require_unlocked

    require_unlocked(path)
    return None


def _refused_by_server(place: ServerAddress) -> tuple[str, str] | None:
    """Return that tables of a ledger cannot be written, and the remedy; None if they can. Raises StateError."""
    from syncer.state.ledger_server import tables_to_read_only

    if tables := tables_to_read_only(place):
        what = f"The user of {place} may not write {', '.join(tables)}"
        return what, "Grant it INSERT, UPDATE and DELETE on all tables of the schema `syncer`."
    return None
