"""Checks the quota: what is left of it, and the ledger that the site shares with others."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from syncer.check.findings import Finding, Level
from syncer.status.buckets import in_words
from syncer.status.sharing import no_budget, sharing_outline, sharing_warnings

if TYPE_CHECKING:
    from syncer.config.sections import Config
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
    path = config.ledger_path
    if ledger.exchange is None or path is None:
        return
    from syncer.state.ledger_file import require_unlocked

    sharing = ledger.sharing(now)
    for place in (path, path.parent):
        if os.path.exists(place) and not os.access(place, os.W_OK):
            remedy = "Check its permissions."
            if os.statvfs(place).f_flag & os.ST_RDONLY:  # as in a sandbox
                remedy = (
                    f"In a unit of systemd, add {path.parent} to `ReadWritePaths=`; else mount its disk for writing."
                )
            message = f"You may not write {place}, so no sync can count its units in the ledger. {remedy}"
            yield Finding("ledger", Level.ERROR, message)
            return
    require_unlocked(path)
    yield Finding("ledger", Level.OK, sharing_outline(sharing, balances))
    mode = os.stat(path.parent).st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        message = f"Every user can replace the ledger in {path.parent}. Run `chmod o-w {path.parent}`."
        yield Finding("ledger", Level.WARNING, message)
    for warning in sharing_warnings(sharing, {}):  # those about this site are above
        yield Finding("ledger", Level.WARNING, f"{warning}.")
