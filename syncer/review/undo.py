"""Undoes a sync: the counts that it replaced are put back where what it wrote still stands."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from itertools import chain, groupby
from typing import TYPE_CHECKING, NamedTuple

from syncer.content.scan import read_pages
from syncer.content.walk import Candidate, candidate_of
from syncer.diff_log.log import LOG, Line, each_line_of_sync
from syncer.errors import UsageError
from syncer.model import Change, Edit, Page, Problem, Value, VideoId, Why
from syncer.review.put_back import put_back
from syncer.state.database import Database
from syncer.state.suppressed import last_said
from syncer.status.report import SyncReport
from syncer.sync.begin import begin, open_for_writing
from syncer.sync.options import Environment, Listener, Options, Sync

if TYPE_CHECKING:
    from syncer.config.sections import Config


INSERTED = "there was no count before"
"""Why an inserted count is left: only numbers are put back, and the line is not taken out."""


class Left(NamedTuple):
    """A count that is left as it is."""

    path: str
    field: str
    why: str


def undo(
    config: Config, name: str, environment: Environment, listener: Listener, left: Callable[[Left], object]
) -> SyncReport:
    """Put back what the sync of this name replaced, and return the report of the sync that does so.

    `left` is called with each count that cannot be put back. Counts that stand as they were already need nothing.
    Raises UsageError where the diff log has no line of such a sync, Locked and StateError.
    """
    log, started = config.state_directory / LOG, environment.clock()
    if not os.path.lexists(log):  # no state is made for nothing
        raise _unknown(name)
    with (
        open_for_writing(config, clock=environment.clock, sleep=environment.sleep) as opened,
        closing(each_line_of_sync(log, name)) as lines,
    ):
        first = next(lines, None)
        if first is None:
            raise _unknown(name)
        sync = begin(config, Options(), environment, listener, opened, started=started)
        return put_back(sync, opened.diff_log, _edits(sync, chain([first], lines), left))


def _unknown(name: str) -> UsageError:
    return UsageError(
        f"{name}: the diff log has no count that a sync of this name wrote; `syncer log` shows which sync wrote what"
    )


def _edits(sync: Sync, lines: Iterator[Line], left: Callable[[Left], object]) -> Iterator[Edit]:
    """Yield what puts the pages back, one after the other: memory holds the lines of one page."""
    candidate = candidate_of([collection.as_model() for collection in sync.config.collections])
    for path, same in groupby(lines, key=lambda line: str(line["path"])):
        edit, kept = _undone(sync, candidate(path), list(same))
        for one in kept:
            sync.tally.left += 1
            left(one)
        if edit:
            yield edit


def _undone(sync: Sync, candidate: Candidate, lines: Sequence[Line]) -> tuple[Edit | None, list[Left]]:
    """Return what puts one page back, if anything does, and what of it cannot be."""
    pages, missing = _read(sync.site, candidate)
    places = {
        (slot.video_id, value.field): (number, value)
        for number, page in enumerate(pages)
        for slot in page.slots
        for value in slot.values
    }
    changes: list[list[Change]] = [[] for _ in pages]
    left: list[Left] = []
    for line in lines:
        number, value = places.get((VideoId(str(line["video_id"])), str(line["field"])), (0, None))
        found = _put_back(sync.database, line, value, missing)
        if isinstance(found, Change):
            changes[number].append(found)
        elif found:
            left.append(found)
    rewrites = tuple((page.fields, tuple(some)) for page, some in zip(pages, changes, strict=True) if some)
    return (Edit(candidate.path, pages[0].signature, rewrites) if rewrites else None), left


def _read(site: str, candidate: Candidate) -> tuple[list[Page], str]:
    """Return what can be read of a page, and why a count may be missing there."""
    found = list(read_pages(site, [candidate])) if candidate.fields else []
    problem = next((one.message for one in found if isinstance(one, Problem)), "the page no longer has it")
    if not os.path.lexists(os.path.join(site, candidate.path)):
        problem = "the page is gone"
    elif not candidate.fields:
        problem = "no collection of the config takes the page"
    return [one for one in found if isinstance(one, Page)], problem


def _put_back(database: Database, line: Line, value: Value | None, missing: str) -> Change | Left | None:
    """Return the change that puts a line's count back, or why it is left; None where it is back already."""
    path, field, old, new = (line[name] for name in ("path", "field", "old", "new"))
    if value is None or value.count != line["count"]:
        return Left(str(path), str(field), missing)
    if value.text == old:
        return None
    if old is None:
        return Left(str(path), str(field), INSERTED)
    if value.text != new:
        return Left(str(path), str(field), f"was changed since, and says {value.text or 'nothing'}")
    video = VideoId(str(line["video_id"]))
    said = last_said(database, video, value.count, int(old)) or datetime.fromisoformat(str(line["as_of"]))
    return Change(str(path), video, str(field), value.count, value.text, str(old), said, Why.UNDO)
