"""What a crash left behind, and nothing has settled yet."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import groupby

from syncer.content.left_over import left_over
from syncer.content.page_file import attempt
from syncer.content.scan import read_head
from syncer.content.walk import Candidate
from syncer.front_matter.find import counts_in
from syncer.model import Fields, Problem, VideoId
from syncer.state.database import Database
from syncer.state.intents import IntentBatch, unsettled_batches


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
    """Files that could not be settled."""

    @property
    def any(self) -> bool:
        """Whether there is anything to settle."""
        return bool(self.written or self.unwritten or self.files)


def find_remains(site: str, database: Database) -> Remains:
    """Return what a crash left behind, and change nothing. `site` is a real path. Raises StateError."""
    written = unwritten = 0
    files: set[str] = set()
    for batch in unsettled_batches(database):
        not_done = len(_not_done(site, batch))
        written, unwritten = written + len(batch.intents) - not_done, unwritten + not_done
        files.update(path for directory in _directories(_real_pages(site, batch)) for path in left_over(directory))
    return Remains(written, unwritten, frozenset(files))


def _not_done(site: str, batch: IntentBatch) -> set[int]:
    """Return the numbers of the intents that no page shows; of a batch that is done, none is left."""
    if batch.done_at is not None:
        return set()
    not_done: set[int] = set()
    for (path, mapping), same in groupby(
        batch.changes.items(), key=lambda item: (item[1].path, batch.intents[item[0]].mapping)
    ):
        on_disk = _counts_on_disk(site, path, batch.mappings[mapping])
        not_done.update(number for number, change in same if on_disk.get((change.video_id, change.field)) != change.new)
    return not_done


def _counts_on_disk(site: str, path: str, fields: Fields) -> dict[tuple[VideoId, str], str | None]:
    read = read_head(site, Candidate(path, (fields,)))
    return (attempt(counts_in, read[0], fields, path) if isinstance(read, tuple) else None) or {}


def _real_pages(site: str, batch: IntentBatch) -> set[str]:
    """Return the real paths of the batch's pages, but for those that lead out of the site by now."""
    paths = {os.path.realpath(os.path.join(site, path)) for path in {change.path for change in batch.changes.values()}}
    return {path for path in paths if path.startswith(f"{site.rstrip('/')}/")}


def _directories(pages: set[str]) -> set[str]:
    """Return where new files were made: beside the pages themselves, not beside links to them."""
    return {os.path.dirname(path) for path in pages}
