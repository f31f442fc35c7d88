"""Undoes a sync: restores the counts that it replaced, unless they have changed since."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from itertools import chain, groupby
from typing import TYPE_CHECKING

from syncer.content.scan import ExcludedPage, read_candidate
from syncer.content.walk import Candidate, candidate_of
from syncer.decide.same_items import find_items, texts_by_item
from syncer.diff_log.lines import LOG, Line, each_line_of_sync
from syncer.errors import UsageError
from syncer.model import Change, Edit, Page, Problem, Value, VideoId, Why, count_in_log, item_of, key_of
from syncer.review.put_back import Restoration, SkippedCount, put_back
from syncer.state.database import Database
from syncer.state.mappings import with_former
from syncer.state.videos import last_said
from syncer.status.report import SyncReport
from syncer.sync.open_state import begin, open_for_writing
from syncer.sync.options import Environment, Listener, Options, Sync

if TYPE_CHECKING:
    from syncer.config.sections import Config


INSERTED = "the sync added it; there was nothing before"
"""Why an inserted count or date is not restored: lines are not removed."""


EXCLUDED = "the page's `syncer` key excludes it"
"""Why an excluded count is not restored: nothing writes it, and that includes an undo."""


def undo(
    config: Config, name: str, environment: Environment, listener: Listener, limit: int
) -> tuple[SyncReport, Sequence[SkippedCount]]:
    """Restore the counts that the sync with this ID replaced, and return the report of the sync that does so.

    Return the first counts that could not be restored too, up to `limit`; the report has their number. Counts that
    have their old value already are ignored. Raises UsageError if the diff log has no line of that sync, Locked and
    StateError.
    """
    log, started = config.state_directory / LOG, environment.clock()
    if not os.path.lexists(log):  # do not create a state for nothing
        raise _unknown(name)
    with (
        open_for_writing(config, clock=environment.clock, sleep=environment.sleep) as opened,
        closing(each_line_of_sync(log, name)) as lines,
    ):
        first = next(lines, None)
        if first is None:
            raise _unknown(name)
        sync = begin(config, Options(), environment, listener, opened, started=started)
        candidate = candidate_of(with_former(sync.database, config.written_models()))
        by_page = groupby(chain([first], lines), key=lambda line: str(line["path"]))  # one page in memory at a time
        pages = (_restoration(sync, candidate(path), list(same)) for path, same in by_page)
        return put_back(sync, opened.diff_log, pages, limit)


def _unknown(name: str) -> UsageError:
    return UsageError(f"the diff log has no changes of a sync {name}; run `syncer log` to see its syncs")


def _restoration(sync: Sync, candidate: Candidate, lines: Sequence[Line]) -> Restoration:
    """Return the edit that restores one page's counts from before these lines, and the counts it cannot restore."""
    found = read_candidate(sync.site, candidate) if candidate.fields else []
    pages = [item for item in found if isinstance(item, Page)]
    what = "data file" if candidate.is_data_file else "page"
    problems = (item.message for item in found if isinstance(item, Problem))
    missing = next(problems, f"the {what} no longer has this count")
    if any(isinstance(item, ExcludedPage) for item in found):
        missing = EXCLUDED
    if not os.path.lexists(os.path.join(sync.site, candidate.path)):
        missing = f"the {what} no longer exists"
    elif not candidate.fields:
        missing = "the page is not in any collection of the config"
    values = {
        (slot.video_id, value.field, count_in_log(value.kind)): (number, value)
        for number, page in reversed([*enumerate(pages)])  # the config's mappings are first, so they win
        for slot in page.slots
        for value in slot.values
    }
    now = texts_by_item((*named, value.text) for named, (_, value) in values.items())
    old, new = (texts_by_item((*_named(line), _text(line[key])) for line in lines) for key in ("old", "new"))
    again = find_items({item: [texts, old[item]] for item, texts in new.items()}, now)
    changes: list[list[Change]] = [[] for _ in pages]
    skipped, stay = [], set[tuple[str, str]]()
    for line in lines:
        video, field, name = _named(line)
        slot = video, item_of(field)
        item, key = again.get(slot), key_of(field)
        there = (video, f"{item}.{key}" if item else key, name)
        number, value = values.get(there, (0, None)) if item is not None else (0, None)
        outcome = _change_back(sync.database, line, value, missing)
        if line["count"] is None and slot in stay and isinstance(outcome, Change):  # counts come first in the log
            outcome = "it is the date of a count that is not restored"
        if isinstance(outcome, Change):
            changes[number].append(outcome)
        elif outcome:
            stay.add(slot)
            skipped.append(SkippedCount(str(line["path"]), field, outcome))
    rewrites = tuple((page.fields, tuple(own)) for page, own in zip(pages, changes, strict=True) if own)
    return Restoration(Edit(candidate.path, pages[0].signature, rewrites) if rewrites else None, skipped)


def _change_back(database: Database, line: Line, value: Value | None, missing: str) -> Change | str | None:
    """Return the change that restores a line's count, or why it is not restored; None if it has its old value."""
    old, new = line["old"], line["new"]
    if value is None:
        return missing
    if value.text == old:
        return None
    if old is None:
        return INSERTED
    if value.text != new:
        return f"it has changed since, to {value.text}" if value.text else "it has been removed since"
    path, video = str(line["path"]), VideoId(str(line["video_id"]))
    as_of = last_said(database, video, value.kind, str(old)) or datetime.fromisoformat(str(line["as_of"]))
    return Change(path, video, value.field, value.kind, value.text, str(old), as_of, Why.UNDO)


def _named(line: Line) -> tuple[VideoId, str, str | None]:
    """Return the video, the field and the count of a line; of a date, no count."""
    return VideoId(str(line["video_id"])), str(line["field"]), _text(line["count"])


def _text(value: str | int | None) -> str | None:
    return None if value is None else str(value)
