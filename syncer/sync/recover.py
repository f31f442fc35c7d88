"""Settles what a crash left behind: open intents, lines that the diff log lacks, new files beside their pages."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from syncer.content.durable import flush_directories
from syncer.content.replace import left_over, remove_left_over
from syncer.content.scan import Candidate, read_head
from syncer.diff_log import DiffLog
from syncer.front_matter.find import counts_in
from syncer.model import Fields, Problem, VideoId
from syncer.state.database import Database
from syncer.state.intents import IntentBatch, forget_intents, mark_done, unsettled_batches


@dataclass(frozen=True, slots=True)
class Remains:
    """What a crash left behind."""

    written: int = 0
    """Counts that were written, and are perhaps not in the diff log."""
    unwritten: int = 0
    """Counts that were about to be written."""
    files: frozenset[str] = frozenset()
    """Real paths of new files that never came in their pages' places."""
    problems: tuple[Problem, ...] = ()
    """Directories that such files could not be removed from."""


class _Target(NamedTuple):
    """The count that an intent is about."""

    number: int
    path: str
    mapping: int
    video_id: VideoId
    field: str
    new: str


def find_remains(site: str, database: Database) -> Remains:
    """Return what a crash left behind, and change nothing. `site` is a real path. Raises StateError."""
    written = unwritten = 0
    files: set[str] = set()
    for batch in unsettled_batches(database):
        not_done = len(_not_done(site, batch))
        written, unwritten = written + len(batch.intents) - not_done, unwritten + not_done
        files.update(path for directory in _directories(site, batch) for path in left_over(directory))
    return Remains(written, unwritten, frozenset(files))


def recover(site: str, database: Database, diff_log: DiffLog, now: datetime) -> Remains:
    """Settle what a crash left behind, and return what that was. The lock must be held. Raises StateError.

    What a page shows of the intents was written, and is logged; the rest was not, or somebody has overwritten it. To be
    cut short here as well does no harm.
    """
    remains = find_remains(site, database)
    problems: list[Problem] = []
    for batch in unsettled_batches(database):
        problems += _settle(site, batch, database, diff_log, now)
    return replace(remains, problems=tuple(problems))


def _settle(site: str, batch: IntentBatch, database: Database, diff_log: DiffLog, now: datetime) -> list[Problem]:
    problems: list[Problem] = []
    at, first, not_done = batch.done_at, batch.first_seq, _not_done(site, batch)
    if at is None:
        directories = _directories(site, batch)
        problems = remove_left_over(site, (path for directory in directories for path in left_over(directory)))
        flush_directories(directories)
        at, first = now, diff_log.last_seq + 1
        mark_done(database, batch.number, not_done, at, first)
    entries = [intent.entry for number, intent in batch.intents.items() if number not in not_done]
    diff_log.append(batch.sync, at, entries, first)
    forget_intents(database, batch.number)
    return problems


def _not_done(site: str, batch: IntentBatch) -> set[int]:
    """Return the numbers of the intents that no page shows; of a batch that is done, none is left."""
    if batch.done_at is not None:
        return set()
    not_done: set[int] = set()
    for (path, mapping), targets in groupby(_targets(batch), key=lambda target: (target.path, target.mapping)):
        standing = _counts_on_disk(site, path, batch.mappings[mapping])
        not_done.update(t.number for t in targets if standing.get((t.video_id, t.field)) != t.new)
    return not_done


def _targets(batch: IntentBatch) -> Iterator[_Target]:
    for number, intent in batch.intents.items():
        entry = json.loads(intent.entry)
        yield _Target(number, entry["path"], intent.mapping, entry["video_id"], entry["field"], entry["new"])


def _counts_on_disk(site: str, path: str, fields: Fields) -> dict[tuple[VideoId, str], str | None]:
    read = read_head(site, Candidate(path, (fields,)))
    return counts_in(read[0], fields, path) if isinstance(read, tuple) else {}


def _directories(site: str, batch: IntentBatch) -> set[str]:
    """Return where the batch's new files were made: beside the pages themselves, not beside links to them."""
    paths = {target.path for target in _targets(batch)}
    return _places(site, {os.path.dirname(os.path.realpath(os.path.join(site, path))) for path in paths})


def _places(site: str, directories: Iterable[str]) -> set[str]:
    """Return the real paths of directories, but for those that lead out of the site."""
    places = {os.path.realpath(os.path.join(site, directory)) for directory in directories}
    return {place for place in places if f"{place}/".startswith(f"{site.rstrip('/')}/")}
