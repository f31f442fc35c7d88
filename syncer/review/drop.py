"""Puts back what the last commit has, in place of counts that wait: a sync of its own."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from syncer.commit.uncommitted import WaitingFile, Written
from syncer.commit.waiting import Waiting
from syncer.content.page_file import signature_of
from syncer.model import Change, Edit, Why
from syncer.review.look import find
from syncer.review.put_back import put_back
from syncer.state.database import Database
from syncer.state.suppressed import last_said
from syncer.status.report import SyncReport
from syncer.sync.begin import Opened, begin
from syncer.sync.options import Environment, Listener, Options

if TYPE_CHECKING:
    from syncer.config.sections import Config


def drop(
    config: Config, paths: Collection[str], environment: Environment, listener: Listener, opened: Opened
) -> SyncReport | None:
    """Put the last commit's counts back in these files and directories; None where there is none to put back.

    A count of the author's own stays, and so does one where the commit has none.
    """
    sync = begin(config, Options(), environment, listener, opened, started=environment.clock())
    edits = list(_edits(sync.site, opened.database, find(config, paths).files))
    return put_back(sync, opened.diff_log, edits) if edits else None


def _edits(site: str, database: Database, files: Iterable[WaitingFile]) -> Iterator[Edit]:
    for file in files:
        for path, same in groupby(file.counts, key=lambda told: told[1].place.path):
            ours = ((fields, one, written, one.old) for fields, one, written in same if written and one.old)
            changes = [(fields, _back(database, one, written, old)) for fields, one, written, old in ours]
            by_fields = groupby(changes, key=itemgetter(0))
            rewrites = tuple((fields, tuple(change for _, change in of_one)) for fields, of_one in by_fields)
            with suppress(FileNotFoundError):  # taken away meanwhile: there is nothing to put back
                if rewrites:
                    yield Edit(path, signature_of(os.stat(os.path.join(site, path))), rewrites)


def _back(database: Database, one: Waiting, written: Written, old: str) -> Change:
    path, field, video = one.place
    said = last_said(database, video, one.count, int(old)) or written.as_of
    return Change(path, video, field, one.count, one.new, old, said, Why.DROPPED)
