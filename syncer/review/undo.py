"""Undoes a sync: restores the counts that it replaced, unless they have changed since."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime
from itertools import chain, groupby
from sys import intern
from typing import TYPE_CHECKING, NamedTuple

from syncer.content.scan import ExcludedPage, read_candidate
from syncer.content.walk import Candidate, candidate_of
from syncer.decide.same_items import Item, find_items, texts_by_item
from syncer.diff_log.lines import LOG, Line, each_line_of_sync
from syncer.errors import UsageError
from syncer.front_matter.forms import can_be_empty
from syncer.model import (
    Change,
    Detail,
    Edit,
    Page,
    Problem,
    Value,
    VideoId,
    Why,
    count_in_log,
    item_of,
    key_of,
)
from syncer.review.put_back import Restoration, SkippedCount, put_back
from syncer.state.database import Database
from syncer.state.mappings import with_former
from syncer.state.videos import last_said
from syncer.status.report import SyncReport
from syncer.sync.open_state import begin, open_for_writing
from syncer.sync.options import Environment, Listener, Options, Sync
from syncer.wording import named_field

if TYPE_CHECKING:
    from syncer.config.sections import Config


INSERTED = "the sync added it; there was nothing before"
"""Why an inserted count or date is not restored: lines are not removed."""


EXCLUDED = "the page's `syncer` key excludes it"
"""Why an excluded count is not restored: nothing writes it, and that includes an undo."""


class _Logged(NamedTuple):
    """What a line of the log says. All lines of a page are in memory at once, and as mappings they take more."""

    video: VideoId
    field: str
    kind: str | None
    """The line's `count`; None: a date."""
    old: str | None
    new: str | None
    """None: a date was removed."""
    as_of: str

    @property
    def item(self) -> Item:
        """The item that it was then."""
        return self.video, item_of(self.field)


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
        pages = (_restoration(sync, candidate(path), [_logged(line) for line in same]) for path, same in by_page)
        return put_back(sync, opened.diff_log, pages, Why.UNDO, limit)


def _unknown(name: str) -> UsageError:
    return UsageError(f"the diff log has no changes of a sync {name}; run `syncer log` to see its syncs")


def _logged(line: Line) -> _Logged:
    count, old = (None if line[key] is None else intern(str(line[key])) for key in ("count", "old"))
    new = None if line["new"] is None else str(line["new"])
    video, as_of = VideoId(str(line["video_id"])), intern(str(line["as_of"]))
    return _Logged(video, str(line["field"]), count, old, new, as_of)


def _restoration(sync: Sync, candidate: Candidate, lines: Sequence[_Logged]) -> Restoration:
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
    again = _items_now(values, lines)
    changes: list[list[Change]] = [[] for _ in pages]
    skipped, stay = [], set[Item]()
    for line in lines:
        item, key = again.get(line.item), key_of(line.field)
        there = (line.video, f"{item}.{key}" if item else key, line.kind)
        number, value = values.get(there, (0, None)) if item is not None else (0, None)
        outcome = _change_back(sync.database, candidate.path, line, value, missing)
        is_checked = isinstance(outcome, Change) and outcome.kind is Detail.CHECKED_AT
        if is_checked and line.item in stay:  # counts come first in the log
            outcome = "it is the date of a count that is not restored"
        if isinstance(outcome, Change):
            changes[number].append(outcome)
        elif outcome:
            stay.add(line.item)
            skipped.append(SkippedCount(candidate.path, named_field(line.field, line.video), outcome))
    rewrites = tuple((page.fields, tuple(own)) for page, own in zip(pages, changes, strict=True) if own)
    return Restoration(Edit(candidate.path, pages[0].signature, rewrites) if rewrites else None, skipped)


def _items_now(
    values: Mapping[tuple[VideoId, str, str | None], tuple[int, Value]], lines: Sequence[_Logged]
) -> Mapping[Item, str]:
    """Return the item that each item of the lines is now: the log has the numbers that items had then."""
    wanted = {line.item for line in lines}
    if wanted <= {(video, item_of(field)) for video, field, _ in values}:
        return {item: item[1] for item in wanted}
    old = texts_by_item((line.video, line.field, line.kind, line.old) for line in lines)
    new = texts_by_item((line.video, line.field, line.kind, line.new) for line in lines)
    now = texts_by_item((*named, value.text) for named, (_, value) in values.items())
    return find_items({item: [texts, old[item]] for item, texts in new.items()}, now)


def _change_back(
    database: Database, path: str, line: _Logged, value: Value | None, missing: str
) -> Change | str | None:
    """Return the change that restores a line's count, or why it is not restored; None if it has its old value."""
    if value is None:
        return missing
    if value.text == line.old:
        return None
    if line.old is None and not can_be_empty(value.kind):
        return INSERTED
    if value.text != line.new:
        return f"it has changed since, to {value.text}" if value.text else "it has been removed since"
    old = line.old or ""
    as_of = last_said(database, line.video, value.kind, old) or datetime.fromisoformat(line.as_of)
    return Change(path, line.video, value.field, value.kind, value.text, old, as_of, Why.UNDO)
