"""Puts back what the last commit has, in place of counts that wait: a sync of its own."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING

from syncer.content.scan import signature_of
from syncer.diff_log import Line
from syncer.git.repository import Blob
from syncer.model import Change, Edit, SyncReport, Why
from syncer.review.look import find
from syncer.state.database import Database
from syncer.state.held_back import last_said
from syncer.sync.begin import Opened, begin
from syncer.sync.commit import Told, rewrites_of
from syncer.sync.options import Options, Surroundings
from syncer.sync.put_back import put_back
from syncer.waiting import Waiting

if TYPE_CHECKING:
    from syncer.config.sections import Config


def drop(config: Config, paths: Collection[str], world: Surroundings, opened: Opened) -> SyncReport | None:
    """Put the last commit's counts back in these files and directories; None where there is none to put back.

    A count of the author's own stays, and so does one where the commit has none.
    """
    sync = begin(config, Options(), world, opened, world.clock())
    edits = list(_edits(sync.site, opened.database, find(config, paths).files))
    return put_back(sync, opened.diff_log, edits) if edits else None


def _edits(site: str, database: Database, files: Mapping[str, tuple[Blob, list[Told]]]) -> Iterator[Edit]:
    for _, told in files.values():
        for path, same in groupby(told, key=lambda one: one[1].place.path):
            changes = ((fields, _back(database, one, line, one.old)) for fields, one, line in same if line and one.old)
            rewrites = tuple((fields, tuple(of_one)) for fields, of_one in rewrites_of(changes))
            with suppress(FileNotFoundError):  # taken away meanwhile: there is nothing to put back
                if rewrites:
                    yield Edit(path, signature_of(os.stat(os.path.join(site, path))), rewrites)


def _back(database: Database, one: Waiting, line: Line, old: str) -> Change:
    path, field, video = one.place
    said = last_said(database, video, one.count, int(old)) or datetime.fromisoformat(str(line["as_of"]))
    return Change(path, video, field, one.count, one.new, old, said, Why.DROPPED)
