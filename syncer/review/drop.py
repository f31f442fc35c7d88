"""Restores the last commit's values of counts that are not committed. It is a sync of its own."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from syncer.commit.uncommitted import WaitingFile
from syncer.content.page_file import signature_of
from syncer.front_matter.forms import can_be_empty
from syncer.model import Change, Edit, Fields, Why
from syncer.review.look import require_head, scope_of, waiting_since
from syncer.review.put_back import Restoration, put_back
from syncer.state.database import Database
from syncer.state.videos import last_said
from syncer.status.report import SyncReport
from syncer.sync.open_state import OpenState, begin
from syncer.sync.options import Environment, Listener, Options

if TYPE_CHECKING:
    from syncer.config.sections import Config


def drop(
    config: Config, paths: Collection[str], environment: Environment, listener: Listener, state: OpenState
) -> SyncReport | None:
    """Restore the last commit's counts in these files and directories; return None if there is none to restore.

    A count that syncer did not write last is kept, and so is one that the commit does not have.
    """
    sync = begin(config, Options(), environment, listener, state, started=environment.clock())
    scope = scope_of(config, paths)
    pages = list(_restorations(sync.site, state.database, waiting_since(scope, require_head(scope))))
    return put_back(sync, state.diff_log, pages, Why.DROPPED)[0] if pages else None


def _restorations(site: str, database: Database, files: Iterable[WaitingFile]) -> Iterator[Restoration]:
    for file in files:
        for path, same in groupby(file.counts, key=lambda count: count[1].path):
            changes: list[tuple[Fields, Change]] = []
            for fields, count, write in same:
                if write and (count.old or can_be_empty(count.kind)):
                    video, old = count.video_id, count.old or ""
                    as_of = last_said(database, video, count.kind, old) or write.as_of
                    field, new = count.field, count.new or None
                    change = Change(path, video, field, count.kind, new, old, as_of, Why.DROPPED)
                    changes.append((fields, change))
            by_fields = groupby(changes, key=itemgetter(0))
            rewrites = tuple((fields, tuple(change for _, change in of_one)) for fields, of_one in by_fields)
            with suppress(FileNotFoundError):  # removed in the meantime: there is nothing to restore
                if rewrites:
                    yield Restoration(Edit(path, signature_of(os.stat(os.path.join(site, path))), rewrites))
